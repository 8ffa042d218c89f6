//! The search over the demo shop: both legs together against each alone, on queries that nothing was chosen on.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use sportello::app::App;
use sportello::config;
use sportello::domain::{Language, Passage};
use sportello::ports::Filter;
use sportello::retrieval::{Found, Query, SearchLegs};

use crate::support::program::warm;

const LEGS: [SearchLegs; 3] = [SearchLegs::Both, SearchLegs::Dense, SearchLegs::Bm25];
/// One query of a language moves its mean by less.
const TOLERANCE: f64 = 0.01;

#[derive(Deserialize)]
struct Asked {
    text: String,
    language: Language,
    relevant: BTreeMap<String, u32>,
}

async fn shop(folder: &Path) -> App {
    let config = config::load(None, std::iter::empty(), &[]).unwrap();
    App::open(config, folder, "http://127.0.0.1").await.unwrap()
}

async fn search(app: &App, text: &str, language: Language, legs: SearchLegs) -> Found {
    let query = Query {
        text,
        vector: None,
        language,
        limit: 10,
        filter: Filter::default(),
        diversity: 0.0,
        legs,
    };
    app.retriever.search(&query).await.unwrap()
}

/// Normalised discounted cumulative gain (Järvelin and Kekäläinen, 2002) of the first ten.
fn ndcg(passages: &[Passage], relevant: &BTreeMap<String, u32>) -> f64 {
    let gain = |grades: &mut dyn Iterator<Item = u32>| -> f64 {
        let ranked = (2_u32..).zip(grades.take(10));
        let gains =
            ranked.map(|(place, grade)| f64::from((1 << grade) - 1) / f64::from(place).log2());
        gains.sum()
    };
    let grade = |passage: &Passage| relevant.get(&passage.document).copied().unwrap_or(0);
    let mut best: Vec<u32> = relevant.values().copied().collect();
    best.sort_unstable_by(|one, other| other.cmp(one));
    gain(&mut passages.iter().map(grade)) / gain(&mut best.into_iter())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_legs_find_more_than_either_in_every_language() {
    let data = warm().await;
    let app = shop(data.path()).await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("eval/data/search_test.jsonl");
    let lines = std::fs::read_to_string(file).unwrap();
    let queries = lines
        .lines()
        .map(|line| serde_json::from_str::<Asked>(line).unwrap());
    let mut gains: BTreeMap<Language, [Vec<f64>; 3]> = BTreeMap::new();
    for asked in queries.filter(|asked| !asked.relevant.is_empty()) {
        let gains = gains.entry(asked.language).or_default();
        for (gains, legs) in gains.iter_mut().zip(LEGS) {
            let found = search(&app, &asked.text, asked.language, legs).await;
            gains.push(ndcg(&found.passages, &asked.relevant));
        }
    }
    assert_eq!(gains.len(), 5);
    for (language, gains) in gains {
        let [both, dense, words] =
            gains.map(|gains| gains.iter().sum::<f64>() / gains.len() as f64);
        println!("{language}: both {both:.3}, vectors {dense:.3}, words {words:.3}");
        assert!(
            both > 0.6 && both > dense.max(words) - TOLERANCE,
            "{language}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slips_synonyms_and_other_languages_are_understood() {
    let data = warm().await;
    let app = shop(data.path()).await;
    for (text, language, expected) in [
        (
            "capuccino machne with automatik milk",
            Language::EN,
            "macchina-",
        ),
        (
            "dekalzificante per la macchina",
            Language::IT,
            "decalcificante-500",
        ),
        (
            "garantie auf die mühlen",
            Language::DE,
            "faq-warranty-length",
        ),
        (
            "combien coûte la livraison ?",
            Language::FR,
            "faq-shipping-cost",
        ),
    ] {
        let found = search(&app, text, language, SearchLegs::Both).await;
        let documents: Vec<&str> = found
            .passages
            .iter()
            .take(3)
            .map(|passage| passage.document.as_str())
            .collect();
        assert!(
            documents
                .iter()
                .any(|document| document.starts_with(expected)),
            "{text}: {documents:?}"
        );
        assert!(found.relevant, "{text}");
    }
    for text in [
        "",
        " ",
        "🤬",
        "\u{200b}\u{202e}",
        &"☕".repeat(10_000),
        &"word ".repeat(13_000),
    ] {
        let found = search(&app, text, Language::EN, SearchLegs::Both).await;
        assert!(found.probability.is_finite() && found.passages.len() <= 10);
    }
}
