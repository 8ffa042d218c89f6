//! `sportello eval compare` on recorded runs whose verdicts are known, and on what is none.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::data::shared;
use crate::support::program::{Ended, run};

async fn compare(base: &Path, candidate: &Path) -> Ended {
    let data = tempdir().unwrap();
    let (base, candidate) = (base.to_str().unwrap(), candidate.to_str().unwrap());
    let arguments = ["eval", "compare", base, candidate, "--json"];
    run(data.path(), &arguments, &[], "").await
}

#[tokio::test]
async fn recorded_runs_have_their_known_verdicts() {
    let Some(folder) = shared("agent/trajectories") else {
        return;
    };
    let of = |name: &str| folder.join(format!("{name}_1trial.json"));
    let retail = compare(&of("gpt-4.1_retail"), &of("ft-gpt-4.1-sft_retail")).await;
    assert_eq!(retail.code, Some(0), "{retail}");
    let found = retail.json();
    assert_eq!(found["verdict"], "no_evidence");
    assert_eq!(found["slices"][0]["changed"], json!([6, 6]));
    assert_eq!(found["slices"][0]["p"], 1.0);
    assert_eq!(found["slices"][0]["base"]["value"], 0.85);

    let (before, now) = (of("gpt-4.1_telecom"), of("ft-gpt-4.1-sft_telecom"));
    let telecom = compare(&before, &now).await;
    assert_eq!(telecom.code, Some(0), "{telecom}");
    let found = telecom.json();
    let all = &found["slices"][0];
    assert_eq!(found["verdict"], "improved");
    assert_eq!(all["changed"], json!([0, 12]));
    let number = |value: &Value| value.as_f64().unwrap();
    assert!((number(&all["p"]) - 2.0_f64.powi(-11)).abs() < 1e-9);
    let points = |value: &Value| (number(value) * 1000.0).round();
    assert_eq!(points(&all["base"]["value"]), 450.0);
    assert_eq!(points(&all["candidate"]["value"]), 750.0);
    assert_eq!(points(&all["interval"][0]), 175.0);
    assert_eq!(points(&all["interval"][1]), 450.0);

    let back = compare(&now, &before).await;
    assert_eq!(back.code, Some(1), "{back}");
    assert_eq!(back.json()["verdict"], "regressed");
    assert_eq!(back.json()["flips"]["lost"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn our_own_results_are_compared_by_kind_and_language() {
    let folder = tempdir().unwrap();
    let results = |passes: &dyn Fn(usize) -> bool| {
        let cases: Vec<Value> = (0..60)
            .map(|place| {
                let language = if place < 30 { "it" } else { "de" };
                json!({"kind": "intent", "case": format!("message {place}"), "language": language,
                       "expected": "buy", "got": "buy", "passed": passes(place)})
            })
            .collect();
        json!({"suite": "mine", "passed": true, "milliseconds": 1, "kinds": [], "cases": cases})
    };
    let file = |name: &str, content: Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path
    };
    let before = file("before.json", results(&|_| true));
    let now = file("now.json", results(&|place| place >= 12));
    let done = compare(&before, &now).await;
    assert_eq!(done.code, Some(1), "{done}");
    let found = done.json();
    let verdict = |name: &str| {
        let slices = found["slices"].as_array().unwrap();
        let slice = slices.iter().find(|slice| slice["name"] == name);
        slice.unwrap_or_else(|| panic!("{name} is not in {found}"))["verdict"].clone()
    };
    assert_eq!(verdict("intent, it"), "regressed");
    assert_eq!(verdict("intent, de"), "no_evidence");
    assert_eq!(found["flips"]["lost"][0], "intent [it]: message 0");

    for (content, says) in [
        (json!({"simulations": []}), "no case with a result"),
        (json!([1, 2]), "tau2-bench"),
    ] {
        let other = file("other.json", content);
        let done = compare(&before, &other).await;
        assert_eq!(done.code, Some(2), "{done}");
        assert!(done.said.contains(says), "{done}");
    }
    let nowhere = compare(&before, &folder.path().join("nowhere.json")).await;
    assert_eq!(nowhere.code, Some(2), "{nowhere}");
}
