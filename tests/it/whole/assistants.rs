//! Assistants with a token and their customers, through the whole program, a Graph API and the PyPI client.

use std::path::Path;

use reqwest::Client;
use serde_json::{Value, json};

use crate::serving::{deliver, serve, variables};
use crate::support::graph::{ACCOUNT, Graph, faults, text_webhook};
use crate::support::program::{Ended, Program, column, number, run, until, warm};
use crate::support::python::{interpreter, script};

const ORDER: &str = "10441";
const PHONE: &str = "+393331234567";

/// The status and the result, or the whole answer, of a tool call by an older client.
async fn call(program: &Program, token: &str, name: &str, arguments: Value) -> (u16, Value) {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": { "name": name, "arguments": arguments } });
    let request = Client::new()
        .post(format!("{}/mcp", program.url))
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .bearer_auth(token)
        .json(&call);
    let answered = request.send().await.unwrap();
    let status = answered.status().as_u16();
    let body: Value = answered.json().await.unwrap();
    let result = body["result"]["structuredContent"].clone();
    (status, if result.is_null() { body } else { result })
}

async fn tokens(data: &Path, arguments: &[&str]) -> Ended {
    run(data, &[&["tokens"], arguments].concat(), &[], "").await
}

async fn create(data: &Path, scopes: &str, expires: &str) -> Value {
    let arguments = ["create", "--name", "Website bot", "--scopes", scopes];
    let rest = ["--expires", expires, "--json"];
    let ended = tokens(data, &[&arguments[..], &rest].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    ended.json()
}

fn secret(token: &Value) -> &str {
    token["token"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_and_ended_while_the_server_runs() {
    let (data, graph) = (warm().await, Graph::start().await);
    let data = data.path();
    // Before the server runs, the folder itself is opened.
    let early = create(data, "catalog:read", "1h").await;
    for (arguments, says) in [
        (
            &[
                "create",
                "--name",
                "x",
                "--scopes",
                "catalog:read,orders:write",
            ][..],
            "catalog:read, orders:read, tickets:write, payments:write",
        ),
        (
            &["create", "--name", "<x>", "--scopes", "catalog:read"],
            "the name has",
        ),
        (
            &[
                "create",
                "--name",
                "x",
                "--scopes",
                "catalog:read",
                "--expires",
                "ever",
            ],
            "90d",
        ),
        (&["revoke", "at_none"], "sportello tokens list"),
    ] {
        let ended = tokens(data, arguments).await;
        assert_eq!(ended.code, Some(2), "{ended}");
        assert!(ended.said.contains(says), "{ended}");
    }
    let program = serve(data, &graph, &[]).await.unwrap();
    let product = || json!({ "id": "moka-torretta-6" });
    let read = async |token: &Value| {
        call(&program, secret(token), "get_product", product())
            .await
            .0
    };
    assert_eq!(read(&early).await, 200);
    until("the socket is open", async || {
        tokens(data, &["list", "--json"]).await.code == Some(0)
            && data.join("control.sock").exists()
    })
    .await;
    let made = create(data, "catalog:read,tickets:write", "90d").await;
    assert_eq!(made["scopes"], json!(["catalog:read", "tickets:write"]));
    assert_eq!(read(&made).await, 200);
    let listed = tokens(data, &["list"]).await;
    assert_eq!(listed.out.lines().count(), 2, "{listed}");
    assert!(
        listed.out.contains("Website bot") && listed.out.contains("last used"),
        "{listed}"
    );
    for ended in [&listed, &tokens(data, &["list", "--json"]).await] {
        assert!(!ended.out.contains("spt_"), "{ended}");
    }
    let id = made["id"].as_str().unwrap();
    let revoked = tokens(data, &["revoke", id]).await;
    assert!(
        revoked.code == Some(0) && revoked.out.contains("revoked"),
        "{revoked}"
    );
    assert_eq!(read(&made).await, 401);
    assert_eq!(read(&early).await, 200);
    assert_eq!(program.stop().await, Some(0));
    let kept = column(data, "SELECT hash FROM tokens").await;
    assert!(
        kept.iter()
            .all(|hash| !hash.contains(secret(&made)) && hash.len() == 64)
    );
    // Two hours later it is over.
    let later = [("SPORTELLO_CLOCK_OFFSET", "7200000")];
    let program = serve(data, &graph, &later).await.unwrap();
    let (status, _) = call(&program, secret(&early), "get_product", product()).await;
    assert_eq!(status, 401);
    assert_eq!(program.stop().await, Some(0));
}

/// Verifies a customer by what the Graph API was sent: the handle and that message.
async fn verified(program: &Program, graph: &Graph, token: &str) -> (String, Value) {
    let before = graph.sent().len();
    let (status, asked) = call(program, token, "verify_customer", json!({ "phone": PHONE })).await;
    assert_eq!(status, 200, "{asked}");
    until("the code is sent", async || graph.sent().len() > before).await;
    let sent = graph.sent().remove(before);
    assert_eq!(sent["to"], PHONE);
    let text = sent["text"]["body"].as_str().map(str::to_owned);
    let blank = &sent["template"]["components"][0]["parameters"][0]["text"];
    let words = text.unwrap_or_else(|| blank.to_string());
    let digits = regex::Regex::new(r"\b\d{6}\b").unwrap();
    let code = digits.find(&words).unwrap().as_str();
    let confirm = json!({ "request": asked["request"], "code": code });
    let (_, confirmed) = call(program, token, "confirm_customer", confirm).await;
    let customer = confirmed["customer"].as_str().unwrap_or_default();
    assert!(customer.starts_with("spc_"), "{confirmed}");
    (customer.to_owned(), sent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_as_a_template_and_then_as_text() {
    let (data, graph) = (warm().await, Graph::start().await);
    graph.has_template(
        json!({ "id": "1", "name": "login_code", "language": "it", "status": "APPROVED",
        "category": "AUTHENTICATION", "components": [{ "type": "BODY", "text": "{{1}}" }] }),
    );
    let config = graph.config();
    let own = variables(&config.graph_url);
    let mut all: Vec<(&str, &str)> = own
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    all.push(("SPORTELLO_WHATSAPP__WABA_ID", ACCOUNT));
    let synced = run(data.path(), &["templates", "sync", "--json"], &all, "").await;
    assert_eq!(synced.code, Some(0), "{synced}");
    let made = create(data.path(), "orders:read,tickets:write", "1d").await;
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    // She has an order and never wrote: only a template may begin.
    let (customer, sent) = verified(&program, &graph, secret(&made)).await;
    assert_eq!(faults(&sent), Vec::<String>::new());
    assert_eq!(sent["template"]["name"], "login_code");
    let parts = &sent["template"]["components"];
    assert_eq!(
        (&parts[1]["sub_type"], &parts[1]["index"]),
        (&json!("url"), &json!("0"))
    );
    assert_eq!(parts[0]["parameters"], parts[1]["parameters"]);
    let orders = json!({ "customer": customer });
    let (_, orders) = call(&program, secret(&made), "get_order_status", orders).await;
    assert_eq!(orders["orders"][0]["number"], ORDER);

    let now = jiff::Timestamp::now().as_second();
    let body = text_webhook(&PHONE[1..], "wamid.1", "STOP", now);
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    until("the stop is confirmed", async || graph.sent().len() == 2).await;
    let (_, sent) = verified(&program, &graph, secret(&made)).await;
    let words = sent["text"]["body"].as_str().unwrap();
    assert!(
        words.contains("Website bot")
            && (words.contains("mai condiviso") || words.contains("never share")),
        "{words}"
    );
    let code = regex::Regex::new(r"\b\d{6}\b").unwrap();
    let code = code.find(words).unwrap().as_str();
    // Nobody at the desk reads the code, and nothing keeps it.
    let said = column(data.path(), "SELECT text FROM messages ORDER BY id").await;
    assert_eq!(
        said.iter()
            .filter(|text| text.starts_with("[code]"))
            .count(),
        2
    );
    let kept = column(
        data.path(),
        "SELECT answer || COALESCE(template, '') || COALESCE(secret, '') FROM outbox",
    );
    assert!(kept.await.iter().all(|row| !row.contains(code)));
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_acts_for_a_customer_in_both_modes() {
    let python = interpreter().await;
    let (data, graph) = (warm().await, Graph::start().await);
    let made = create(data.path(), "orders:read,tickets:write", "1d").await;
    let program = serve(data.path(), &graph, &[]).await.unwrap();
    let now = jiff::Timestamp::now().as_second();
    let body = text_webhook(&PHONE[1..], "wamid.1", "STOP", now);
    assert_eq!(deliver(&program.url, &body).await, Some(200));
    until("the stop is confirmed", async || graph.sent().len() == 1).await;
    let (customer, _) = verified(&program, &graph, secret(&made)).await;
    let url = format!("{}/mcp", program.url);
    for (mode, version, calls) in [("auto", "2026-07-28", 1), ("legacy", "2025-11-25", 2)] {
        let arguments = ["--mode", mode, &url, secret(&made), &customer];
        let seen = script(&python, "mcp_customer.py", &arguments).await;
        assert_eq!(seen["protocolVersion"], version);
        let tools = [
            "get_order_status",
            "open_ticket",
            "verify_customer",
            "confirm_customer",
        ];
        assert_eq!(seen["tools"], json!(tools));
        assert_eq!(seen["orders"]["structuredContent"]["verified"], true);
        let results = seen["results"].as_array().unwrap();
        assert_eq!(results.len(), calls, "{seen}");
        let last = &results[calls - 1]["structuredContent"];
        assert!(last["ticket"].is_string(), "{seen}");
        let asked = seen["asked"].as_array().unwrap();
        assert_eq!(asked.len(), 2 - calls, "{seen}");
    }
    let audited = "SELECT COUNT(*) FROM audit WHERE action = 'tool_called'";
    assert_eq!(number(data.path(), audited).await, 2);
    assert_eq!(program.stop().await, Some(0));
}
