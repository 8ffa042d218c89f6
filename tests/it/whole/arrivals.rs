//! What the door has stored is worked in whatever lies beside it, and after a death.

use std::time::Duration;

use serde_json::json;
use sqlx::{ConnectOptions as _, sqlite::SqliteConnectOptions};

use crate::serving::{deliver, serve};
use crate::store::second_connection;
use crate::support::graph::{Graph, text_webhook};
use crate::support::program::{number, run, until, warm};
use crate::support::stripe::unix_now;

const WAITING: &str = "SELECT COUNT(*) FROM arrivals";
const MESSAGES: &str = "SELECT COUNT(*) FROM inbox";

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_cannot_be_worked_in_costs_its_neighbours_nothing() {
    let (data, graph) = (warm().await, Graph::start().await);
    let poison = "CREATE TRIGGER poison BEFORE INSERT ON inbox WHEN NEW.external_id = 'wamid.5' \
                  BEGIN SELECT RAISE(FAIL, 'poison'); END";
    let mut database = second_connection(data.path()).await;
    sqlx::raw_sql(poison).execute(&mut database).await.unwrap();
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    let mut body = text_webhook("393330000000", "wamid.0", "ciao", unix_now());
    let first = body["entry"][0]["changes"][0]["value"]["messages"][0].clone();
    let messages = (0..12).map(|number| {
        let mut message = first.clone();
        message["id"] = json!(format!("wamid.{number}"));
        message["from"] = json!(format!("39333000{number:04}"));
        message
    });
    body["entry"][0]["changes"][0]["value"]["messages"] = messages.collect();
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    until("all are answered but one", async || {
        graph.sent().len() == 11
    })
    .await;
    assert_eq!(number(data.path(), WAITING).await, 0);
    assert_eq!(number(data.path(), MESSAGES).await, 11);

    let letters = run(data.path(), &["deadletter", "list", "--json"], &[], "").await;
    let letter = &letters.json()[0];
    let reason = letter["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("it could not be worked in, 3 times"),
        "{letter}"
    );
    sqlx::raw_sql("DROP TRIGGER poison")
        .execute(&mut database)
        .await
        .unwrap();
    let id = letter["id"].as_str().unwrap();
    let replayed = run(data.path(), &["deadletter", "replay", id], &[], "").await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.said);
    until("it is answered too", async || graph.sent().len() == 12).await;
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_start_is_worked_in() {
    let (data, graph) = (warm().await, Graph::start().await);
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    // While another connection writes, the door's transaction waits, and so does what comes after it.
    let options = SqliteConnectOptions::new().filename(data.path().join("sportello.db"));
    let mut other = options.connect().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let url = program.url.clone();
    let posts = (0..40).map(|number| {
        let url = url.clone();
        async move {
            let phone = format!("39333000{number:04}");
            let body = text_webhook(&phone, &format!("wamid.{number}"), "ciao", unix_now());
            deliver(&url, &body).await
        }
    });
    let posts = tokio::spawn(futures::future::join_all(posts));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(
        !posts.is_finished(),
        "nothing is acknowledged before it is stored"
    );
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert!(
        posts
            .await
            .unwrap()
            .iter()
            .all(|status| *status == Some(200))
    );
    program.kill().await;
    let again = serve(data.path(), &graph, &[]).await.unwrap();
    until("all are worked in", async || {
        number(data.path(), WAITING).await == 0
    })
    .await;
    assert_eq!(number(data.path(), MESSAGES).await, 40);
    assert_eq!(again.stop().await, Some(0));
}
