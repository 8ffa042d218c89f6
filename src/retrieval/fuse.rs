//! Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009) of the two legs of a search.

use std::collections::HashMap;

use super::Mode;
use crate::domain::{Passage, Ranking};
use crate::ports::Legs;

/// The constant of the paper.
const K: f32 = 60.0;

/// At this cosine a passage is about the question, whatever its words.
const CLOSE: f32 = 0.42;
/// At this cosine it is, when it shares telling words too.
const NEAR: f32 = 0.30;
/// From this BM25 score on, words are telling.
const TELLING: f32 = 4.0;

/// Fuses the legs: one passage per document, best first, ties by id.
pub fn fuse(legs: Legs) -> Vec<Passage> {
    let mut passages: HashMap<String, Passage> = HashMap::new();
    for (rank, (passage, score)) in (1u32..).zip(legs.dense) {
        let entry = passages.entry(passage.id.clone()).or_insert(passage);
        entry.ranking.dense_rank = Some(rank);
        entry.ranking.dense_score = Some(score);
    }
    for (rank, (passage, score)) in (1u32..).zip(legs.bm25) {
        let entry = passages.entry(passage.id.clone()).or_insert(passage);
        entry.ranking.bm25_rank = Some(rank);
        entry.ranking.bm25_score = Some(score);
    }
    let mut best: HashMap<String, Passage> = HashMap::new();
    for mut passage in passages.into_values() {
        passage.score = score(&passage.ranking);
        let better = best
            .get(&passage.document)
            .is_none_or(|known| (passage.score, &known.id) > (known.score, &passage.id));
        if better {
            best.insert(passage.document.clone(), passage);
        }
    }
    let mut fused: Vec<Passage> = best.into_values().collect();
    sort(&mut fused);
    fused
}

/// Best first, ties by id.
pub fn sort(passages: &mut [Passage]) {
    passages.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| one.id.cmp(&other.id))
    });
}

fn score(ranking: &Ranking) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    let part = |rank: Option<u32>| rank.map_or(0.0, |rank| 1.0 / (K + rank as f32));
    part(ranking.dense_rank) + part(ranking.bm25_rank)
}

/// Whether the best passage is about the question at all.
pub fn relevant(best: &Passage, mode: Mode) -> bool {
    let cosine = best.ranking.dense_score.unwrap_or(0.0);
    let words = best.ranking.bm25_score.unwrap_or(0.0);
    match mode {
        Mode::Hybrid => cosine >= CLOSE || (cosine >= NEAR && words >= TELLING),
        Mode::Bm25 => words >= TELLING,
        Mode::None => false,
    }
}
