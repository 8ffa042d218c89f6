//! What the customer wants: a linear head over the text's vectors and words, with a calibrated score.
//!
//! The head is a multinomial logistic regression in which `out_of_scope` is one more class when there
//! are examples of it. Its features are the vectors of the text, each kind centred on the examples' mean
//! and of length 1, beside hashed words and character n-grams. Two kinds of vectors beat one by 1.5 to
//! 3 points on public sets, but the second costs ten times the first; so a model may hold two heads,
//! one for each case, and a message is read by the one that its vectors allow.
//!
//! The score is the calibrated probability that the message is in scope and means the intent: the
//! product of the head's share (temperature: Guo et al. 2017, <https://arxiv.org/abs/1706.04599>) and the
//! probability of being in scope, through Platt's scaling. All of it is learned from examples that the
//! head in question had not seen.

mod calibration;
mod file;
mod reading;
mod task;

use serde::{Deserialize, Serialize};

use super::features::Vocabulary;
use super::vectors::{Vectors, VectorsOf};
use crate::domain::{Intent, Language};
pub(super) use calibration::HeldOut;
use file::StoredModel;
use reading::Reading;
use task::Task;

/// The name that marks examples outside the business.
pub const OUT_OF_SCOPE: &str = "out_of_scope";

/// An example to learn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelledText {
    /// What a customer wrote.
    pub text: String,
    /// What it means; [`OUT_OF_SCOPE`] marks what the business does not deal with.
    pub intent: String,
    /// Its language, when known.
    pub language: Option<Language>,
}

/// Why a model could not be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// Nothing to learn from.
    #[error("there is no example of any intent")]
    NoExamples,
    /// Every example needs its vector.
    #[error("{examples} examples came with {vectors} vectors")]
    Vectors {
        /// Number of examples.
        examples: usize,
        /// Number of vectors.
        vectors: usize,
    },
    /// All vectors of a kind need one length.
    #[error("the vector of example {example} has {found} numbers, the first one has {expected}")]
    Dimension {
        /// Place of the example, counted from 0.
        example: usize,
        /// Numbers in its vector.
        found: usize,
        /// Numbers in the first vector.
        expected: usize,
    },
}

/// A fitted intent classifier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredModel", into = "StoredModel")]
pub struct IntentModel {
    /// In-scope intents by class number; a class beyond them is out of scope.
    names: Vec<String>,
    vocabulary: Vocabulary,
    /// For texts with all the kinds of vectors that the examples had.
    whole: Reading,
    /// For texts that have the sentence vector only.
    brief: Option<Reading>,
}

impl IntentModel {
    /// Fits on labelled texts and their vectors, for messages that come with the same kinds of vectors.
    /// The same input gives the same model, whatever the number of cores.
    ///
    /// # Errors
    ///
    /// When no example is in scope, or examples and vectors do not fit each other.
    pub fn fit(examples: &[LabelledText], vectors: VectorsOf) -> Result<Self, FitError> {
        let task = Task::new(examples, vectors)?;
        let whole = Reading::fit(&task, &task.blocks(true));
        Ok(task.model(whole, None))
    }

    /// As [`Self::fit`], also for messages without a retrieval vector: with a second head for them.
    ///
    /// # Errors
    ///
    /// As [`Self::fit`].
    pub fn fit_with_fallback(
        examples: &[LabelledText],
        vectors: VectorsOf,
    ) -> Result<Self, FitError> {
        let task = Task::new(examples, vectors)?;
        let whole = Reading::fit(&task, &task.blocks(true));
        let brief = vectors
            .retrieval
            .map(|_| Reading::fit(&task, &task.blocks(false)));
        Ok(task.model(whole, brief))
    }

    /// What a message means, from its text and its vectors.
    #[must_use]
    pub fn predict(&self, text: &str, vectors: Vectors) -> Intent {
        let reading = self.reading(vectors.retrieval.is_some());
        let mut ranked = reading.ranked(&self.vocabulary, text, vectors);
        let (best, score) = if ranked.is_empty() {
            (0, 0.0)
        } else {
            ranked.remove(0)
        };
        let name = |class: usize| self.names.get(class).cloned().unwrap_or_default();
        Intent {
            name: name(best),
            score,
            in_scope: score >= reading.threshold(),
            runners_up: ranked
                .into_iter()
                .take(2)
                .map(|(class, score)| (name(class), score))
                .collect(),
        }
    }

    /// The score from which a message counts as in scope, in [0, 1]; `with_retrieval` tells whether
    /// messages come with a retrieval vector.
    #[must_use]
    pub fn threshold(&self, with_retrieval: bool) -> f32 {
        self.reading(with_retrieval).threshold()
    }

    /// The in-scope intents, sorted.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    fn reading(&self, with_retrieval: bool) -> &Reading {
        match &self.brief {
            Some(brief) if !with_retrieval => brief,
            Some(_) | None => &self.whole,
        }
    }
}

#[cfg(test)]
mod tests;
