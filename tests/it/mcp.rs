//! The MCP door: a real server on a free port with a registry of its own.

pub mod callers;
#[cfg(debug_assertions)]
mod conformance;
mod discovery;
mod http;
mod limits;
mod listen;
mod odd;
mod python;
mod stream;
mod tools;

use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sportello::config;
use sportello::domain::{Currency, Language, Money, Product, ProductId, ProductText};
use sportello::mcp::{self, Document, DocumentKind, Identity, Library, Prompt, PromptArgument};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub const MODERN: &str = "2026-07-28";
pub const LEGACY: &str = "2025-11-25";

/// What the door of these tests shows.
pub fn state(calls_per_minute: u32) -> mcp::State {
    let library = Arc::new(library());
    mcp::State {
        registry: Arc::new(tools::registry()),
        identity: identity(),
        languages: vec![Language::IT, Language::EN],
        access: config::Mcp {
            allowed_hosts: vec!["counter.example".to_owned()],
            allowed_origins: vec!["https://assistant.example".to_owned()],
            authorization_servers: Vec::new(),
        },
        calls_per_minute,
        callers: callers::nobody::nobody(),
        library: Arc::new(move || Arc::clone(&library)),
        changes: watch::Sender::new(()).subscribe(),
        shutdown: CancellationToken::new(),
        prompts: Arc::new(vec![prompt()]),
    }
}

pub fn identity() -> Identity {
    Identity {
        name: "Bottega Moka".to_owned(),
        about: "coffee machines and grinders".to_owned(),
        public_url: "https://shop.example/".parse().unwrap(),
    }
}

/// A text of the shop.
pub fn document(kind: DocumentKind, slug: &str, language: Language) -> Document {
    Document {
        kind,
        slug: slug.to_owned(),
        language,
        title: format!("{slug} ({language})"),
        body: format!("# {slug}\n\nWritten in {language}."),
    }
}

fn library() -> Library {
    let product = Product {
        id: ProductId::from("grinder-one"),
        category: "grinder".to_owned(),
        price: Money {
            minor: 12_900,
            currency: Currency::EUR,
        },
        stock: 4,
        image: "/images/grinder.svg".to_owned(),
        attributes: std::collections::BTreeMap::new(),
        texts: [(
            Language::EN,
            ProductText {
                title: "Grinder One".to_owned(),
                description: String::new(),
            },
        )]
        .into(),
    };
    Library::new(
        [
            document(DocumentKind::Policy, "returns", Language::IT),
            document(DocumentKind::Policy, "returns", Language::EN),
            document(DocumentKind::Faq, "invoice", Language::IT),
        ],
        [product],
    )
}

fn prompt() -> Prompt {
    Prompt {
        name: "advise".to_owned(),
        title: "Advise a customer".to_owned(),
        description: "Finds what fits a need.".to_owned(),
        arguments: vec![PromptArgument {
            name: "need".to_owned(),
            description: "what the customer needs".to_owned(),
            required: true,
            choices: vec!["a grinder".to_owned(), "a gift".to_owned()],
        }],
        render: Arc::new(|filled| Ok(format!("Find: {}", filled["need"]))),
    }
}

/// A server with the door and its documents.
pub struct Door {
    pub address: SocketAddr,
    pub client: reqwest::Client,
}

impl Door {
    pub async fn open() -> Self {
        Self::with_allowance(10_000).await
    }

    pub async fn with_allowance(calls_per_minute: u32) -> Self {
        Self::of(state(calls_per_minute)).await
    }

    pub async fn of(state: mcp::State) -> Self {
        let router =
            mcp::discovery::router(&state.registry, &state.identity).merge(mcp::service(state));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self {
            address,
            client: reqwest::Client::new(),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A POST with the headers that every client sends.
    pub fn post(&self) -> RequestBuilder {
        self.client
            .post(self.url("/mcp"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    /// A request as clients send it that opened with `initialize`.
    pub fn legacy(&self, method: &str, params: Value) -> RequestBuilder {
        self.post().header("mcp-protocol-version", LEGACY).body(
            json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string(),
        )
    }

    /// A request that stands alone.
    pub fn modern(&self, method: &str, mut params: Value) -> RequestBuilder {
        let mut request = self
            .post()
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        if let Some(name) = params
            .get("name")
            .or_else(|| params.get("uri"))
            .and_then(Value::as_str)
        {
            request = request.header("mcp-name", name);
        }
        params["_meta"] = meta();
        request.body(
            json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string(),
        )
    }

    /// The result of the same request in both eras.
    pub async fn both(&self, method: &str, params: Value) -> [Value; 2] {
        let legacy = answer(self.legacy(method, params.clone())).await;
        let modern = answer(self.modern(method, params)).await;
        assert_eq!(modern["result"]["resultType"], "complete", "{modern}");
        assert!(legacy["result"].get("resultType").is_none(), "{legacy}");
        [legacy["result"].clone(), modern["result"].clone()]
    }
}

/// What a modern request carries.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// The JSON-RPC answer of a request that HTTP has nothing to say about.
pub async fn answer(request: RequestBuilder) -> Value {
    let (status, body) = outcome(request.send().await.unwrap()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["id"], 7, "{body}");
    body
}

/// Status and JSON body; null when the body is no JSON.
pub async fn outcome(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}
