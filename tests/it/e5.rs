//! The Rust port of E5-small against the vectors of the wheel it was ported from.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use sportello::config;
use sportello::ports::Embedder;
use sportello::understand::E5Embedder;
use sportello::understand::e5::{E5Encoder, Purpose};
use sportello::understand::encoder::EncoderError;

#[test]
fn agrees_with_the_wheel_on_a_thousand_sentences() {
    let vectors = std::fs::read(fixture("e5/vectors.bin")).unwrap();
    let (vectors, rest) = vectors.as_chunks::<{ E5Encoder::DIMENSION }>();
    let sentences = sentences();
    assert_eq!(
        (sentences.len(), vectors.len(), rest.len()),
        (1000, 1000, 0)
    );

    let (lowest, text) = in_halves(&sentences)
        .into_iter()
        .zip(vectors)
        .zip(&sentences)
        .map(|((vector, expected), (_, text))| (cosine(&vector, expected), text))
        .min_by(|left, right| left.0.total_cmp(&right.0))
        .unwrap();
    // The stored vectors are rounded to eight bits, which alone costs up to 0.0001.
    println!("lowest cosine: {lowest:.6} for {text:?}");
    assert!(lowest >= 0.9995, "cosine {lowest} for {text:?}");
}

#[test]
fn cuts_text_into_the_same_pieces_as_the_wheel() {
    let sentences = sentences();
    let expected = lines("e5/ids.jsonl");
    assert_eq!(expected.len(), sentences.len());
    for ((purpose, text), expected) in sentences.iter().zip(expected) {
        let expected: Vec<u32> = serde_json::from_value(expected).unwrap();
        assert_eq!(encoder().piece_ids(*purpose, text), expected, "{text:?}");
    }
}

#[test]
fn odd_texts_have_the_pieces_and_vectors_of_the_wheel() {
    for odd in lines("e5/odd.jsonl") {
        let text = odd["text"].as_str().unwrap();
        let ids: Vec<u32> = serde_json::from_value(odd["ids"].clone()).unwrap();
        assert_eq!(encoder().piece_ids(Purpose::Query, text), ids, "{text:?}");
        let expected = STANDARD.decode(odd["vector"].as_str().unwrap()).unwrap();
        let found = cosine(&encoder().encode(Purpose::Query, text), &expected);
        assert!(found >= 0.9995, "cosine {found} for {text:?}");
    }
}

#[test]
fn a_batch_gives_the_bits_of_single_calls() {
    let long = "Wann kommt mein Paket an? ".repeat(90);
    let sentences = sentences();
    let mut texts: Vec<&str> = sentences
        .iter()
        .step_by(40)
        .map(|(_, text)| text.as_str())
        .collect();
    texts.extend(["", &long, "ciao"]);
    let batch = encoder().encode_batch(Purpose::Passage, &texts);
    assert_eq!(batch.len(), texts.len());
    for (text, vector) in texts.iter().zip(batch) {
        assert!(
            encoder().encode(Purpose::Passage, text) == vector,
            "{text:?}"
        );
    }
    assert!(encoder().encode_batch(Purpose::Query, &[]).is_empty());
}

#[tokio::test]
async fn the_port_tells_questions_from_passages() {
    let path = model_path();
    let embedder = E5Embedder::new(Arc::new(E5Encoder::open(&path).unwrap()));
    let texts: Vec<String> = ["Wo ist mein Paket?", "a red kettle", "ciao"]
        .map(str::to_owned)
        .to_vec();
    let passages = embedder.embed(&texts).await.unwrap();
    let queries = embedder.embed_queries(&texts).await.unwrap();
    assert_eq!(embedder.id(), E5Encoder::MODEL_ID);
    for ((text, passage), query) in texts.iter().zip(passages).zip(queries) {
        assert_eq!(passage.len(), embedder.dimension());
        assert!(passage == encoder().encode(Purpose::Passage, text));
        assert!(query == encoder().encode(Purpose::Query, text));
        assert!(passage != query);
    }
}

#[test]
fn an_answer_in_another_language_is_the_nearest() {
    let question = encoder().encode(
        Purpose::Query,
        "Wie lange habe ich Zeit, etwas zurückzugeben?",
    );
    let answers = [
        "Puoi restituire un prodotto entro 30 giorni dalla consegna.",
        "Spediamo in tutta Europa con corriere.",
        "The grinder has forty settings, from espresso to French press.",
    ];
    let scores = answers.map(|answer| dot(&question, &encoder().encode(Purpose::Passage, answer)));
    assert!(scores[0] > scores[1] && scores[0] > scores[2], "{scores:?}");
}

#[test]
fn every_text_has_a_unit_vector() {
    let texts = [
        "\0".to_owned(),
        "\u{301}\u{302}\u{303}".repeat(30),
        "\u{feff}\u{200b}\u{202e}\u{10ffff}".to_owned(),
        "🫖".repeat(600),
        "▁".repeat(3000),
        "w".repeat(3000),
    ];
    for text in texts {
        assert_unit(&encoder().encode(Purpose::Query, &text));
    }
}

#[test]
fn the_longest_texts_are_read_to_their_ends() {
    // Pieces only: the network's time grows with them, and it never sees more than a window.
    let emoji = encoder().piece_ids(Purpose::Query, &"🫖".repeat(10_000));
    assert!(emoji.len() >= 10_000);
    let words = encoder().piece_ids(Purpose::Passage, &"word ".repeat(64 * 1024 / 5));
    assert!(words.len() > 64 * 1024 / 5);
    let right_to_left = "المنتج ".repeat(64 * 1024 / 13);
    assert!(encoder().piece_ids(Purpose::Query, &right_to_left).len() > 64 * 1024 / 13);

    let start = "Il macinacaffè è arrivato rotto e vorrei restituirlo. ".repeat(36);
    let longer = start.clone() + &"Do you have a red kettle in stock? ".repeat(20);
    let vectors = encoder().encode_batch(Purpose::Passage, &[&start, &longer]);
    let similarity = dot(&vectors[0], &vectors[1]);
    assert_unit(&vectors[1]);
    assert!(similarity < 0.995, "the end changed nothing: {similarity}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_panics(text in "\\PC{0,60}|[\\u{0}-\\u{20}\\u{200b}-\\u{202f}\\u{1f300}-\\u{1f6ff}]{0,40}|.{0,60}") {
        let ids = encoder().piece_ids(Purpose::Query, &text);
        prop_assert!(ids.len() >= 4 && ids.iter().all(|id| *id < 250_002));
        assert_unit(&encoder().encode(Purpose::Passage, &text));
    }
}

#[test]
fn a_file_that_is_no_model_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        E5Encoder::open(&path)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let mut start = std::fs::read(model_path()).expect("run `make models`");
    start.truncate(1 << 20);
    assert!(open("other", b"hello").contains("not a model file"));
    assert!(open("cut", &start).contains("ends inside the tensor"));
    start[8] = 99;
    assert!(open("newer", &start).contains("layout version"));
    let missing = E5Encoder::open(&folder.path().join("missing")).err();
    assert!(matches!(&missing, Some(EncoderError::Missing(_))));
    assert!(missing.is_some_and(|error| error.to_string().contains("make models")));
}

/// One encoder for all tests of the process.
fn encoder() -> &'static E5Encoder {
    static ENCODER: OnceLock<E5Encoder> = OnceLock::new();
    ENCODER.get_or_init(|| E5Encoder::open(&model_path()).unwrap_or_else(|error| panic!("{error}")))
}

/// Where `make models` puts the model.
fn model_path() -> PathBuf {
    config::models_folder().join("multilingual-e5-small-q4.bin")
}

/// The vectors of the sentences, made by two threads.
fn in_halves(sentences: &[(Purpose, String)]) -> Vec<Vec<f32>> {
    std::thread::scope(|scope| {
        let halves: Vec<_> = sentences
            .chunks(sentences.len().div_ceil(2))
            .map(|half| {
                scope.spawn(move || {
                    half.iter()
                        .map(|(purpose, text)| encoder().encode(*purpose, text))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        halves
            .into_iter()
            .flat_map(|half| half.join().unwrap())
            .collect()
    })
}

/// The sentences of the encoders' fixtures; every other one is a passage.
fn sentences() -> Vec<(Purpose, String)> {
    let purposes = [Purpose::Query, Purpose::Passage];
    lines("encoder/sentences.jsonl")
        .iter()
        .zip(purposes.into_iter().cycle())
        .map(|(line, purpose)| (purpose, line["text"].as_str().unwrap().to_owned()))
        .collect()
}

fn lines(name: &str) -> Vec<serde_json::Value> {
    std::fs::read_to_string(fixture(name))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn assert_unit(vector: &[f32]) {
    let length = dot(vector, vector).sqrt();
    assert_eq!(vector.len(), E5Encoder::DIMENSION);
    assert!((length - 1.0).abs() < 1e-5, "length {length}");
}

/// The cosine of a unit vector with a vector of signed bytes.
fn cosine(vector: &[f32], stored: &[u8]) -> f32 {
    let stored: Vec<f32> = stored
        .iter()
        .map(|byte| f32::from(byte.cast_signed()))
        .collect();
    dot(vector, &stored) / dot(&stored, &stored).sqrt()
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    left.iter()
        .zip(right)
        .map(|(left, right)| left * right)
        .sum()
}
