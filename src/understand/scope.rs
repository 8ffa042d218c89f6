//! Whether a message is the shop's business at all: a small head over signs that an intent head gives.

use serde::{Deserialize, Serialize};

use super::intent::HeldOut;
use super::linear::{self, Head, Options, Sample};

/// Number of signs.
const SIGNS: usize = 5;

/// A logistic regression over standardised signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ScopeHead {
    mean: Vec<f32>,
    spread: Vec<f32>,
    weights: Vec<f32>,
    bias: f32,
}

impl ScopeHead {
    /// Fits on held-out examples. Without any from outside the signs are weighed alike, and a message
    /// is as likely outside as in where the least typical twentieth of the examples begins.
    pub(super) fn fit(held_out: &[HeldOut], has_outside: bool) -> Self {
        let mut head = Self::standardised(held_out);
        if has_outside {
            head.learn(held_out);
        } else {
            head.weights = vec![0.0, 0.5, 0.5, 1.0, 0.0];
            let mut levels: Vec<f32> = held_out
                .iter()
                .map(|example| head.level(&example.signs))
                .collect();
            levels.sort_by(f32::total_cmp);
            head.bias = -levels.get(levels.len() / 20).copied().unwrap_or(0.0);
        }
        head
    }

    /// Probability in [0, 1] that a message with these signs is in scope.
    pub(super) fn probability(&self, signs: &[f32]) -> f32 {
        1.0 / (1.0 + (-self.level(signs)).exp())
    }

    fn standardised(held_out: &[HeldOut]) -> Self {
        let count = held_out.len().max(1) as f32;
        let average = |sign: usize, of: &dyn Fn(f32) -> f32| {
            held_out
                .iter()
                .filter_map(|example| example.signs.get(sign))
                .map(|value| of(*value))
                .sum::<f32>()
                / count
        };
        let mean: Vec<f32> = (0..SIGNS)
            .map(|sign| average(sign, &|value| value))
            .collect();
        let spread = (0..SIGNS)
            .map(|sign| {
                average(sign, &|value| (value - mean[sign]).powi(2))
                    .sqrt()
                    .max(1e-3)
            })
            .collect();
        Self {
            mean,
            spread,
            weights: vec![0.0; SIGNS],
            bias: 0.0,
        }
    }

    fn learn(&mut self, held_out: &[HeldOut]) {
        let rows: Vec<Vec<f32>> = held_out
            .iter()
            .map(|example| self.scaled(&example.signs))
            .collect();
        let outside = held_out
            .iter()
            .filter(|example| !example.inside)
            .count()
            .max(1) as f32;
        let inside = (held_out.len() as f32 - outside).max(1.0);
        // Few as they are in a file, outside examples count at least a quarter.
        let weight = (inside / 3.0 / outside).max(1.0);
        let samples: Vec<Sample> = rows
            .iter()
            .zip(held_out)
            .map(|(row, example)| Sample {
                dense: row,
                sparse: &[],
                class: usize::from(example.inside),
                weight: if example.inside { 1.0 } else { weight },
            })
            .collect();
        let options = Options {
            penalty: 1e-3,
            iterations: 100,
            tolerance: 1e-5,
        };
        let head = linear::fit(&samples, &Head::flat(2, SIGNS, 0), options);
        let difference = |row: usize| head.weights[row * 2 + 1] - head.weights[row * 2];
        self.weights = (0..SIGNS).map(difference).collect();
        self.bias = difference(SIGNS);
    }

    fn scaled(&self, signs: &[f32]) -> Vec<f32> {
        let scales = self.mean.iter().zip(&self.spread);
        signs
            .iter()
            .zip(scales)
            .map(|(sign, (mean, spread))| ((sign - mean) / spread).clamp(-6.0, 6.0))
            .collect()
    }

    fn level(&self, signs: &[f32]) -> f32 {
        self.scaled(signs)
            .iter()
            .zip(&self.weights)
            .map(|(sign, weight)| sign * weight)
            .sum::<f32>()
            + self.bias
    }
}

/// Signs of being in scope, from the logits of a head, of which the first `names` are in scope: odds against
/// the outside class, energy, certainty, closeness to the nearest intent's centre, share of known words.
pub(super) fn scope_signs(
    logits: &[f32],
    names: usize,
    vector: &[f32],
    centroids: &[Vec<f32>],
    known_words: f32,
) -> Vec<f32> {
    let inside = logits.get(..names).unwrap_or(logits);
    let most = inside.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let energy = most
        + inside
            .iter()
            .map(|logit| (logit - most).exp())
            .sum::<f32>()
            .ln();
    let odds = logits.get(names).map_or(0.0, |outside| energy - outside);
    let length = vector
        .iter()
        .map(|value| value * value)
        .sum::<f32>()
        .sqrt()
        .max(1e-6);
    let nearest = centroids
        .iter()
        .map(|centroid| centroid.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>() / length)
        .fold(-1.0, f32::max);
    vec![odds, energy, most - energy, nearest, known_words]
}
