//! The official conformance suite against the door with the suite's own tools, prompts and resources on it.

mod diagnostic;
mod fixtures;
mod questions;

use std::net::SocketAddr;

use sportello::app;
use sportello::mcp::conformance;

use super::{LEGACY, MODERN, state};
use crate::support::node::Node;
use diagnostic::Diagnostic;

#[tokio::test(flavor = "multi_thread")]
async fn every_required_scenario_of_both_revisions_passes_without_a_warning() {
    let router = conformance::service(state(100_000), Diagnostic::around);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let service = app::wrapped(router).into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });

    let node = Node::with("mcp").await;
    let nothing = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(nothing.path(), "server: []\n").unwrap();
    for (revision, scenarios) in [(MODERN, 37), (LEGACY, 30)] {
        let passed = node.conformance(&url, revision, nothing.path()).await;
        assert_eq!(passed.len(), scenarios, "{revision}: {passed:?}");
    }
}
