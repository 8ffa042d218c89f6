//! An independent client: the `mcp` package from PyPI, in both of its modes.

use std::path::Path;

use serde_json::{Value, json};

use super::{Door, LEGACY, MODERN};
use crate::support::python::{client, interpreter};

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_sees_the_same_in_both_modes() {
    let python = interpreter().await;
    let door = Door::open().await;
    let auto = look(&python, "auto", &door.url("/mcp")).await;
    let legacy = look(&python, "legacy", &door.url("/mcp")).await;
    assert_eq!(auto["protocolVersion"], MODERN);
    assert_eq!(legacy["protocolVersion"], LEGACY);
    for key in [
        "server",
        "instructions",
        "tools",
        "resources",
        "templates",
        "prompts",
    ] {
        assert_eq!(auto[key], legacy[key], "{key}");
    }
    let names: Vec<&Value> = auto["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| &tool["name"])
        .collect();
    assert_eq!(names, ["look_up", "shaky"]);
    for seen in [auto, legacy] {
        assert_eq!(
            seen["calls"][0]["structuredContent"]["found"],
            json!(["moka"])
        );
        assert_eq!(seen["calls"][1]["isError"], true);
        assert_eq!(seen["reads"][0]["contents"][0]["mimeType"], "text/markdown");
        assert_eq!(
            seen["filled"][0]["messages"][0]["content"]["text"],
            "Find: a gift"
        );
    }
}

async fn look(python: &Path, mode: &str, url: &str) -> Value {
    let options = [
        &["--mode", mode][..],
        &["--call", "look_up", r#"{"query": "moka"}"#],
        &["--call", "look_up", r#"{"query": "moka", "limit": 99}"#],
        &["--read", "sportello://policies/returns/it"],
        &["--prompt", "advise", r#"{"need": "a gift"}"#],
        &[url],
    ];
    client(python, &options.concat()).await
}
