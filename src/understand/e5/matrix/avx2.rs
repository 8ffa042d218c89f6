//! The product with vectors of 256 bits.

use std::arch::x86_64::{__m256, __m256i};

use pulp::NullaryFnOnce;
use pulp::x86::V3;

use super::{Activations, BLOCK, PANEL, Panel, UNPACKED, Weights};

/// Rows per tile: as many sums as the 16 vector registers hold.
const TILE_ROWS: usize = 4;
/// Groups of four inputs in a block.
const GROUPS: usize = BLOCK / 4;

/// The arguments of [`super::multiply`].
pub(super) struct Product<'a> {
    pub(super) simd: V3,
    pub(super) weights: Weights<'a>,
    pub(super) activations: &'a Activations,
    pub(super) output: &'a mut [f32],
    pub(super) room: &'a mut Vec<[u8; UNPACKED]>,
}

impl NullaryFnOnce for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let outputs = self.weights.bias.len();
        let rows = self.activations.values.len() / self.weights.blocks;
        let mut column = 0;
        // Panels outside, rows inside: a panel is unpacked once and stays in the nearest cache.
        while column < outputs {
            let tiles = Tiles {
                simd: self.simd,
                panel: self.weights.unpack(column, self.room),
                activations: self.activations,
            };
            let mut row = 0;
            while row < rows {
                let cells = &mut self.output[row * outputs + column..];
                let tile_rows = (rows - row).min(TILE_ROWS);
                match tile_rows {
                    1 => tiles.multiply::<1>(row, cells, outputs),
                    2 => tiles.multiply::<2>(row, cells, outputs),
                    3 => tiles.multiply::<3>(row, cells, outputs),
                    _ => tiles.multiply::<TILE_ROWS>(row, cells, outputs),
                }
                row += tile_rows;
            }
            column += PANEL;
        }
    }
}

struct Tiles<'a> {
    simd: V3,
    panel: Panel<'a>,
    activations: &'a Activations,
}

impl Tiles<'_> {
    /// `ROWS` rows from `row` on, times the panel, into `cells`, where a row begins every `stride`.
    ///
    /// A weight is at most 15 and a value at most 127, so the eight pairs of a block fit the 16 bits in which they are
    /// summed.
    #[inline(always)]
    fn multiply<const ROWS: usize>(&self, row: usize, cells: &mut [f32], stride: usize) {
        let (avx, avx2) = (self.simd.avx, self.simd.avx2);
        let blocks = self.panel.weights.len();
        let range = |index: usize| (row + index) * blocks..(row + index + 1) * blocks;
        let values: [&[[u8; BLOCK]]; ROWS] =
            std::array::from_fn(|index| &self.activations.values[range(index)]);
        let scales: [&[f32]; ROWS] =
            std::array::from_fn(|index| &self.activations.scales[range(index)]);
        let excesses: [&[i32]; ROWS] =
            std::array::from_fn(|index| &self.activations.excesses[range(index)]);
        let ones = avx._mm256_set1_epi16(1);
        let mut sums: [__m256; ROWS] = [avx._mm256_setzero_ps(); ROWS];
        // Plain counting instead of iterators, for builds without full optimisation.
        let mut block = 0;
        while block < blocks {
            let groups = self.panel.weights[block].as_chunks::<{ 4 * PANEL }>().0;
            let mut pairs: [__m256i; ROWS] = [avx._mm256_setzero_si256(); ROWS];
            let mut group = 0;
            while group < GROUPS {
                let weights: __m256i = pulp::cast(groups[group]);
                let mut row = 0;
                while row < ROWS {
                    let four = values[row][block].as_chunks::<4>().0[group];
                    let four = avx._mm256_set1_epi32(i32::from_le_bytes(four));
                    let products = avx2._mm256_maddubs_epi16(weights, four);
                    pairs[row] = avx2._mm256_add_epi16(pairs[row], products);
                    row += 1;
                }
                group += 1;
            }
            let weight_scales: __m256 = pulp::cast(self.panel.scales[block]);
            let mut row = 0;
            while row < ROWS {
                let whole = avx2._mm256_sub_epi32(
                    avx2._mm256_madd_epi16(pairs[row], ones),
                    avx._mm256_set1_epi32(excesses[row][block]),
                );
                let scaled = avx._mm256_mul_ps(avx._mm256_cvtepi32_ps(whole), weight_scales);
                let scaled = avx._mm256_mul_ps(scaled, avx._mm256_set1_ps(scales[row][block]));
                sums[row] = avx._mm256_add_ps(sums[row], scaled);
                row += 1;
            }
            block += 1;
        }
        let bias: __m256 = pulp::cast(*self.panel.bias);
        for (index, sum) in sums.into_iter().enumerate() {
            let sum: [f32; PANEL] = pulp::cast(avx._mm256_add_ps(sum, bias));
            cells[index * stride..][..PANEL].copy_from_slice(&sum);
        }
    }
}
