//! A vocabulary's pieces by their bytes, and the best way through a text.

use super::file::{ModelFile, Tensor};

/// A byte trie in breadth-first order: the children of node `n` are the nodes `children[n] .. children[n + 1]`,
/// ascending by label; `pieces[n]` is the id of the piece that ends at `n` plus one, or zero.
pub(in crate::understand) struct PieceTrie {
    children: Tensor<u32>,
    labels: Tensor<u8>,
    pieces: Tensor<u32>,
}

/// A [`PieceTrie`]'s nodes. The root is 0.
pub(in crate::understand) struct Nodes<'a> {
    children: &'a [u32],
    labels: &'a [u8],
    pieces: &'a [u32],
}

/// The best way known to reach a position: its total score, where its last piece starts, and that piece. Scores are
/// in the precision of the model's own tokenizer, because rounding decides between equals.
#[derive(Clone, Copy)]
pub(in crate::understand) struct Step<S> {
    pub(in crate::understand) score: S,
    start: usize,
    piece: u32,
}

impl PieceTrie {
    /// Finds the trie's tensors. The error says what is wrong with the file.
    pub(in crate::understand) fn new(file: &ModelFile) -> Result<Self, String> {
        Ok(Self {
            children: file.vector("trie.children")?,
            labels: file.vector("trie.labels")?,
            pieces: file.vector("trie.pieces")?,
        })
    }

    /// The nodes, to walk on.
    pub(in crate::understand) fn nodes<'a>(&self, file: &'a ModelFile) -> Nodes<'a> {
        Nodes {
            children: file.values(&self.children),
            labels: file.values(&self.labels),
            pieces: file.values(&self.pieces),
        }
    }
}

impl Nodes<'_> {
    /// The child of a node by its label.
    pub(in crate::understand) fn child(&self, node: usize, label: u8) -> Option<usize> {
        let first = *self.children.get(node)? as usize;
        let last = *self.children.get(node + 1)? as usize;
        let position = self.labels.get(first..last)?.binary_search(&label).ok()?;
        Some(first + position)
    }

    /// The piece that ends at a node.
    pub(in crate::understand) fn piece(&self, node: usize) -> Option<u32> {
        self.pieces.get(node)?.checked_sub(1)
    }
}

impl<S: Copy + PartialOrd> Step<S> {
    /// No way to get here yet; `lowest` is below every score.
    pub(in crate::understand) fn nowhere(lowest: S) -> Self {
        Self {
            score: lowest,
            start: 0,
            piece: 0,
        }
    }

    /// Takes a way if it is better.
    pub(in crate::understand) fn offer(&mut self, score: S, start: usize, piece: u32) {
        if score > self.score {
            *self = Self {
                score,
                start,
                piece,
            };
        }
    }

    /// The pieces on the way to the last of the positions, first to last.
    pub(in crate::understand) fn pieces(best: &[Self]) -> Vec<u32> {
        let mut ids = Vec::new();
        let mut end = best.len().saturating_sub(1);
        while end > 0 {
            ids.push(best[end].piece);
            end = best[end].start;
        }
        ids.reverse();
        ids
    }
}

/// The length in bytes of the UTF-8 character at the start of `text`: 1 to 4, and never more than is there.
pub(in crate::understand) fn character_length(text: &[u8]) -> usize {
    1 + text
        .iter()
        .skip(1)
        .take_while(|byte| **byte & 0xC0 == 0x80)
        .count()
}
