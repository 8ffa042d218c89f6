//! Who is asking at the door: nobody, an assistant with a token, a verified customer. The real shop's tools over HTTP,
//! with a real store.

mod changes;
mod codes;
pub mod nobody;
mod tokens;

use std::sync::Arc;

use reqwest::RequestBuilder;
use serde_json::{Value, json};
use sportello::app::{App, TokenCommand, mcp_state, tokens as run_tokens};
use sportello::clock;
use sportello::config::Config;
use sportello::domain::{Inbound, Scope};
use sportello::mcp;
use sportello::store::{Ending, Taker};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Door, MODERN};
use crate::store::{accept, message, text};
use crate::support::graph::{NUMBER, SECRET, TOKEN};

/// Giulia, who has an order and wrote to the shop.
pub const PHONE: &str = "+393331234567";
pub const ORDER: &str = "10441";
/// Somebody else's order and its e-mail.
pub const FOREIGN: (&str, &str) = ("10412", "marco.ferrero@example.it");

/// The demo shop behind the door, without its index.
pub struct Shop {
    pub app: Arc<App>,
    pub door: Door,
    _data: TempDir,
}

impl Shop {
    /// With WhatsApp, and a customer who wrote a moment ago.
    pub async fn open() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    pub async fn with(
        configure: impl FnOnce(&mut Config),
        adjust: impl FnOnce(&mut mcp::State),
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config {
            demo: true,
            ..Config::default()
        };
        config.whatsapp.app_secret = vec![SECRET.into()];
        config.whatsapp.access_token = Some(TOKEN.into());
        config.whatsapp.phone_number_id = Some(NUMBER.to_owned());
        config.limits.tools_per_minute = 10_000;
        config.limits.assistant_tools_per_minute = 10_000;
        config.limits.customer_tools_per_minute = 10_000;
        config.limits.codes_per_hour = 1_000;
        configure(&mut config);
        let url = "https://shop.example";
        let app = Arc::new(App::open(config, data.path(), url).await.unwrap());
        let now = clock::now();
        let inbound = Inbound {
            sent_at: now / 1000,
            ..message(PHONE, "wamid.hello", text("ciao"))
        };
        accept(&app.store, vec![inbound], now).await;
        let mut state = mcp_state(&app, url.parse().unwrap(), CancellationToken::new());
        adjust(&mut state);
        Self {
            door: Door::of(state).await,
            app,
            _data: data,
        }
    }

    /// A token that allows this: the token and its id.
    pub async fn token(&self, scopes: &[Scope]) -> (String, String) {
        let asked = TokenCommand::Create {
            name: "Website bot".to_owned(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            expires: "1d".to_owned(),
        };
        let made = run_tokens(&self.app.store, asked).await.unwrap();
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        (text("token"), text("id"))
    }

    /// The outcome of a call by an older client.
    pub async fn call(&self, token: Option<&str>, name: &str, arguments: Value) -> (u16, Value) {
        let call = json!({ "name": name, "arguments": arguments });
        outcome(with(self.door.legacy("tools/call", call), token)).await
    }

    /// The result of a call that HTTP has nothing to say about.
    pub async fn result(&self, token: Option<&str>, name: &str, arguments: Value) -> Value {
        let (status, body) = self.call(token, name, arguments).await;
        assert_eq!(status, 200, "{body}");
        body["result"].clone()
    }

    /// The structured result of a call that works.
    pub async fn done(&self, token: Option<&str>, name: &str, arguments: Value) -> Value {
        let result = self.result(token, name, arguments).await;
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// The text of a call that does not.
    pub async fn refused(&self, token: Option<&str>, name: &str, arguments: Value) -> String {
        let result = self.result(token, name, arguments).await;
        assert_eq!(result["isError"], true, "{result}");
        assert!(result.get("structuredContent").is_none(), "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    }

    /// The names of the tools that are listed.
    pub async fn listed(&self, token: Option<&str>) -> Vec<String> {
        let tools = self.tools(token).await;
        let name = |tool: &Value| tool["name"].as_str().unwrap().to_owned();
        tools.iter().map(name).collect()
    }

    pub async fn tools(&self, token: Option<&str>) -> Vec<Value> {
        let (status, body) = outcome(with(self.door.legacy("tools/list", json!({})), token)).await;
        assert_eq!(status, 200, "{body}");
        body["result"]["tools"].as_array().unwrap().clone()
    }

    /// The message that waits to be sent, which is sent thereby.
    pub async fn sent(&self) -> Option<String> {
        let taker = Taker {
            owner: "test".to_owned(),
            lease: 60_000,
            pace: sportello::store::Pace::default(),
        };
        let store = &self.app.store;
        let taken = store.take_outgoing(&taker, clock::now()).await.unwrap();
        let row = taken.row?;
        let words = row.message.answer.text.clone();
        let ending = Ending::Sent(format!("wamid.{}", row.message.id));
        store
            .record_sending(&row, ending, clock::now())
            .await
            .unwrap();
        Some(words)
    }

    /// Asks for a code: the request, and the code as the customer reads it.
    pub async fn ask_code(&self, token: Option<&str>) -> (String, String) {
        let asked = self
            .done(token, "verify_customer", json!({ "phone": PHONE }))
            .await;
        let words = self.sent().await.expect("a code is sent");
        (asked["request"].as_str().unwrap().to_owned(), code(&words))
    }

    /// A handle of the customer.
    pub async fn verified(&self, token: Option<&str>) -> String {
        let (request, code) = self.ask_code(token).await;
        let confirm = json!({ "request": request, "code": code });
        let confirmed = self.done(token, "confirm_customer", confirm).await;
        confirmed["customer"].as_str().unwrap().to_owned()
    }

    /// A call by a client of the newer era that can ask its user.
    pub fn asking(&self, token: Option<&str>, params: &Value) -> RequestBuilder {
        let mut params = params.clone();
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } },
        });
        let name = params["name"].as_str().unwrap().to_owned();
        let request = self
            .door
            .post()
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", "tools/call")
            .header("mcp-name", name);
        let body = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params });
        with(request.body(body.to_string()), token)
    }
}

/// The six digits in a message.
pub fn code(words: &str) -> String {
    let found = regex::Regex::new(r"\b\d{6}\b").unwrap();
    found.find(words).expect("a code").as_str().to_owned()
}

pub fn with(request: RequestBuilder, token: Option<&str>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    }
}

pub async fn outcome(request: RequestBuilder) -> (u16, Value) {
    let (status, body) = super::outcome(request.send().await.unwrap()).await;
    (status.as_u16(), body)
}
