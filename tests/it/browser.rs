//! The shop and the desk in a real Chromium: a customer, an assistant in the browser, and Lighthouse.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::support::program::{Program, number, warm};
use crate::support::python::interpreter;

const PASSWORD: &str = "a-long-desk-password";
/// Lighthouse's own way of starting Chromium.
const CHROME_FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --enable-features=WebMCP";

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_buys_and_a_colleague_answers() {
    let data = warm().await;
    let program = Program::serve(data.path(), &[("SPORTELLO_DESK__PASSWORD", PASSWORD)])
        .await
        .unwrap();
    drive("shop.py", &[&program.url, PASSWORD, &chromium()]).await;
    assert_eq!(program.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assistant_in_the_browser_uses_every_tool_and_asks_first() {
    let data = warm().await;
    let program = Program::serve(
        data.path(),
        &[("SPORTELLO_LIMITS__TOOLS_PER_MINUTE", "1000")],
    )
    .await
    .unwrap();
    drive("webmcp.py", &[&program.url, &chromium()]).await;
    assert_eq!(program.stop().await, Some(0));
    // What was declined, given up or refused has left nothing.
    let tickets = number(data.path(), "SELECT COUNT(*) FROM tickets").await;
    let links = number(data.path(), "SELECT COUNT(*) FROM payment_links").await;
    assert_eq!((tickets, links), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn lighthouse_gives_the_shop_its_best_score_for_agents() {
    let folder = lighthouse().await;
    let data = warm().await;
    let program = Program::serve(data.path(), &[]).await.unwrap();
    let report = data.path().join("lighthouse.json");
    let output = Command::new(folder.join("bin/node"))
        .arg(folder.join("node_modules/lighthouse/cli/index.js"))
        .arg(&program.url)
        .args(["--only-categories=agentic-browsing", "--output=json"])
        .arg(format!("--output-path={}", report.display()))
        .arg("--quiet")
        .arg(format!("--chrome-flags={CHROME_FLAGS}"))
        .env("CHROME_PATH", chromium())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let category = &report["categories"]["agentic-browsing"];
    let audits: Vec<&Value> = category["auditRefs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|audit| &report["audits"][audit["id"].as_str().unwrap()])
        .collect();
    assert_eq!(audits.len(), 7, "{category}");
    // An audit that does not apply has not seen the page's tools, and does not lower the score.
    let faults: Vec<&&Value> = audits
        .iter()
        .filter(|audit| {
            audit["score"].as_f64() != Some(1.0) || audit["scoreDisplayMode"] == "notApplicable"
        })
        .collect();
    assert!(faults.is_empty(), "{faults:#?}");
    assert_eq!(category["score"].as_f64(), Some(1.0), "{category:#?}");
    let tools = report["audits"]["webmcp-registered-tools"].to_string();
    for tool in [
        "search_catalog",
        "open_ticket",
        "show_products",
        "send_message",
    ] {
        assert!(tools.contains(tool), "{tool} is not registered: {tools}");
    }
    let forms = &report["audits"]["webmcp-form-coverage"];
    assert_eq!(forms["details"]["items"], Value::Null, "{forms:#?}");
    assert_eq!(program.stop().await, Some(0));
}

/// Runs a script of `tests/browser` to its end.
pub async fn drive(script: &str, arguments: &[&str]) {
    let output = Command::new(interpreter().await)
        .arg(root().join("tests/browser").join(script))
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The folder with Node and Lighthouse; made on the first call, which needs the package indexes.
async fn lighthouse() -> PathBuf {
    let output = Command::new("python3")
        .arg(root().join("scripts/setup_node.py"))
        .arg("browser")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

/// Where Chromium is.
pub fn chromium() -> String {
    let variables = sportello::config::environment().find(|(name, _)| name == "CHROME_PATH");
    let chromium = variables.map_or_else(|| "/usr/bin/chromium".to_owned(), |(_, path)| path);
    assert!(
        Path::new(&chromium).exists(),
        "no Chromium at {chromium}; run `make chromium`"
    );
    chromium
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
