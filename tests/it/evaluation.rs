//! The committed suites, run as an engineer runs them.

use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::program::command;

async fn run(suite: &Path, json: &Path) -> (Option<i32>, Value, String) {
    let data = tempdir().unwrap();
    let arguments = [
        "eval",
        "run",
        suite.to_str().unwrap(),
        "--json",
        json.to_str().unwrap(),
    ];
    let output = command(data.path(), &arguments).output().await.unwrap();
    let report = std::fs::read_to_string(json).ok();
    let report = report
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), report, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shops_suites_hold_their_thresholds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("eval");
    let results = tempdir().unwrap();
    for suite in ["understanding.yaml", "retrieval.yaml", "conversations.yaml"] {
        let json = results.path().join(suite);
        let (code, report, said) = run(&folder.join(suite), &json).await;
        assert_eq!(code, Some(0), "{suite}:\n{said}");
        assert!(report.is_object(), "{suite} wrote its results");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_threshold_and_a_wrong_suite_have_their_exit_codes() {
    let folder = tempdir().unwrap();
    let suite = folder.path().join("suite.yaml");
    let json = folder.path().join("results.json");
    let missed = "name: missed\nthresholds: {language: 1.0}\ncases:\n  \
                  - {kind: language, text: \"Dov'è il mio ordine?\", language: de}\n";
    std::fs::write(&suite, missed).unwrap();
    let (code, _, said) = run(&suite, &json).await;
    assert_eq!(code, Some(1), "{said}");
    std::fs::write(&suite, "name: wrong\ncases:\n  - {kind: dance}\n").unwrap();
    let (code, _, said) = run(&suite, &json).await;
    assert_eq!(code, Some(2), "{said}");
}
