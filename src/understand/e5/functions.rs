//! What is done to single numbers and rows between the products: vectorised by the compiler, the same everywhere.

use crate::understand::sums::sum_of;

/// Added to a number below 2^22 and taken away again, it rounds to the nearest whole number, ties to even.
pub(super) const ROUNDER: f32 = 12_582_912.0;

const EPSILON: f32 = 1e-12;

/// `e` to the power of `x`, to seven digits. `x` must not be above 0; what is below -87 counts as -87.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -0.000_212_194_44;
    let x = if x > -87.0 { x } else { -87.0 };
    let shifted = x * std::f32::consts::LOG2_E + ROUNDER;
    let whole = shifted - ROUNDER;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    // Taylor's series; |rest| is at most ln 2 / 2.
    let mut sum = 1.0 / 720.0;
    sum = sum * rest + 1.0 / 120.0;
    sum = sum * rest + 1.0 / 24.0;
    sum = sum * rest + 1.0 / 6.0;
    sum = sum * rest + 0.5;
    sum = sum * rest + 1.0;
    sum = sum * rest + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUNDER.to_bits());
    sum * f32::from_bits(exponent.wrapping_add(127) << 23)
}

/// The Gaussian error linear unit of every value: `x / 2 (1 + erf(x / sqrt 2))`, with the error function to 2e-7 after
/// Abramowitz and Stegun, 7.1.26.
#[inline(always)]
pub(super) fn gelu(values: &mut [f32]) {
    for value in values {
        let size = value.abs() * std::f32::consts::FRAC_1_SQRT_2;
        let part = 1.0 / (1.0 + 0.327_591_1 * size);
        let mut sum = 1.061_405_4;
        sum = sum * part - 1.453_152_1;
        sum = sum * part + 1.421_413_8;
        sum = sum * part - 0.284_496_72;
        sum = sum * part + 0.254_829_6;
        let error = 1.0 - sum * part * exp(-size * size);
        *value = 0.5 * *value * (1.0 + error.copysign(*value));
    }
}

/// Adds `others` to `rows`, brings every row to mean 0 and variance 1, then scales and shifts it.
#[inline(always)]
pub(super) fn add_and_normalize(rows: &mut [f32], others: &[f32], scale: &[f32], shift: &[f32]) {
    for (value, other) in rows.iter_mut().zip(others) {
        *value += other;
    }
    for row in rows.chunks_exact_mut(scale.len()) {
        let size = row.len() as f32;
        let mean = sum_of(row, |value| value) / size;
        row.iter_mut().for_each(|value| *value -= mean);
        let variance = sum_of(row, |value| value * value) / size;
        let factor = (variance + EPSILON).sqrt().recip();
        for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *value = *value * factor * scale + shift;
        }
    }
}

/// The number that an IEEE 754 half stands for. Infinities and what is no number become large numbers.
#[inline(always)]
pub(super) fn half_to_float(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1F;
    let fraction = u32::from(half & 0x3FF);
    if exponent == 0 {
        let size = fraction as f32 * 2.0_f32.powi(-24);
        return if sign == 0 { size } else { -size };
    }
    f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_that_of_the_standard_library() {
        for step in 0..8_700 {
            let x = -0.01 * step as f32;
            let (found, expected) = (exp(x), x.exp());
            assert!((found - expected).abs() <= 3e-7 * expected, "{x}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn gelu_has_its_known_values() {
        let mut values = [-20.0, -3.0, -1.0, 0.0, 0.5, 1.0, 3.0, 20.0];
        gelu(&mut values);
        let expected = [
            0.0,
            -0.004_049_69,
            -0.158_655_26,
            0.0,
            0.345_731_23,
            0.841_344_8,
            2.995_950_3,
            20.0,
        ];
        for (found, expected) in values.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn rows_are_normalised() {
        let mut rows = [1.0, 2.0, 3.0, 4.0];
        add_and_normalize(&mut rows, &[0.0, 2.0, 0.0, -2.0], &[2.0, 1.0], &[0.5, 0.0]);
        let expected = [-1.5, 1.0, 2.5, -1.0];
        for (found, expected) in rows.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{rows:?}");
        }
    }

    #[test]
    fn halves_are_read() {
        for (half, expected) in [
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x0001, 5.960_464_5e-8),
            (0x8000, 0.0),
            (0x7BFF, 65_504.0),
            (0x2E66, 0.099_975_586),
        ] {
            assert_eq!(half_to_float(half), expected);
        }
    }
}
