//! The whole program as a process: WhatsApp in and out, crashes, one list of tools, the exit codes.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::graph::{Graph, NUMBER, SECRET, TOKEN, sign, text_webhook};
use crate::support::program::{Program, command, warm};

pub async fn deliver(url: &str, body: &Value) -> Option<u16> {
    let bytes = serde_json::to_vec(body).unwrap();
    let signature = sign(SECRET, &bytes);
    let sent = reqwest::Client::new()
        .post(format!("{url}/webhooks/whatsapp"))
        .header("x-hub-signature-256", signature)
        .body(bytes)
        .timeout(Duration::from_secs(10))
        .send()
        .await;
    sent.ok().map(|answer| answer.status().as_u16())
}

pub fn variables(graph_url: &str) -> Vec<(&'static str, String)> {
    vec![
        ("SPORTELLO_WHATSAPP__APP_SECRET", SECRET.to_owned()),
        ("SPORTELLO_WHATSAPP__VERIFY_TOKEN", "verify-me".to_owned()),
        ("SPORTELLO_WHATSAPP__ACCESS_TOKEN", TOKEN.to_owned()),
        ("SPORTELLO_WHATSAPP__PHONE_NUMBER_ID", NUMBER.to_owned()),
        ("SPORTELLO_WHATSAPP__GRAPH_URL", graph_url.to_owned()),
        ("SPORTELLO_AGENT__DEBOUNCE_SECONDS", "0.05".to_owned()),
        ("SPORTELLO_AGENT__BURST_SECONDS", "0.2".to_owned()),
    ]
}

pub async fn serve(data: &Path, graph: &Graph, more: &[(&str, &str)]) -> Option<Program> {
    let config = graph.config();
    let own = variables(&config.graph_url);
    let all: Vec<(&str, &str)> = own
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain(more.iter().copied())
        .collect();
    Program::serve(data, &all).await
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(40),
            "waited too long until {what}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_on_whatsapp_is_answered_once() {
    let (data, graph) = (warm().await, Graph::start().await);
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    let client = reqwest::Client::new();
    let door = format!("{}/webhooks/whatsapp", program.url);

    let handshake =
        format!("{door}?hub.mode=subscribe&hub.challenge=4711&hub.verify_token=verify-me");
    assert_eq!(
        client
            .get(&handshake)
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "4711"
    );
    let wrong = handshake.replace("verify-me", "guess");
    assert_eq!(client.get(&wrong).send().await.unwrap().status(), 403);

    let unsigned = client.post(&door).body("{}").send().await.unwrap();
    assert_eq!(unsigned.status(), 401);
    let large = client
        .post(&door)
        .body(vec![b'x'; 5 * 1024 * 1024])
        .send()
        .await;
    assert!(large.is_err() || large.unwrap().status() == 413);

    let now = jiff::Timestamp::now().as_second();
    let body = text_webhook(
        "393331234567",
        "wamid.one",
        "Dov'è il mio ordine 10441?",
        now,
    );
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    until("the answer is sent", || !graph.sent().is_empty()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let sent = graph.sent();
    assert_eq!(sent.len(), 1, "one answer to a message that came twice");
    assert!(sent[0].to_string().contains("10441"), "{}", sent[0]);
    assert_eq!(sent[0]["to"], "+393331234567");
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_point_costs_no_message() {
    let (data, graph) = (warm().await, Graph::start().await);
    let mut survived = false;
    for n in 1..=20 {
        let before = graph.sent().len();
        let point = n.to_string();
        let mut program = serve(data.path(), &graph, &[("SPORTELLO_FAILPOINT", &point)])
            .await
            .unwrap();
        let now = jiff::Timestamp::now().as_second();
        let body = text_webhook(
            &format!("49151123456{n:02}"),
            &format!("wamid.crash{n}"),
            "Wo ist Bestellung 10432?",
            now,
        );
        let answered = deliver(&program.url, &body).await;
        let started = Instant::now();
        while !program.has_ended()
            && started.elapsed() < Duration::from_secs(20)
            && graph.sent().len() == before
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        if !program.has_ended() {
            survived = true;
            program.kill().await;
            break;
        }
        let again = serve(data.path(), &graph, &[]).await.unwrap();
        if answered != Some(200) {
            // Meta sends again what was not acknowledged.
            assert_eq!(deliver(&again.url, &body).await, Some(200));
        }
        until("the answer is sent after the crash", || {
            graph.sent().len() > before
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sent = graph.sent().len() - before;
        assert!((1..=2).contains(&sent), "point {n}: {sent} answers");
        assert_eq!(again.stop().await, Some(0));
    }
    assert!(survived, "there are fewer than twenty points");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_doors_show_the_same_tools() {
    let data = tempdir().unwrap();
    let program = Program::serve(data.path(), &[]).await.unwrap();
    let client = reqwest::Client::new();

    let listed = command(data.path(), &["tools", "list", "--json"])
        .output()
        .await
        .unwrap();
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let of = |caller: &str| -> Vec<&str> {
        let tools = listed.as_array().unwrap().iter();
        tools
            .filter(|tool| tool["callers"].as_array().unwrap().contains(&json!(caller)))
            .map(|tool| tool["name"].as_str().unwrap())
            .collect()
    };
    let anonymous = of("anonymous");
    assert_eq!(
        anonymous,
        ["search_catalog", "get_product", "search_policies"]
    );

    let manifest: Value = client
        .get(format!("{}/.well-known/webmcp.json", program.url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let names = |tools: &Value| -> Vec<String> {
        let tools = tools.as_array().unwrap();
        tools
            .iter()
            .map(|tool| tool["name"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(&manifest["tools"]), of("page"));

    let mcp: Value = client
        .post(format!("{}/mcp", program.url))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .json(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(names(&mcp["result"]["tools"]), anonymous);
    for (place, name) in anonymous.iter().enumerate() {
        let spec = listed.as_array().unwrap().iter();
        let spec = { spec }.find(|spec| spec["name"] == *name).unwrap();
        let (page, mcp) = (&manifest["tools"][place], &mcp["result"]["tools"][place]);
        for key in ["title", "description", "inputSchema", "annotations"] {
            assert_eq!(page[key], spec[key], "{name}: {key} on the page");
        }
        for key in ["title", "description", "inputSchema", "outputSchema"] {
            assert_eq!(mcp[key], spec[key], "{name}: {key} over MCP");
        }
    }

    let asked = command(
        data.path(),
        &[
            "search",
            "macchina per cappuccino",
            "--json",
            "--limit",
            "3",
        ],
    );
    let found = { asked }.output().await.unwrap();
    let found: Value = serde_json::from_slice(&found.stdout).unwrap();
    assert!(
        !found["results"].as_array().unwrap().is_empty(),
        "the running server answers: {found}"
    );

    let second = command(data.path(), &["serve", "--listen", "127.0.0.1:0"])
        .output()
        .await
        .unwrap();
    assert_eq!(second.status.code(), Some(3));
    assert!(!second.stderr.is_empty());
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_keeps_its_contract() {
    use tokio::io::AsyncWriteExt as _;
    let data = warm().await;
    let mut child = command(data.path(), &["understand"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input
        .write_all(
            "Dov'è il mio ordine?\n{\"text\": \"Ich möchte mit einem Menschen sprechen\"}\n\n"
                .as_bytes(),
        )
        .await
        .unwrap();
    drop(input);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "a line out for a line in");
    assert_eq!(lines[0]["language"], "it");
    assert_eq!(lines[0]["intent"]["name"], "order_status");
    assert_eq!(lines[1]["text"], "Ich möchte mit einem Menschen sprechen");
    assert_eq!(lines[1]["intent"]["name"], "human");

    let checked = command(data.path(), &["check", "--json"])
        .output()
        .await
        .unwrap();
    assert_eq!(checked.status.code(), Some(0));
    let wrong = command(data.path(), &["serve"])
        .env("SPORTELLO_LLM__MODLE", "x")
        .env("SPORTELLO_SERVER__LISTEN", "nowhere")
        .output()
        .await
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(
        said.contains("SPORTELLO_LLM__MODLE") && said.contains("SPORTELLO_SERVER__LISTEN"),
        "{said}"
    );
    let unknown = command(data.path(), &["dance"]).output().await.unwrap();
    assert_eq!(unknown.status.code(), Some(2));
}
