//! The network: piece ids to a vector. A BERT of 12 layers whose matrices are of four bits, then the mean of the pieces.

use pulp::{Arch, NullaryFnOnce};

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
        self.arch.dispatch(Pass {
            network: self,
            file,
            windows,
            scratch,
        })
    }
}

/// A pass of some windows through the network. All of it is compiled for the processor's vectors, so whatever it calls
/// must be inlined.
struct Pass<'a> {
    network: &'a Network,
    file: &'a ModelFile,
    windows: &'a [Vec<u32>],
    scratch: &'a mut Scratch,
}

impl NullaryFnOnce for Pass<'_> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn call(mut self) -> Self::Output {
        let pieces = self.windows.iter().map(Vec::len).sum::<usize>();
        self.scratch.hidden.resize(pieces * DIMENSION, 0.0);
        self.scratch.projected.resize(pieces * 3 * DIMENSION, 0.0);
        self.scratch.mixed.resize(pieces * DIMENSION, 0.0);
        self.scratch.wide.resize(pieces * WIDE, 0.0);
        self.embed();
        for layer in &self.network.layers {
            self.attend(layer);
            self.feed_forward(layer);
        }
        let mut rows = self.scratch.hidden.chunks_exact(DIMENSION);
        self.windows
            .iter()
            .map(|window| mean_of(rows.by_ref().take(window.len())))
            .collect()
    }
}

impl Pass<'_> {
    /// Per piece what its id and its position stand for.
    #[inline(always)]
    fn embed(&mut self) {
        let (words, _) = self.file.values(&self.network.words).as_chunks();
        let (positions, _) = self.file.values(&self.network.positions).as_chunks();
        let (hidden, _) = self.scratch.hidden.as_chunks_mut();
        let (places, _) = self.scratch.mixed.as_chunks_mut::<DIMENSION>();
        let ids = self
            .windows
            .iter()
            .flat_map(|window| window.iter().enumerate());
        for (((position, id), row), place) in ids.zip(hidden).zip(places) {
            unpack_word(&words[(*id as usize).min(VOCABULARY - 1)], row);
            *place = positions[position.min(POSITIONS - 1)];
        }
        self.add(&self.network.words_norm);
    }

    #[inline(always)]
    fn attend(&mut self, layer: &Layer) {
        let Scratch {
            hidden,
            projected,
            mixed,
            activations,
            panel,
            attention,
            ..
        } = &mut *self.scratch;
        activations.quantize(hidden);
        multiply(
            layer.attend.weights(self.file),
            activations,
            projected,
            panel,
        );
        let mut start = 0;
        for window in self.windows {
            let end = start + window.len();
            let projected = &projected[start * 3 * DIMENSION..end * 3 * DIMENSION];
            attend(
                projected,
                &mut mixed[start * DIMENSION..end * DIMENSION],
                attention,
            );
            start = end;
        }
        activations.quantize(mixed);
        multiply(layer.merge.weights(self.file), activations, mixed, panel);
        self.add(&layer.merge_norm);
    }

    #[inline(always)]
    fn feed_forward(&mut self, layer: &Layer) {
        let Scratch {
            hidden,
            mixed,
            wide,
            activations,
            panel,
            ..
        } = &mut *self.scratch;
        activations.quantize(hidden);
        multiply(layer.widen.weights(self.file), activations, wide, panel);
        gelu(wide);
        activations.quantize(wide);
        multiply(layer.narrow.weights(self.file), activations, mixed, panel);
        self.add(&layer.narrow_norm);
    }

    /// Adds `mixed` to `hidden` and normalises it.
    #[inline(always)]
    fn add(&mut self, norm: &Norm) {
        let (scale, shift) = (self.file.values(&norm.scale), self.file.values(&norm.shift));
        let Scratch { hidden, mixed, .. } = &mut *self.scratch;
        add_and_normalize(hidden, mixed, scale, shift);
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
#[inline(always)]
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
#[inline(always)]
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
