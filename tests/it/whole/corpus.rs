//! `sportello index --corpus` and `sportello search --index`: any corpus, measured by anyone.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::program::{Ended, run};

const DOCUMENTS: [(&str, &str, &str, &str); 5] = [
    (
        "keys",
        "en",
        "I lost my keys",
        "Tell the porter; a new set costs 30 euros.",
    ),
    (
        "bikes",
        "en",
        "Where may I leave my bicycle?",
        "In the cellar, on the left, behind the boiler.",
    ),
    (
        "quiet",
        "en",
        "Quiet hours",
        "No music after ten in the evening, and none on Sundays.",
    ),
    (
        "rifiuti",
        "it",
        "Dove butto il vetro?",
        "Nel bidone verde in cortile; la carta va in quello giallo.",
    ),
    (
        "lift",
        "en",
        "The lift is out of order",
        "Call the number beside its door, day and night.",
    ),
];

struct Corpus {
    data: TempDir,
}

impl Corpus {
    async fn indexed() -> Self {
        let corpus = Self {
            data: tempfile::tempdir().unwrap(),
        };
        let mut lines = String::new();
        for (id, language, title, text) in DOCUMENTS {
            let meta = json!({"house": 7});
            let line =
                json!({"id": id, "language": language, "title": title, "text": text, "meta": meta});
            writeln!(lines, "{line}").unwrap();
        }
        std::fs::write(corpus.file("corpus.jsonl"), lines).unwrap();
        let done = corpus
            .run(&[
                "index",
                "--corpus",
                "corpus.jsonl",
                "--into",
                "made",
                "--json",
            ])
            .await;
        assert_eq!(done.code, Some(0), "{done}");
        assert_eq!(
            done.json(),
            json!({"chunks": 5, "embedded": 5, "unchanged": false})
        );
        corpus
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.data.path().join(name)
    }

    /// Arguments that name a file or folder of the test are made whole.
    async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[]).await
    }

    async fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let own = ["corpus.jsonl", "queries.jsonl", "made", "nowhere"];
        let whole: Vec<String> = arguments
            .iter()
            .map(|argument| {
                if own.contains(argument) {
                    self.file(argument).to_str().unwrap().to_owned()
                } else {
                    (*argument).to_owned()
                }
            })
            .collect();
        let whole: Vec<&str> = whole.iter().map(String::as_str).collect();
        run(&self.file("data"), &whole, variables, "").await
    }
}

fn first(found: &Value) -> &str {
    found["results"][0]["document"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corpus_is_indexed_once_and_searched_in_both_formats() {
    let corpus = Corpus::indexed().await;
    let again = corpus
        .run(&[
            "index",
            "--corpus",
            "corpus.jsonl",
            "--into",
            "made",
            "--json",
        ])
        .await;
    assert_eq!(again.json()["unchanged"], true);

    let queries = [
        json!({"id": "q1", "text": "my keys are gone"}),
        json!({"id": "q2", "text": "wher can i park my bycicle"}),
        json!({"id": "q3", "text": "bins for glass and paper", "language": "en"}),
        json!({"text": "até que horas posso ouvir música?"}),
    ];
    let lines: Vec<String> = queries.iter().map(ToString::to_string).collect();
    std::fs::write(corpus.file("queries.jsonl"), lines.join("\n")).unwrap();
    let batch = ["search", "--index", "made", "--batch", "queries.jsonl"];
    let found = corpus.run(&batch).await.lines();
    let best: Vec<&str> = found.iter().map(first).collect();
    assert_eq!(best, ["keys", "bikes", "rifiuti", "quiet"]);
    assert_eq!(found[3]["id"], "4", "without an id the line is one");
    let passage = &found[0]["results"][0];
    assert_eq!(passage["source"], "corpus.jsonl");
    assert_eq!(passage["title"], "I lost my keys");
    assert_eq!(passage["language"], "en");
    assert_eq!(passage["meta"]["house"], 7);
    assert_eq!(passage["ranking"]["dense_rank"], 1);
    assert!(passage["score"].as_f64().unwrap() > 0.3, "{passage}");

    let trec = corpus
        .run(&[&batch[..], &["--format", "trec", "--limit", "2"]].concat())
        .await;
    let lines: Vec<Vec<&str>> = trec
        .out
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(lines.len(), 8, "{}", trec.out);
    assert_eq!(lines[0][..4], ["q1", "Q0", "keys", "1"]);
    assert_eq!(
        (lines[1][0], lines[1][3], lines[1][5]),
        ("q1", "2", "sportello")
    );
    let score = |line: &[&str]| line[4].parse::<f64>().unwrap();
    assert!(score(&lines[0]) > score(&lines[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_is_only_shown_is_seen_and_embeds_nothing() {
    let corpus = Corpus::indexed().await;
    let lines = std::fs::read_to_string(corpus.file("corpus.jsonl")).unwrap();
    let moved = lines.replace("{\"house\":7}", "{\"house\":8}");
    assert_ne!(lines, moved);
    std::fs::write(corpus.file("corpus.jsonl"), moved).unwrap();
    let index = ["index", "--corpus", "corpus.jsonl", "--into", "made"];
    let again = corpus.run(&[&index[..], &["--json"]].concat()).await;
    assert_eq!(
        again.json(),
        json!({"chunks": 5, "embedded": 0, "unchanged": false})
    );
    let search = ["search", "keys", "--index", "made", "--json"];
    let found = corpus.run(&search).await.json();
    assert_eq!(found["results"][0]["meta"], json!({"house": 8}));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_leg_can_be_measured_alone() {
    let corpus = Corpus::indexed().await;
    let search = async |legs: &str, query: &str| {
        let arguments = ["search", query, "--index", "made", "--json", "--legs", legs];
        corpus.run(&arguments).await.json()
    };
    let words = search("bm25", "porter").await;
    assert_eq!(
        (words["mode"].as_str(), first(&words)),
        (Some("bm25"), "keys")
    );
    assert_eq!(words["results"].as_array().unwrap().len(), 1);
    let meaning = search("dense", "porter").await;
    assert_eq!(meaning["results"][0]["ranking"]["bm25_rank"], Value::Null);
    assert_eq!(meaning["results"].as_array().unwrap().len(), 5);
    let nothing = search("hybrid", "what is the capital of Mongolia?").await;
    assert_eq!(nothing["relevant"], false);
    assert!(nothing["probability"].as_f64().unwrap() < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_searched_is_refused_with_the_way_out() {
    let corpus = Corpus::indexed().await;
    let refused = async |arguments: &[&str], variables: &[(&str, &str)], says: &str| {
        let done = corpus.run_with(arguments, variables).await;
        assert_eq!(done.code, Some(2), "{done}");
        assert!(done.said.contains(says), "{done}");
    };
    let search = ["search", "keys", "--index", "made"];
    let other = [("SPORTELLO_EMBEDDING__ENCODER", "use")];
    refused(&search, &other, "build it again").await;
    refused(
        &["search", "keys", "--index", "nowhere"],
        &[],
        "sportello index --corpus",
    )
    .await;
    assert!(!Path::new(&corpus.file("nowhere")).exists());
    std::fs::write(corpus.file("corpus.jsonl"), "{\"id\": \"a\"}\nnonsense\n").unwrap();
    let index = ["index", "--corpus", "corpus.jsonl", "--into", "made"];
    refused(&index, &[], "corpus.jsonl:1: `a` has neither").await;
    refused(&index, &[], "corpus.jsonl:2: not a document").await;
    let still = corpus.run(&[&search[..], &["--json"]].concat()).await;
    assert_eq!(first(&still.json()), "keys", "the old index is still there");
}
