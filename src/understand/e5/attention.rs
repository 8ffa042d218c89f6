//! Attention: every piece of a window takes something of all its pieces.

use super::functions::exp;
use super::network::{DIMENSION, HEAD, HEADS};

/// Pieces whose keys are compared at once.
const LANES: usize = 32;

/// What attention needs to put somewhere, for one head at a time.
#[derive(Default)]
pub(super) struct Room {
    /// `[pieces / 32][32][32]`, with zeros behind the last piece.
    keys: Vec<[[f32; LANES]; HEAD]>,
    values: Vec<[f32; HEAD]>,
    weights: Vec<[f32; LANES]>,
}

/// The mixed values of a window's pieces. `projected` has per piece a row of queries, keys and values, `mixed` one of
/// the result; both hold the window's pieces only.
#[inline(always)]
pub(super) fn attend(projected: &[f32], mixed: &mut [f32], room: &mut Room) {
    let rows = projected.as_chunks::<{ 3 * DIMENSION }>().0;
    let targets = mixed.as_chunks_mut::<DIMENSION>().0;
    let blocks = rows.len().div_ceil(LANES);
    room.keys.clear();
    room.keys.resize(blocks, [[0.0; LANES]; HEAD]);
    room.weights.resize(blocks, [0.0; LANES]);
    for head in 0..HEADS {
        room.values.clear();
        for (index, row) in rows.iter().enumerate() {
            let block = &mut room.keys[index / LANES];
            for (lanes, key) in block.iter_mut().zip(part::<1>(row, head)) {
                lanes[index % LANES] = *key;
            }
            room.values.push(*part::<2>(row, head));
        }
        for (row, target) in rows.iter().zip(targets.iter_mut()) {
            compare(part::<0>(row, head), &room.keys, &mut room.weights);
            room.weights.as_flattened_mut()[rows.len()..].fill(f32::NEG_INFINITY);
            let sum = weigh(&mut room.weights);
            let mixed = mix(&room.values, room.weights.as_flattened());
            for (target, value) in target[head * HEAD..][..HEAD].iter_mut().zip(mixed) {
                *target = value / sum;
            }
        }
    }
}

/// A head's part of a row's queries (0), keys (1) or values (2).
#[inline(always)]
fn part<const KIND: usize>(row: &[f32; 3 * DIMENSION], head: usize) -> &[f32; HEAD] {
    &row[KIND * DIMENSION..][..DIMENSION].as_chunks::<HEAD>().0[head]
}

/// The products of a query with all keys.
#[inline(always)]
fn compare(query: &[f32; HEAD], keys: &[[[f32; LANES]; HEAD]], products: &mut [[f32; LANES]]) {
    let scale = (HEAD as f32).sqrt().recip();
    for (block, products) in keys.iter().zip(products) {
        let mut sums = [0.0; LANES];
        for (value, keys) in query.iter().zip(block) {
            for (sum, key) in sums.iter_mut().zip(keys) {
                *sum += value * key;
            }
        }
        for (product, sum) in products.iter_mut().zip(sums) {
            *product = sum * scale;
        }
    }
}

/// Products to the weights of a softmax, not yet divided by their sum, which is returned. An infinite distance weighs
/// nothing that a sum of floats would notice.
#[inline(always)]
fn weigh(products: &mut [[f32; LANES]]) -> f32 {
    let mut peaks = [f32::NEG_INFINITY; LANES];
    for block in products.iter() {
        for (peak, value) in peaks.iter_mut().zip(block) {
            *peak = if *value > *peak { *value } else { *peak };
        }
    }
    let peak = peaks.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let mut sums = [0.0; LANES];
    for block in products {
        for (value, sum) in block.iter_mut().zip(&mut sums) {
            *value = exp(*value - peak);
            *sum += *value;
        }
    }
    sums.iter().sum()
}

/// The weighted sum of the values.
#[inline(always)]
fn mix(values: &[[f32; HEAD]], weights: &[f32]) -> [f32; HEAD] {
    let mut sums = [0.0; HEAD];
    for (values, weight) in values.iter().zip(weights) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += weight * value;
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_plain_formula() {
        let pieces = 19;
        let projected: Vec<f32> = (0..pieces * 3 * DIMENSION)
            .map(|index| (index as f32 * 0.37).sin())
            .collect();
        let mut mixed = vec![9.0; pieces * DIMENSION];
        attend(&projected, &mut mixed, &mut Room::default());
        let at = |piece: usize, kind: usize, place: usize| {
            f64::from(projected[(piece * 3 + kind) * DIMENSION + place])
        };
        for piece in [0, 18] {
            for place in [0, 31, 32, 383] {
                let first = place / HEAD * HEAD;
                let weight = |other: usize| {
                    let product: f64 = (first..first + HEAD)
                        .map(|index| at(piece, 0, index) * at(other, 1, index))
                        .sum();
                    (product / (HEAD as f64).sqrt()).exp()
                };
                let sum: f64 = (0..pieces).map(weight).sum();
                let value: f64 = (0..pieces)
                    .map(|other| weight(other) * at(other, 2, place))
                    .sum();
                let found = f64::from(mixed[piece * DIMENSION + place]);
                assert!(
                    (found - value / sum).abs() < 1e-5,
                    "{found} {}",
                    value / sum
                );
            }
        }
    }
}
