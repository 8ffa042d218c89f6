//! Multinomial logistic regression over dense and sparse features, fitted with L-BFGS.
//!
//! Deterministic: the examples are always summed in two fixed halves, whatever the machine has.
//! L-BFGS with the two-loop recursion: Nocedal and Wright, Numerical Optimization, chapter 7.

mod slope;

use std::collections::VecDeque;

use slope::{Slope, TILE};

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 6;

/// One example: features, the class it belongs to, and how much it counts.
#[derive(Debug, Clone)]
pub(super) struct Sample<'a> {
    pub(super) dense: &'a [f32],
    pub(super) sparse: &'a [(u32, f32)],
    pub(super) class: usize,
    pub(super) weight: f32,
}

/// How to fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Ridge penalty on all weights, relative to the mean loss.
    pub(super) penalty: f32,
    /// Most steps.
    pub(super) iterations: usize,
    /// Stop when the largest slope falls below this.
    pub(super) tolerance: f32,
}

/// A fitted head. Weights are stored feature by feature: dense ones, sparse ones, then the bias.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) classes: usize,
    pub(super) dense: usize,
    pub(super) sparse: usize,
    pub(super) weights: Vec<f32>,
}

impl Head {
    /// A head that finds all classes equally likely.
    pub(super) fn flat(classes: usize, dense: usize, sparse: usize) -> Self {
        Self {
            classes,
            dense,
            sparse,
            weights: vec![0.0; (dense + sparse + 1) * classes],
        }
    }

    /// The logit of every class. Features beyond the fitted ones count nothing.
    pub(super) fn logits(&self, dense: &[f32], sparse: &[(u32, f32)]) -> Vec<f32> {
        let mut logits = vec![0.0; self.classes];
        self.logits_into(&self.weights, dense, sparse, &mut logits);
        logits
    }

    fn logits_into(&self, weights: &[f32], dense: &[f32], sparse: &[(u32, f32)], out: &mut [f32]) {
        let classes = self.classes;
        let bias = (self.dense + self.sparse) * classes;
        out.copy_from_slice(&weights[bias..bias + classes]);
        let width = dense.len().min(self.dense);
        let mut feature = 0;
        while feature + 4 <= width {
            let row = &weights[feature * classes..(feature + 4) * classes];
            let (first, rest) = row.split_at(classes);
            let (second, rest) = rest.split_at(classes);
            let (third, fourth) = rest.split_at(classes);
            let values = [
                dense[feature],
                dense[feature + 1],
                dense[feature + 2],
                dense[feature + 3],
            ];
            add_four(out, [first, second, third, fourth], values);
            feature += 4;
        }
        for (offset, value) in dense[feature..width].iter().enumerate() {
            let start = (feature + offset) * classes;
            add(out, &weights[start..start + classes], *value);
        }
        for (place, value) in sparse {
            let place = *place as usize;
            if place < self.sparse {
                let start = (self.dense + place) * classes;
                add(out, &weights[start..start + classes], *value);
            }
        }
    }
}

/// Fits a head; every sample has `dense` dense features and sparse places below `sparse`.
pub(super) fn fit(samples: &[Sample], shape: &Head, options: Options) -> Head {
    let mut problem = Problem::new(samples, shape, options);
    let mut weights = padded(shape, problem.stride);
    let mut slope = vec![0.0; weights.len()];
    let mut loss = problem.evaluate(&weights, &mut slope);
    let mut history: VecDeque<Step> = VecDeque::with_capacity(MEMORY);
    let mut next_slope = vec![0.0; weights.len()];
    for _ in 0..options.iterations {
        if slope
            .iter()
            .fold(0.0_f32, |most, value| most.max(value.abs()))
            < options.tolerance
        {
            break;
        }
        let mut direction = descent(&slope, &history);
        let mut fall = dot(&direction, &slope);
        if fall >= 0.0 {
            history.clear();
            direction = slope.iter().map(|value| -value).collect();
            fall = dot(&direction, &slope);
        }
        let mut length = if history.is_empty() {
            1.0 / dot(&slope, &slope).sqrt().max(1.0)
        } else {
            1.0
        };
        let mut moved = None;
        for _ in 0..20 {
            let trial = stepped(&weights, &direction, length);
            let trial_loss = problem.evaluate(&trial, &mut next_slope);
            if trial_loss <= loss + 1e-4 * length * fall {
                moved = Some((trial, trial_loss));
                break;
            }
            length *= 0.5;
        }
        let Some((trial, trial_loss)) = moved else {
            break;
        };
        remember(&mut history, &weights, &trial, &slope, &next_slope);
        weights = trial;
        std::mem::swap(&mut slope, &mut next_slope);
        loss = trial_loss;
    }
    let rows = weights.chunks_exact(problem.stride);
    Head {
        weights: rows
            .flat_map(|row| &row[..shape.classes])
            .copied()
            .collect(),
        classes: shape.classes,
        dense: shape.dense,
        sparse: shape.sparse,
    }
}

/// The weights with rows that are whole tiles.
fn padded(shape: &Head, stride: usize) -> Vec<f32> {
    let rows = shape.weights.chunks_exact(shape.classes.max(1));
    rows.flat_map(|row| {
        let rest = std::iter::repeat_n(0.0, stride - row.len());
        row.iter().copied().chain(rest)
    })
    .collect()
}

struct Problem<'a> {
    samples: &'a [Sample<'a>],
    classes: usize,
    stride: usize,
    dense: usize,
    penalty: f32,
    total: f32,
    second_half: Vec<f32>,
}

impl<'a> Problem<'a> {
    fn new(samples: &'a [Sample<'a>], shape: &Head, options: Options) -> Self {
        let stride = shape.classes.next_multiple_of(TILE);
        let total: f32 = samples.iter().map(|sample| sample.weight).sum();
        Self {
            samples,
            classes: shape.classes,
            stride,
            dense: shape.dense,
            penalty: options.penalty,
            total: total.max(1e-6),
            second_half: vec![0.0; (shape.dense + shape.sparse + 1) * stride],
        }
    }

    /// Mean loss with the penalty, and its slope.
    fn evaluate(&mut self, weights: &[f32], slope: &mut [f32]) -> f64 {
        let (left, right) = self.samples.split_at(self.samples.len() / 16 * 8);
        let (classes, stride, dense) = (self.classes, self.stride, self.dense);
        let half = |samples, slope| Slope {
            classes,
            stride,
            dense,
            weights,
            samples,
            slope,
        };
        let second_half = &mut self.second_half[..];
        slope.fill(0.0);
        second_half.fill(0.0);
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| half(right, second_half).work());
            let first = half(left, slope).work();
            (first, other.join().unwrap_or(f64::INFINITY))
        });
        let scale = 1.0 / self.total;
        let bias = weights.len() - stride;
        let parts = slope.iter_mut().zip(&self.second_half).zip(weights);
        for (place, ((value, other), weight)) in parts.enumerate() {
            let ridge = if place < bias {
                self.penalty * weight
            } else {
                0.0
            };
            *value = (*value + other) * scale + ridge;
        }
        let size = dot(&weights[..bias], &weights[..bias]);
        (first + second) * f64::from(scale) + 0.5 * f64::from(self.penalty) * size
    }
}

struct Step {
    moved: Vec<f32>,
    bent: Vec<f32>,
    inverse: f64,
}

fn remember(history: &mut VecDeque<Step>, from: &[f32], to: &[f32], before: &[f32], after: &[f32]) {
    let moved: Vec<f32> = to.iter().zip(from).map(|(new, old)| new - old).collect();
    let bent: Vec<f32> = after
        .iter()
        .zip(before)
        .map(|(new, old)| new - old)
        .collect();
    let curvature = dot(&moved, &bent);
    if curvature > 1e-12 {
        if history.len() == MEMORY {
            history.pop_front();
        }
        history.push_back(Step {
            moved,
            bent,
            inverse: 1.0 / curvature,
        });
    }
}

/// The two-loop recursion.
fn descent(slope: &[f32], history: &VecDeque<Step>) -> Vec<f32> {
    let mut direction: Vec<f32> = slope.iter().map(|value| -value).collect();
    let mut shares = Vec::with_capacity(history.len());
    for step in history.iter().rev() {
        let share = step.inverse * dot(&step.moved, &direction);
        add(&mut direction, &step.bent, -share as f32);
        shares.push(share);
    }
    if let Some(last) = history.back() {
        let scale = 1.0 / (last.inverse * dot(&last.bent, &last.bent)).max(1e-30);
        direction
            .iter_mut()
            .for_each(|value| *value *= scale as f32);
    }
    for (step, share) in history.iter().zip(shares.into_iter().rev()) {
        let back = step.inverse * dot(&step.bent, &direction);
        add(&mut direction, &step.moved, (share - back) as f32);
    }
    direction
}

fn stepped(weights: &[f32], direction: &[f32], length: f64) -> Vec<f32> {
    weights
        .iter()
        .zip(direction)
        .map(|(weight, part)| weight + length as f32 * part)
        .collect()
}

/// Turns logits into probabilities in place.
pub(super) fn softmax(values: &mut [f32]) {
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for value in values.iter_mut() {
        *value = (*value - most).exp();
        total += *value;
    }
    values.iter_mut().for_each(|value| *value /= total);
}

/// Summed in blocks of 16 partial sums, which vector instructions can keep.
fn dot(left: &[f32], right: &[f32]) -> f64 {
    let block = |(left, right): (&[f32], &[f32])| {
        let mut sums = [0.0_f32; 16];
        for (left, right) in left.chunks(16).zip(right.chunks(16)) {
            for (sum, (a, b)) in sums.iter_mut().zip(left.iter().zip(right)) {
                *sum += a * b;
            }
        }
        f64::from(sums.iter().sum::<f32>())
    };
    left.chunks(1_024).zip(right.chunks(1_024)).map(block).sum()
}

fn add(out: &mut [f32], row: &[f32], value: f32) {
    for (total, weight) in out.iter_mut().zip(row) {
        *total += value * weight;
    }
}

fn add_four(out: &mut [f32], rows: [&[f32]; 4], values: [f32; 4]) {
    let [first, second, third, fourth] = rows;
    let pairs = first.iter().zip(second).zip(third.iter().zip(fourth));
    for (total, ((a, b), (c, d))) in out.iter_mut().zip(pairs) {
        *total += values[0] * a + values[1] * b + values[2] * c + values[3] * d;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_loss() {
        let points: Vec<Vec<f32>> = (0..150)
            .map(|place| {
                (0..11)
                    .map(|axis| ((place * 7 + axis * 3) as f32).sin())
                    .collect()
            })
            .collect();
        let words = [[(0, 0.5), (2, -1.0)], [(1, 1.5), (2, 0.25)]];
        let samples: Vec<Sample> = points
            .iter()
            .enumerate()
            .map(|(place, dense)| Sample {
                dense,
                sparse: &words[place % 2],
                class: place % 9,
                weight: 1.0 + (place % 3) as f32,
            })
            .collect();
        let shape = Head::flat(9, 11, 3);
        let options = Options {
            penalty: 1e-2,
            iterations: 0,
            tolerance: 0.0,
        };
        let mut problem = Problem::new(&samples, &shape, options);
        let weights: Vec<f32> = (0..15 * 16)
            .map(|place| {
                if place % 16 < 9 {
                    (place as f32).cos()
                } else {
                    0.0
                }
            })
            .collect();
        let (mut slope, mut unused) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        problem.evaluate(&weights, &mut slope);
        for place in (0..weights.len()).filter(|place| place % 16 < 9) {
            let mut loss = |step: f32| {
                let mut moved = weights.clone();
                moved[place] += step;
                problem.evaluate(&moved, &mut unused)
            };
            let expected = (loss(0.01) - loss(-0.01)) / 0.02;
            assert!((f64::from(slope[place]) - expected).abs() < 2e-3, "{place}");
        }
        assert!((0..slope.len()).all(|place| place % 16 < 9 || slope[place] == 0.0));
    }

    #[test]
    fn it_separates_what_can_be_separated_and_repeats_itself_exactly() {
        let points: Vec<[f32; 2]> = (0..60)
            .map(|place| {
                let angle = place as f32;
                let center = [[2.0, 0.0], [-2.0, 1.0], [0.0, -2.0]][place % 3];
                [center[0] + 0.5 * angle.sin(), center[1] + 0.5 * angle.cos()]
            })
            .collect();
        let samples: Vec<Sample> = points
            .iter()
            .enumerate()
            .map(|(place, dense)| Sample {
                dense,
                sparse: &[],
                class: place % 3,
                weight: 1.0,
            })
            .collect();
        let options = Options {
            penalty: 1e-4,
            iterations: 50,
            tolerance: 1e-5,
        };
        let head = fit(&samples, &Head::flat(3, 2, 0), options);
        for sample in &samples {
            let logits = head.logits(sample.dense, &[]);
            assert!(logits.iter().all(|value| *value <= logits[sample.class]));
        }
        assert_eq!(head, fit(&samples, &Head::flat(3, 2, 0), options));
    }
}
