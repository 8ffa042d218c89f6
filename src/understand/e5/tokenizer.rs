//! Text to pieces: XLM-R's normalisation and the unigram segmentation of SentencePiece, for this one vocabulary.
//!
//! Follows the tokenizer of the wheel step by step, so that both give the same ids for every text. That includes its
//! habits: characters are normalised one by one, a space at the end is a piece, and a text that spells out `<s>` or
//! `</s>` gets the control piece's id.

use crate::understand::encoder::file::{ModelFile, Tensor};
use crate::understand::encoder::pieces::{PieceTrie, Step, character_length};

/// The piece in front of every window.
pub(super) const BEGIN: u32 = 0;
/// The piece behind every window.
pub(super) const END: u32 = 2;

/// The piece of a character that no piece covers.
const UNKNOWN: u32 = 3;
/// How much less likely than the rarest piece an unknown character is (SentencePiece's `kUnkPenalty`).
const UNKNOWN_PENALTY: f32 = 10.0;
/// What a space becomes.
const SPACE: char = '\u{2581}';

/// The vocabulary and the normaliser's rules, all of them in the model file.
pub(super) struct Tokenizer {
    scores: Tensor<f32>,
    trie: PieceTrie,
    characters: Tensor<u32>,
    starts: Tensor<u32>,
    replacements: Tensor<u32>,
    unknown_score: f32,
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
            unknown_score: lowest - UNKNOWN_PENALTY,
            scores,
            trie: PieceTrie::new(file)?,
            characters: file.vector("normaliser.characters")?,
            starts: file.vector("normaliser.starts")?,
            replacements: file.vector("normaliser.replacements")?,
        })
    }

    /// The ids of the most likely segmentation of `prefix` and `text`, without [`BEGIN`] and [`END`]; never empty.
    pub(super) fn encode(&self, file: &ModelFile, prefix: &str, text: &str) -> Vec<u32> {
        let rules = Rules {
            characters: file.values(&self.characters),
            starts: file.values(&self.starts),
            replacements: file.values(&self.replacements),
        };
        self.segment(file, &rules.normalize(prefix.chars().chain(text.chars())))
    }

    /// Viterbi over the characters of `text`: of the pieces that end at a position, the one with the best total score
    /// wins, and among equals the one that starts first.
    fn segment(&self, file: &ModelFile, text: &[u8]) -> Vec<u32> {
        let scores = file.values(&self.scores);
        let nodes = self.trie.nodes(file);
        let mut best = vec![Step::nowhere(f32::NEG_INFINITY); text.len() + 1];
        best[0].score = 0.0;
        let mut start = 0;
        while start < text.len() {
            let base = best[start].score;
            let mut node = 0;
            for end in start + 1..=text.len() {
                let Some(child) = nodes.child(node, text[end - 1]) else {
                    break;
                };
                node = child;
                if let Some(piece) = nodes.piece(node)
                    && piece != UNKNOWN
                {
                    let score = scores.get(piece as usize).copied().unwrap_or_default();
                    best[end].offer(base + score, start, piece);
                }
            }
            let next = start + character_length(&text[start..]);
            best[next].offer(base + self.unknown_score, start, UNKNOWN);
            start = next;
        }
        Step::pieces(&best)
    }
}

/// The normaliser: the characters that become others, ascending, and what they become: `characters[n]` becomes
/// `replacements[starts[n]..starts[n + 1]]`.
struct Rules<'a> {
    characters: &'a [u32],
    starts: &'a [u32],
    replacements: &'a [u32],
}

impl Rules<'_> {
    /// The text in the form of the vocabulary: NFKC with SentencePiece's exceptions, [`SPACE`] in front, runs of
    /// spaces as one.
    fn normalize(&self, text: impl Iterator<Item = char>) -> Vec<u8> {
        let mut normal = Vec::new();
        let mut after_space = false;
        let mut push = |character: char| {
            let space = character == ' ';
            if normal.is_empty() && !space {
                push_character(&mut normal, SPACE);
            }
            if !(space && after_space) {
                push_character(&mut normal, if space { SPACE } else { character });
            }
            after_space = space;
        };
        for character in text {
            match self.replacement(character) {
                Some(replacement) => replacement
                    .iter()
                    .filter_map(|code| char::from_u32(*code))
                    .for_each(&mut push),
                None => push(character),
            }
        }
        normal
    }

    fn replacement(&self, character: char) -> Option<&[u32]> {
        let index = self.characters.binary_search(&character.into()).ok()?;
        let start = *self.starts.get(index)? as usize;
        let end = *self.starts.get(index + 1)? as usize;
        self.replacements.get(start..end)
    }
}

fn push_character(bytes: &mut Vec<u8>, character: char) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}
