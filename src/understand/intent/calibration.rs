//! From logits to scores that mean what they say, learned from held-out examples.

use serde::{Deserialize, Serialize};

use crate::understand::linear::{self, Head, Options, Sample, softmax};
use crate::understand::scope::ScopeHead;

/// Scores keep this distance from 0 and 1.
const MARGIN: f32 = 1e-5;

/// An example as a head saw it that was fitted without it.
pub(in crate::understand) struct HeldOut {
    pub(in crate::understand) logits: Vec<f32>,
    pub(in crate::understand) signs: Vec<f32>,
    pub(in crate::understand) class: usize,
    pub(in crate::understand) inside: bool,
}

/// What turns logits and the probability of being in scope into scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    temperature: f32,
    /// Slope and offset over the raw score's log-odds.
    slope: f32,
    offset: f32,
    /// The score from which a message counts as in scope.
    pub(super) threshold: f32,
}

impl Calibration {
    /// Learns from held-out examples; a class from `names` on is out of scope.
    pub(super) fn fit(held_out: &[HeldOut], scope: &ScopeHead, names: usize) -> Self {
        let mut calibration = Self {
            temperature: best_temperature(held_out, names),
            slope: 1.0,
            offset: 0.0,
            threshold: 0.0,
        };
        let decide = |calibration: &Self| -> Vec<Decided> {
            held_out
                .iter()
                .filter_map(|example| {
                    let inside = scope.probability(&example.signs);
                    let logits = example.logits.get(..names).unwrap_or(&example.logits);
                    let (best, score) = *calibration.ranked(logits, inside).first()?;
                    Some(Decided {
                        score,
                        right: example.class == best,
                        outside: !example.inside,
                    })
                })
                .collect()
        };
        calibration.scale(&decide(&calibration));
        calibration.threshold = best_threshold(decide(&calibration));
        calibration
    }

    /// Classes with their scores, best first.
    pub(super) fn ranked(&self, logits: &[f32], inside: f32) -> Vec<(usize, f32)> {
        let mut shares: Vec<f32> = logits
            .iter()
            .map(|logit| logit / self.temperature)
            .collect();
        softmax(&mut shares);
        let most = shares.iter().copied().fold(0.0, f32::max);
        let level = self.slope * log_odds(most * inside) + self.offset;
        let score = 1.0 / (1.0 + (-level).exp());
        let mut ranked: Vec<(usize, f32)> = shares
            .into_iter()
            .map(|share| (score * share / most.max(MARGIN)).clamp(0.0, 1.0))
            .enumerate()
            .collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
        ranked
    }

    /// Platt's scaling (1999): a logistic regression of being right on the score's log-odds.
    fn scale(&mut self, decided: &[Decided]) {
        let right = decided.iter().filter(|example| example.right).count();
        // With nearly everything right or wrong there is nothing to learn a slope from.
        if right < 10 || decided.len() - right < 10 {
            return;
        }
        let levels: Vec<[f32; 1]> = decided
            .iter()
            .map(|example| [log_odds(example.score)])
            .collect();
        let samples: Vec<Sample> = levels
            .iter()
            .zip(decided)
            .map(|(level, example)| Sample {
                dense: level,
                sparse: &[],
                class: usize::from(example.right),
                weight: 1.0,
            })
            .collect();
        let options = Options {
            penalty: 1e-4,
            iterations: 60,
            tolerance: 1e-6,
        };
        let head = linear::fit(&samples, &Head::flat(2, 1, 0), options);
        if let [wrong, right, wrong_offset, right_offset] = head.weights[..]
            && right > wrong
        {
            self.slope = right - wrong;
            self.offset = right_offset - wrong_offset;
        }
    }
}

struct Decided {
    score: f32,
    right: bool,
    outside: bool,
}

fn log_odds(share: f32) -> f32 {
    let share = share.clamp(MARGIN, 1.0 - MARGIN);
    (share / (1.0 - share)).ln()
}

/// The threshold that decides the held-out examples best; without any example out of scope the one
/// that turns away the least certain twentieth.
fn best_threshold(mut decided: Vec<Decided>) -> f32 {
    decided.sort_by(|left, right| left.score.total_cmp(&right.score));
    let outside = decided.iter().filter(|example| example.outside).count();
    if outside == 0 {
        return decided
            .get(decided.len() / 20)
            .map_or(0.0, |example| example.score);
    }
    // Outside examples are few in a file and many in life: together they count at least an eighth.
    let inside = decided.len() - outside;
    let weight = (inside as f32 / 7.0 / outside as f32).max(1.0);
    let mut right = decided.iter().filter(|example| example.right).count() as f32;
    let mut best = (right, 0.0);
    for (place, example) in decided.iter().enumerate() {
        if example.outside {
            right += weight;
        } else if example.right {
            right -= 1.0;
        }
        let next = decided.get(place + 1).map_or(1.0, |next| next.score);
        if right > best.0 {
            best = (right, f32::midpoint(example.score, next));
        }
    }
    best.1
}

/// The temperature under which the held-out examples are least surprising.
fn best_temperature(held_out: &[HeldOut], names: usize) -> f32 {
    let surprise = |temperature: f32| -> f64 {
        let of = |example: &HeldOut| {
            let logits = example.logits.iter().take(names);
            let mut shares: Vec<f32> = logits.map(|logit| logit / temperature).collect();
            softmax(&mut shares);
            let share = shares.get(example.class).copied().unwrap_or(0.0);
            -f64::from(share.max(1e-9).ln())
        };
        held_out
            .iter()
            .filter(|example| example.inside)
            .map(of)
            .sum()
    };
    let candidates = (0..60).map(|step| 0.2 * 1.05_f32.powi(step));
    let scored = candidates.map(|temperature| (temperature, surprise(temperature)));
    scored
        .min_by(|left, right| left.1.total_cmp(&right.1))
        .map_or(1.0, |(temperature, _)| temperature)
}
