//! What others wrote to find faults in MCP servers, against the program as it is.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::node::Node;
use crate::support::program::{Program, warm};

/// The suite calls more tools in a second than a client may in a minute.
const PLENTY: (&str, &str) = ("SPORTELLO_LIMITS__TOOLS_PER_MINUTE", "100000");

#[tokio::test(flavor = "multi_thread")]
async fn only_what_needs_the_suites_own_tools_is_missing_for_conformance() {
    let data = warm().await;
    let program = Program::serve(data.path(), &[PLENTY]).await.unwrap();
    let node = Node::with("mcp").await;
    let url = format!("{}/mcp", program.url);
    for revision in ["2026-07-28", "2025-11-25"] {
        node.conformance(&url, revision, &baseline(revision)).await;
    }
    assert_eq!(program.stop().await, Some(0));
}

#[test]
fn every_entry_of_the_baselines_says_why() {
    for revision in ["2026-07-28", "2025-11-25"] {
        let text = std::fs::read_to_string(baseline(revision)).unwrap();
        let entries: Vec<&str> = text
            .lines()
            .skip_while(|line| *line != "server:")
            .skip(1)
            .collect();
        assert!(entries.len() > 20);
        for entry in entries {
            assert!(
                entry
                    .split_once(" # ")
                    .is_some_and(|(_, why)| why.len() > 20),
                "{entry}"
            );
        }
    }
}

fn baseline(revision: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/conformance/{revision}.yml"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inspector_finds_nothing_in_either_era_on_either_way_in() {
    let data = warm().await;
    let program = Program::serve(data.path(), &[PLENTY]).await.unwrap();
    let node = Node::with("mcp").await;
    let url = format!("{}/mcp", program.url);
    let folder = data.path().to_str().unwrap();
    let stdio = [env!("CARGO_BIN_EXE_sportello"), "--data", folder, "mcp"];
    let mut seen = Vec::new();
    for era in ["legacy", "modern"] {
        for target in [&[url.as_str()][..], &stdio] {
            seen.push(look(&node, target, era).await);
        }
    }
    assert_eq!(seen[0]["tools"].as_array().unwrap().len(), 3);
    assert!(seen.iter().all(|other| other["tools"] == seen[0]["tools"]));
    assert_eq!(program.stop().await, Some(0));
}

/// The tools as the inspector lists them when it has nothing to say about them.
async fn look(node: &Node, target: &[&str], era: &str) -> Value {
    let way = if target.len() == 1 { "http" } else { "stdio" };
    let options = ["--cli", "--transport", way, "--protocol-era", era];
    let question = ["--method", "tools/list", "--strict", "--quiet"];
    let all = [&options[..], &question, &["--"], target].concat();
    let ended = node.run("mcp-inspector", &all).await;
    assert_eq!(
        ended.code,
        Some(0),
        "{way} {era}: {}{}",
        ended.out,
        ended.said
    );
    assert_eq!(ended.said.trim(), "", "{way} {era}");
    serde_json::from_str(&ended.out).unwrap()
}
