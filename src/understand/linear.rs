//! Multinomial logistic regression over dense and sparse features, fitted with L-BFGS.
//!
//! Deterministic: the examples are always summed in two fixed halves, whatever the machine has.

use std::collections::VecDeque;

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

    /// Loss and slope over these samples, not divided by their number.
    fn slope(&self, weights: &[f32], samples: &[Sample], slope: &mut [f32]) -> f64 {
        let classes = self.classes;
        let bias = (self.dense + self.sparse) * classes;
        let mut loss = 0.0;
        let mut errors = vec![vec![0.0_f32; classes]; 4];
        for group in samples.chunks(4) {
            for (sample, error) in group.iter().zip(&mut errors) {
                self.logits_into(weights, sample.dense, sample.sparse, error);
                softmax(error);
                loss -= f64::from(sample.weight) * f64::from(error[sample.class].max(1e-12).ln());
                error[sample.class] -= 1.0;
                error.iter_mut().for_each(|value| *value *= sample.weight);
                add(&mut slope[bias..bias + classes], error, 1.0);
                for (place, value) in sample.sparse {
                    let start = (self.dense + *place as usize) * classes;
                    add(&mut slope[start..start + classes], error, *value);
                }
            }
            if let ([a, b, c, d], [first, second, third, fourth]) = (group, &errors[..]) {
                for (feature, row) in slope[..self.dense * classes]
                    .chunks_exact_mut(classes)
                    .enumerate()
                {
                    let values = [
                        a.dense[feature],
                        b.dense[feature],
                        c.dense[feature],
                        d.dense[feature],
                    ];
                    add_four(row, [first, second, third, fourth], values);
                }
            } else {
                for (sample, error) in group.iter().zip(&errors) {
                    for (feature, row) in slope[..self.dense * classes]
                        .chunks_exact_mut(classes)
                        .enumerate()
                    {
                        add(row, error, sample.dense[feature]);
                    }
                }
            }
        }
        loss
    }
}

/// Fits a head; every sample has `dense` dense features and sparse places below `sparse`.
pub(super) fn fit(samples: &[Sample], shape: &Head, options: Options) -> Head {
    let mut problem = Problem::new(samples, shape, options);
    let mut weights = shape.weights.clone();
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
    Head {
        weights,
        ..shape.clone()
    }
}

struct Problem<'a> {
    samples: &'a [Sample<'a>],
    shape: Head,
    penalty: f32,
    total: f32,
    second_half: Vec<f32>,
}

impl<'a> Problem<'a> {
    fn new(samples: &'a [Sample<'a>], shape: &Head, options: Options) -> Self {
        Self {
            samples,
            shape: Head {
                weights: Vec::new(),
                ..shape.clone()
            },
            penalty: options.penalty,
            total: samples
                .iter()
                .map(|sample| sample.weight)
                .sum::<f32>()
                .max(1e-6),
            second_half: vec![0.0; shape.weights.len()],
        }
    }

    /// Mean loss with the penalty, and its slope.
    fn evaluate(&mut self, weights: &[f32], slope: &mut [f32]) -> f64 {
        let (left, right) = self.samples.split_at(self.samples.len() / 8 * 4);
        let shape = &self.shape;
        let second_half = &mut self.second_half;
        slope.fill(0.0);
        second_half.fill(0.0);
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| shape.slope(weights, right, second_half));
            let first = shape.slope(weights, left, slope);
            (first, other.join().unwrap_or(f64::INFINITY))
        });
        let scale = 1.0 / self.total;
        let bias = weights.len() - shape.classes;
        for (place, value) in slope.iter_mut().enumerate() {
            let ridge = if place < bias {
                self.penalty * weights[place]
            } else {
                0.0
            };
            *value = (*value + self.second_half[place]) * scale + ridge;
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

fn dot(left: &[f32], right: &[f32]) -> f64 {
    let block =
        |(a, b): (&[f32], &[f32])| f64::from(a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>());
    left.chunks(256).zip(right.chunks(256)).map(block).sum()
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
