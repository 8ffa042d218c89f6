//! The stand-in for the Graph API against Meta's own examples, and the customer in the terminal.

mod terminal;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use reqwest::Client;
use secrecy::SecretString;
use serde_json::{Value, json};
use sportello::simulate::{Reply, Step, check, errors};
use sportello::whatsapp::graph::ErrorClass;
use sportello::whatsapp::signature;
use sportello::whatsapp::webhook::{self, ItemKind};

use crate::support::data::bodies;
use crate::support::graph::{NUMBER, SECRET, TOKEN};
use crate::support::listener::{Reset, serve};
use crate::support::program::until;
use crate::support::stand_in::{BUSINESS, StandIn};

fn text(body: &str) -> Value {
    json!({ "messaging_product": "whatsapp", "to": "+393331234567", "type": "text",
        "text": { "body": body }, "biz_opaque_callback_data": "ob_1" })
}

async fn ask(stand_in: &StandIn, request: &Value) -> (u16, Value) {
    let sent = Client::new()
        .post(format!("{}/{NUMBER}/messages", stand_in.url))
        .bearer_auth(TOKEN)
        .json(request)
        .send()
        .await
        .unwrap();
    (
        sent.status().as_u16(),
        sent.json().await.unwrap_or_default(),
    )
}

/// Meta's own faulty examples, and one that this product may not send: India's payments.
const NOT_TAKEN: [&str; 5] = [
    "send_multi_product_message",
    "send_text_message_with_preview_url",
    "send_reply_to_list_message",
    "send_order_details_message",
    "send_order_status_message",
];

#[test]
fn metas_examples_are_taken_and_its_faulty_ones_are_not() {
    let mut taken = 0;
    for (path, body) in bodies("whatsapp/meta-openapi/requests") {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        let faults = if body["status"] == "read" {
            check::receipt_faults(&body)
        } else {
            // Meta's examples have placeholders where numbers and addresses stand.
            body["to"] = json!("+393331234567");
            body = serde_json::from_str(
                &body
                    .to_string()
                    .replace("http(s)", "https")
                    .replace("<https", "https"),
            )
            .unwrap();
            check::faults(&body)
        };
        let known = NOT_TAKEN.iter().any(|name| path.contains(name));
        assert_eq!(faults.is_empty(), !known, "{path}: {faults:?}");
        taken += usize::from(faults.is_empty());
    }
    assert!(taken == 45 || taken == 0, "{taken} examples");
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[tokio::test]
async fn answers_have_the_shape_of_metas_answers() {
    let stand_in = StandIn::start().await;
    let (status, answer) = ask(&stand_in, &text("ciao")).await;
    assert_eq!(status, 200);
    for (path, official) in bodies("whatsapp/meta-openapi/responses") {
        let official: Value = serde_json::from_str(&official).unwrap();
        if path.contains("200_send_text_message") {
            assert_eq!(keys(&answer), keys(&official), "{path}");
            for part in ["/contacts/0", "/messages/0"] {
                let (ours, theirs) = (answer.pointer(part), official.pointer(part));
                assert!(
                    keys(ours.unwrap()).is_subset(&keys(theirs.unwrap())),
                    "{path}"
                );
            }
        }
    }
    let receipt = json!({ "messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x",
        "typing_indicator": { "type": "text" } });
    assert_eq!(
        ask(&stand_in, &receipt).await,
        (200, json!({ "success": true }))
    );
    assert_eq!(stand_in.graph.receipts(), [receipt]);

    let (status, refused) = ask(&stand_in, &text(" ")).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!(100)));
    assert_ne!(stand_in.graph.faults(), Vec::<String>::new());
    let unknown = Client::new()
        .post(format!("{}/{NUMBER}/messages", stand_in.url))
        .json(&text("ciao"));
    assert_eq!(unknown.send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn every_error_of_the_table_is_answered_on_demand() {
    let stand_in = StandIn::start().await;
    for &(code, status, title) in errors::TABLE {
        assert_ne!(ErrorClass::of(code), ErrorClass::Unknown, "{code} {title}");
        stand_in.graph.reply_next(&[Reply::Code(code)]);
        let (answered, body) = ask(&stand_in, &text("ciao")).await;
        assert_eq!(
            (answered, body["error"]["code"].as_i64()),
            (status, Some(code))
        );
        assert!(body["error"]["fbtrace_id"].is_string(), "{body}");
    }
    assert_eq!(ask(&stand_in, &text("ciao")).await.0, 200);
    assert_eq!(stand_in.taken().len(), 1);
}

/// A server that keeps what is posted to it.
async fn listen() -> (String, Arc<Mutex<Vec<Value>>>) {
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    let keeping = Arc::clone(&kept);
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let header = headers["x-hub-signature-256"].to_str().unwrap();
        assert!(signature::verify(
            &[SecretString::from(SECRET)],
            Some(header),
            &body
        ));
        keeping
            .lock()
            .unwrap()
            .push(serde_json::from_slice(&body).unwrap());
    };
    let router = Router::new().route("/webhooks/whatsapp", post(take));
    let (address, _) = serve(router, Reset::default()).await;
    (format!("http://{address}"), kept)
}

fn statuses(kept: &Mutex<Vec<Value>>) -> Vec<String> {
    let bodies = kept.lock().unwrap().clone();
    let items = bodies.iter().flat_map(|body| {
        let delivery = webhook::parse(body.to_string().as_bytes());
        delivery.unwrap_or_else(|_| panic!("{body}")).items
    });
    items
        .filter_map(|item| {
            let ItemKind::Status(status) = item.kind else {
                return None;
            };
            Some(status.status.name().to_owned())
        })
        .collect()
}

#[tokio::test]
async fn statuses_come_late_twice_and_in_the_wrong_order() {
    let (stand_in, (server, kept)) = (StandIn::start().await, listen().await);
    stand_in.tell(&server);
    stand_in.graph.tell(Step::troubled());
    ask(&stand_in, &text("ciao")).await;
    until("every status is told", async || {
        kept.lock().unwrap().len() == 6
    })
    .await;
    let told = statuses(&kept);
    assert_eq!(told[0], "read");
    for status in ["sent", "delivered", "read"] {
        assert_eq!(
            told.iter().filter(|told| *told == status).count(),
            2,
            "{told:?}"
        );
    }
    let bodies = kept.lock().unwrap().clone();
    let sent = bodies
        .iter()
        .find(|body| body.to_string().contains("\"pricing\""))
        .unwrap();
    let sent = &sent["entry"][0]["changes"][0]["value"]["statuses"][0];
    assert_eq!(sent["status"], "sent");
    assert_eq!(sent["pricing"]["category"], "service");
    assert_eq!(sent["biz_opaque_callback_data"], "ob_1");

    stand_in.graph.reply_next(&[Reply::FailLater(131_047)]);
    ask(&stand_in, &text("ciao")).await;
    until("the failure is told", async || {
        kept.lock().unwrap().len() == 7
    })
    .await;
    let failed = kept.lock().unwrap().last().unwrap().to_string();
    assert!(
        failed.contains("131047") && failed.contains("failed"),
        "{failed}"
    );
}

#[tokio::test]
async fn a_file_is_fetched_in_two_steps_with_the_token() {
    let stand_in = StandIn::start().await;
    let client = Client::new();
    let get = |url: String| client.get(url).bearer_auth(TOKEN).send();
    let id = stand_in
        .graph
        .add_file(Bytes::from_static(b"\x89PNG"), "image/png");
    let described = format!("{}/{id}", stand_in.url);
    assert_eq!(client.get(&described).send().await.unwrap().status(), 401);
    let medium: Value = get(described).await.unwrap().json().await.unwrap();
    assert_eq!(
        (&medium["mime_type"], &medium["file_size"]),
        (&json!("image/png"), &json!(4))
    );
    let url = medium["url"].as_str().unwrap();
    assert_eq!(client.get(url).send().await.unwrap().status(), 401);
    let bytes = get(url.to_owned()).await.unwrap().bytes().await.unwrap();
    assert_eq!(&bytes[..], b"\x89PNG");
    assert_eq!(
        get(format!("{}/1", stand_in.url)).await.unwrap().status(),
        400
    );

    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nciao\r\n--b--\r\n";
    let uploaded = client
        .post(format!("{}/{NUMBER}/media", stand_in.url))
        .bearer_auth(TOKEN)
        .header("content-type", "multipart/form-data; boundary=b")
        .body(form);
    let uploaded: Value = uploaded.send().await.unwrap().json().await.unwrap();
    let again = format!("{}/{}", stand_in.url, uploaded["id"].as_str().unwrap());
    let again: Value = get(again).await.unwrap().json().await.unwrap();
    assert_eq!(again["mime_type"], "text/plain");
}

#[tokio::test]
async fn templates_are_listed_in_pages_and_approved_by_a_webhook() {
    let (stand_in, (server, kept)) = (StandIn::start().await, listen().await);
    stand_in.tell(&server);
    let client = Client::new();
    let address = format!("{}/{BUSINESS}/message_templates", stand_in.url);
    let create = |body: Value| client.post(&address).bearer_auth(TOKEN).json(&body).send();
    for number in 0..5 {
        let template = json!({ "name": format!("order_{number}"), "language": "it",
            "category": "UTILITY", "components": [{ "type": "BODY", "text": "Ordine {{1}}" }] });
        let created: Value = create(template).await.unwrap().json().await.unwrap();
        assert_eq!(created["status"], "PENDING");
    }
    assert_eq!(
        create(json!({ "name": "No spaces" }))
            .await
            .unwrap()
            .status(),
        400
    );
    assert_eq!(stand_in.graph.faults().len(), 1);

    let mut next = Some(format!("{address}?limit=2"));
    let mut names = Vec::new();
    while let Some(url) = next {
        let page = client.get(&url).bearer_auth(TOKEN).send().await.unwrap();
        let page: Value = page.json().await.unwrap();
        let data = page["data"].as_array().unwrap();
        names.extend(
            data.iter()
                .map(|one| one["name"].as_str().unwrap().to_owned()),
        );
        next = page["paging"]["next"].as_str().map(str::to_owned);
    }
    assert_eq!(
        names,
        ["order_0", "order_1", "order_2", "order_3", "order_4"]
    );
    until("all are approved", async || kept.lock().unwrap().len() == 5).await;
    let approved = kept.lock().unwrap()[0].clone();
    let change = &approved["entry"][0]["changes"][0];
    assert_eq!(change["field"], "message_template_status_update");
    assert_eq!(change["value"]["event"], "APPROVED");
}

#[tokio::test]
async fn a_broken_connection_and_a_silence_are_what_they_say() {
    let stand_in = StandIn::start().await;
    let send = || {
        Client::new()
            .post(format!("{}/{NUMBER}/messages", stand_in.url))
            .bearer_auth(TOKEN)
            .json(&text("ciao"))
            .timeout(Duration::from_millis(500))
            .send()
    };
    stand_in.graph.reply_next(&[Reply::Reset, Reply::Hang]);
    let reset = send().await.unwrap_err();
    assert!(!reset.is_timeout() && !reset.is_connect(), "{reset:?}");
    assert!(send().await.unwrap_err().is_timeout());
    assert_eq!(stand_in.taken().len(), 2, "both were taken all the same");
}
