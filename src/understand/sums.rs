//! Sums over vectors in one fixed order, so that results are the same on every processor.

/// What keeps a division from dividing by zero.
pub(super) const EPSILON: f32 = 1e-12;

/// The sum of `term` over `values`, in 16 partial sums: an order that vector instructions can keep.
#[inline(always)]
pub(super) fn sum_of(values: &[f32], term: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; 16];
    for chunk in values.chunks(sums.len()) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += term(*value);
        }
    }
    sums.iter().sum()
}

/// Scales a vector to Euclidean length 1; a vector of zeros stays one.
pub(super) fn normalize(vector: &mut [f32]) {
    let factor = sum_of(vector, |value| value * value)
        .max(EPSILON)
        .sqrt()
        .recip();
    vector.iter_mut().for_each(|value| *value *= factor);
}
