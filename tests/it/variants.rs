//! What a change of a prompt, a tool's text or the knowledge does to the suites, and where the report says so.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::tempdir;

use crate::support::model::{Reply, ScriptedModel};
use crate::support::program::{Ended, eval};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs the recorded suite with what is said beside it.
async fn replayed(beside: &[&str]) -> Ended {
    let demo = Path::new(ROOT).join("eval/demo");
    let (suite, recordings) = (demo.join("suite.yaml"), demo.join("recordings"));
    let arguments = [
        "run",
        suite.to_str().unwrap(),
        "--replay",
        recordings.to_str().unwrap(),
    ];
    eval(&[&arguments, beside].concat()).await
}

fn file(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn variant(name: &str, folder: &Path) -> String {
    format!("{name}={}", folder.display())
}

fn read(out: &Path, name: &str) -> String {
    std::fs::read_to_string(out.join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_replayed_the_same_to_the_byte_however_many_run_at_once() {
    let folder = tempdir().unwrap();
    let mut runs = Vec::new();
    for jobs in ["1", "4"] {
        let json = folder.path().join(jobs);
        let ended = replayed(&["--jobs", jobs, "--json", json.to_str().unwrap()]).await;
        assert_eq!(ended.code, Some(0), "{ended}");
        runs.push(std::fs::read_to_string(json).unwrap());
    }
    assert!(
        runs[0].contains("get_order_status"),
        "the model has called tools"
    );
    assert!(runs[0] == runs[1], "two replays differ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_prompt_turns_it_red_and_the_report_shows_the_line() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let prompt = std::fs::read_to_string(Path::new(ROOT).join("prompts/agent.md")).unwrap();
    let line = "- Use the tools for everything that they cover.";
    let broken = prompt.replace(line, "- Use the tools when you like.");
    assert_ne!(broken, prompt);
    file(folder.path(), "prompts/agent.md", &broken);
    let broken = variant("broken", folder.path());
    let ended = replayed(&["--variant", &broken, "--out", out.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(4), "{ended}");
    let page = read(&out, "report.html");
    for report in [&ended.said, &read(&out, "summary.md"), &page] {
        assert!(report.contains("Use the tools when you like"), "{report}");
    }
    assert!(page.contains("broken"), "the page names the variant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_description_of_a_tool_turns_it_red_and_the_report_names_the_tool() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    file(
        folder.path(),
        "tools/search_catalog.md",
        "Use this to cancel an order.",
    );
    let wrong = variant("wrong-tool", folder.path());
    let ended = replayed(&["--variant", &wrong, "--out", out.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(4), "{ended}");
    for report in [&ended.said, &read(&out, "report.html")] {
        assert!(report.contains("search_catalog"), "{report}");
    }
}

const ANSWERS: &str = "\
name: answers
thresholds: {retrieval: 1.0, conversation: 1.0}
cases:
  - {kind: retrieval, id: where-to, text: \"Do you ship abroad?\", language: en, relevant: [faq-ship-abroad]}
  - kind: conversation
    id: asked
    language: en
    turns:
      - say: \"Do you ship abroad?\"
        expect: {outcome: answered, source: faq-ship-abroad}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_faq_turns_it_red_and_the_report_names_it() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    file(folder.path(), "suite.yaml", ANSWERS);
    for language in ["de", "en", "es", "it", "pt"] {
        // An empty file takes away what the shop has.
        file(
            folder.path(),
            &format!("knowledge/faq/{language}/ship-abroad.md"),
            "",
        );
    }
    let suite: PathBuf = folder.path().join("suite.yaml");
    let (suite, gone) = (suite.to_str().unwrap(), variant("gone", folder.path()));
    let run = [
        "run",
        suite,
        "--model",
        "offline",
        "--out",
        out.to_str().unwrap(),
    ];
    let both = eval(&[&run[..], &["--variant", "now", "--variant", &gone]].concat()).await;
    assert_eq!(both.code, Some(1), "{both}");
    let results = |name: &str| -> Value { serde_json::from_str(&read(&out, name)).unwrap() };
    let (now, gone) = (results("results.json"), results("results-2.json"));
    assert_eq!(
        (&now["variant"], &now["passed"]),
        (&"now".into(), &true.into())
    );
    assert_eq!(
        (&gone["variant"], &gone["passed"]),
        (&"gone".into(), &false.into())
    );
    for case in gone["cases"].as_array().unwrap() {
        let faults = case["faults"].to_string();
        assert!(
            faults.contains("the shop has no `faq-ship-abroad`"),
            "{case}"
        );
    }
    let asked = &gone["cases"][1]["prompt"];
    assert_eq!(
        asked[0][0], "system",
        "what the model was asked is there: {asked}"
    );
    assert!(read(&out, "report.html").contains("the shop has no `faq-ship-abroad`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_cannot_be_used_say_which_and_why() {
    let folder = tempdir().unwrap();
    file(folder.path(), "suite.yaml", ANSWERS);
    let suite = folder.path().join("suite.yaml");
    let suite = suite.to_str().unwrap();
    for (name, text, says) in [
        (
            "prompts/agent.md",
            "{{ shopp }}",
            "agent.md: nothing fills in `shopp`",
        ),
        (
            "tools/search_catalogue.md",
            "Use this.",
            "tools/search_catalogue.md describes no tool",
        ),
    ] {
        let own = tempdir().unwrap();
        file(own.path(), name, text);
        let own = variant("own", own.path());
        let ended = eval(&["run", suite, "--model", "offline", "--variant", &own]).await;
        assert_eq!(ended.code, Some(2), "{ended}");
        assert!(ended.said.contains(says), "{ended}");
    }
    let nothing = variant("nothing", &folder.path().join("prompts"));
    let ended = eval(&["run", suite, "--variant", &nothing]).await;
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.said.contains("changes nothing"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_is_small_and_gates_are_held_against_it() {
    let folder = tempdir().unwrap();
    let gated = ANSWERS.replace(
        "cases:",
        "gates:\n  - {kind: retrieval, metric: \"ndcg@10\", slice: language, drop_at_most: 2}\ncases:",
    );
    file(folder.path(), "suite.yaml", &gated);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (suite, whole, small) = (path("suite.yaml"), path("whole.json"), path("small.json"));
    let run = ["run", &suite, "--model", "offline", "--json"];
    assert_eq!(eval(&[&run[..], &[&whole]].concat()).await.code, Some(0));
    let made = eval(&["baseline", &whole, "--out", &small]).await;
    assert_eq!(made.code, Some(0), "{made}");
    let length = |name: &str| std::fs::metadata(name).unwrap().len();
    assert!(length(&small) < length(&whole) / 2);
    file(folder.path(), "knowledge/faq/en/ship-abroad.md", "");
    let gone = variant("gone", folder.path());
    let beside = [
        &path("other.json"),
        "--baseline",
        &small,
        "--variant",
        &gone,
    ];
    let ended = eval(&[&run[..], &beside].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.out.contains("1.000 before"), "{ended}");
    let again = eval(&["score", &small, &suite]).await;
    assert_eq!(again.code, Some(2), "{again}");
    assert!(again.said.contains("baseline"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_judge_reads_along_and_a_gate_takes_what_it_finds() {
    let verdict = "{\"claims\": 4, \"unsupported\": [\"a courier on a unicycle\"]}";
    let judge = ScriptedModel::start([Reply::text(verdict)]).await;
    let folder = tempdir().unwrap();
    let out = folder.path().join("out");
    let suite = "name: judged\n\
                 gates: [{kind: conversation, metric: faithfulness, at_least: 0.9}]\n\
                 cases:\n  - kind: conversation\n    id: asked\n    language: en\n    turns:\n      \
                 - {say: \"Do you ship abroad?\", expect: {outcome: answered}}\n";
    file(folder.path(), "suite.yaml", suite);
    let suite = folder.path().join("suite.yaml");
    let named = format!("openai:judge@{}", judge.base_url());
    let run = [
        "run",
        suite.to_str().unwrap(),
        "--model",
        "offline",
        "--judge",
        &named,
    ];
    let ended = eval(&[&run[..], &["--out", out.to_str().unwrap()]].concat()).await;
    assert_eq!(ended.code, Some(1), "{ended}");
    assert!(ended.out.contains("faithfulness"), "{ended}");
    let results: Value = serde_json::from_str(&read(&out, "results.json")).unwrap();
    let gate = &results["gates"][0];
    assert_eq!(
        (&gate["held"], &gate["found"]),
        (&false.into(), &"0.750".into())
    );
    // What was found stays with the run, so that it is judged again without the judge.
    let judged = &results["cases"][0]["observed"]["turns"][0]["judged"];
    assert_eq!(judged["unsupported"][0], "a courier on a unicycle");
    let asked = judge.requests();
    assert_eq!(asked.len(), 1);
    let asked = asked[0].body.to_string();
    assert!(
        asked.contains("<<<text>>>") && asked.contains("You judge support"),
        "{asked}"
    );
}
