//! The written form of an intent model.

use serde::{Deserialize, Serialize};

use super::IntentModel;
use super::calibration::Calibration;
use super::reading::Reading;
use crate::understand::features::Vocabulary;
use crate::understand::linear::Head;
use crate::understand::scope::ScopeHead;
use crate::understand::stored::Packed;

/// How a model is written down.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredModel {
    names: Vec<String>,
    hashes: Packed,
    rarity: Packed,
    whole: StoredReading,
    brief: Option<StoredReading>,
}

#[derive(Serialize, Deserialize)]
struct StoredReading {
    /// Lengths of the blocks of vectors.
    dense: Vec<usize>,
    classes: usize,
    means: Packed,
    weights: Packed,
    centroids: Packed,
    scope: ScopeHead,
    calibration: Calibration,
}

impl From<IntentModel> for StoredModel {
    fn from(model: IntentModel) -> Self {
        Self {
            names: model.names,
            hashes: Packed::words(&model.vocabulary.hashes),
            rarity: Packed::floats(&model.vocabulary.rarity),
            whole: model.whole.into(),
            brief: model.brief.map(StoredReading::from),
        }
    }
}

impl From<Reading> for StoredReading {
    fn from(reading: Reading) -> Self {
        Self {
            dense: reading.means.iter().map(Vec::len).collect(),
            classes: reading.head.classes,
            means: Packed::floats(&reading.means.concat()),
            weights: Packed::floats(&reading.head.weights),
            centroids: Packed::floats(&reading.centroids.concat()),
            scope: reading.scope,
            calibration: reading.calibration,
        }
    }
}

impl TryFrom<StoredModel> for IntentModel {
    type Error = String;

    fn try_from(stored: StoredModel) -> Result<Self, Self::Error> {
        let vocabulary = Vocabulary {
            hashes: stored.hashes.to_words()?,
            rarity: stored.rarity.to_floats()?,
        };
        if vocabulary.hashes.len() != vocabulary.rarity.len() {
            return Err("the words of the intent model do not fit each other".to_owned());
        }
        let (names, words) = (stored.names.len(), vocabulary.len());
        Ok(Self {
            whole: stored.whole.reading(names, words)?,
            brief: stored
                .brief
                .map(|brief| brief.reading(names, words))
                .transpose()?,
            names: stored.names,
            vocabulary,
        })
    }
}

impl StoredReading {
    fn reading(self, names: usize, words: usize) -> Result<Reading, String> {
        let dense = self.dense.iter().sum::<usize>();
        let means = self.means.to_floats()?;
        let weights = self.weights.to_floats()?;
        let centroids = self.centroids.to_floats()?;
        let fits = means.len() == dense
            && weights.len() == (dense + words + 1) * self.classes
            && centroids.len() == dense * names
            && (names..=names + 1).contains(&self.classes);
        if !fits {
            return Err("the parts of the intent model do not fit each other".to_owned());
        }
        let mut rest = &means[..];
        let mut blocks = Vec::with_capacity(self.dense.len());
        for length in self.dense {
            let (block, others) = rest.split_at(length);
            blocks.push(block.to_vec());
            rest = others;
        }
        Ok(Reading {
            means: blocks,
            head: Head {
                classes: self.classes,
                dense,
                sparse: words,
                weights,
            },
            centroids: centroids
                .chunks(dense.max(1))
                .map(<[f32]>::to_vec)
                .collect(),
            scope: self.scope,
            calibration: self.calibration,
        })
    }
}
