//! An independent client: the `mcp` package from PyPI, in both of its modes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::{Door, LEGACY, MODERN};

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_sees_the_same_in_both_modes() {
    let python = python().await;
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
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/mcp_list.py");
    let mut command = Command::new(python);
    command
        .arg(script)
        .args(["--mode", mode])
        .args(["--call", "look_up", r#"{"query": "moka"}"#])
        .args(["--call", "look_up", r#"{"query": "moka", "limit": 99}"#])
        .args(["--read", "sportello://policies/returns/it"])
        .args(["--prompt", "advise", r#"{"need": "a gift"}"#])
        .arg(url);
    serde_json::from_str(&run(command).await).unwrap()
}

/// The interpreter that has the client; made on the first call, which needs the package index.
async fn python() -> PathBuf {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup_python.py"));
    PathBuf::from(run(command).await.trim())
}

async fn run(mut command: Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{:?}: {errors}", command.as_std());
    String::from_utf8(output.stdout).unwrap()
}
