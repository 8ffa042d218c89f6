//! How long a search takes in an index of ten thousand chunks.

use std::time::Instant;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::Section;
use super::bench::Bench;
use super::figure::{Figure, Target, Unit};
use crate::app::{AppError, Corpus, CorpusSearch};
use crate::domain::{Language, Passage, PassageKind, Ranking};
use crate::eval::measures::median;
use crate::ports::IndexPoint;
use crate::retrieval::SearchLegs;

const CHUNKS: usize = 10_000;
/// Words of a chunk, as in the shop's texts.
const WORDS: usize = 60;
/// Searches that are timed, after a few that are not.
const SEARCHES: usize = 200;
const WARM_UP: usize = 10;
const TARGET: Target = Target::new(25.0, 12.0);

pub(super) async fn measure(bench: &Bench, section: &mut Section) -> Result<(), AppError> {
    let messages = bench.messages(SEARCHES + WARM_UP)?;
    if messages.len() <= WARM_UP {
        return Ok(());
    }
    (bench.say)(&format!("speed: an index of {CHUNKS} chunks"));
    let folder = bench.data.join("scale");
    let corpus = Corpus::open(&bench.config, &folder).await?;
    corpus.fill(points(&messages, corpus.dimension())).await?;
    let reader = corpus.reader().await?;
    let mut milliseconds = Vec::with_capacity(messages.len());
    for text in &messages {
        let how = CorpusSearch {
            language: None,
            limit: 6,
            legs: SearchLegs::Both,
            diversity: 0.05,
        };
        let started = Instant::now();
        corpus.search(text, &reader, how).await?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    corpus.close().await;
    let timed = milliseconds.split_off(WARM_UP);
    let name = "search with embedding, 10,000 chunks";
    let figure = Figure::new(name, Unit::Milliseconds, median(&timed), timed.len());
    section.figures.push(figure.expecting(TARGET));
    Ok(())
}

/// Chunks of the messages' own words in another order, with vectors of chance.
fn points(messages: &[String], dimension: usize) -> Vec<IndexPoint> {
    let mut chance = StdRng::seed_from_u64(7);
    let words: Vec<&str> = messages
        .iter()
        .flat_map(|text| text.split_whitespace())
        .collect();
    let mut point = |place: usize| {
        let chosen: Vec<&str> = (0..WORDS)
            .filter_map(|_| words.choose(&mut chance).copied())
            .collect();
        let mut vector: Vec<f32> = (0..dimension)
            .map(|_| chance.random_range(-1.0..1.0))
            .collect();
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector
            .iter_mut()
            .for_each(|value| *value /= length.max(f32::MIN_POSITIVE));
        IndexPoint {
            words: chosen.join(" "),
            languages: Vec::new(),
            vector: Some(vector),
            price: None,
            in_stock: None,
            category: None,
            passage: Passage {
                id: format!("{place}"),
                document: format!("{place}"),
                kind: PassageKind::Faq,
                title: String::new(),
                headings: Vec::new(),
                text: chosen.join(" "),
                language: Language::EN,
                source: String::new(),
                meta: serde_json::Map::new(),
                score: 0.0,
                ranking: Ranking::default(),
            },
        }
    };
    (0..CHUNKS).map(&mut point).collect()
}
