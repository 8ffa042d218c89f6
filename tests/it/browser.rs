//! The shop and the desk in a real Chromium, driven by `tests/browser/shop.py`.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::support::program::{Program, warm};

const PASSWORD: &str = "a-long-desk-password";

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_buys_and_a_colleague_answers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let setup = Command::new("python3")
        .arg(root.join("scripts/setup_python.py"))
        .stderr(Stdio::inherit())
        .output()
        .await
        .unwrap();
    assert!(
        setup.status.success(),
        "scripts/setup_python.py failed; run `make python`"
    );
    let python = String::from_utf8(setup.stdout).unwrap();
    let variables = sportello::config::environment().find(|(name, _)| name == "CHROME_PATH");
    let chromium = variables.map_or_else(|| "/usr/bin/chromium".to_owned(), |(_, path)| path);
    assert!(
        Path::new(&chromium).exists(),
        "no Chromium at {chromium}; run `make chromium`"
    );

    let data = warm().await;
    let program = Program::serve(data.path(), &[("SPORTELLO_DESK__PASSWORD", PASSWORD)])
        .await
        .unwrap();
    let output = Command::new(python.trim())
        .arg(root.join("tests/browser/shop.py"))
        .args([program.url.as_str(), PASSWORD, &chromium])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(program.stop().await, Some(0));
}
