//! The loss of a head over many samples and its slope: the products that fitting spends its time on.
//!
//! Every product is summed sample by sample or feature by feature in one fixed order, in tiles of 8 by 8
//! that stay in the processor's registers, so results do not depend on the width of its vectors.

use pulp::{Arch, NullaryFnOnce};

use super::{Sample, softmax};

/// Classes, samples and features per tile.
pub(super) const TILE: usize = 8;
/// Samples whose errors are worked into the slope together; their features stay in the cache meanwhile.
const GROUP: usize = 64;

/// Loss and slope over some samples, not divided by their number. All of it is compiled for the processor's
/// vectors, so whatever it calls must be inlined.
pub(super) struct Slope<'a> {
    /// Number of classes, and the length of a feature's row, which is a multiple of [`TILE`].
    pub(super) classes: usize,
    pub(super) stride: usize,
    /// Number of dense features.
    pub(super) dense: usize,
    /// Rows of dense features, of sparse ones, then the bias.
    pub(super) weights: &'a [f32],
    pub(super) samples: &'a [Sample<'a>],
    /// Of the form of `weights`; added to.
    pub(super) slope: &'a mut [f32],
}

impl Slope<'_> {
    /// The loss; the slope is in its place.
    pub(super) fn work(self) -> f64 {
        Arch::new().dispatch(self)
    }

    /// Bias and sparse features of a sample.
    #[inline(always)]
    fn begin(&self, sample: &Sample, logits: &mut [f32]) {
        logits.copy_from_slice(&self.weights[self.weights.len() - self.stride..]);
        for (place, value) in sample.sparse {
            let start = (self.dense + *place as usize) * self.stride;
            add(logits, &self.weights[start..start + self.stride], *value);
        }
    }

    /// Adds the dense features' part to the logits of up to [`TILE`] samples.
    #[inline(always)]
    fn dense_logits(&self, samples: &[Sample], packed: &mut [[f32; TILE]], logits: &mut [f32]) {
        for (row, sample) in samples.iter().enumerate() {
            for (values, value) in packed.iter_mut().zip(sample.dense) {
                values[row] = *value;
            }
        }
        for start in (0..self.stride).step_by(TILE) {
            let mut tile = [[0.0_f32; TILE]; TILE];
            let rows = self.weights.chunks_exact(self.stride);
            for (values, weights) in packed.iter().zip(rows) {
                product(&mut tile, values, &eight(weights, start));
            }
            for (sums, logits) in tile.iter().zip(logits.chunks_exact_mut(self.stride)) {
                add(&mut logits[start..start + TILE], sums, 1.0);
            }
        }
    }

    /// Turns the logits of a sample into what its logits should have moved by, weighed; gives its loss.
    #[inline(always)]
    fn error(&self, sample: &Sample, logits: &mut [f32]) -> f64 {
        softmax(&mut logits[..self.classes]);
        let loss = -f64::from(sample.weight) * f64::from(logits[sample.class].max(1e-12).ln());
        logits[sample.class] -= 1.0;
        logits[self.classes..].fill(0.0);
        logits.iter_mut().for_each(|value| *value *= sample.weight);
        loss
    }

    #[inline(always)]
    fn learn(&mut self, samples: &[Sample], errors: &[f32]) {
        let bias = self.slope.len() - self.stride;
        for (sample, error) in samples.iter().zip(errors.chunks_exact(self.stride)) {
            add(&mut self.slope[bias..], error, 1.0);
            for (place, value) in sample.sparse {
                let start = (self.dense + *place as usize) * self.stride;
                add(&mut self.slope[start..start + self.stride], error, *value);
            }
        }
        for feature in (0..self.dense).step_by(TILE) {
            for start in (0..self.stride).step_by(TILE) {
                let mut tile = [[0.0_f32; TILE]; TILE];
                for (sample, error) in samples.iter().zip(errors.chunks_exact(self.stride)) {
                    product(
                        &mut tile,
                        &eight(sample.dense, feature),
                        &eight(error, start),
                    );
                }
                let rows = self.slope[feature * self.stride..self.dense * self.stride]
                    .chunks_exact_mut(self.stride);
                for (sums, row) in tile.iter().zip(rows) {
                    add(&mut row[start..start + TILE], sums, 1.0);
                }
            }
        }
    }
}

impl NullaryFnOnce for Slope<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(mut self) -> f64 {
        let mut loss = 0.0;
        let mut packed = vec![[0.0_f32; TILE]; self.dense];
        let mut errors = vec![0.0_f32; GROUP * self.stride];
        for group in self.samples.chunks(GROUP) {
            for (samples, errors) in group
                .chunks(TILE)
                .zip(errors.chunks_mut(TILE * self.stride))
            {
                for (sample, logits) in samples.iter().zip(errors.chunks_exact_mut(self.stride)) {
                    self.begin(sample, logits);
                }
                self.dense_logits(samples, &mut packed, errors);
                for (sample, logits) in samples.iter().zip(errors.chunks_exact_mut(self.stride)) {
                    loss += self.error(sample, logits);
                }
            }
            self.learn(group, &errors);
        }
        loss
    }
}

/// Adds the outer product of two rows to a tile.
#[inline(always)]
fn product(tile: &mut [[f32; TILE]; TILE], left: &[f32; TILE], right: &[f32; TILE]) {
    for (sums, value) in tile.iter_mut().zip(left) {
        for (sum, other) in sums.iter_mut().zip(right) {
            *sum += value * other;
        }
    }
}

/// Eight values from `start`; zeros where there are fewer.
#[inline(always)]
fn eight(values: &[f32], start: usize) -> [f32; TILE] {
    if let Some(eight) = values.get(start..start + TILE) {
        let mut copy = [0.0; TILE];
        copy.copy_from_slice(eight);
        return copy;
    }
    let rest = values.get(start..).unwrap_or_default();
    std::array::from_fn(|place| rest.get(place).copied().unwrap_or(0.0))
}

#[inline(always)]
fn add(out: &mut [f32], row: &[f32], value: f32) {
    for (total, weight) in out.iter_mut().zip(row) {
        *total += value * weight;
    }
}
