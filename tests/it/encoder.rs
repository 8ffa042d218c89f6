//! The Rust encoder against the vectors of the wheel it was ported from.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sportello::understand::encoder::{EncoderError, SentenceEncoder};

#[test]
fn agrees_with_the_wheel_on_a_thousand_sentences() {
    let vectors = std::fs::read(fixture("vectors.bin")).unwrap();
    let sentences = sentences();
    assert_eq!(sentences.len(), 1000);
    assert_eq!(vectors.len(), 1000 * SentenceEncoder::DIMENSION);

    let (lowest, text) = sentences
        .iter()
        .zip(vectors.chunks_exact(SentenceEncoder::DIMENSION))
        .map(|(sentence, expected)| {
            (
                cosine(&encoder().encode(text_of(sentence)), expected),
                text_of(sentence),
            )
        })
        .min_by(|left, right| left.0.total_cmp(&right.0))
        .unwrap();
    // The stored vectors are rounded to eight bits, which alone costs up to 0.0001.
    println!("lowest cosine: {lowest:.6} for {text:?}");
    assert!(lowest >= 0.999, "cosine {lowest} for {text:?}");
}

#[test]
fn cuts_text_into_the_same_pieces_as_the_wheel() {
    let mut compared = 0;
    for sentence in sentences() {
        let Some(expected) = sentence["ids"].as_array() else {
            continue;
        };
        let expected: Vec<u64> = expected.iter().map(|id| id.as_u64().unwrap()).collect();
        let found: Vec<u64> = encoder()
            .piece_ids(text_of(&sentence))
            .into_iter()
            .map(u64::from)
            .collect();
        assert_eq!(found, expected, "{sentence}");
        compared += 1;
    }
    assert_eq!(compared, 50);
}

#[test]
fn pieces_of_odd_texts_are_those_of_the_wheel() {
    for (text, expected) in [
        ("", vec![1, 0, 2]),
        (" \t\n", vec![1, 0, 2]),
        ("\0a", vec![1, 6, 0, 29, 2]),
        ("\u{301}", vec![1, 2542, 2]),
        ("😀", vec![1, 6, 0, 2]),
        ("Ｈｅｌｌｏ　ﬁ", vec![1, 17486, 7950, 2]),
    ] {
        assert_eq!(encoder().piece_ids(text), expected, "{text:?}");
    }
}

#[test]
fn a_batch_gives_the_bits_of_single_calls() {
    let long = "Wann kommt mein Paket an? ".repeat(100);
    let sentences = sentences();
    let mut texts: Vec<&str> = sentences.iter().step_by(7).map(text_of).collect();
    texts.extend(["", &long, "ciao"]);
    let batch = encoder().encode_batch(&texts);
    assert_eq!(batch.len(), texts.len());
    for (text, vector) in texts.iter().zip(batch) {
        assert!(encoder().encode(text) == vector, "{text:?}");
    }
    assert!(encoder().encode_batch(&[]).is_empty());
}

#[test]
fn every_text_has_a_unit_vector() {
    // 64 KiB, and less of what is one piece per character: the time goes by pieces.
    let long = "word ".repeat(64 * 1024 / 5);
    let texts = [
        String::new(),
        " ".to_owned(),
        "\0".to_owned(),
        "\u{301}\u{302}\u{303}".to_owned(),
        "👩‍👩‍👧‍👦🏳️‍🌈".to_owned(),
        "\u{feff}\u{200b}\u{202e}\u{10ffff}".to_owned(),
        "▁▁".to_owned(),
        "\0".repeat(2000),
        "\u{301}".repeat(2000),
        long,
    ];
    for text in texts {
        let vector = encoder().encode(&text);
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert_eq!(vector.len(), SentenceEncoder::DIMENSION);
        assert!(
            (length - 1.0).abs() < 1e-5,
            "length {length} for {:?}",
            text.chars().next()
        );
    }
}

#[test]
fn a_long_text_is_read_to_its_end() {
    let start = "Il macinacaffè è arrivato rotto e vorrei restituirlo. ".repeat(60);
    let longer = start.clone() + &"Do you have a red kettle in stock? ".repeat(60);
    let similarity = dot(&encoder().encode(&start), &encoder().encode(&longer));
    assert!(
        similarity < 0.99,
        "the second half changed nothing: {similarity}"
    );
}

#[test]
fn a_file_that_is_no_model_is_an_error() {
    let folder = std::env::temp_dir().join(format!("encoder-test-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let open = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.join(name), bytes).unwrap();
        SentenceEncoder::open(&folder.join(name))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let mut start = std::fs::read(model_path()).expect(MISSING);
    start.truncate(1 << 20);
    assert!(open("other", b"hello").contains("not a model file"));
    assert!(open("cut", &start).contains("ends inside the tensor"));
    start[8] = 99;
    assert!(open("newer", &start).contains("layout version"));
    let missing = SentenceEncoder::open(&folder.join("missing")).err();
    assert!(matches!(&missing, Some(EncoderError::Missing(_))));
    assert!(missing.is_some_and(|error| error.to_string().contains("make models")));
    std::fs::remove_dir_all(&folder).unwrap();
}

const MISSING: &str = "the sentence encoder is missing; run `make models`";

/// One encoder for all tests of the process.
pub fn encoder() -> &'static SentenceEncoder {
    static ENCODER: OnceLock<SentenceEncoder> = OnceLock::new();
    ENCODER.get_or_init(|| {
        SentenceEncoder::open(&model_path()).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// Where `make models` puts the model.
#[expect(
    clippy::disallowed_methods,
    reason = "the test runs without the application's configuration"
)]
fn model_path() -> PathBuf {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let folder = set("SPORTELLO_MODELS").unwrap_or_else(|| {
        let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")));
        cache.unwrap_or_default().join("sportello/models")
    });
    folder.join("use-multilingual-v3.bin")
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/encoder")
        .join(name)
}

fn sentences() -> Vec<serde_json::Value> {
    let lines = std::fs::read_to_string(fixture("sentences.jsonl")).unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text_of(sentence: &serde_json::Value) -> &str {
    sentence["text"].as_str().unwrap()
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
