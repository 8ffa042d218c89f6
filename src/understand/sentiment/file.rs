//! The weights of the sentiment head as bytes: one byte a weight, one scale for each kind of weight.
//!
//! `SPSM` 1, then little-endian: classes, dense features and vocabulary as u32; the largest dense weight,
//! sparse weight and rarity as f32; hashes as u32; rarities as u8; dense, sparse weights as i8; biases as f32.

use super::super::features::Vocabulary;
use super::super::linear::Head;
use super::{CLASSES, SentimentModel};

const MAGIC: &[u8; 5] = b"SPSM\x01";

impl SentimentModel {
    /// The model as the file stores it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = &self.head;
        let (dense, rest) = head.weights.split_at(head.dense * head.classes);
        let (sparse, biases) = rest.split_at(head.sparse * head.classes);
        let mut bytes = MAGIC.to_vec();
        for count in [head.classes, head.dense, head.sparse] {
            bytes.extend((count as u32).to_le_bytes());
        }
        let scales = [
            largest(dense),
            largest(sparse),
            largest(&self.vocabulary.rarity),
        ];
        bytes.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
        bytes.extend(
            self.vocabulary
                .hashes
                .iter()
                .flat_map(|hash| hash.to_le_bytes()),
        );
        bytes.extend(
            self.vocabulary
                .rarity
                .iter()
                .map(|rarity| (rarity / scales[2] * 255.0).round() as u8),
        );
        for (weights, scale) in [(dense, scales[0]), (sparse, scales[1])] {
            bytes.extend(
                weights
                    .iter()
                    .flat_map(|weight| ((weight / scale * 127.0).round() as i8).to_le_bytes()),
            );
        }
        bytes.extend(biases.iter().flat_map(|bias| bias.to_le_bytes()));
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
        let [classes, dense, sparse] = [reader.count()?, reader.count()?, reader.count()?];
        let scales = [reader.float()?, reader.float()?, reader.float()?];
        let size = (dense.saturating_add(sparse)).saturating_mul(classes);
        if classes != CLASSES.len() || size > bytes.len() {
            return Err(BrokenModel);
        }
        let hashes = (0..sparse)
            .map(|_| reader.word())
            .collect::<Result<Vec<u32>, _>>()?;
        let rarity = reader
            .take(sparse)?
            .iter()
            .map(|byte| f32::from(*byte) / 255.0 * scales[2])
            .collect();
        let mut weights = Vec::with_capacity(size + classes);
        for (count, scale) in [(dense, scales[0]), (sparse, scales[1])] {
            let signed = reader
                .take(count * classes)?
                .iter()
                .map(|byte| f32::from(byte.cast_signed()) / 127.0 * scale);
            weights.extend(signed);
        }
        for _ in 0..classes {
            weights.push(reader.float()?);
        }
        let finite = weights.iter().all(|weight| weight.is_finite());
        if !reader.rest.is_empty() || !finite || !hashes.is_sorted() {
            return Err(BrokenModel);
        }
        Ok(Self {
            vocabulary: Vocabulary { hashes, rarity },
            head: Head {
                classes,
                dense,
                sparse,
                weights,
            },
        })
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

    fn count(&mut self) -> Result<usize, BrokenModel> {
        usize::try_from(self.word()?).map_err(|_| BrokenModel)
    }

    fn float(&mut self) -> Result<f32, BrokenModel> {
        Ok(f32::from_bits(self.word()?))
    }
}

fn largest(values: &[f32]) -> f32 {
    values
        .iter()
        .fold(1e-6, |most, value| most.max(value.abs()))
}
