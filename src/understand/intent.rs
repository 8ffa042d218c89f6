//! What the customer wants: a linear head over the sentence vector and the words, with a calibrated score.
//!
//! The head is a multinomial logistic regression in which `out_of_scope` is one more class when there
//! are examples of it. The score is the product of two probabilities, both calibrated on examples that
//! were held out: that the message is in scope at all, and that it means this intent if it is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::features::Vocabulary;
use super::linear::{self, Head, Options, Sample, softmax};
use super::scope::{ScopeHead, scope_signs};
use super::stored::Packed;
use crate::domain::{Intent, Language};

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
        let fitted = task.head(&all, 40);
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

/// An example as a head saw it that was fitted without it.
pub(super) struct HeldOut {
    pub(super) logits: Vec<f32>,
    pub(super) signs: Vec<f32>,
    pub(super) class: usize,
    pub(super) inside: bool,
}

struct Fitted {
    head: Head,
    centroids: Vec<Vec<f32>>,
}

/// The examples in the form that is fitted.
struct Task<'a> {
    names: Vec<String>,
    has_outside: bool,
    vocabulary: Vocabulary,
    vectors: &'a [Vec<f32>],
    sparse: Vec<Vec<(u32, f32)>>,
    coverage: Vec<f32>,
    classes: Vec<usize>,
    folds: Vec<usize>,
    fold_count: usize,
}

impl<'a> Task<'a> {
    fn new(examples: &[LabelledText], vectors: &'a [Vec<f32>]) -> Result<Self, FitError> {
        check_vectors(examples, vectors)?;
        let inside: BTreeSet<&str> = examples
            .iter()
            .map(|example| example.intent.as_str())
            .filter(|name| *name != OUT_OF_SCOPE)
            .collect();
        if inside.is_empty() {
            return Err(FitError::NoExamples);
        }
        let names: Vec<String> = inside.into_iter().map(str::to_owned).collect();
        let class =
            |example: &LabelledText| names.binary_search(&example.intent).unwrap_or(names.len());
        let classes: Vec<usize> = examples.iter().map(class).collect();
        let fewest = if examples.len() < 4_000 { 1 } else { 2 };
        let texts = || examples.iter().map(|example| example.text.as_str());
        let vocabulary = Vocabulary::of(texts(), fewest, LARGEST_VOCABULARY);
        let fold_count = if examples.len() < 4_000 { 5 } else { 3 };
        Ok(Self {
            has_outside: classes.contains(&names.len()),
            sparse: texts()
                .map(|text| vocabulary.encode(text, WORDS_SCALE))
                .collect(),
            coverage: texts().map(|text| vocabulary.coverage(text)).collect(),
            folds: folds(examples, &classes, fold_count),
            fold_count,
            names,
            vocabulary,
            vectors,
            classes,
        })
    }

    fn head(&self, members: &[usize], iterations: usize) -> Fitted {
        let classes = self.names.len() + usize::from(self.has_outside);
        let dense = self.vectors.first().map_or(0, Vec::len);
        let samples: Vec<Sample> = members
            .iter()
            .map(|member| Sample {
                dense: &self.vectors[*member],
                sparse: &self.sparse[*member],
                class: self.classes[*member],
                weight: 1.0,
            })
            .collect();
        let options = Options {
            // The ridge is stated for 2,000 examples; more of them need less of it.
            penalty: 1.5e-4 * (2_000.0 / members.len().max(1) as f32).min(1.0),
            iterations,
            tolerance: 1e-5,
        };
        Fitted {
            head: linear::fit(
                &samples,
                &Head::flat(classes, dense, self.vocabulary.len()),
                options,
            ),
            centroids: centroids(&samples, self.names.len(), dense),
        }
    }

    /// Every example through a head that was fitted without its fold.
    fn held_out(&self) -> Vec<HeldOut> {
        let mut held_out = Vec::with_capacity(self.classes.len());
        for fold in 0..self.fold_count {
            let (outside, inside): (Vec<usize>, Vec<usize>) =
                (0..self.classes.len()).partition(|member| self.folds[*member] == fold);
            let fitted = self.head(&inside, 25);
            for member in outside {
                let vector = &self.vectors[member];
                let logits = fitted.head.logits(vector, &self.sparse[member]);
                held_out.push(HeldOut {
                    signs: scope_signs(
                        &logits,
                        self.names.len(),
                        vector,
                        &fitted.centroids,
                        self.coverage[member],
                    ),
                    logits,
                    class: self.classes[member],
                    inside: self.classes[member] < self.names.len(),
                });
            }
        }
        held_out
    }
}

fn check_vectors(examples: &[LabelledText], vectors: &[Vec<f32>]) -> Result<(), FitError> {
    if examples.len() != vectors.len() {
        return Err(FitError::Vectors {
            examples: examples.len(),
            vectors: vectors.len(),
        });
    }
    let expected = vectors.first().map_or(0, Vec::len);
    match vectors.iter().position(|vector| vector.len() != expected) {
        Some(example) => Err(FitError::Dimension {
            example,
            found: vectors[example].len(),
            expected,
        }),
        None => Ok(()),
    }
}

/// Folds in blocks of the given order within an intent and language: neighbours in a file are often
/// paraphrases of each other or, in the same place of another language, translations.
fn folds(examples: &[LabelledText], classes: &[usize], count: usize) -> Vec<usize> {
    let group = |place: usize| (classes[place], examples[place].language);
    let mut sizes: BTreeMap<_, usize> = BTreeMap::new();
    for place in 0..examples.len() {
        *sizes.entry(group(place)).or_default() += 1;
    }
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    (0..examples.len())
        .map(|place| {
            let before = seen.entry(group(place)).or_default();
            let block = *before * count / sizes[&group(place)];
            *before += 1;
            (block + classes[place]) % count
        })
        .collect()
}

fn centroids(samples: &[Sample], classes: usize, dense: usize) -> Vec<Vec<f32>> {
    let mut centroids = vec![vec![0.0_f32; dense]; classes];
    for sample in samples {
        if let Some(centroid) = centroids.get_mut(sample.class) {
            centroid
                .iter_mut()
                .zip(sample.dense)
                .for_each(|(total, value)| *total += value);
        }
    }
    for centroid in &mut centroids {
        let length = centroid
            .iter()
            .map(|value| value * value)
            .sum::<f32>()
            .sqrt()
            .max(1e-6);
        centroid.iter_mut().for_each(|value| *value /= length);
    }
    centroids
}

/// The temperature under which the held-out examples are least surprising.
fn best_temperature(held_out: &[HeldOut], names: usize) -> f32 {
    let surprise = |temperature: f32| -> f64 {
        held_out
            .iter()
            .filter(|example| example.inside)
            .map(|example| {
                let mut shares: Vec<f32> = example
                    .logits
                    .iter()
                    .take(names)
                    .map(|logit| logit / temperature)
                    .collect();
                softmax(&mut shares);
                -f64::from(
                    shares
                        .get(example.class)
                        .copied()
                        .unwrap_or(0.0)
                        .max(1e-9)
                        .ln(),
                )
            })
            .sum()
    };
    let candidates = (0..60).map(|step| 0.2 * 1.05_f32.powi(step));
    let scored = candidates.map(|temperature| (temperature, surprise(temperature)));
    scored
        .min_by(|left, right| left.1.total_cmp(&right.1))
        .map_or(1.0, |(temperature, _)| temperature)
}

/// How a model is written down.
#[derive(Serialize, Deserialize)]
struct StoredModel {
    names: Vec<String>,
    dense: usize,
    classes: usize,
    hashes: Packed,
    rarity: Packed,
    weights: Packed,
    centroids: Packed,
    temperature: f32,
    scope: ScopeHead,
    threshold: f32,
}

impl From<IntentModel> for StoredModel {
    fn from(model: IntentModel) -> Self {
        Self {
            names: model.names,
            dense: model.head.dense,
            classes: model.head.classes,
            hashes: Packed::words(&model.vocabulary.hashes),
            rarity: Packed::floats(&model.vocabulary.rarity),
            weights: Packed::floats(&model.head.weights),
            centroids: Packed::floats(&model.centroids.concat()),
            temperature: model.temperature,
            scope: model.scope,
            threshold: model.threshold,
        }
    }
}

impl TryFrom<StoredModel> for IntentModel {
    type Error = String;

    fn try_from(stored: StoredModel) -> Result<Self, Self::Error> {
        let vocabulary = Vocabulary {
            hashes: stored.hashes.to_words()?,
            rarity: stored.rarity.to_floats()?,
        };
        let weights = stored.weights.to_floats()?;
        let centroids = stored.centroids.to_floats()?;
        let fits = vocabulary.hashes.len() == vocabulary.rarity.len()
            && weights.len() == (stored.dense + vocabulary.len() + 1) * stored.classes
            && centroids.len() == stored.dense * stored.names.len()
            && (stored.names.len()..=stored.names.len() + 1).contains(&stored.classes);
        if !fits {
            return Err("the parts of the intent model do not fit each other".to_owned());
        }
        Ok(Self {
            head: Head {
                classes: stored.classes,
                dense: stored.dense,
                sparse: vocabulary.len(),
                weights,
            },
            centroids: centroids
                .chunks(stored.dense.max(1))
                .map(<[f32]>::to_vec)
                .collect(),
            names: stored.names,
            vocabulary,
            temperature: stored.temperature,
            scope: stored.scope,
            threshold: stored.threshold,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTENTS: [&str; 4] = ["order_status", "shipping_info", "thanks", OUT_OF_SCOPE];

    /// Twenty made-up examples an intent, each near its intent's own direction.
    fn examples() -> (Vec<LabelledText>, Vec<Vec<f32>>) {
        let words = [
            ["where is my order", "track order"],
            ["do you ship", "delivery cost"],
            ["thanks", "cheers"],
            ["poem", "weather"],
        ];
        let example = |place: usize| {
            let class = place % INTENTS.len();
            let text = format!("{} {place}", words[class][place / 4 % 2]);
            LabelledText {
                text,
                intent: INTENTS[class].to_owned(),
                language: Some(Language::EN),
            }
        };
        (
            (0..80).map(example).collect(),
            (0..80)
                .map(|place| vector(place % 4, place as f32))
                .collect(),
        )
    }

    fn vector(class: usize, seed: f32) -> Vec<f32> {
        let mut vector: Vec<f32> = (0..8)
            .map(|place| 0.15 * (seed * (place as f32 + 1.3)).sin())
            .collect();
        vector[class] += 1.0;
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter().map(|value| value / length).collect()
    }

    #[test]
    fn it_knows_what_it_was_shown_and_what_is_outside() {
        let (examples, vectors) = examples();
        let model = IntentModel::fit(&examples, &vectors).unwrap();
        let inside = model.predict("track my order", &vector(0, 0.5));
        assert!(inside.is("order_status"), "{inside:?}");
        assert_eq!(inside.runners_up.len(), 2);
        let outside = model.predict("a poem please", &vector(3, 0.5));
        assert_eq!(outside.decided(), OUT_OF_SCOPE);
        assert!(model.names().contains(&outside.name) && outside.score < inside.score);
    }

    #[test]
    fn without_examples_from_outside_the_least_typical_is_turned_away() {
        let (examples, vectors) = examples();
        let (examples, vectors): (Vec<_>, Vec<_>) = examples
            .into_iter()
            .zip(vectors)
            .filter(|(example, _)| example.intent != OUT_OF_SCOPE)
            .unzip();
        let model = IntentModel::fit(&examples, &vectors).unwrap();
        assert!(model.predict("thanks", &vector(2, 0.5)).is("thanks"));
        assert!(!model.predict("a poem please", &vector(7, 0.5)).in_scope);
    }

    #[test]
    fn fitting_twice_and_storing_give_the_same_model() {
        let (examples, vectors) = examples();
        let model = IntentModel::fit(&examples, &vectors).unwrap();
        assert_eq!(model, IntentModel::fit(&examples, &vectors).unwrap());
        let stored = serde_json::to_string(&model).unwrap();
        assert_eq!(model, serde_json::from_str(&stored).unwrap());
        assert!(
            serde_json::from_str::<IntentModel>(&stored.replacen("\"dense\":8", "\"dense\":9", 1))
                .is_err()
        );
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (examples, mut vectors) = examples();
        assert_eq!(IntentModel::fit(&[], &[]), Err(FitError::NoExamples));
        assert_eq!(
            IntentModel::fit(&examples, &vectors[1..]),
            Err(FitError::Vectors {
                examples: 80,
                vectors: 79
            })
        );
        vectors[3].pop();
        assert_eq!(
            IntentModel::fit(&examples, &vectors),
            Err(FitError::Dimension {
                example: 3,
                found: 7,
                expected: 8
            })
        );
    }
}
