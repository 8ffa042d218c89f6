//! A disk that takes no more: 503 at the doors, nothing acknowledged that is not stored. The system refuses
//! the server's files to grow, as a full disk does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::Row as _;
use tokio::process::Command;

use super::{count, second_connection};
use crate::support::graph::{Graph, NUMBER, SECRET, TOKEN, sign, text_webhook};
use crate::support::program::{Program, command, warm};
use crate::support::stripe::unix_now;

/// Serves, surviving the signal with which the system tells of the limit.
async fn serve(data: &Path, graph: &Graph) -> Program {
    let plain = command(data, &["serve", "--listen", "127.0.0.1:0"]);
    let plain = plain.as_std();
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args())
        .env("SPORTELLO_WHATSAPP__APP_SECRET", SECRET)
        .env("SPORTELLO_WHATSAPP__ACCESS_TOKEN", TOKEN)
        .env("SPORTELLO_WHATSAPP__PHONE_NUMBER_ID", NUMBER)
        .env("SPORTELLO_WHATSAPP__GRAPH_URL", graph.config().graph_url)
        .env("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "0.05")
        .kill_on_drop(true);
    let program = Program::start(shell).await.unwrap();
    let ready = format!("{}/readyz", program.url);
    until("the server is ready", async || {
        reqwest::get(&ready).await.unwrap().status() == 200
    })
    .await;
    program
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "waited too long until {what}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Limits the size of the files that a running program writes.
async fn limit(program: &Program, bytes: &str) -> bool {
    let id = program.id().unwrap().to_string();
    let limited = Command::new("prlimit")
        .args(["--pid", &id, &format!("--fsize={bytes}:")])
        .status()
        .await;
    limited.is_ok_and(|status| status.success())
}

/// Message `place`, from a phone of its own.
async fn deliver(client: &Client, program: &Program, place: usize) -> u16 {
    let (phone, id) = (format!("3933312{place:05}"), format!("wamid.full{place}"));
    let body = text_webhook(&phone, &id, "Spedite a Malta?", unix_now()).to_string();
    let request = client
        .post(format!("{}/webhooks/whatsapp", program.url))
        .header("x-hub-signature-256", sign(SECRET, body.as_bytes()))
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

/// The rows of a message that are stored.
async fn stored(data: &Path, place: usize) -> i64 {
    let mut connection = second_connection(data).await;
    let row = sqlx::query("SELECT COUNT(*) FROM inbox WHERE external_id = $1")
        .bind(format!("wamid.full{place}"))
        .fetch_one(&mut connection)
        .await;
    row.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_with_200_is_there_and_the_rest_was_503() {
    let (data, graph, client) = (warm().await, Graph::start().await, Client::new());
    let data = data.path();
    let program = serve(data, &graph).await;
    let mut accepted = BTreeSet::new();
    for place in 0..2 {
        assert_eq!(deliver(&client, &program, place).await, 200);
        accepted.insert(place);
    }
    let log = std::fs::metadata(data.join("sportello.db-wal")).unwrap();
    if !limit(&program, &(log.len() + 200_000).to_string()).await {
        writeln!(std::io::stderr(), "skipped: no prlimit here").unwrap();
        return;
    }

    let mut refused = None;
    for place in 2..1_000 {
        match deliver(&client, &program, place).await {
            200 => accepted.insert(place),
            503 => {
                refused = Some(place);
                break;
            }
            status => panic!("{status} on a full disk"),
        };
    }
    let refused = refused.expect("the disk is full at some time");
    assert_eq!(stored(data, refused).await, 0, "503 means not stored");
    the_chat_is_refused_too(&client, &program).await;
    let alive = client.get(format!("{}/healthz", program.url)).send().await;
    assert_eq!(alive.unwrap().status(), 200);

    // There is room again, and the running server goes on by itself.
    assert!(limit(&program, "unlimited").await);
    assert_eq!(deliver(&client, &program, refused).await, 200);
    accepted.insert(refused);
    until("what was sent is recorded", async || {
        count(data, "SELECT COUNT(*) FROM outbox WHERE state = 'sending'").await == 0
    })
    .await;
    assert_eq!(program.stop().await, Some(0));

    let program = serve(data, &graph).await;
    for place in accepted.iter().copied() {
        assert_eq!(stored(data, place).await, 1, "message {place}");
        assert_eq!(deliver(&client, &program, place).await, 200);
        assert_eq!(stored(data, place).await, 1, "message {place} came again");
    }
    until("everybody is answered", async || {
        graph.sent().len() >= accepted.len()
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answered = graph.sent();
    let phones: BTreeSet<&str> = answered
        .iter()
        .filter_map(|sent| sent["to"].as_str())
        .collect();
    assert_eq!(
        (answered.len(), phones.len()),
        (accepted.len(), accepted.len())
    );
    assert_eq!(program.stop().await, Some(0));
}

/// A message of the chat needs less room than a webhook: it may take some to fill the rest.
async fn the_chat_is_refused_too(client: &Client, program: &Program) {
    for _ in 0..100 {
        let body = json!({ "id": uuid::Uuid::new_v4(), "text": "Spedite a Malta?" });
        let request = client.post(format!("{}/api/chat/messages", program.url));
        let answer = request.json(&body).send().await.unwrap();
        if answer.status() == 503 {
            assert!(answer.headers().contains_key("retry-after"));
            let said = answer.json::<Value>().await.unwrap()["error"].to_string();
            assert!(said.contains("Nothing was stored"), "{said}");
            return;
        }
        assert_eq!(answer.status(), 202);
    }
    panic!("the chat goes on on a full disk");
}
