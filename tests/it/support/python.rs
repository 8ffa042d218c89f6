//! Independent clients in Python, in the environment that `scripts/setup_python.py` makes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

/// The interpreter that has the clients; made on the first call, which needs the package index.
pub async fn interpreter() -> PathBuf {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup_python.py"));
    PathBuf::from(run(command).await.trim())
}

/// What the MCP client saw.
pub async fn client(python: &Path, arguments: &[&str]) -> Value {
    script(python, "mcp_list.py", arguments).await
}

/// What a script of `tests/clients` printed.
pub async fn script(python: &Path, name: &str, arguments: &[&str]) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/clients")
        .join(name);
    let mut command = Command::new(python);
    command.arg(script).args(arguments);
    serde_json::from_str(&run(command).await).unwrap()
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
