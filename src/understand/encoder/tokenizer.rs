//! Text to pieces: the `nmt_nfkc` normaliser and the unigram segmentation of SentencePiece, for this one vocabulary.
//!
//! Follows the pure-Python tokenizer of the wheel step by step, so that both give the same ids for every text. That
//! includes one habit of the wheel: a text that spells out `<s>` or `</s>` gets the control piece's id.

use super::file::{ModelFile, Tensor};
use super::pieces::{PieceTrie, Step, character_length};

/// The piece of a text's characters that no piece covers, and of a text with nothing in it.
pub(super) const UNKNOWN: u32 = 0;
/// The piece in front of every text.
pub(super) const BEGIN: u32 = 1;
/// The piece behind every text.
pub(super) const END: u32 = 2;

/// How much less likely than the rarest piece an unknown character is (SentencePiece's `kUnkPenalty`).
const UNKNOWN_PENALTY: f64 = 10.0;
/// What a space becomes: U+2581.
const SPACE: &[u8] = "\u{2581}".as_bytes();

/// The vocabulary and the normaliser's rules, all of them in the model file.
pub(super) struct Tokenizer {
    scores: Tensor<f32>,
    trie: PieceTrie,
    rules: Tensor<u32>,
    replacements: Tensor<u8>,
    unknown_score: f64,
}

impl Tokenizer {
    /// Finds the tokenizer's tensors. The error says what is wrong with the file.
    pub(super) fn new(file: &ModelFile) -> Result<Self, String> {
        let scores = file.vector("pieces.scores")?;
        let lowest = file
            .values(&scores)
            .iter()
            .copied()
            .fold(f32::INFINITY, f32::min);
        Ok(Self {
            unknown_score: f64::from(lowest) - UNKNOWN_PENALTY,
            scores,
            trie: PieceTrie::new(file)?,
            rules: file.vector("normaliser.rules")?,
            replacements: file.vector("normaliser.replacements")?,
        })
    }

    /// The ids of a text's most likely segmentation, without [`BEGIN`] and [`END`]; never empty.
    pub(super) fn encode(&self, file: &ModelFile, text: &str) -> Vec<u32> {
        let rules = Rules {
            units: file.values(&self.rules),
            replacements: file.values(&self.replacements),
        };
        let mut ids = self.segment(file, &rules.normalize(text.as_bytes()));
        if ids.is_empty() {
            ids.push(UNKNOWN);
        }
        ids
    }

    /// Viterbi over the positions of `text`: of the pieces that end at a position, the one with the best total score
    /// wins, and among equals the one that starts first, as in SentencePiece.
    fn segment(&self, file: &ModelFile, text: &[u8]) -> Vec<u32> {
        let scores = file.values(&self.scores);
        let nodes = self.trie.nodes(file);
        let mut best = vec![Step::nowhere(f64::NEG_INFINITY); text.len() + 1];
        best[0].score = 0.0;
        let mut start = 0;
        while start < text.len() {
            let base = best[start].score;
            let next = start + character_length(&text[start..]);
            let mut has_single = false;
            let mut node = 0;
            for end in start + 1..=text.len() {
                let Some(child) = nodes.child(node, text[end - 1]) else {
                    break;
                };
                node = child;
                let Some(piece) = nodes.piece(node) else {
                    continue;
                };
                let score = scores.get(piece as usize).copied().unwrap_or_default();
                best[end].offer(base + f64::from(score), start, piece);
                has_single |= end == next;
            }
            if !has_single {
                best[next].offer(base + self.unknown_score, start, UNKNOWN);
            }
            start = next;
        }

        Step::pieces(&best)
    }
}

/// The normaliser: a darts-clone double array from a source to where its replacement starts, and the replacements,
/// each ended by a zero byte.
struct Rules<'a> {
    units: &'a [u32],
    replacements: &'a [u8],
}

impl Rules<'_> {
    /// `text` in the form of the vocabulary: NFKC with SentencePiece's exceptions, one [`SPACE`] in front, runs of
    /// spaces as one, none behind; empty when nothing but spaces is there.
    fn normalize(&self, text: &[u8]) -> Vec<u8> {
        let mut rest = text;
        while !rest.is_empty() {
            let (replacement, length) = self.replace_first(rest);
            if replacement != b" " {
                break;
            }
            rest = &rest[length..];
        }
        let mut normal = Vec::with_capacity(rest.len() + 2 * SPACE.len());
        normal.extend_from_slice(SPACE);
        let mut after_space = true;
        while !rest.is_empty() {
            let (mut replacement, length) = self.replace_first(rest);
            rest = &rest[length..];
            while let (true, [b' ', tail @ ..]) = (after_space, replacement) {
                replacement = tail;
            }
            for byte in replacement {
                match byte {
                    b' ' => normal.extend_from_slice(SPACE),
                    _ => normal.push(*byte),
                }
            }
            if let Some(last) = replacement.last() {
                after_space = *last == b' ';
            }
        }
        while normal.ends_with(SPACE) {
            normal.truncate(normal.len() - SPACE.len());
        }
        normal
    }

    /// The replacement for the longest source at the start of `text`, and that source's length in bytes; the first
    /// character itself when there is none. `text` must not be empty; the length is at least 1.
    fn replace_first<'a>(&'a self, text: &'a [u8]) -> (&'a [u8], usize) {
        let mut found = None;
        let mut position = self.units.first().map_or(0, |unit| child_offset(*unit));
        for (index, byte) in text.iter().enumerate() {
            position ^= u32::from(*byte);
            let Some(unit) = self.unit(position) else {
                break;
            };
            if unit & 0x8000_00FF != u32::from(*byte) {
                break;
            }
            position ^= child_offset(unit);
            if unit & 0x100 != 0 {
                found = self
                    .unit(position)
                    .map(|leaf| ((leaf & 0x7FFF_FFFF) as usize, index + 1));
            }
        }
        let replacement = found.and_then(|(start, length)| {
            let mut texts = self.replacements.get(start..)?.split(|byte| *byte == 0);
            Some((texts.next()?, length))
        });
        replacement.unwrap_or_else(|| {
            let length = character_length(text);
            (&text[..length], length)
        })
    }

    fn unit(&self, position: u32) -> Option<u32> {
        self.units.get(position as usize).copied()
    }
}

/// The distance from a double-array unit to its children.
fn child_offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 0x200) >> 6)
}
