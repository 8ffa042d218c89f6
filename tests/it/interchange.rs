//! Other tools' files, imported by the program and run, and TREC's measures beside those of `ir-measures`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sportello::eval::{Case, Suite};
use tempfile::{TempDir, tempdir};

use crate::support::data::shared;
use crate::support::program::{Ended, eval, run};
use crate::support::python;

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/interchange");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Imports into a suite; the folder that holds it goes with it.
async fn import(arguments: &[&str]) -> (TempDir, PathBuf, Ended) {
    let folder = tempdir().unwrap();
    let suite = folder.path().join("suite.jsonl");
    let mut all = vec!["eval", "import"];
    all.extend(arguments);
    all.extend(["--out", suite.to_str().unwrap()]);
    let ended = run(folder.path(), &all, &[], "").await;
    (folder, suite, ended)
}

/// What a suite finds.
async fn results(suite: &Path) -> Value {
    let suite = suite.to_str().unwrap();
    let ended = eval(&["run", suite, "--model", "offline", "--json", "-"]).await;
    assert!(matches!(ended.code, Some(0 | 1)), "{ended}");
    ended.json()
}

fn told(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.said.contains(part), "{part} is not in {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn promptfoos_tests_are_imported_and_run() {
    let config = fixture("promptfoo/promptfooconfig.yaml");
    let (_folder, suite, ended) = import(&["promptfoo", &config]).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    told(
        &ended,
        &[
            "8 × assertion `latency`",
            "1 × assertion `llm-rubric`",
            "1 × assertion `is-json`",
            "1 × assertion `javascript`",
            "2 × assertion `similar`",
            "1 × assertion `cost`",
            "configuration `providers`",
            "shipping.csv:3",
            "taken over: 8 cases",
        ],
    );
    let found = results(&suite).await;
    let cases = found["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    let of = |name: &str| cases.iter().find(|case| case["case"] == name).unwrap();
    assert_eq!(
        of("says how long a return may take")["passed"],
        true,
        "{found}"
    );
    assert_eq!(of("ships to islands")["tags"][0], "topic=shipping");
}

#[tokio::test(flavor = "multi_thread")]
async fn rasas_intents_and_stories_are_imported_and_run() {
    let (nlu, stories) = (fixture("rasa/nlu.yml"), fixture("rasa/test_stories.yml"));
    let map = fixture("rasa/intents.yaml");
    let arguments = [
        "rasa",
        &nlu,
        &stories,
        "--intents",
        &map,
        "--language",
        "en",
    ];
    let (_folder, suite, ended) = import(&arguments).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    told(
        &ended,
        &[
            "1 × example of the intent `book_flight`: the shop has no such intent",
            "entity `product`",
            "1 × synonym `grinder`",
            "1 × action `utter_ask_order_number`",
            "1 × story `goes on elsewhere`",
            "taken over: 6 cases",
        ],
    );
    let found = results(&suite).await;
    let kinds: BTreeSet<&str> = found["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["conversation", "intent"]));
    let story = found["cases"].as_array().unwrap().iter();
    let story = story.filter(|case| case["kind"] == "conversation");
    assert!(story.clone().all(|case| case["passed"] == true), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_items_and_graders_are_imported_and_run() {
    let (items, graders) = (
        fixture("openai/items.jsonl"),
        fixture("openai/graders.json"),
    );
    let (_folder, suite, ended) = import(&["openai", &items, "--graders", &graders]).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    told(
        &ended,
        &[
            "grader `score_model`",
            "grader `text_similarity`",
            "`calculate_output`",
            "taken over: 2 cases",
        ],
    );
    let first = results(&suite).await["cases"][0].clone();
    assert_eq!(first["passed"], true, "{first}");
    let (_folder, suite, ended) = import(&["openai", &fixture("openai/samples.jsonl")]).await;
    told(
        &ended,
        &["1 × message of the system", "taken over: 2 cases"],
    );
    assert_eq!(Suite::load(&suite).unwrap().cases.len(), 2);
    let (_folder, _, ended) =
        import(&["openai", &fixture("openai/samples.jsonl"), "--var", "text"]).await;
    assert_eq!(ended.code, Some(2), "{ended}");
    told(
        &ended,
        &["it has no field `text`", "nothing was taken over"],
    );
    let (_folder, _, ended) = import(&["openai", "nowhere.jsonl"]).await;
    assert_eq!(ended.code, Some(2), "{ended}");
}

#[tokio::test]
async fn every_question_of_bfcl_loads() {
    let Some(folder) = shared("tools/bfcl") else {
        return;
    };
    let files = [
        "simple_python.jsonl",
        "answers_simple_python.jsonl",
        "multiple.jsonl",
        "answers_multiple.jsonl",
        "irrelevance.jsonl",
    ]
    .map(|name| folder.join(name).to_str().unwrap().to_owned());
    let mut arguments = vec!["bfcl"];
    arguments.extend(files.iter().map(String::as_str));
    let (_folder, suite, ended) = import(&arguments).await;
    assert_eq!(ended.code, Some(0), "{ended}");
    let suite = Suite::load(&suite).unwrap();
    let count = |tag: &str| {
        let tagged = suite.cases.iter().filter(|case| case.tags() == [tag]);
        tagged.count()
    };
    assert_eq!(suite.cases.len(), 840);
    let parts = ["simple_python", "multiple", "irrelevance"].map(count);
    assert_eq!(parts, [400, 200, 240]);
    for case in &suite.cases {
        let Case::ToolCall(case) = case else {
            panic!("no tool call");
        };
        assert_eq!(case.tools.is_empty(), case.id.starts_with("irrelevance"));
        for call in &case.tools {
            assert!(
                case.functions
                    .iter()
                    .any(|function| function.name == call.name),
                "{}",
                case.id
            );
        }
        for function in &case.functions {
            jsonschema::validator_for(&function.parameters).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_of_bfcl_are_asked() {
    let Some(folder) = shared("tools/bfcl") else {
        return;
    };
    let few = tempdir().unwrap();
    let irrelevance = few.path().join("irrelevance.jsonl");
    let all = std::fs::read_to_string(folder.join("irrelevance.jsonl")).unwrap();
    let first: Vec<&str> = all.lines().take(3).collect();
    std::fs::write(&irrelevance, first.join("\n")).unwrap();
    let (_folder, suite, _) = import(&["bfcl", irrelevance.to_str().unwrap()]).await;
    let found = results(&suite).await;
    assert_eq!(found["cases"].as_array().unwrap().len(), 3);
    assert_eq!(found["cases"][0]["observed"]["seen"], "called");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_task_of_tau_loads() {
    for (name, count, handed_off) in [("retail", 74, 2), ("bank", 45, 10)] {
        let Some(tasks) = shared(&format!("agent/{name}/tasks.json")) else {
            return;
        };
        let (_folder, suite, ended) = import(&["tau", tasks.to_str().unwrap()]).await;
        assert_eq!(ended.code, Some(0), "{ended}");
        let cases = Suite::load(&suite).unwrap().cases;
        assert_eq!(cases.len(), count);
        let ends = cases.iter().filter(|case| {
            let Case::Simulation(case) = case else {
                panic!("no simulation");
            };
            case.expect.outcome.is_some()
        });
        assert_eq!(ends.count(), handed_off, "{name}");
        let skipped = results(&suite).await;
        assert_eq!(skipped["cases"].as_array().unwrap().len(), count);
        let (_folder, suite, _) = import(&["tau", tasks.to_str().unwrap(), "--tools"]).await;
        let cases = Suite::load(&suite).unwrap().cases;
        let named = cases
            .iter()
            .any(|case| matches!(case, Case::Simulation(case) if !case.expect.calls.is_empty()));
        assert!(named, "{name}");
    }
}

/// A run with ties, queries that are missing or without judgments, and documents that nobody judged.
fn generated() -> (String, String) {
    let (mut qrels, mut run) = (String::new(), String::new());
    let mut state = 20_261_121_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for query in 0..60 {
        for document in 0..40 {
            if random(3) == 0 {
                // The grades of one query are all 0.
                let grade = if query == 7 { 0 } else { random(4) };
                writeln!(qrels, "q{query} 0 d{document} {grade}").unwrap();
            }
        }
        if query % 13 == 5 {
            continue;
        }
        for rank in 0..(5 + random(140)) {
            // Few scores, so that many are the same.
            let score = random(30) as f64 / 8.0;
            writeln!(run, "q{query} Q0 d{rank} {rank} {score} t").unwrap();
        }
    }
    run.push_str("unheard Q0 d1 1 1.0 t\n");
    (qrels, run)
}

#[tokio::test]
async fn trecs_measures_are_those_of_ir_measures() {
    let folder = tempdir().unwrap();
    let (qrels, found) = generated();
    let (judged, ranked) = (
        folder.path().join("qrels.txt"),
        folder.path().join("run.txt"),
    );
    std::fs::write(&judged, qrels).unwrap();
    std::fs::write(&ranked, found).unwrap();
    let files = [judged.to_str().unwrap(), ranked.to_str().unwrap()];
    let arguments = [
        "eval", "trec", "--qrels", files[0], "--run", files[1], "--json",
    ];
    let ours = run(folder.path(), &arguments, &[], "").await;
    assert_eq!(ours.code, Some(0), "{ours}");
    let ours = ours.json();
    let theirs = python::script(&python::interpreter().await, "trec_measures.py", &files).await;
    assert_eq!(ours["missing"].as_array().unwrap().len(), 5);
    assert_eq!(ours["unjudged"], serde_json::json!(["unheard"]));
    let near = |one: &Value, other: &Value, what: &str| {
        let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
        assert!((one - other).abs() < 1e-6, "{what}: {one} is not {other}");
    };
    let all = theirs["measures"].as_object().unwrap();
    assert_eq!(all.len(), 7);
    for (name, value) in all {
        near(&ours["measures"][name]["value"], value, name);
    }
    let by_query = theirs["by_query"].as_object().unwrap();
    for (query, values) in by_query {
        for (name, value) in values.as_object().unwrap() {
            near(
                &ours["by_query"][query][name],
                value,
                &format!("{query} {name}"),
            );
        }
    }
    assert_eq!(by_query.len(), ours["queries"].as_u64().unwrap() as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_run_is_written_for_trec() {
    let folder = tempdir().unwrap();
    let suite = folder.path().join("searches.yaml");
    let cases = "name: searches\ncases:\n  \
        - {kind: retrieval, language: en, kinds: [faq, policy], text: \"do you deliver to Malta?\", relevant: {faq-ship-abroad: 3, policy-shipping: 1}}\n  \
        - {kind: retrieval, language: it, kinds: [faq, policy], text: \"quanto costa la spedizione?\", relevant: [faq-shipping-cost, policy-shipping]}\n";
    std::fs::write(&suite, cases).unwrap();
    let stored = results(&suite).await;
    let of = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(of("results.json"), stored.to_string()).unwrap();
    let (results, suite) = (of("results.json"), of("searches.yaml"));
    let (ranked, judged) = (of("run.txt"), of("qrels.txt"));
    let arguments = [
        "eval",
        "trec",
        "--results",
        &results,
        "--suite",
        &suite,
        "--write-run",
        &ranked,
        "--write-qrels",
        &judged,
    ];
    let written = run(folder.path(), &arguments, &[], "").await;
    assert_eq!(written.code, Some(0), "{written}");
    let qrels = std::fs::read_to_string(&judged).unwrap();
    assert!(
        qrels.contains("do_you_deliver_to_Malta? 0 faq-ship-abroad 3\n"),
        "{qrels}"
    );
    let arguments = [
        "eval", "trec", "--qrels", &judged, "--run", &ranked, "--json",
    ];
    let scored = run(folder.path(), &arguments, &[], "").await.json();
    let figures = stored["figures"].as_array().unwrap();
    for (name, theirs) in [
        ("recall@3", "recall@3"),
        ("ndcg@10", "ndcg@10"),
        ("mrr", "mrr@10"),
    ] {
        let figure = figures
            .iter()
            .find(|figure| figure["metric"] == theirs && figure["slice"] == "all")
            .unwrap();
        let (one, other) = (
            figure["value"].as_f64().unwrap(),
            scored["measures"][name]["value"].as_f64().unwrap(),
        );
        assert!((one - other).abs() < 1e-9, "{name}: {one} is not {other}");
    }
    let nothing = run(
        folder.path(),
        &["eval", "trec", "--results", &results],
        &[],
        "",
    )
    .await;
    assert_eq!(nothing.code, Some(2), "{nothing}");
}
