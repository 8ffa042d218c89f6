//! What is understood of real messages, in figures, and that no input is too strange.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::encoder::encoder;
use sportello::domain::{Language, Polarity};
use sportello::understand::{
    IntentModel, LabelledText, Languages, OUT_OF_SCOPE, SentimentModel, Understanding, Vectors,
    VectorsOf,
};

const LANGUAGES: [Language; 6] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
    Language::FR,
];

struct Row {
    text: String,
    label: String,
    language: Option<Language>,
}

fn rows(path: &Path) -> Option<Vec<Row>> {
    let content = std::fs::read_to_string(path).ok();
    if content.is_none() {
        println!("skipped: {} is absent", path.display());
    }
    let row = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| {
            value
                .get(name)
                .and_then(|field| field.as_str())
                .map(str::to_owned)
        };
        Row {
            text: field("text").unwrap(),
            label: field("intent")
                .or_else(|| field("label"))
                .or_else(|| field("language"))
                .unwrap(),
            language: field("language").and_then(|code| code.parse().ok()),
        }
    };
    Some(
        content?
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(row)
            .collect(),
    )
}

fn own(name: &str) -> Vec<Row> {
    rows(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("eval/data")
            .join(name),
    )
    .unwrap()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test may be told where its data is"
)]
fn shared(name: &str) -> Option<Vec<Row>> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    rows(
        &std::env::var_os("SPORTELLO_SHARED_DATA")
            .map_or(default, PathBuf::from)
            .join(name),
    )
}

fn vectors<'t>(texts: impl IntoIterator<Item = &'t str>) -> Vec<Vec<f32>> {
    let texts: Vec<&str> = texts.into_iter().collect();
    encoder().encode_batch(&texts)
}

fn vectors_of(rows: &[Row]) -> Vec<Vec<f32>> {
    vectors(rows.iter().map(|row| row.text.as_str()))
}

fn shop_examples() -> Vec<LabelledText> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("knowledge/intents");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut examples = Vec::new();
    for file in files {
        let intent: serde_json::Value =
            serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        for (language, texts) in intent["examples"].as_object().unwrap() {
            for text in texts.as_array().unwrap() {
                examples.push(LabelledText {
                    text: text
                        .as_str()
                        .map_or_else(|| text.to_string(), str::to_owned),
                    intent: intent["name"].as_str().unwrap().to_owned(),
                    language: language.parse().ok(),
                });
            }
        }
    }
    examples
}

fn labelled(rows: &[Row]) -> Vec<LabelledText> {
    let one = |row: &Row| LabelledText {
        text: row.text.clone(),
        intent: row.label.clone(),
        language: row.language,
    };
    rows.iter().map(one).collect()
}

/// What a model does with cases, in percent, but for the last two.
struct IntentFigures {
    /// Best name right, among what is in scope.
    best: f64,
    /// Decision right, among everything.
    decided: f64,
    auroc: f64,
    calibration_error: f64,
}

fn intent_figures(
    model: &IntentModel,
    cases: &[LabelledText],
    vectors: &[Vec<f32>],
) -> IntentFigures {
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    let (mut best, mut decided) = (0, 0);
    let mut bins = [(0.0_f64, 0.0_f64); 15];
    for (case, vector) in cases.iter().zip(vectors) {
        let intent = model.predict(&case.text, Vectors::sentence(vector));
        let right = intent.name == case.intent;
        decided += usize::from(intent.decided() == case.intent);
        if case.intent == OUT_OF_SCOPE {
            outside.push(intent.score);
        } else {
            inside.push(intent.score);
            best += usize::from(right);
        }
        let bin = &mut bins[((intent.score * 15.0) as usize).min(14)];
        bin.0 += f64::from(intent.score);
        bin.1 += f64::from(u8::from(right));
    }
    let above: f64 = inside
        .iter()
        .flat_map(|high| {
            outside.iter().map(move |low| {
                if high > low {
                    1.0
                } else if high == low {
                    0.5
                } else {
                    0.0
                }
            })
        })
        .sum();
    IntentFigures {
        best: percent(best, inside.len()),
        decided: percent(decided, cases.len()),
        auroc: above / (inside.len() * outside.len()).max(1) as f64,
        calibration_error: bins
            .iter()
            .map(|(score, right)| (score - right).abs())
            .sum::<f64>()
            / cases.len() as f64,
    }
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[test]
fn the_language_of_the_shops_messages() {
    let languages = Languages::new(&LANGUAGES);
    let right = |rows: &[Row]| {
        let hit = |row: &&Row| languages.detect(&row.text, None).language.code() == row.label;
        percent(rows.iter().filter(hit).count(), rows.len())
    };
    let cases = own("language_cases.jsonl");
    let share = right(&cases);
    println!("language, own messages: {share:.1} %");
    assert!(share >= 95.0, "{share}");
    let changed = |row: &&Row| {
        let other = if row.label == "it" {
            Language::EN
        } else {
            Language::IT
        };
        languages.detect(&row.text, Some(other)).language.code() == row.label
    };
    let share = percent(cases.iter().filter(changed).count(), cases.len());
    println!("language, own messages after another language: {share:.1} %");
    assert!(share >= 92.0, "{share}");
    for (name, least) in [
        ("sentences", 99.5),
        ("word-pairs", 94.0),
        ("single-words", 81.0),
    ] {
        if let Some(rows) = shared(&format!("language/{name}.jsonl")) {
            let share = right(&rows);
            println!("language, {name}: {share:.1} %");
            assert!(share >= least, "{name}: {share}");
        }
    }
}

#[test]
fn the_intents_of_the_shop() {
    let examples = shop_examples();
    let vectors = vectors(examples.iter().map(|example| example.text.as_str()));
    let case_rows = own("intent_cases.jsonl");
    let case_vectors = vectors_of(&case_rows);
    let start = Instant::now();
    let model = IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let cases = labelled(&case_rows);
    let figures = intent_figures(&model, &cases, &case_vectors);
    println!(
        "shop: fit {seconds:.1} s, best {:.1}, decided {:.1}, AUROC {:.3}, ECE {:.3}, threshold {:.2}",
        figures.best,
        figures.decided,
        figures.auroc,
        figures.calibration_error,
        model.threshold(false)
    );
    assert!(figures.best >= 78.0 && figures.decided >= 76.0 && figures.auroc >= 0.95);
    assert!(figures.calibration_error <= 0.08);
}

#[test]
fn the_intents_of_public_sets_from_ten_examples_each() {
    for (set, least) in [("banking77", 80.5), ("clinc150", 88.9), ("hwu64", 81.5)] {
        let parts: Vec<(Vec<Row>, Vec<Vec<f32>>)> = ["train_10", "oos_train", "valid", "oos_valid"]
            .iter()
            .map(|part| {
                let rows = shared(&format!("intent/{set}/{part}.jsonl")).unwrap_or_default();
                let vectors = vectors_of(&rows);
                (rows, vectors)
            })
            .collect();
        let [train, outside, valid, outside_valid] = &parts[..] else {
            unreachable!()
        };
        if train.0.is_empty() {
            continue;
        }
        let join = |first: &(Vec<Row>, Vec<Vec<f32>>), second: &(Vec<Row>, Vec<Vec<f32>>)| {
            let texts = [labelled(&first.0), labelled(&second.0)].concat();
            (texts, [first.1.clone(), second.1.clone()].concat())
        };
        let (examples, example_vectors) = join(train, outside);
        let (cases, case_vectors) = join(valid, outside_valid);
        let start = Instant::now();
        let model = IntentModel::fit(&examples, VectorsOf::sentence(&example_vectors)).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let figures = intent_figures(&model, &cases, &case_vectors);
        println!(
            "{set}: fit {seconds:.1} s, best {:.1}, decided {:.1}, AUROC {:.3}, ECE {:.3}",
            figures.best, figures.decided, figures.auroc, figures.calibration_error
        );
        assert!(figures.best >= least, "{set}: {}", figures.best);
        assert!(
            outside.0.is_empty() || figures.auroc >= 0.955,
            "{set}: {}",
            figures.auroc
        );
    }
}

#[test]
fn the_sentiment_of_the_shops_messages() {
    let model = SentimentModel::builtin();
    let cases = own("sentiment_cases.jsonl");
    let vectors = vectors_of(&cases);
    let hit = |(row, vector): &(&Row, &Vec<f32>)| {
        let language = row.language.unwrap_or(Language::EN);
        let mood = model.score(&row.text, language, Vectors::sentence(vector));
        mood.label.name() == row.label
    };
    let share = percent(cases.iter().zip(&vectors).filter(hit).count(), cases.len());
    println!("sentiment, own messages: {share:.1} %");
    assert!(share >= 80.0, "{share}");
}

#[test]
fn the_sentiment_of_tweets() {
    let model = SentimentModel::builtin();
    let languages = languages();
    let mut scores = Vec::new();
    for language in [
        "english",
        "italian",
        "spanish",
        "portuguese",
        "german",
        "french",
    ] {
        let Some(rows) = shared(&format!("sentiment/{language}/val.jsonl")) else {
            return;
        };
        let vectors = vectors_of(&rows);
        let guesses: Vec<&str> = rows
            .iter()
            .zip(&vectors)
            .map(|(row, vector)| {
                let written = languages.detect(&row.text, None).language;
                let mood = model.score(&row.text, written, Vectors::sentence(vector));
                mood.label.name()
            })
            .collect();
        let f1 = |class: &str| {
            let both = rows
                .iter()
                .zip(&guesses)
                .filter(|(row, guess)| row.label == class && **guess == class)
                .count();
            let either = rows.iter().filter(|row| row.label == class).count()
                + guesses.iter().filter(|guess| **guess == class).count();
            percent(2 * both, either)
        };
        let labels = [Polarity::Negative, Polarity::Neutral, Polarity::Positive];
        let macro_f1 = labels.iter().map(|label| f1(label.name())).sum::<f64>() / 3.0;
        println!("sentiment, {language} tweets: macro-F1 {macro_f1:.1}");
        scores.push(macro_f1);
    }
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    assert!(mean >= 63.5, "{mean}");
}

#[test]
fn a_message_is_understood_whole() {
    let text = |place: usize| {
        [
            "where is my order",
            "parlare con una persona",
            "write a poem",
        ][place % 3]
    };
    let intent = |place: usize| ["order_status", "human", OUT_OF_SCOPE][place % 3];
    let examples: Vec<LabelledText> = (0..60)
        .map(|place| LabelledText {
            text: text(place).to_owned(),
            intent: intent(place).to_owned(),
            language: None,
        })
        .collect();
    let direction = |class: usize| {
        (0..512)
            .map(|place| if place == class { 1.0 } else { 0.0 })
            .collect::<Vec<f32>>()
    };
    let vectors: Vec<Vec<f32>> = (0..60).map(|place| direction(place % 3)).collect();
    let understanding = Understanding {
        languages: Languages::new(&LANGUAGES),
        intents: IntentModel::fit(&examples, VectorsOf::sentence(&vectors)).unwrap(),
        sentiments: SentimentModel::builtin(),
    };
    let message = "È la TERZA volta che scrivo per l'ordine 10432!!! vergogna, voglio parlare con una persona";
    let triage = understanding.triage(
        message,
        Vectors::sentence(&direction(1)),
        Some(Language::EN),
    );
    assert_eq!(triage.language.language, Language::IT);
    assert!(triage.intent.is("human"), "{:?}", triage.intent);
    assert!(triage.sentiment.label == Polarity::Negative && triage.sentiment.polarity < -0.75);
    assert_eq!(triage.entities.orders.len(), 1);
    assert!(triage.entities.ordinals.is_empty());
}

fn languages() -> &'static Languages {
    static SHARED: std::sync::LazyLock<Languages> =
        std::sync::LazyLock::new(|| Languages::new(&LANGUAGES));
    &SHARED
}
