//! `sportello report understanding` on tiny sets whose figures are known.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::program::{Ended, run};

/// Three rows whose labels are right, and one whose label is wrong.
fn language_rows() -> Vec<Value> {
    vec![
        json!({"text": "Where can I find the nearest station, please?", "language": "en"}),
        json!({"text": "Dove posso trovare la stazione più vicina?", "language": "it"}),
        json!({"text": "Wo finde ich bitte den nächsten Bahnhof?", "language": "de"}),
        json!({"text": "Where did you put the keys to the garden?", "language": "pt"}),
    ]
}

fn mood_rows() -> Vec<Value> {
    vec![
        json!({"text": "this is a horrible disgrace, I hate it", "language": "en", "label": "negative"}),
        json!({"text": "I love it, thank you so much, wonderful!", "language": "en", "label": "positive"}),
        json!({"text": "il servizio è pessimo, sono furioso", "language": "it", "label": "negative"}),
        json!({"text": "I hate this awful broken thing", "language": "en", "label": "positive"}),
    ]
}

fn intent_rows(texts: &[(&str, &str)]) -> Vec<Value> {
    let rows = texts.iter();
    rows.map(|(text, intent)| json!({"text": text, "intent": intent}))
        .collect()
}

const TRAIN: [(&str, &str); 8] = [
    ("what is the weather today", "weather"),
    ("will it rain tomorrow", "weather"),
    ("is it sunny outside", "weather"),
    ("how cold is it in Rome", "weather"),
    ("play some jazz", "music"),
    ("put on a song by Mina", "music"),
    ("I want to listen to music", "music"),
    ("turn on my playlist", "music"),
];
const VALID: [(&str, &str); 4] = [
    ("is rain expected this evening", "weather"),
    ("what's the weather like in Milan", "weather"),
    ("play me a song", "music"),
    ("please play some rock music", "weather"),
];

fn write(folder: &Path, name: &str, rows: &[Value]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(path, lines).unwrap();
}

/// The cells of a figure's line behind its name.
fn figure(ended: &Ended, name: &str) -> Vec<String> {
    let line = ended.out.lines().find_map(|line| line.strip_prefix(name));
    let cells = line.unwrap_or_else(|| panic!("{name} is not in {ended}"));
    cells.split_whitespace().map(str::to_owned).collect()
}

#[tokio::test]
async fn tiny_sets_give_known_figures_and_absent_ones_a_notice() {
    let folder = tempfile::tempdir().unwrap();
    let (shared, own) = (folder.path().join("shared"), folder.path().join("own"));
    write(&shared, "language/sentences.jsonl", &language_rows());
    write(&shared, "intent/hwu64/train_10.jsonl", &intent_rows(&TRAIN));
    write(&shared, "intent/hwu64/valid.jsonl", &intent_rows(&VALID));
    write(&own, "sentiment_cases.jsonl", &mood_rows());
    let page = folder.path().join("page.html");
    let arguments = [
        "report",
        "understanding",
        "--shared",
        shared.to_str().unwrap(),
        "--own",
        own.to_str().unwrap(),
        "--out",
        page.to_str().unwrap(),
        "--only",
        "intent,sentiment,language",
    ];
    let ended = run(&folder.path().join("data"), &arguments, &[], "").await;
    assert_eq!(ended.code, Some(0), "{ended}");

    let accuracy = figure(&ended, "HWU64, 10 examples: accuracy");
    assert_eq!(accuracy[..2], ["4", "75.0"], "{ended}");
    assert_eq!(accuracy[3..], ["83.0", "86.0", "MISSED"], "{ended}");
    let accuracy = figure(&ended, "sentences: accuracy");
    assert_eq!(accuracy[..2], ["4", "75.0"], "{ended}");
    let accuracy = figure(&ended, "shop: accuracy");
    assert_eq!(accuracy[..2], ["4", "75.0"], "{ended}");
    assert_eq!(figure(&ended, "shop, it: accuracy")[..2], ["1", "100.0"]);

    for absent in [
        "intent/banking77/train_10.jsonl",
        "language/word-pairs.jsonl",
        "sentiment/english/val.jsonl",
    ] {
        let notice = format!("skipped: {} is absent", shared.join(absent).display());
        assert!(ended.said.contains(&notice), "{ended}");
    }
    assert!(!ended.out.contains("Banking77"), "{ended}");

    let html = std::fs::read_to_string(page).unwrap();
    assert!(html.contains("<svg") && html.contains("HWU64, 10 examples"));
    for row in language_rows().iter().chain(&mood_rows()) {
        let text = row["text"].as_str().unwrap();
        assert!(!html.contains(text), "the page repeats {text}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_measured_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let shared = folder.path().join("shared");
    std::fs::create_dir_all(shared.join("language")).unwrap();
    std::fs::write(shared.join("language/sentences.jsonl"), "{\"text\"}\n").unwrap();
    let arguments = |only| {
        let shared = shared.to_str().unwrap();
        [
            "report",
            "understanding",
            "--shared",
            shared,
            "--only",
            only,
        ]
    };
    let data = folder.path().join("data");
    let ended = run(&data, &arguments("language"), &[], "").await;
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.said.contains("sentences.jsonl:1: "), "{ended}");
    let ended = run(&data, &arguments("poetry"), &[], "").await;
    assert_eq!(ended.code, Some(2), "{ended}");
    assert!(ended.said.contains("write one of intent"), "{ended}");
}
