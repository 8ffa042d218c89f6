//! The network: piece ids to a vector. A BERT of 12 layers whose matrices are of four bits, then the mean of the pieces.

use pulp::Arch;

use super::attention::{Room, attend};
use super::functions::{add_and_normalize, gelu, half_to_float};
use super::matrix::{Activations, BLOCK, Weights, multiply};
use crate::understand::encoder::file::{ModelFile, Tensor};
use crate::understand::sums::normalize;

/// The length of a piece's embedding and of a text's vector.
pub(super) const DIMENSION: usize = 384;
/// The longest window that the model can read.
pub(super) const POSITIONS: usize = 512;
/// Parts of a vector that attend on their own.
pub(super) const HEADS: usize = 12;
/// The length of such a part.
pub(super) const HEAD: usize = DIMENSION / HEADS;

const LAYERS: usize = 12;
const WIDE: usize = 1536;
const VOCABULARY: usize = 250_037;
/// The file's own form of a block of weights: a half for the scale, then two weights per byte.
const BLOCK_BYTES: usize = 2 + BLOCK / 2;
const WORD_BYTES: usize = DIMENSION / BLOCK * BLOCK_BYTES;

/// Where the network's weights are in the model file.
pub(super) struct Network {
    arch: Arch,
    words: Tensor<u8>,
    positions: Tensor<f32>,
    words_norm: Norm,
    layers: Vec<Layer>,
}

struct Layer {
    /// To queries, keys and values.
    attend: Dense,
    merge: Dense,
    merge_norm: Norm,
    widen: Dense,
    narrow: Dense,
    narrow_norm: Norm,
}

/// A weight matrix and what is added to its product.
struct Dense {
    inputs: usize,
    weight: Tensor<u8>,
    scale: Tensor<f32>,
    bias: Tensor<f32>,
}

/// Layer normalisation.
struct Norm {
    scale: Tensor<f32>,
    shift: Tensor<f32>,
}

/// What a pass needs to put somewhere; kept, so that the next need not ask for memory.
#[derive(Default)]
pub(super) struct Scratch {
    hidden: Vec<f32>,
    projected: Vec<f32>,
    mixed: Vec<f32>,
    wide: Vec<f32>,
    activations: Activations,
    panel: Vec<[u8; 8 * BLOCK]>,
    attention: Room,
}

impl Network {
    /// Finds the network's tensors. The error says what is wrong with the file.
    pub(super) fn new(file: &ModelFile) -> Result<Self, String> {
        Ok(Self {
            arch: Arch::new(),
            words: file.matrix("words", VOCABULARY, WORD_BYTES)?,
            positions: file.matrix("positions", POSITIONS, DIMENSION)?,
            words_norm: Norm::new(file, "words.norm")?,
            layers: (0..LAYERS)
                .map(|layer| Layer::new(file, layer))
                .collect::<Result<_, _>>()?,
        })
    }

    /// One vector of length 1 per window. Windows are 1 to [`POSITIONS`] piece ids; they do not see each other.
    pub(super) fn forward(
        &self,
        file: &ModelFile,
        windows: &[Vec<u32>],
        scratch: &mut Scratch,
    ) -> Vec<Vec<f32>> {
        let pieces = windows.iter().map(Vec::len).sum::<usize>();
        scratch.hidden.resize(pieces * DIMENSION, 0.0);
        scratch.projected.resize(pieces * 3 * DIMENSION, 0.0);
        scratch.mixed.resize(pieces * DIMENSION, 0.0);
        scratch.wide.resize(pieces * WIDE, 0.0);
        self.embed(file, windows, scratch);
        for layer in &self.layers {
            self.apply(file, layer, windows, scratch);
        }
        let mut rows = scratch.hidden.chunks_exact(DIMENSION);
        windows
            .iter()
            .map(|window| mean_of(rows.by_ref().take(window.len())))
            .collect()
    }

    /// Per piece what its id and its position stand for.
    fn embed(&self, file: &ModelFile, windows: &[Vec<u32>], scratch: &mut Scratch) {
        let (words, _) = file.values(&self.words).as_chunks::<WORD_BYTES>();
        let (positions, _) = file.values(&self.positions).as_chunks::<DIMENSION>();
        let (hidden, _) = scratch.hidden.as_chunks_mut::<DIMENSION>();
        let (places, _) = scratch.mixed.as_chunks_mut::<DIMENSION>();
        let ids = windows.iter().flat_map(|window| window.iter().enumerate());
        for (((position, id), row), place) in ids.zip(hidden).zip(places) {
            unpack_word(&words[(*id as usize).min(VOCABULARY - 1)], row);
            *place = positions[position.min(POSITIONS - 1)];
        }
        self.add(file, &self.words_norm, scratch);
    }

    fn apply(&self, file: &ModelFile, layer: &Layer, windows: &[Vec<u32>], scratch: &mut Scratch) {
        let Scratch {
            hidden,
            projected,
            mixed,
            activations,
            panel,
            attention,
            ..
        } = scratch;
        self.arch.dispatch(|| activations.quantize(hidden));
        multiply(layer.attend.weights(file), activations, projected, panel);
        let mut start = 0;
        for window in windows {
            let end = start + window.len();
            let projected = &projected[start * 3 * DIMENSION..end * 3 * DIMENSION];
            let mixed = &mut mixed[start * DIMENSION..end * DIMENSION];
            self.arch.dispatch(|| attend(projected, mixed, attention));
            start = end;
        }
        self.arch.dispatch(|| activations.quantize(mixed));
        multiply(layer.merge.weights(file), activations, mixed, panel);
        self.add(file, &layer.merge_norm, scratch);

        let Scratch {
            hidden,
            mixed,
            wide,
            activations,
            panel,
            ..
        } = scratch;
        self.arch.dispatch(|| activations.quantize(hidden));
        multiply(layer.widen.weights(file), activations, wide, panel);
        self.arch.dispatch(|| gelu(wide));
        self.arch.dispatch(|| activations.quantize(wide));
        multiply(layer.narrow.weights(file), activations, mixed, panel);
        self.add(file, &layer.narrow_norm, scratch);
    }

    /// Adds `mixed` to `hidden` and normalises it.
    fn add(&self, file: &ModelFile, norm: &Norm, scratch: &mut Scratch) {
        let (scale, shift) = (file.values(&norm.scale), file.values(&norm.shift));
        let Scratch { hidden, mixed, .. } = scratch;
        self.arch
            .dispatch(|| add_and_normalize(hidden, mixed, scale, shift));
    }
}

impl Layer {
    fn new(file: &ModelFile, layer: usize) -> Result<Self, String> {
        let dense = |name: &str, outputs: usize, inputs: usize| {
            Dense::new(file, &format!("layer{layer}.{name}"), outputs, inputs)
        };
        Ok(Self {
            attend: dense("attend", 3 * DIMENSION, DIMENSION)?,
            merge: dense("merge", DIMENSION, DIMENSION)?,
            merge_norm: Norm::new(file, &format!("layer{layer}.merge.norm"))?,
            widen: dense("widen", WIDE, DIMENSION)?,
            narrow: dense("narrow", DIMENSION, WIDE)?,
            narrow_norm: Norm::new(file, &format!("layer{layer}.narrow.norm"))?,
        })
    }
}

impl Dense {
    fn new(file: &ModelFile, name: &str, outputs: usize, inputs: usize) -> Result<Self, String> {
        Ok(Self {
            inputs,
            weight: file.matrix(&format!("{name}.weight"), outputs, inputs / 2)?,
            scale: file.matrix(&format!("{name}.scale"), outputs, inputs / BLOCK)?,
            bias: file.matrix(&format!("{name}.bias"), 1, outputs)?,
        })
    }

    fn weights<'a>(&self, file: &'a ModelFile) -> Weights<'a> {
        Weights {
            panels: file.values(&self.weight),
            scales: file.values(&self.scale),
            bias: file.values(&self.bias),
            blocks: self.inputs / BLOCK,
        }
    }
}

impl Norm {
    fn new(file: &ModelFile, name: &str) -> Result<Self, String> {
        Ok(Self {
            scale: file.matrix(&format!("{name}.scale"), 1, DIMENSION)?,
            shift: file.matrix(&format!("{name}.shift"), 1, DIMENSION)?,
        })
    }
}

/// A row of the table of embeddings, whose blocks are a scale and 16 bytes: byte `n` holds the weights `n` and
/// `n + 16`, each 8 too high.
fn unpack_word(packed: &[u8; WORD_BYTES], row: &mut [f32; DIMENSION]) {
    let (blocks, _) = packed.as_chunks::<BLOCK_BYTES>();
    let (targets, _) = row.as_chunks_mut::<BLOCK>();
    for ([low, high, bytes @ ..], target) in blocks.iter().zip(targets) {
        let scale = half_to_float(u16::from_le_bytes([*low, *high]));
        let (first, second) = target.split_at_mut(BLOCK / 2);
        for ((byte, first), second) in bytes.iter().zip(first).zip(second) {
            *first = (f32::from(byte & 0x0F) - 8.0) * scale;
            *second = (f32::from(byte >> 4) - 8.0) * scale;
        }
    }
}

/// The mean of a window's rows, normalised; how many they are makes no difference then.
fn mean_of<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Vec<f32> {
    let mut mean = vec![0.0; DIMENSION];
    for row in rows {
        for (sum, value) in mean.iter_mut().zip(row) {
            *sum += value;
        }
    }
    normalize(&mut mean);
    mean
}
