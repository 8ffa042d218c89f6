//! The weights of the sentiment heads as bytes: two bytes for a dense weight, one for a word's.
//!
//! `SPSM` 2, then little-endian: the vocabulary's size as u32, its hashes as u32, the largest rarity as f32, rarities
//! as u8; then both heads, each as the widths of the two vectors as u32, and for the shared, the own and the words'
//! weights the largest as f32 and all as i16, i16 and i8; biases as f32.

use super::super::features::Vocabulary;
use super::head::{MoodHead, OWN};
use super::{CLASSES, SentimentModel};

const MAGIC: &[u8; 5] = b"SPSM\x02";

impl SentimentModel {
    /// The model as the file stores it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Vocabulary { hashes, rarity } = &self.vocabulary;
        let mut bytes = MAGIC.to_vec();
        bytes.extend((hashes.len() as u32).to_le_bytes());
        bytes.extend(hashes.iter().flat_map(|hash| hash.to_le_bytes()));
        let scale = largest(rarity);
        bytes.extend(scale.to_le_bytes());
        bytes.extend(
            rarity
                .iter()
                .map(|rarity| (rarity / scale * 255.0).round() as u8),
        );
        for head in [&self.plain, &self.joint] {
            for width in head.widths {
                bytes.extend((width as u32).to_le_bytes());
            }
            for weights in [&head.shared, &head.own] {
                let scale = largest(weights);
                bytes.extend(scale.to_le_bytes());
                let rounded = weights
                    .iter()
                    .map(|weight| (weight / scale * 32_767.0).round() as i16);
                bytes.extend(rounded.flat_map(i16::to_le_bytes));
            }
            let scale = largest(&head.words);
            bytes.extend(scale.to_le_bytes());
            let rounded = head
                .words
                .iter()
                .map(|weight| (weight / scale * 127.0).round() as i8);
            bytes.extend(rounded.flat_map(i8::to_le_bytes));
            bytes.extend(head.biases.iter().flat_map(|bias| bias.to_le_bytes()));
        }
        bytes
    }

    /// A model from [`SentimentModel::to_bytes`].
    ///
    /// # Errors
    ///
    /// When the bytes are not a whole model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BrokenModel> {
        let mut reader = Reader {
            rest: bytes.strip_prefix(MAGIC).ok_or(BrokenModel)?,
        };
        let words = reader.count()?;
        let hashes: Vec<u32> = (0..words)
            .map(|_| reader.word())
            .collect::<Result<_, _>>()?;
        let scale = reader.float()?;
        let rarity = reader.take(words)?.iter();
        let rarity = rarity
            .map(|byte| f32::from(*byte) / 255.0 * scale)
            .collect();
        let model = Self {
            vocabulary: Vocabulary { hashes, rarity },
            plain: reader.head(words)?,
            joint: reader.head(words)?,
        };
        if reader.rest.is_empty() && model.vocabulary.hashes.is_sorted() {
            Ok(model)
        } else {
            Err(BrokenModel)
        }
    }
}

/// The bytes are no sentiment model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a whole sentiment model")]
pub struct BrokenModel;

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], BrokenModel> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(BrokenModel)?;
        self.rest = rest;
        Ok(taken)
    }

    fn word(&mut self) -> Result<u32, BrokenModel> {
        let bytes = self.take(4)?.try_into().map_err(|_| BrokenModel)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// A number of things of which each takes a byte at least.
    fn count(&mut self) -> Result<usize, BrokenModel> {
        let count = usize::try_from(self.word()?).map_err(|_| BrokenModel)?;
        if count <= self.rest.len() {
            Ok(count)
        } else {
            Err(BrokenModel)
        }
    }

    fn float(&mut self) -> Result<f32, BrokenModel> {
        let float = f32::from_bits(self.word()?);
        if float.is_finite() {
            Ok(float)
        } else {
            Err(BrokenModel)
        }
    }

    fn head(&mut self, words: usize) -> Result<MoodHead, BrokenModel> {
        let widths = [self.count()?, self.count()?];
        let mut head = MoodHead {
            widths,
            ..MoodHead::default()
        };
        let rows = head.dense() * CLASSES.len();
        head.shared = self.shorts(rows)?;
        head.own = self.shorts(rows * OWN)?;
        let scale = self.float()?;
        let bytes = self.take(words * CLASSES.len())?.iter();
        head.words = bytes
            .map(|byte| f32::from(byte.cast_signed()) / 127.0 * scale)
            .collect();
        for _ in 0..(OWN + 1) * CLASSES.len() {
            head.biases.push(self.float()?);
        }
        Ok(head)
    }

    fn shorts(&mut self, count: usize) -> Result<Vec<f32>, BrokenModel> {
        let scale = self.float()?;
        let (pairs, _) = self.take(count * 2)?.as_chunks::<2>();
        let short = |pair: &[u8; 2]| f32::from(i16::from_le_bytes(*pair)) / 32_767.0 * scale;
        Ok(pairs.iter().map(short).collect())
    }
}

fn largest(values: &[f32]) -> f32 {
    values
        .iter()
        .fold(1e-6, |most, value| most.max(value.abs()))
}
