//! The MCP door: the first byte chooses headers, the rest is the body. Nothing may panic, and no
//! answer may be a 500.

#![no_main]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use libfuzzer_sys::fuzz_target;
use sportello::domain::Language;
use sportello::mcp::{self, Identity, Library};
use sportello::tools::Registry;
use sportello::{app, config};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

#[path = "../../tests/it/mcp/callers/nobody.rs"]
mod nobody;

const HEADERS: [(&str, &str); 8] = [
    ("mcp-protocol-version", "2026-07-28"),
    ("mcp-protocol-version", "2025-11-25"),
    ("mcp-protocol-version", "1999-01-01"),
    ("mcp-method", "tools/call"),
    ("mcp-method", "subscriptions/listen"),
    ("mcp-name", "search_catalog"),
    ("mcp-session-id", "1"),
    ("origin", "http://localhost:1"),
];

fn door() -> Router {
    let library = Arc::new(Library::default());
    app::wrapped(mcp::service(mcp::State {
        registry: Arc::new(Registry::default()),
        identity: Identity {
            name: "Fuzz".to_owned(),
            about: String::new(),
            public_url: "https://shop.example".parse().expect("an address"),
        },
        languages: vec![Language::EN],
        access: config::Mcp::default(),
        calls_per_minute: u32::MAX,
        callers: nobody::nobody(),
        library: Arc::new(move || Arc::clone(&library)),
        changes: watch::Sender::new(()).subscribe(),
        shutdown: CancellationToken::new(),
        prompts: Arc::default(),
    }))
}

fuzz_target!(|data: &[u8]| {
    let (chosen, body) = data.split_first().unwrap_or((&0, &[]));
    let mut request = Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    for (place, (name, value)) in HEADERS.iter().enumerate() {
        if chosen & (1 << place) != 0 {
            request = request.header(*name, *value);
        }
    }
    let request = request.body(Body::from(body.to_vec())).expect("a request");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let response = runtime.block_on(door().oneshot(request)).expect("an answer");
    assert!(!response.status().is_server_error(), "{}", response.status());
});
