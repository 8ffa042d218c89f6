//! Every kind of message through the whole program, with a Graph API that hands out files and an endpoint
//! that writes voice notes down.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::{Path as Place, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::serving::{deliver, variables};
use crate::support::graph::text_webhook;
use crate::support::listener::{Reset, serve};
use crate::support::program::{Program, number, until, warm};
use crate::support::stripe::unix_now;

const PASSWORD: &str = "una moka da sei";

#[derive(Default)]
struct Meta {
    url: Mutex<String>,
    sent: Mutex<Vec<Value>>,
}

impl Meta {
    async fn start() -> Arc<Self> {
        let meta = Arc::new(Self::default());
        let router = Router::new()
            .route("/v26.0/{id}/messages", post(messages))
            .route("/v26.0/{id}", get(address))
            .route("/bytes/{id}", get(bytes))
            .route("/v1/audio/transcriptions", post(transcript))
            .with_state(Arc::clone(&meta));
        let (address, _task) = serve(router, Reset::default()).await;
        *meta.url.lock().unwrap() = format!("http://{address}");
        meta
    }

    /// The text that was sent to someone, when one message was.
    fn answer(&self, customer: &str) -> Option<String> {
        let sent = self.sent.lock().unwrap();
        let theirs: Vec<&Value> = sent
            .iter()
            .filter(|body| body["to"] == format!("+{customer}"))
            .collect();
        assert!(theirs.len() <= 1, "{theirs:?}");
        theirs.first().map(ToString::to_string)
    }
}

async fn messages(State(meta): State<Arc<Meta>>, Json(body): Json<Value>) -> Response {
    if body["type"].is_string() {
        meta.sent.lock().unwrap().push(body);
    }
    let id = format!("wamid.out{}", meta.sent.lock().unwrap().len());
    Json(json!({ "messaging_product": "whatsapp", "messages": [{ "id": id }] })).into_response()
}

async fn address(State(meta): State<Arc<Meta>>, Place(id): Place<String>) -> Response {
    let url = meta.url.lock().unwrap().clone();
    Json(json!({ "id": id, "url": format!("{url}/bytes/{id}"), "file_size": 20 })).into_response()
}

async fn bytes(Place(id): Place<String>) -> Response {
    match id.as_str() {
        "voice" => b"OggS voice".to_vec().into_response(),
        _ => b"\x89PNG\r\n\x1a\npicture".to_vec().into_response(),
    }
}

async fn transcript() -> Json<Value> {
    Json(json!({ "text": "La mia carta è 4111 1111 1111 1111. Spedite a Malta?" }))
}

/// A body with one message of a customer, named by its last digit.
fn body(place: u8, kind: &str, content: &Value) -> Value {
    let mut body = text_webhook(&customer(place), &format!("wamid.{place}"), "x", unix_now());
    let message = &mut body["entry"][0]["changes"][0]["value"]["messages"][0];
    message.as_object_mut().unwrap().remove("text");
    message["type"] = json!(kind);
    message[kind] = content.clone();
    body
}

fn customer(place: u8) -> String {
    format!("39333123450{place}")
}

async fn text(data: &Path, query: &'static str) -> String {
    let url = format!("sqlite://{}", data.join("sportello.db").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let row = sqlx::query(query).fetch_one(&pool).await.unwrap();
    pool.close().await;
    row.get(0)
}

async fn open(meta: &Meta, data: &Path) -> Program {
    let url = meta.url.lock().unwrap().clone();
    let own = variables(&format!("{url}/v26.0"));
    let transcription = format!("{url}/v1");
    let mut all: Vec<(&str, &str)> = own
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    all.push(("SPORTELLO_TRANSCRIPTION__BASE_URL", &transcription));
    all.push(("SPORTELLO_DESK__PASSWORD", PASSWORD));
    Program::serve(data, &all).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_message_gets_a_sensible_turn() {
    let (data, meta) = (warm().await, Meta::start().await);
    let program = open(&meta, data.path()).await;
    let item = |id: &str, quantity: Value| json!({ "product_retailer_id": id, "quantity": quantity, "item_price": "0.01" });
    let cart = json!({ "catalog_id": "1", "product_items": [
        item("macchina-aria", json!("2")), item("ghost-9", json!(1))] });
    let card =
        json!([{ "name": { "formatted_name": "Lucia" }, "phones": [{ "phone": "+39 333 1" }] }]);
    let bodies = [
        body(1, "order", &cart),
        body(2, "audio", &json!({ "id": "voice", "voice": true })),
        body(3, "image", &json!({ "id": "picture" })),
        body(
            4,
            "location",
            &json!({ "latitude": 45.4, "longitude": 9.1 }),
        ),
        body(5, "contacts", &card),
        body(
            6,
            "image",
            &json!({ "id": "picture", "caption": "Do you ship to Malta?" }),
        ),
        body(
            7,
            "reaction",
            &json!({ "message_id": "wamid.x", "emoji": "👍" }),
        ),
    ];
    for body in &bodies {
        assert_eq!(deliver(&program.url, body).await, Some(200));
    }
    until("six are answered", async || {
        (1..=6).all(|place| meta.answer(&customer(place)).is_some())
    })
    .await;
    let answer = |place: u8| meta.answer(&customer(place)).unwrap();
    let basket = answer(1);
    assert!(
        basket.contains("/pay/") && basket.contains("298"),
        "our price: {basket}"
    );
    assert!(
        basket.contains("ghost-9"),
        "what we do not have is named: {basket}"
    );
    let heard =
        "SELECT text FROM messages m JOIN inbox i ON i.id = m.id WHERE i.external_id = 'wamid.2'";
    let heard = text(data.path(), heard).await;
    assert_eq!(heard, "La mia carta è [card •••• 1111]. Spedite a Malta?");
    assert!(!answer(2).contains("vocali"), "it was heard: {}", answer(2));
    assert!(answer(3).contains("picture"), "{}", answer(3));
    assert!(answer(4).contains("location"), "{}", answer(4));
    assert!(answer(5).contains("contact"), "{}", answer(5));
    let captioned = answer(6);
    assert!(
        captioned.contains("kept for my colleagues"),
        "words are answered, the picture is mentioned: {captioned}"
    );
    assert_eq!(
        meta.answer(&customer(7)),
        None,
        "a reaction is kept in silence"
    );

    pictures_are_shown_and_go_with_their_messages(&program, data.path()).await;
    assert_eq!(program.stop().await, Some(0));
}

async fn pictures_are_shown_and_go_with_their_messages(program: &Program, data: &Path) {
    let stored = "SELECT COUNT(*) FROM media WHERE state = 'stored'";
    until("the files lie there", async || {
        number(data, stored).await == 3
    })
    .await;
    let id = text(data, "SELECT id FROM inbox WHERE external_id = 'wamid.3'").await;
    let client = reqwest::Client::new();
    let address = format!("{}/desk/media/{id}", program.url);
    assert_eq!(client.get(&address).send().await.unwrap().status(), 401);
    let login = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
        .post(format!("{}/desk/login", program.url))
        .form(&[("password", PASSWORD)])
        .send()
        .await
        .unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap().to_owned();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let shown = client
        .get(&address)
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(shown.status(), 200);
    assert_eq!(shown.headers()["content-type"], "image/png");
    assert!(
        shown.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("sandbox")
    );
    assert!(shown.bytes().await.unwrap().starts_with(b"\x89PNG"));

    // Two messages have the same picture: it goes with the second of them.
    let files = || std::fs::read_dir(data.join("media")).unwrap().count();
    assert_eq!(files(), 2, "the picture once, and the voice note");
    let revoke = |place: u8, target: &str| {
        let mut body = body(place, "revoke", &json!({ "original_message_id": target }));
        body["entry"][0]["changes"][0]["value"]["messages"][0]["id"] = json!(format!("r.{target}"));
        body
    };
    let gone = "SELECT COUNT(*) FROM media WHERE state = 'gone'";
    assert_eq!(
        deliver(&program.url, &revoke(3, "wamid.3")).await,
        Some(200)
    );
    until("the first is swept", async || number(data, gone).await == 0).await;
    assert_eq!(files(), 2);
    assert_eq!(
        deliver(&program.url, &revoke(6, "wamid.6")).await,
        Some(200)
    );
    until("the picture is removed", async || files() == 1).await;
    let missing = client
        .get(&address)
        .header("cookie", &cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(missing.status(), 404);
}
