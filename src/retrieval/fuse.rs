//! The two legs of a search as one list: a weighted sum of cosine and BM25.
//!
//! Ranks alone throw away how much better one passage is than the next; the sum keeps it. BM25 grows with the
//! number of words in a query, so it counts by the word. On `eval/data/search_test.jsonl` the sum is above both of
//! its parts in every language, which reciprocal ranks are not.

use std::collections::HashMap;

use crate::domain::{Passage, Ranking};
use crate::ports::Legs;

/// What the BM25 score of one query word counts beside a cosine: in a sentence, and in a few words, where a
/// rare one found by chance would count for too much. Chosen on `eval/data/search_dev.jsonl`.
const WORD: f32 = 0.06;
const KEYWORD: f32 = 0.04;
/// Queries of so many words are keywords.
pub(super) const KEYWORDS: usize = 3;

/// Fuses the legs: one passage per document, best first. `asked` is the query's number of words.
pub(super) fn fuse(legs: Legs, asked: usize) -> Vec<Passage> {
    let mut passages: HashMap<String, Passage> = HashMap::new();
    // What only the other leg found is at most as close as the last that this one found.
    let farthest = legs.dense.last().map_or(0.0, |(_, score)| *score);
    let weight = if asked <= KEYWORDS { KEYWORD } else { WORD };
    #[expect(clippy::cast_precision_loss, reason = "words of a question")]
    let words = weight / legs.words.max(1) as f32;
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
    let score = |ranking: &Ranking| {
        ranking.dense_score.unwrap_or(farthest) + words * ranking.bm25_score.unwrap_or(0.0)
    };
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

/// Best first; of equally good ones the closer, then the id decides.
pub(super) fn sort(passages: &mut [Passage]) {
    let cosine = |passage: &Passage| passage.ranking.dense_score.unwrap_or(0.0);
    passages.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| cosine(other).total_cmp(&cosine(one)))
            .then_with(|| one.id.cmp(&other.id))
    });
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{Language, PassageKind};

    /// `document:chunk`.
    pub(in crate::retrieval) fn passage(id: &str) -> Passage {
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
            meta: serde_json::Map::new(),
            score: 0.0,
            ranking: Ranking::default(),
        }
    }

    fn fused(dense: &[(&str, f32)], bm25: &[(&str, f32)], words: usize) -> Vec<Passage> {
        let leg = |hits: &[(&str, f32)]| {
            let passages = hits.iter().map(|(id, score)| (passage(id), *score));
            passages.collect()
        };
        let legs = Legs {
            dense: leg(dense),
            bm25: leg(bm25),
            words,
        };
        fuse(legs, words)
    }

    fn ids(passages: &[Passage]) -> Vec<&str> {
        passages.iter().map(|passage| passage.id.as_str()).collect()
    }

    #[test]
    fn the_score_is_the_weighted_sum() {
        let found = fused(
            &[("a:0", 0.5), ("b:0", 0.4)],
            &[("b:0", 20.0), ("c:0", 1.0)],
            4,
        );
        assert_eq!(ids(&found), ["b:0", "a:0", "c:0"]);
        assert!((found[0].score - (0.4 + WORD * 5.0)).abs() < 1e-6);
        assert!((found[2].score - (0.4 + WORD * 0.25)).abs() < 1e-6);
        let ranking = found[0].ranking;
        assert_eq!((ranking.dense_rank, ranking.bm25_rank), (Some(2), Some(1)));
        let few = fused(&[("a:0", 0.5)], &[("a:0", 3.0)], 2);
        assert!((few[0].score - (0.5 + KEYWORD * 1.5)).abs() < 1e-6);
    }

    #[test]
    fn a_passage_of_one_leg_knows_nothing_of_the_other() {
        let found = fused(&[], &[("a:0", 2.0)], 1);
        let ranking = found[0].ranking;
        assert_eq!((ranking.dense_rank, ranking.dense_score), (None, None));
        assert_eq!(
            (ranking.bm25_rank, ranking.bm25_score),
            (Some(1), Some(2.0))
        );
        assert!(fused(&[], &[], 0).is_empty());
    }

    #[test]
    fn ties_go_by_closeness_then_by_id() {
        // A hash map must not show.
        let found = fused(&[("d:0", 0.5), ("a:0", 0.5), ("c:0", 0.5)], &[], 0);
        assert_eq!(ids(&found), ["a:0", "c:0", "d:0"]);
    }

    #[test]
    fn a_document_is_found_once_by_its_best_chunk() {
        let found = fused(
            &[("a:1", 0.6), ("b:0", 0.5), ("a:0", 0.4)],
            &[("a:0", 2.0)],
            1,
        );
        assert_eq!(ids(&found), ["a:1", "b:0"]);
        let found = fused(&[("a:1", 0.6), ("a:0", 0.6)], &[], 1);
        assert_eq!(ids(&found), ["a:0"]);
    }
}
