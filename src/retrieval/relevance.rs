//! Whether the best passages are about the question at all.

use super::Mode;
use crate::domain::Passage;

// In the space of both encoders: a logistic regression on the score of the best passage, calibrated on
// `eval/data/search_dev.jsonl` and `eval/data/relevance.jsonl` for as many questions that have an answer as have none.
// How far the best stands out from the others added nothing.
const SCORE: f32 = 12.0;
const OFFSET: f32 = -3.3;

// In the space of one model, on `eval/data/relevance.jsonl` with the sentence encoder.
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
/// So many of the best passages decide.
const TOP: usize = 3;

/// What was searched, as far as it matters here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// How it was searched.
    pub(super) mode: Mode,
    /// Whether unrelated texts have a cosine near zero.
    pub(super) centred: bool,
    /// The question's number of words.
    pub(super) words: usize,
}

/// The probability that the best of these passages, best first, is about the question.
pub(super) fn probability(passages: &[Passage], asked: Asked) -> f32 {
    let Some(best) = passages.first() else {
        return 0.0;
    };
    let says_all = |passage: &Passage| {
        let words = passage.ranking.bm25_score.unwrap_or(0.0);
        #[expect(clippy::cast_precision_loss, reason = "one or two words")]
        let all = (1..=KEYWORDS).contains(&asked.words) && words >= TELLING * asked.words as f32;
        all
    };
    let top = || passages.iter().take(TOP);
    if asked.mode == Mode::Hybrid && asked.centred {
        let level = SCORE * best.score + OFFSET;
        let probability = 1.0 / (1.0 + (-level).exp());
        return if top().any(says_all) {
            probability.max(0.5)
        } else {
            probability
        };
    }
    let about = |passage: &Passage| {
        let cosine = passage.ranking.dense_score.unwrap_or(0.0);
        let words = passage.ranking.bm25_score.unwrap_or(0.0);
        match asked.mode {
            Mode::Hybrid => {
                cosine >= CLOSE
                    || (cosine >= NEAR && words >= TELLING)
                    || (cosine >= DISTANT && words >= DECISIVE)
                    || says_all(passage)
            }
            Mode::Bm25 => words >= TELLING,
            Mode::None => false,
        }
    };
    // Uncalibrated: either side of the threshold.
    if top().any(about) { 0.75 } else { 0.25 }
}

#[cfg(test)]
mod tests {
    use super::super::fuse::tests::passage;
    use super::*;

    fn relevant(passages: &[Passage], mode: Mode, centred: bool, words: usize) -> bool {
        let asked = Asked {
            mode,
            centred,
            words,
        };
        probability(passages, asked) >= 0.5
    }

    #[test]
    fn a_passage_with_a_high_score_is_relevant() {
        let scored = |scores: &[f32]| -> Vec<Passage> {
            let passage = |score: &f32| Passage {
                score: *score,
                ..passage("a:0")
            };
            scores.iter().map(passage).collect()
        };
        assert!(relevant(&scored(&[0.5, 0.3]), Mode::Hybrid, true, 6));
        assert!(!relevant(&scored(&[0.2, 0.1]), Mode::Hybrid, true, 6));
        assert!(!relevant(&[], Mode::Hybrid, true, 6));
    }

    #[test]
    fn nothing_relevant_is_said_so_in_the_space_of_one_model() {
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
                relevant(&[best], mode, false, 6),
                expected,
                "{mode:?} {dense_score:?} {bm25_score:?}"
            );
        }
        let mut word = passage("a:0");
        word.ranking.bm25_score = Some(4.1);
        let asked = [0, 1, 2, 3]
            .map(|asked| relevant(std::slice::from_ref(&word), Mode::Hybrid, false, asked));
        assert_eq!(asked, [false, true, false, false]);
    }
}
