//! Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009) of the two legs of a search.

use std::collections::HashMap;

use super::Mode;
use crate::domain::{Passage, Ranking};
use crate::ports::Legs;

/// The paper takes 60 for lists of a thousand. Ours have fifty passages of one small shop, where being first in
/// one leg says more: over the development set 3 puts a right document first for 74 % instead of 70 % of the
/// questions, and among the first three for 92 % instead of 88 %.
const K: f32 = 3.0;

// When a passage is about a question at all. Calibrated on `eval/data/relevance.jsonl`: 74 questions about the
// shop and 44 about other things, in five languages. Of the first, 9.5 % are refused wrongly; of the others,
// 9.1 % are accepted wrongly (the understanding of intents keeps most of these from being answered).

/// At this cosine a passage is about the question, whatever its words.
const CLOSE: f32 = 0.34;
/// At this cosine it is, when it shares some words too.
const NEAR: f32 = 0.24;
/// From this BM25 score on, words say something.
const TELLING: f32 = 4.0;
/// At this cosine it is, when it shares rare words.
const DISTANT: f32 = 0.10;
/// From this BM25 score on, words say nearly everything.
const DECISIVE: f32 = 8.0;
/// In a query of so few words each is meant: when all are rare and found, no cosine is needed. The vector of a
/// single word says little.
const KEYWORDS: usize = 2;

/// Fuses the legs: one passage per document, best first.
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

/// Best first. Two passages that are first and second in one leg and second and first in the other have the
/// same score: the closer one comes first, then the id decides.
pub fn sort(passages: &mut [Passage]) {
    passages.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| cosine(other).total_cmp(&cosine(one)))
            .then_with(|| one.id.cmp(&other.id))
    });
}

fn cosine(passage: &Passage) -> f32 {
    passage.ranking.dense_score.unwrap_or(0.0)
}

fn score(ranking: &Ranking) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
    let part = |rank: Option<u32>| rank.map_or(0.0, |rank| 1.0 / (K + rank as f32));
    part(ranking.dense_rank) + part(ranking.bm25_rank)
}

/// Whether a passage is about the question at all; `asked` is the question's number of words.
pub fn relevant(passage: &Passage, mode: Mode, asked: usize) -> bool {
    let cosine = cosine(passage);
    let words = passage.ranking.bm25_score.unwrap_or(0.0);
    #[expect(clippy::cast_precision_loss, reason = "one or two words")]
    let all_found = (1..=KEYWORDS).contains(&asked) && words >= TELLING * asked as f32;
    match mode {
        Mode::Hybrid => {
            cosine >= CLOSE
                || (cosine >= NEAR && words >= TELLING)
                || (cosine >= DISTANT && words >= DECISIVE)
                || all_found
        }
        Mode::Bm25 => words >= TELLING,
        Mode::None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Language, PassageKind};

    /// `document:chunk`.
    fn passage(id: &str) -> Passage {
        let document = id.split(':').next().unwrap_or(id);
        Passage {
            id: id.to_owned(),
            document: document.to_owned(),
            kind: PassageKind::Faq,
            title: String::new(),
            headings: Vec::new(),
            text: String::new(),
            language: Language::EN,
            source: String::new(),
            score: 0.0,
            ranking: Ranking::default(),
        }
    }

    fn leg(ids: &[&str]) -> Vec<(Passage, f32)> {
        ids.iter().map(|id| (passage(id), 0.5)).collect()
    }

    fn fused(dense: &[&str], bm25: &[&str]) -> Vec<Passage> {
        fuse(Legs {
            dense: leg(dense),
            bm25: leg(bm25),
        })
    }

    fn ids(passages: &[Passage]) -> Vec<&str> {
        passages.iter().map(|passage| passage.id.as_str()).collect()
    }

    #[test]
    fn both_legs_beat_one_by_reciprocal_ranks() {
        let found = fused(&["a:0", "b:0", "c:0"], &["c:0", "d:0"]);
        assert_eq!(ids(&found), ["c:0", "a:0", "b:0", "d:0"]);
        assert!((found[0].score - (1.0 / (K + 3.0) + 1.0 / (K + 1.0))).abs() < 1e-6);
        assert!((found[1].score - 1.0 / (K + 1.0)).abs() < 1e-6);
        let ranking = found[0].ranking;
        assert_eq!((ranking.dense_rank, ranking.bm25_rank), (Some(3), Some(1)));
    }

    #[test]
    fn a_passage_of_one_leg_knows_nothing_of_the_other() {
        let found = fused(&[], &["a:0"]);
        let ranking = found[0].ranking;
        assert_eq!((ranking.dense_rank, ranking.dense_score), (None, None));
        assert_eq!(
            (ranking.bm25_rank, ranking.bm25_score),
            (Some(1), Some(0.5))
        );
        assert!(fused(&[], &[]).is_empty());
    }

    #[test]
    fn ties_go_by_closeness_then_by_id() {
        // A hash map must not show: many ties, both ways round.
        assert_eq!(ids(&fused(&["b:0"], &["a:0"])), ["b:0", "a:0"]);
        assert_eq!(ids(&fused(&["a:0"], &["b:0"])), ["a:0", "b:0"]);
        let crossed = fused(&["d:0", "a:0", "c:0", "b:0"], &["a:0", "d:0", "b:0", "c:0"]);
        assert_eq!(ids(&crossed), ["a:0", "d:0", "b:0", "c:0"]);
    }

    #[test]
    fn a_document_is_found_once_by_its_best_chunk() {
        let found = fused(&["a:1", "b:0", "a:0"], &["b:0", "a:0"]);
        assert_eq!(ids(&found), ["b:0", "a:0"]);
        let tied = fused(&["a:1"], &["a:0"]);
        assert_eq!(ids(&tied), ["a:0"]);
    }

    #[test]
    fn nothing_relevant_is_said_so() {
        let table = [
            (Mode::Hybrid, Some(0.34), None, true),
            (Mode::Hybrid, Some(0.33), None, false),
            (Mode::Hybrid, Some(0.24), Some(4.0), true),
            (Mode::Hybrid, Some(0.33), Some(3.9), false),
            (Mode::Hybrid, Some(0.10), Some(8.0), true),
            (Mode::Hybrid, Some(0.23), Some(7.9), false),
            (Mode::Hybrid, Some(0.09), Some(30.0), false),
            (Mode::Hybrid, None, Some(30.0), false),
            (Mode::Bm25, None, Some(4.0), true),
            (Mode::Bm25, None, Some(3.9), false),
            (Mode::None, Some(0.9), Some(9.0), false),
        ];
        for (mode, dense_score, bm25_score, expected) in table {
            let mut best = passage("a:0");
            best.ranking.dense_score = dense_score;
            best.ranking.bm25_score = bm25_score;
            assert_eq!(
                relevant(&best, mode, 6),
                expected,
                "{mode:?} {dense_score:?} {bm25_score:?}"
            );
        }
        let mut word = passage("a:0");
        word.ranking.bm25_score = Some(4.1);
        let asked = [0, 1, 2, 3].map(|asked| relevant(&word, Mode::Hybrid, asked));
        assert_eq!(asked, [false, true, false, false]);
    }
}
