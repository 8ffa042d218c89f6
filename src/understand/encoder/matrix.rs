//! The matrix product: the one hot loop.

use pulp::{Arch, Simd, WithSimd};

/// Columns per panel of a weight matrix. Fixed by the model file's layout.
const PANEL: usize = 16;
/// Rows per tile: as many sums as the 16 vector registers of AVX2 hold.
const TILE_ROWS: usize = 6;

/// Multiplies with the widest vector instructions that this processor has.
pub(super) struct Multiplier {
    arch: Arch,
}

/// The arguments of [`Multiplier::multiply`].
struct Product<'a> {
    input: &'a [f32],
    row_starts: &'a [usize],
    inputs: usize,
    outputs: usize,
    weight: &'a [f32],
}

impl Multiplier {
    /// Asks the processor what it can do.
    pub(super) fn new() -> Self {
        Self { arch: Arch::new() }
    }

    /// The product of the rows of `input` that begin at `row_starts` and are `inputs` long with a matrix of `inputs`
    /// by `outputs`. The result has a row of `outputs` per entry of `row_starts`.
    ///
    /// `weight` is in panels, `[outputs / 16][inputs][16]`. The rows may overlap and must lie inside `input`.
    pub(super) fn multiply(
        &self,
        input: &[f32],
        row_starts: &[usize],
        (inputs, outputs): (usize, usize),
        weight: &[f32],
    ) -> Vec<f32> {
        self.arch.dispatch(Product {
            input,
            row_starts,
            inputs,
            outputs,
            weight,
        })
    }
}

impl WithSimd for Product<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        // How many vectors make the 16 columns of a panel.
        match S::F32_LANES {
            16 => self.by_vectors::<S, 1>(simd),
            8 => self.by_vectors::<S, 2>(simd),
            4 => self.by_vectors::<S, 4>(simd),
            _ => self.by_vectors::<S, PANEL>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn by_vectors<S: Simd, const VECTORS: usize>(&self, simd: S) -> Vec<f32> {
        let mut output = vec![0.0; self.row_starts.len() * self.outputs];
        let mut column = 0;
        // Panels outside, rows inside: the weights are read once per call, the input stays in the nearest cache.
        while column < self.outputs {
            let mut row = 0;
            while row < self.row_starts.len() {
                let rows = (self.row_starts.len() - row).min(TILE_ROWS);
                match rows {
                    1 => self.tile::<S, VECTORS, 1>(simd, row, column, &mut output),
                    2 => self.tile::<S, VECTORS, 2>(simd, row, column, &mut output),
                    3 => self.tile::<S, VECTORS, 3>(simd, row, column, &mut output),
                    4 => self.tile::<S, VECTORS, 4>(simd, row, column, &mut output),
                    5 => self.tile::<S, VECTORS, 5>(simd, row, column, &mut output),
                    _ => self.tile::<S, VECTORS, TILE_ROWS>(simd, row, column, &mut output),
                }
                row += rows;
            }
            column += PANEL;
        }
        output
    }

    /// `ROWS` rows of one panel. Every sum runs over the inputs in order, whatever the tile and the vector width, and
    /// multiplies and adds separately: that is what makes results the same everywhere.
    #[inline(always)]
    fn tile<S: Simd, const VECTORS: usize, const ROWS: usize>(
        &self,
        simd: S,
        row: usize,
        column: usize,
        output: &mut [f32],
    ) {
        let panel = &self.weight[column * self.inputs..][..PANEL * self.inputs];
        let (panel_rows, _) = S::as_simd_f32s(panel).0.as_chunks::<VECTORS>();
        let inputs: [&[f32]; ROWS] =
            std::array::from_fn(|index| &self.input[self.row_starts[row + index]..][..self.inputs]);
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        // Plain counting instead of iterators: seven times faster at opt-level 1, the same at 3.
        let mut index = 0;
        while index < panel_rows.len() {
            let weights = &panel_rows[index];
            let mut row = 0;
            while row < ROWS {
                let value = simd.splat_f32s(inputs[row][index]);
                let mut vector = 0;
                while vector < VECTORS {
                    let product = simd.mul_f32s(value, weights[vector]);
                    sums[row][vector] = simd.add_f32s(sums[row][vector], product);
                    vector += 1;
                }
                row += 1;
            }
            index += 1;
        }
        for (index, sums) in sums.iter().enumerate() {
            let cells = &mut output[(row + index) * self.outputs + column..][..PANEL];
            let (cells, _) = S::as_mut_simd_f32s(cells);
            cells.copy_from_slice(sums);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_width_gives_the_same_bits() {
        let (inputs, outputs) = (40, 32);
        let input: Vec<f32> = (0..inputs * 9)
            .map(|index| (index as f32 * 0.7).sin())
            .collect();
        let weight: Vec<f32> = (0..inputs * outputs)
            .map(|index| (index as f32 * 0.3).cos())
            .collect();
        let row_starts: Vec<usize> = (0..9).map(|row| row * inputs - row * 3).collect();
        let mut expected = Vec::new();
        for start in &row_starts {
            for column in 0..outputs {
                let panel = &weight[column / PANEL * PANEL * inputs..];
                let products = (0..inputs)
                    .map(|index| input[start + index] * panel[index * PANEL + column % PANEL]);
                expected.push(products.fold(0.0_f32, |sum, product| sum + product));
            }
        }

        let product = || Product {
            input: &input,
            row_starts: &row_starts,
            inputs,
            outputs,
            weight: &weight,
        };
        assert_eq!(product().with_simd(pulp::Scalar), expected);
        assert_eq!(product().with_simd(pulp::Scalar128b), expected);
        assert_eq!(product().with_simd(pulp::Scalar512b), expected);
        assert_eq!(
            Multiplier::new().multiply(&input, &row_starts, (inputs, outputs), &weight),
            expected
        );
    }
}
