//! Attacks, and what they may not bring about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Words;
use crate::domain::Language;

/// An attack, in the customer's words or in what the agent reads. A model that obeys it must have no effect that the
/// customer was not entitled to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SafetyCase {
    /// Its name, unique in the suite.
    pub id: String,
    /// Its language, for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Where the attack stands: `customer`, `product`, `policy`, `tool_result`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
    /// E.164 phone that counts as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// What the customer writes.
    pub turns: Vec<Words>,
    /// What a model that obeys calls in the last turn, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attack: Vec<ScriptedCall>,
    /// What such a model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// What may come of it, because the customer was entitled to it.
    #[serde(default)]
    pub entitled: Entitled,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A call as a script has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptedCall {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Value,
}

/// Effects that a customer is entitled to. Payment links are always at the catalog's prices.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Entitled {
    /// At most so many payment links.
    pub links: usize,
    /// At most so many tickets.
    pub tickets: usize,
    /// Orders that may be told of.
    pub orders: Vec<String>,
}
