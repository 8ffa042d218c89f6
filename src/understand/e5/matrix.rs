//! The product of activations of 8 bits with weights of 4 bits: the one hot loop.
//!
//! Both come in blocks of 32 numbers with a scale. The products within a block are summed as integers, which is exact;
//! the blocks' sums are added in order as floats. So results are the same whatever the processor.

#[cfg(target_arch = "x86_64")]
mod avx2;

use super::functions::ROUNDER;

/// Numbers that share a scale.
pub(super) const BLOCK: usize = 32;

/// Outputs per panel of a weight matrix. Fixed by the model file's layout.
const PANEL: usize = 8;
/// A block's weights for a panel as bytes: for every group of four inputs, four weights of each output.
const UNPACKED: usize = PANEL * BLOCK;
const PACKED: usize = UNPACKED / 2;
/// How much too high the file's weights are, so that none is negative.
const OFFSET: i32 = 8;

/// Rows of numbers, rounded to signed bytes block by block.
#[derive(Default)]
pub(super) struct Activations {
    /// The bytes are two's complement.
    values: Vec<[u8; BLOCK]>,
    scales: Vec<f32>,
    /// Per block the sum of its values, times [`OFFSET`].
    excesses: Vec<i32>,
}

/// A weight matrix and what is added to its product.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// `[outputs / 8][blocks][4][8][4]` bytes; each holds the weights of two inputs, the second 16 behind the first.
    pub(super) panels: &'a [u8],
    /// `[outputs / 8][blocks][8]`.
    pub(super) scales: &'a [f32],
    /// Its length is the number of outputs.
    pub(super) bias: &'a [f32],
    /// Blocks of inputs per output.
    pub(super) blocks: usize,
}

/// One panel of a weight matrix, unpacked.
#[derive(Clone, Copy)]
struct Panel<'a> {
    weights: &'a [[u8; UNPACKED]],
    scales: &'a [[f32; PANEL]],
    bias: &'a [f32; PANEL],
}

impl Activations {
    /// Rounds all of `values`, whose length must be a multiple of 32.
    #[inline(always)]
    pub(super) fn quantize(&mut self, values: &[f32]) {
        let blocks = values.as_chunks::<BLOCK>().0;
        self.values.resize(blocks.len(), [0; BLOCK]);
        self.scales.resize(blocks.len(), 0.0);
        self.excesses.resize(blocks.len(), 0);
        let targets = self.values.iter_mut().zip(&mut self.scales);
        for ((block, (bytes, scale)), excess) in blocks.iter().zip(targets).zip(&mut self.excesses)
        {
            let peak = block
                .iter()
                .fold(0, |peak, value| value.abs().to_bits().max(peak));
            *scale = f32::from_bits(peak) / 127.0;
            let factor = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
            let mut sum = 0_i32;
            for (byte, value) in bytes.iter_mut().zip(block) {
                let rounded = (value * factor + ROUNDER).to_bits();
                let whole = rounded.wrapping_sub(ROUNDER.to_bits()).cast_signed();
                *byte = whole.to_le_bytes()[0];
                sum = sum.wrapping_add(whole);
            }
            *excess = sum.wrapping_mul(OFFSET);
        }
    }
}

/// Multiplies with the widest vector instructions that it knows and this processor has. `output` gets a row per row
/// of `activations`, which must be as long as a row of weights; `room` is room for a panel.
pub(super) fn multiply(
    weights: Weights<'_>,
    activations: &Activations,
    output: &mut [f32],
    room: &mut Vec<[u8; UNPACKED]>,
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return simd.vectorize(avx2::Product {
            simd,
            weights,
            activations,
            output,
            room,
        });
    }
    multiply_plainly(weights, activations, output, room);
}

fn multiply_plainly(
    weights: Weights<'_>,
    activations: &Activations,
    output: &mut [f32],
    room: &mut Vec<[u8; UNPACKED]>,
) {
    let outputs = weights.bias.len();
    for column in (0..outputs).step_by(PANEL) {
        let panel = weights.unpack(column, room);
        let rows = activations.values.chunks_exact(weights.blocks);
        for (row, values) in rows.enumerate() {
            let first = row * weights.blocks;
            let mut sums = [0.0; PANEL];
            for (index, values) in values.iter().enumerate() {
                let block = first + index;
                let products = products_of(values, &panel.weights[index]);
                for ((sum, product), scale) in
                    sums.iter_mut().zip(products).zip(panel.scales[index])
                {
                    let whole = product - activations.excesses[block];
                    *sum += whole as f32 * scale * activations.scales[block];
                }
            }
            let cells = &mut output[row * outputs + column..][..PANEL];
            for ((cell, sum), bias) in cells.iter_mut().zip(sums).zip(panel.bias) {
                *cell = sum + bias;
            }
        }
    }
}

fn products_of(values: &[u8; BLOCK], weights: &[u8; UNPACKED]) -> [i32; PANEL] {
    let mut sums = [0; PANEL];
    let groups = weights.as_chunks::<{ 4 * PANEL }>().0;
    for (values, group) in values.as_chunks::<4>().0.iter().zip(groups) {
        for (sum, weights) in sums.iter_mut().zip(group.as_chunks::<4>().0) {
            for (value, weight) in values.iter().zip(weights) {
                *sum += i32::from(value.cast_signed()) * i32::from(*weight);
            }
        }
    }
    sums
}

impl Weights<'_> {
    /// The panel whose first output is `column`.
    #[inline(always)]
    fn unpack<'a>(&'a self, column: usize, room: &'a mut Vec<[u8; UNPACKED]>) -> Panel<'a> {
        let blocks = self.blocks;
        let first = column / PANEL * blocks;
        let packed = &self.panels.as_chunks::<PACKED>().0[first..first + blocks];
        room.resize(blocks, [0; UNPACKED]);
        for (packed, unpacked) in packed.iter().zip(room.iter_mut()) {
            let (low, high) = unpacked.split_at_mut(PACKED);
            for ((low, high), byte) in low.iter_mut().zip(high).zip(packed) {
                *low = byte & 0x0F;
                *high = byte >> 4;
            }
        }
        Panel {
            weights: room,
            scales: &self.scales.as_chunks().0[first..first + blocks],
            bias: &self.bias.as_chunks().0[column / PANEL],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, factor: f32) -> Vec<f32> {
        (0..count)
            .map(|index| (index as f32 * factor).sin())
            .collect()
    }

    #[test]
    fn rounding_keeps_values_to_half_a_step() {
        let values = numbers(4 * BLOCK, 0.7);
        let mut activations = Activations::default();
        activations.quantize(&values);
        for (index, value) in values.iter().enumerate() {
            let scale = activations.scales[index / BLOCK];
            let byte = activations.values[index / BLOCK][index % BLOCK].cast_signed();
            assert!((f32::from(byte) * scale - value).abs() <= scale * 0.5001);
        }
        activations.quantize(&[0.0; BLOCK]);
        assert_eq!(activations.values, [[0; BLOCK]]);
    }

    #[test]
    fn products_are_those_of_the_formula_with_the_same_bits_everywhere() {
        let (rows, blocks, outputs) = (7, 3, 16);
        let inputs = blocks * BLOCK;
        let values = numbers(rows * inputs, 0.7);
        let bytes: Vec<u8> = (0..inputs * outputs / 2)
            .map(|index| (index * 37 % 251) as u8)
            .collect();
        let (scales, bias) = (numbers(blocks * outputs, 0.3), numbers(outputs, 0.9));
        let weights = Weights {
            panels: &bytes,
            scales: &scales,
            bias: &bias,
            blocks,
        };
        let mut activations = Activations::default();
        activations.quantize(&values);
        let mut plain = vec![0.0; rows * outputs];
        multiply_plainly(weights, &activations, &mut plain, &mut Vec::new());
        let mut fast = plain.clone();
        multiply(weights, &activations, &mut fast, &mut Vec::new());
        assert_eq!(plain, fast);

        for (index, found) in plain.iter().enumerate() {
            let (row, output) = (index / outputs, index % outputs);
            let mut expected = bias[output];
            for input in 0..inputs {
                let (block, place) = (input / BLOCK, input % BLOCK);
                let unit = output / PANEL * blocks + block;
                let byte = unit * PACKED + place % 16 / 4 * 32 + output % PANEL * 4 + place % 4;
                let weight = if place < 16 {
                    bytes[byte] & 15
                } else {
                    bytes[byte] >> 4
                };
                let scale = scales[unit * PANEL + output % PANEL];
                expected += (f32::from(weight) - 8.0) * scale * values[row * inputs + input];
            }
            assert!((found - expected).abs() < 0.3, "{found} {expected}");
        }
    }

    #[test]
    fn the_largest_sums_do_not_overflow() {
        for value in [1.0, -1.0] {
            let mut activations = Activations::default();
            activations.quantize(&[value; 2 * BLOCK]);
            let weights = Weights {
                panels: &[0xFF; 2 * PACKED],
                scales: &[1.0; 2 * PANEL],
                bias: &[0.0; PANEL],
                blocks: 2,
            };
            let mut output = [0.0; PANEL];
            multiply(weights, &activations, &mut output, &mut Vec::new());
            for found in output {
                assert!((found - value * 7.0 * 64.0).abs() < 1e-3, "{found}");
            }
        }
    }
}
