//! What was understood of a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Language, OrderNumber};

/// Everything that was understood of one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Triage {
    /// The language to answer in.
    pub language: LanguageGuess,
    /// What the customer wants.
    pub intent: Intent,
    /// How the customer feels.
    pub sentiment: Sentiment,
    /// Numbers, prices and other typed facts found in the text.
    pub entities: Entities,
}

/// A language with how sure we are.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LanguageGuess {
    /// The language.
    pub language: Language,
    /// Confidence in [0, 1].
    pub confidence: f32,
    /// Whether the conversation's language was kept because the message alone says too little.
    pub kept: bool,
}

/// The intent of a message: always the best name, and whether it is in scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The best intent among the shop's; never `out_of_scope`.
    pub name: String,
    /// Calibrated probability in [0, 1] that the message is in scope and means this.
    pub score: f32,
    /// Whether the score reaches the threshold.
    pub in_scope: bool,
    /// The next best, with their scores.
    pub runners_up: Vec<(String, f32)>,
}

impl Intent {
    /// Whether this is the intent, in scope.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.in_scope && self.name == name
    }

    /// The name to report: the intent or `out_of_scope`.
    #[must_use]
    pub fn decided(&self) -> &str {
        if self.in_scope {
            &self.name
        } else {
            "out_of_scope"
        }
    }
}

/// The sign of a sentiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Unhappy.
    Negative,
    /// Neither.
    Neutral,
    /// Happy.
    Positive,
}

impl Polarity {
    /// The label in JSON and in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Neutral => "neutral",
            Self::Positive => "positive",
        }
    }
}

/// How the customer feels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sentiment {
    /// The sign.
    pub label: Polarity,
    /// From -1 (furious) over 0 to 1 (delighted).
    pub polarity: f32,
    /// How strongly it is expressed, in [0, 1].
    pub intensity: f32,
}

/// Typed facts found in a message.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entities {
    /// Order numbers.
    pub orders: Vec<OrderNumber>,
    /// E-mail addresses.
    pub emails: Vec<String>,
    /// A price or a range of prices.
    pub price: Option<PriceRange>,
    /// How many pieces.
    pub quantity: Option<u32>,
    /// Which of the shown products, counted from 1; -1 is the last.
    pub ordinals: Vec<i32>,
    /// Colours in English, lower case.
    pub colors: Vec<String>,
    /// Categories of the catalog.
    pub categories: Vec<String>,
    /// Features in the catalog's terms, for example (`cappuccino`, `yes`).
    pub features: Vec<(String, String)>,
    /// A word that compares: the cheaper one.
    pub comparison: Option<Comparison>,
    /// Whether the customer asks for what is in stock.
    pub in_stock: bool,
}

/// Prices in minor units, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PriceRange {
    /// At least.
    pub min: Option<i64>,
    /// At most.
    pub max: Option<i64>,
}

/// A word that picks one of several products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// The cheapest.
    Cheapest,
    /// The most expensive.
    Dearest,
}
