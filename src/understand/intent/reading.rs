//! One fitted head with what turns its logits into scores.

use super::calibration::{Calibration, HeldOut};
use super::task::{Block, Task};
use crate::understand::features::Vocabulary;
use crate::understand::linear::{self, Head, Options, Sample};
use crate::understand::scope::{ScopeHead, scope_signs};
use crate::understand::sums::normalize;
use crate::understand::vectors::Vectors;

/// Length of the words' part beside each block's, which is 1: less of it where the vectors say more.
/// The second was compared with 0 and 0.7, on two draws each of three public sets; more of it costs
/// a point where messages come in another language than the examples. The first is as it was before.
const WORDS_BESIDE_ONE: f32 = 0.7;
const WORDS_BESIDE_TWO: f32 = 0.5;

/// Ridge for up to this many examples; more of them need less of it. A tenth of it costs a quarter of a point.
const PENALTY: f32 = 1e-4;
const PENALTY_EXAMPLES: f32 = 2_000.0;

/// A head over certain blocks of vectors.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reading {
    /// The mean of each block's vectors, which is taken off.
    pub(super) means: Vec<Vec<f32>>,
    pub(super) head: Head,
    pub(super) centroids: Vec<Vec<f32>>,
    pub(super) scope: ScopeHead,
    pub(super) calibration: Calibration,
}

impl Reading {
    /// Fits on all examples, and calibrates on folds that leave some out.
    pub(super) fn fit(task: &Task, blocks: &[Block]) -> Self {
        let means: Vec<Vec<f32>> = blocks.iter().map(|block| mean(block)).collect();
        let rows = Rows {
            dense: (0..task.classes.len())
                .map(|place| {
                    let vectors = blocks.iter().map(|block| block[place].as_slice());
                    dense(&means, vectors)
                })
                .collect(),
            sparse: task.sparse(words_scale(blocks.len())),
        };
        let all: Vec<usize> = (0..task.classes.len()).collect();
        let (head, centroids) = rows.head(task, &all, 40);
        let held_out = rows.held_out(task);
        let names = task.names.len();
        let scope = ScopeHead::fit(&held_out, task.has_outside);
        let calibration = Calibration::fit(&held_out, &scope, names);
        Self {
            means,
            head,
            centroids,
            scope,
            calibration,
        }
    }

    /// Intents by number with their scores, best first.
    pub(super) fn ranked(
        &self,
        vocabulary: &Vocabulary,
        text: &str,
        vectors: Vectors,
    ) -> Vec<(usize, f32)> {
        let retrieval = vectors.retrieval.unwrap_or_default();
        let dense = dense(&self.means, [vectors.sentence, retrieval].into_iter());
        let sparse = vocabulary.encode(text, words_scale(self.means.len()));
        let logits = self.head.logits(&dense, &sparse);
        let names = self.centroids.len();
        let coverage = vocabulary.coverage(text);
        let signs = scope_signs(&logits, names, &dense, &self.centroids, coverage);
        let inside = self.scope.probability(&signs);
        self.calibration
            .ranked(logits.get(..names).unwrap_or(&logits), inside)
    }

    /// The score from which a message counts as in scope.
    pub(super) fn threshold(&self) -> f32 {
        self.calibration.threshold
    }
}

/// The examples as features.
struct Rows {
    dense: Vec<Vec<f32>>,
    sparse: Vec<Vec<(u32, f32)>>,
}

impl Rows {
    /// A head for these members, counted from 0, and the centre of each intent's members.
    fn head(&self, task: &Task, members: &[usize], iterations: usize) -> (Head, Vec<Vec<f32>>) {
        let samples: Vec<Sample> = members
            .iter()
            .map(|member| Sample {
                dense: &self.dense[*member],
                sparse: &self.sparse[*member],
                class: task.classes[*member],
                weight: 1.0,
            })
            .collect();
        let width = self.dense.first().map_or(0, Vec::len);
        let classes = task.names.len() + usize::from(task.has_outside);
        let shape = Head::flat(classes, width, task.vocabulary.len());
        let options = Options {
            penalty: PENALTY * (PENALTY_EXAMPLES / members.len().max(1) as f32).min(1.0),
            iterations,
            tolerance: 1e-5,
        };
        (
            linear::fit(&samples, &shape, options),
            centroids(&samples, task.names.len(), width),
        )
    }

    /// Every example through a head that was fitted without its fold.
    fn held_out(&self, task: &Task) -> Vec<HeldOut> {
        let mut held_out = Vec::with_capacity(task.classes.len());
        let names = task.names.len();
        for fold in 0..task.fold_count {
            let (outside, inside): (Vec<usize>, Vec<usize>) =
                (0..task.classes.len()).partition(|member| task.folds[*member] == fold);
            if outside.is_empty() {
                continue;
            }
            let (head, centroids) = self.head(task, &inside, 25);
            for member in outside {
                let dense = &self.dense[member];
                let logits = head.logits(dense, &self.sparse[member]);
                let coverage = task.coverage[member];
                held_out.push(HeldOut {
                    signs: scope_signs(&logits, names, dense, &centroids, coverage),
                    logits,
                    class: task.classes[member],
                    inside: task.classes[member] < names,
                });
            }
        }
        held_out
    }
}

fn words_scale(blocks: usize) -> f32 {
    if blocks > 1 {
        WORDS_BESIDE_TWO
    } else {
        WORDS_BESIDE_ONE
    }
}

/// The blocks one after the other, each centred and of length 1. A vector that is missing, zero or of
/// another length says nothing: its block is zero, as of an average text.
fn dense<'a>(means: &[Vec<f32>], vectors: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut dense = Vec::with_capacity(means.iter().map(Vec::len).sum());
    let vectors = vectors.chain(std::iter::repeat(&[][..]));
    for (mean, vector) in means.iter().zip(vectors) {
        let start = dense.len();
        if vector.len() == mean.len() && vector.iter().any(|value| *value != 0.0) {
            dense.extend(vector.iter().zip(mean).map(|(value, mean)| value - mean));
            normalize(&mut dense[start..]);
        } else {
            dense.resize(start + mean.len(), 0.0);
        }
    }
    dense
}

fn mean(block: &[Vec<f32>]) -> Vec<f32> {
    let mut mean = vec![0.0; block.first().map_or(0, Vec::len)];
    for vector in block {
        mean.iter_mut()
            .zip(vector)
            .for_each(|(total, value)| *total += value);
    }
    let count = block.len().max(1) as f32;
    mean.iter_mut().for_each(|total| *total /= count);
    mean
}

fn centroids(samples: &[Sample], classes: usize, width: usize) -> Vec<Vec<f32>> {
    let mut centroids = vec![vec![0.0_f32; width]; classes];
    for sample in samples {
        if let Some(centroid) = centroids.get_mut(sample.class) {
            centroid
                .iter_mut()
                .zip(sample.dense)
                .for_each(|(total, value)| *total += value);
        }
    }
    for centroid in &mut centroids {
        normalize(centroid);
    }
    centroids
}
