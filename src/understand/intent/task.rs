//! Fitting an intent head: on all examples, and on folds that leave some out.

use std::collections::{BTreeMap, BTreeSet};

use super::{FitError, LARGEST_VOCABULARY, LabelledText, OUT_OF_SCOPE, WORDS_SCALE};
use crate::understand::features::Vocabulary;
use crate::understand::linear::{self, Head, Options, Sample, softmax};
use crate::understand::scope::scope_signs;

/// An example as a head saw it that was fitted without it.
pub(in crate::understand) struct HeldOut {
    pub(in crate::understand) logits: Vec<f32>,
    pub(in crate::understand) signs: Vec<f32>,
    pub(in crate::understand) class: usize,
    pub(in crate::understand) inside: bool,
}

/// A fitted head with what else is learned from its members.
pub(super) struct Fitted {
    pub(super) head: Head,
    pub(super) centroids: Vec<Vec<f32>>,
}

/// The examples in the form that is fitted.
pub(super) struct Task<'a> {
    pub(super) names: Vec<String>,
    pub(super) has_outside: bool,
    pub(super) vocabulary: Vocabulary,
    vectors: &'a [Vec<f32>],
    sparse: Vec<Vec<(u32, f32)>>,
    coverage: Vec<f32>,
    classes: Vec<usize>,
    folds: Vec<usize>,
    fold_count: usize,
}

impl<'a> Task<'a> {
    /// Checks the input and takes it apart.
    pub(super) fn new(
        examples: &[LabelledText],
        vectors: &'a [Vec<f32>],
    ) -> Result<Self, FitError> {
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
        let fold_count = if examples.len() < 4_000 { 4 } else { 3 };
        Ok(Self {
            has_outside: classes.contains(&names.len()),
            sparse: texts()
                .map(|text| vocabulary.encode(text, WORDS_SCALE))
                .collect(),
            coverage: texts().map(|text| vocabulary.coverage(text)).collect(),
            folds: folds(&classes, fold_count),
            fold_count,
            names,
            vocabulary,
            vectors,
            classes,
        })
    }

    /// A head for these members, counted from 0.
    pub(super) fn head(&self, members: &[usize], iterations: usize) -> Fitted {
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
    pub(super) fn held_out(&self) -> Vec<HeldOut> {
        let mut held_out = Vec::with_capacity(self.classes.len());
        for fold in 0..self.fold_count {
            let (outside, inside): (Vec<usize>, Vec<usize>) =
                (0..self.classes.len()).partition(|member| self.folds[*member] == fold);
            let fitted = self.head(&inside, 15);
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

/// Folds in blocks of the given order within an intent: neighbours in a file are often paraphrases of each
/// other, and where a file goes language by language a block without its language has to do without.
fn folds(classes: &[usize], count: usize) -> Vec<usize> {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for class in classes {
        *sizes.entry(*class).or_default() += 1;
    }
    let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
    classes
        .iter()
        .map(|class| {
            let before = seen.entry(*class).or_default();
            let block = *before * count / sizes[class];
            *before += 1;
            (block + class) % count
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
pub(super) fn best_temperature(held_out: &[HeldOut], names: usize) -> f32 {
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
