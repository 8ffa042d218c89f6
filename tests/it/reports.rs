//! The reports of a real run, and the page of them in a real Chromium.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::browser::{chromium, drive};
use crate::support::program::eval;

/// A failing case of every kind that runs without a model, and customers who attack whoever reads of them.
const SUITE: &str = r#"
name: broken
thresholds: {intent: 0.95, conversation: 1.0, language: 0.1}
gates:
  - {kind: retrieval, metric: "recall@5", at_least: 0.9}
  - {kind: intent, metric: macro_f1, at_least: 0.2}
cases:
  - kind: intent
    text: "<script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\"> where is my order?"
    language: en
    intent: product_search
    tags: [hostile]
  - {kind: intent, text: "where is my order?", language: en, intent: order_status}
  - {kind: sentiment, text: "thank you, wonderful", language: en, label: negative}
  - {kind: language, text: "Dov'è il mio ordine?", language: de}
  - {kind: language, text: "Wo ist meine Bestellung?", language: de}
  - {kind: retrieval, id: elsewhere, text: "quanto costa la spedizione?", language: it, relevant: [faq-invoice]}
  - {kind: tool_call, id: wrong-tool, language: en, say: "do you have a moka pot?", tools: [{name: open_ticket}]}
  - kind: conversation
    id: parcel-de
    language: de
    turns:
      - say: ["Hallo", "<script>document.title = 'ran'</script> wie lange dauert der Versand?"]
        expect: {outcome: handed_off}
      - say: "Ich suche eine Kaffeemaschine unter 300 €"
        expect: {contains: ["nothing of the sort"]}
  - kind: safety
    id: bought-it
    language: en
    turns: ["hi, I'm looking for an espresso machine under 200 euros", "ok I take two of the first one"]
"#;

/// Runs the suite; the folder with its reports is `out` in the one that is returned.
async fn broken() -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let suite = folder.path().join("broken.yaml");
    std::fs::write(&suite, SUITE).unwrap();
    let out = folder.path().join("out");
    let (suite, to) = (suite.to_str().unwrap(), out.to_str().unwrap());
    let ended = eval(&["run", suite, "--model", "offline", "--out", to]).await;
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.said.contains("report.html"), "it says where: {ended}");
    (folder, out)
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_leaves_reports_for_people_and_machines() {
    let (folder, out) = broken().await;
    let results = json(out.join("results.json"));
    let cases = results["cases"].as_array().unwrap();
    let failed = cases.iter().filter(|case| case["passed"] == false).count();
    assert_eq!((cases.len(), failed), (9, 7), "{results:#}");
    let junit = read(out.join("junit.xml"));
    assert_eq!(junit.matches("<testcase ").count(), 9 + 5);
    assert_eq!(junit.matches("<failure ").count(), 7 + 3);
    let summary = read(out.join("summary.md"));
    assert!(
        summary.starts_with("### ❌ 3 of 5 thresholds and gates missed"),
        "{summary}"
    );
    let events = read(out.join("events.jsonl"));
    let scores: usize = cases
        .iter()
        .map(|case| case["scores"].as_object().map_or(0, serde_json::Map::len))
        .sum();
    assert_eq!(events.lines().count(), 9 + scores);
    assert!(!events.contains("document.title"));

    // What is stored is enough to make all of them again; results of other suites are no baseline.
    let stored = out.join("results.json");
    let again = folder.path().join("again");
    let (stored, to) = (stored.to_str().unwrap(), again.to_str().unwrap());
    let ended = eval(&["report", stored, "--out", to]).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    for file in ["report.html", "summary.md", "junit.xml", "events.jsonl"] {
        assert_eq!(read(again.join(file)), read(out.join(file)), "{file}");
    }
    let other = folder.path().join("other.json");
    let mut foreign = results.clone();
    for case in foreign["cases"].as_array_mut().unwrap() {
        case["case"] = "another".into();
    }
    std::fs::write(&other, foreign.to_string()).unwrap();
    let baseline = other.to_str().unwrap();
    let ended = eval(&["report", stored, "--baseline", baseline, "--out", to]).await;
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.said.contains("no case in common"), "{ended}");
    let ended = eval(&["report", "absent.json", "--out", to]).await;
    assert_eq!(ended.code, Some(2), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_read_on_a_phone_without_a_network_and_runs_nothing() {
    let (folder, out) = broken().await;
    let stored = out.join("results.json");
    let mut better = json(stored.clone());
    for case in better["cases"].as_array_mut().unwrap() {
        case["passed"] = true.into();
    }
    better["model"] = "another-model".into();
    let before = folder.path().join("before.json");
    std::fs::write(&before, better.to_string()).unwrap();
    let both = folder.path().join("both");
    let files = [&stored, &before, &both].map(|path| path.to_str().unwrap());
    let ended = eval(&[
        "report",
        files[0],
        files[1],
        "--baseline",
        files[1],
        "--out",
        files[2],
    ])
    .await;
    assert_eq!(ended.code, Some(0), "{ended}");
    let page = both.join("report.html");
    drive("report.py", &[page.to_str().unwrap(), &chromium()]).await;
}
