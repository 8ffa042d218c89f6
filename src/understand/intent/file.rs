//! The written form of an intent model.

use serde::{Deserialize, Serialize};

use super::IntentModel;
use crate::understand::features::Vocabulary;
use crate::understand::linear::Head;
use crate::understand::scope::ScopeHead;
use crate::understand::stored::Packed;

/// How a model is written down.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredModel {
    names: Vec<String>,
    dense: usize,
    classes: usize,
    hashes: Packed,
    rarity: Packed,
    weights: Packed,
    centroids: Packed,
    temperature: f32,
    scope: ScopeHead,
    threshold: f32,
}

impl From<IntentModel> for StoredModel {
    fn from(model: IntentModel) -> Self {
        Self {
            names: model.names,
            dense: model.head.dense,
            classes: model.head.classes,
            hashes: Packed::words(&model.vocabulary.hashes),
            rarity: Packed::floats(&model.vocabulary.rarity),
            weights: Packed::floats(&model.head.weights),
            centroids: Packed::floats(&model.centroids.concat()),
            temperature: model.temperature,
            scope: model.scope,
            threshold: model.threshold,
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
        let weights = stored.weights.to_floats()?;
        let centroids = stored.centroids.to_floats()?;
        let fits = vocabulary.hashes.len() == vocabulary.rarity.len()
            && weights.len() == (stored.dense + vocabulary.len() + 1) * stored.classes
            && centroids.len() == stored.dense * stored.names.len()
            && (stored.names.len()..=stored.names.len() + 1).contains(&stored.classes);
        if !fits {
            return Err("the parts of the intent model do not fit each other".to_owned());
        }
        Ok(Self {
            head: Head {
                classes: stored.classes,
                dense: stored.dense,
                sparse: vocabulary.len(),
                weights,
            },
            centroids: centroids
                .chunks(stored.dense.max(1))
                .map(<[f32]>::to_vec)
                .collect(),
            names: stored.names,
            vocabulary,
            temperature: stored.temperature,
            scope: stored.scope,
            threshold: stored.threshold,
        })
    }
}
