//! What the customer wants: a linear head over the sentence vector and the words, with a calibrated score.
//!
//! The head is a multinomial logistic regression in which `out_of_scope` is one more class when there
//! are examples of it. The score is the product of two probabilities, both calibrated on examples that
//! were held out: that the message is in scope at all, and that it means this intent if it is.

mod file;
mod task;

use serde::{Deserialize, Serialize};

use super::features::Vocabulary;
use super::linear::{Head, softmax};
use super::scope::{ScopeHead, scope_signs};
use crate::domain::{Intent, Language};
use file::StoredModel;
pub(super) use task::HeldOut;
use task::{Task, best_temperature};

/// The name that marks examples outside the business.
pub const OUT_OF_SCOPE: &str = "out_of_scope";

/// Length of the words' part beside the sentence vector's, which is 1.
const WORDS_SCALE: f32 = 0.7;

/// Most word features; more of them only make the file longer.
const LARGEST_VOCABULARY: usize = 16_384;

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
    /// All vectors need one length.
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
    head: Head,
    centroids: Vec<Vec<f32>>,
    temperature: f32,
    scope: ScopeHead,
    threshold: f32,
}

impl IntentModel {
    /// Fits on labelled texts and their sentence vectors: `vectors[i]` belongs to `examples[i]`, all of
    /// one length, of unit norm. The same input gives the same model, whatever the number of cores.
    ///
    /// # Errors
    ///
    /// When no example is in scope, or examples and vectors do not fit each other.
    pub fn fit(examples: &[LabelledText], vectors: &[Vec<f32>]) -> Result<Self, FitError> {
        let task = Task::new(examples, vectors)?;
        let all: Vec<usize> = (0..examples.len()).collect();
        let fitted = task.head(&all, 30);
        let held_out = task.held_out();
        let temperature = best_temperature(&held_out, task.names.len());
        let scope = ScopeHead::fit(&held_out, task.has_outside);
        let mut model = Self {
            names: task.names.clone(),
            vocabulary: task.vocabulary.clone(),
            head: fitted.head,
            centroids: fitted.centroids,
            temperature,
            scope,
            threshold: 0.0,
        };
        model.threshold = model.best_threshold(&held_out);
        Ok(model)
    }

    /// What a message means, from its text and its sentence vector.
    #[must_use]
    pub fn predict(&self, text: &str, vector: &[f32]) -> Intent {
        let sparse = self.vocabulary.encode(text, WORDS_SCALE);
        let logits = self.head.logits(vector, &sparse);
        let signs = scope_signs(
            &logits,
            self.names.len(),
            vector,
            &self.centroids,
            self.vocabulary.coverage(text),
        );
        let mut ranked = self.ranked(&logits, self.scope.probability(&signs));
        let (best, score) = if ranked.is_empty() {
            (0, 0.0)
        } else {
            ranked.remove(0)
        };
        let name = |class: usize| self.names.get(class).cloned().unwrap_or_default();
        Intent {
            name: name(best),
            score,
            in_scope: score >= self.threshold,
            runners_up: ranked
                .into_iter()
                .take(2)
                .map(|(class, score)| (name(class), score))
                .collect(),
        }
    }

    /// The score from which a message counts as in scope, in [0, 1].
    #[must_use]
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// The in-scope intents, sorted.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Classes with their scores, best first.
    fn ranked(&self, logits: &[f32], inside: f32) -> Vec<(usize, f32)> {
        let mut shares: Vec<f32> = logits
            .iter()
            .take(self.names.len())
            .map(|logit| logit / self.temperature)
            .collect();
        softmax(&mut shares);
        let mut ranked: Vec<(usize, f32)> = shares
            .into_iter()
            .map(|share| (share * inside).clamp(0.0, 1.0))
            .enumerate()
            .collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        ranked
    }

    /// The threshold that decides the held-out examples best; without any example out of scope the one
    /// that turns away the least certain twentieth.
    fn best_threshold(&self, held_out: &[HeldOut]) -> f32 {
        let mut decided: Vec<(f32, bool, bool)> = held_out
            .iter()
            .filter_map(|example| {
                let (best, score) = *self
                    .ranked(&example.logits, self.scope.probability(&example.signs))
                    .first()?;
                Some((
                    score,
                    example.class == best,
                    example.class >= self.names.len(),
                ))
            })
            .collect();
        decided.sort_by(|left, right| left.0.total_cmp(&right.0));
        let outside = decided.iter().filter(|(_, _, outside)| *outside).count();
        if outside == 0 {
            return decided
                .get(decided.len() / 20)
                .map_or(0.0, |(score, _, _)| *score);
        }
        // Outside examples are few in a file and many in life: together they count at least an eighth.
        let inside = decided.len() - outside;
        let weight = (inside as f32 / 7.0 / outside as f32).max(1.0);
        let mut right = decided.iter().filter(|(_, right, _)| *right).count() as f32;
        let mut best = (right, 0.0);
        for (place, (score, correct, is_outside)) in decided.iter().enumerate() {
            if *is_outside {
                right += weight;
            } else if *correct {
                right -= 1.0;
            }
            let next = decided.get(place + 1).map_or(1.0, |(next, _, _)| *next);
            if right > best.0 {
                best = (right, f32::midpoint(*score, next));
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests;
