//! A piece of the shop's knowledge, and why it was found.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Language;

/// What kind of knowledge a passage comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PassageKind {
    /// A product of the catalog.
    Product,
    /// An FAQ entry.
    Faq,
    /// A section of a policy.
    Policy,
}

impl PassageKind {
    /// The name in the index and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Faq => "faq",
            Self::Policy => "policy",
        }
    }
}

impl FromStr for PassageKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "product" => Ok(Self::Product),
            "faq" => Ok(Self::Faq),
            "policy" => Ok(Self::Policy),
            _ => Err(format!(
                "`{text}` is not a kind of passage; use product, faq or policy"
            )),
        }
    }
}

/// A passage that retrieval found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Passage {
    /// The chunk, unique in the index: `faq-invoice:it:0`.
    pub id: String,
    /// The document or product it belongs to: `faq-invoice`, `macchina-aria`.
    pub document: String,
    /// Its kind.
    pub kind: PassageKind,
    /// The document's title.
    pub title: String,
    /// The headings above the text, outermost first.
    pub headings: Vec<String>,
    /// The text.
    pub text: String,
    /// The text's language.
    pub language: Language,
    /// The file it comes from, relative to the knowledge folder.
    pub source: String,
    /// What else its source says of it: the `meta` of a corpus.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// Fused score, higher is better; comparable within one answer only.
    pub score: f32,
    /// Why it ranked.
    pub ranking: Ranking,
}

/// Why a passage ranked where it did. Ranks count from 1; none means that leg did not find it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// Rank among the nearest vectors.
    pub dense_rank: Option<u32>,
    /// Cosine with the query's vector, in [-1, 1].
    pub dense_score: Option<f32>,
    /// Rank by BM25.
    pub bm25_rank: Option<u32>,
    /// BM25 score, at least 0.
    pub bm25_score: Option<f32>,
}
