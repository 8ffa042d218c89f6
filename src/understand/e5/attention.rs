//! Attention: every piece of a window takes something of all its pieces.

use super::functions::exp;
use super::network::{DIMENSION, HEAD, HEADS};

/// Pieces whose keys are compared at once.
const LANES: usize = 16;

/// What attention needs to put somewhere.
#[derive(Default)]
pub(super) struct Room {
    /// The keys of one head, `[pieces / 16][32][16]`, with zeros behind the last piece.
    keys: Vec<[[f32; LANES]; HEAD]>,
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
    room.weights.clear();
    room.weights.resize(blocks, [0.0; LANES]);
    for head in 0..HEADS {
        for (index, row) in rows.iter().enumerate() {
            let block = &mut room.keys[index / LANES];
            for (lanes, key) in block.iter_mut().zip(part::<1>(row, head)) {
                lanes[index % LANES] = *key;
            }
        }
        for (row, target) in rows.iter().zip(targets.iter_mut()) {
            compare(part::<0>(row, head), &room.keys, &mut room.weights);
            let weights = &mut room.weights.as_flattened_mut()[..rows.len()];
            let sum = weigh(weights);
            let mixed = mix(rows, head, weights);
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
        *products = sums.map(|sum| sum * scale);
    }
}

/// Products to the weights of a softmax, not yet divided by their sum, which is returned.
#[inline(always)]
fn weigh(products: &mut [f32]) -> f32 {
    let mut peaks = [f32::NEG_INFINITY; LANES];
    for chunk in products.chunks(LANES) {
        for (peak, value) in peaks.iter_mut().zip(chunk) {
            *peak = if *value > *peak { *value } else { *peak };
        }
    }
    let peak = peaks.into_iter().fold(f32::NEG_INFINITY, f32::max);
    for value in products.iter_mut() {
        *value = exp(*value - peak);
    }
    crate::understand::sums::sum_of(products, |value| value)
}

#[inline(always)]
fn mix(rows: &[[f32; 3 * DIMENSION]], head: usize, weights: &[f32]) -> [f32; HEAD] {
    let mut sums = [0.0; HEAD];
    for (row, weight) in rows.iter().zip(weights) {
        for (sum, value) in sums.iter_mut().zip(part::<2>(row, head)) {
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
