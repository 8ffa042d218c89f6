//! Clients that listen for changes of the shop's texts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Response;
use serde_json::{Value, json};
use sportello::domain::Language;
use sportello::mcp::{self, Document, DocumentKind, Library};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::stream::Line;
use super::{Door, document, meta, outcome, state};

const RETURNS: &str = "sportello://policies/returns/it";

/// A shop whose texts can be changed.
struct Shop {
    library: Arc<Mutex<Arc<Library>>>,
    ring: watch::Sender<()>,
    shutdown: CancellationToken,
}

impl Shop {
    fn open() -> (Self, mcp::State) {
        let library = Arc::new(Mutex::new(Arc::new(Library::new(texts(), []))));
        let ring = watch::Sender::new(());
        let shutdown = CancellationToken::new();
        let mut state = state(100);
        let shown = Arc::clone(&library);
        state.library = Arc::new(move || Arc::clone(&shown.lock().unwrap()));
        state.changes = ring.subscribe();
        state.shutdown = shutdown.clone();
        let shop = Self {
            library,
            ring,
            shutdown,
        };
        (shop, state)
    }

    fn write(&self, texts: Vec<Document>) {
        *self.library.lock().unwrap() = Arc::new(Library::new(texts, []));
        self.ring.send_replace(());
    }
}

fn texts() -> Vec<Document> {
    vec![document(DocumentKind::Policy, "returns", Language::IT)]
}

/// The same text with other words of the same length.
fn reworded() -> Vec<Document> {
    let mut texts = texts();
    texts[0].body = texts[0].body.to_uppercase();
    texts
}

/// Events of an answer that goes on.
struct Events {
    response: Response,
    read: String,
}

impl Events {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let value = data.and_then(|data| serde_json::from_str(data).ok());
                self.read = rest.to_owned();
                match value {
                    Some(value) => return Some(value),
                    None => continue,
                }
            }
            let patience = Duration::from_secs(20);
            let chunk = tokio::time::timeout(patience, self.response.chunk());
            let chunk = chunk.await.expect("something is told").unwrap()?;
            self.read.push_str(&String::from_utf8_lossy(&chunk));
        }
    }
}

async fn listen(door: &Door, wanted: Value) -> Events {
    let asked = door.modern("subscriptions/listen", json!({"notifications": wanted}));
    let response = asked.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    Events {
        response,
        read: String::new(),
    }
}

#[tokio::test]
async fn a_subscriber_is_told_what_it_asked_for_until_the_server_ends() {
    let (shop, state) = Shop::open();
    let door = Door::of(state).await;
    let everything = json!({
        "toolsListChanged": true,
        "resourcesListChanged": true,
        "resourceSubscriptions": [RETURNS, "sportello://policies/none/it"],
    });
    let mut all = listen(&door, everything).await;
    let mut list = listen(&door, json!({"resourcesListChanged": true})).await;
    let acknowledged = all.next().await.unwrap();
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({"resourcesListChanged": true, "resourceSubscriptions": [RETURNS]})
    );
    list.next().await.unwrap();
    // The server takes note of what there is when it has acknowledged.
    door.both("resources/list", json!({})).await;

    shop.write(reworded());
    let told = all.next().await.unwrap();
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], RETURNS);
    assert_eq!(
        told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"],
        7
    );
    let mut more = reworded();
    more.push(document(DocumentKind::Faq, "invoice", Language::EN));
    shop.write(more);
    for listener in [&mut all, &mut list] {
        let told = listener.next().await.unwrap();
        assert_eq!(told["method"], "notifications/resources/list_changed");
    }

    shop.shutdown.cancel();
    for listener in [&mut all, &mut list] {
        let last = listener.next().await.unwrap();
        assert_eq!(last["id"], 7, "{last}");
        assert!(last["result"].is_object(), "{last}");
        assert_eq!(listener.next().await, None);
    }
}

#[tokio::test]
async fn the_older_era_cannot_subscribe_over_http() {
    let (_shop, state) = Shop::open();
    let door = Door::of(state).await;
    for method in ["resources/subscribe", "subscriptions/listen"] {
        let asked = door.legacy(method, json!({"uri": RETURNS, "notifications": {}}));
        let (_, body) = outcome(asked.send().await.unwrap()).await;
        assert_eq!(body["error"]["code"], -32601, "{method}: {body}");
    }
}

#[tokio::test]
async fn on_a_stream_both_eras_are_told() {
    let (shop, state) = Shop::open();
    let mut older = Line::with_state(state.clone());
    let opened = older.initialize().await;
    assert_eq!(
        opened["capabilities"]["resources"],
        json!({"listChanged": true})
    );
    let mut newer = Line::with_state(state);
    newer
        .write(&json!({"jsonrpc": "2.0", "id": 3, "method": "subscriptions/listen", "params": {"notifications": {"resourcesListChanged": true}, "_meta": meta()}}).to_string())
        .await;
    let acknowledged = newer.told().await;
    assert_eq!(
        acknowledged["method"],
        "notifications/subscriptions/acknowledged"
    );
    // The answer shows that the stream is served, and so that changes are watched.
    for id in 2..4 {
        older.ask(id, "ping", json!({})).await;
    }
    shop.write(Vec::new());
    for line in [&mut older, &mut newer] {
        let told = line.told().await;
        assert_eq!(told["method"], "notifications/resources/list_changed");
    }
    older.close().await.unwrap();
    newer.close().await.unwrap();
}
