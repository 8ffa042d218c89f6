//! What a turn did, kept whole beside its outcome.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Passage, Triage};

/// Everything a turn did, in the order it did it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TurnTrace {
    /// What was understood.
    pub triage: Option<Triage>,
    /// What the agent set out to do.
    pub plan: String,
    /// What retrieval found.
    pub passages: Vec<Passage>,
    /// How retrieval searched: `hybrid`, `bm25` or `none`.
    pub retrieval: String,
    /// The calls to a model.
    pub models: Vec<ModelTrace>,
    /// The calls to tools.
    pub tools: Vec<ToolTrace>,
    /// Things worth a colleague's look, for example `injection_suspected`.
    pub notes: Vec<String>,
    /// Milliseconds from the first step to the last.
    pub milliseconds: u64,
}

/// One call to a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelTrace {
    /// Which model answered, for example `offline` or `gpt-x`.
    pub model: String,
    /// Tokens in, as counted or reported.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Why another model had to answer, when the first failed.
    pub fell_back: Option<String>,
}

/// One call to a tool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ToolTrace {
    /// The tool.
    pub name: String,
    /// The arguments the model gave.
    pub arguments: Value,
    /// The result, or the error that the model read.
    pub result: Value,
    /// Whether it failed.
    pub failed: bool,
}

/// A stage of a turn that someone watching may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Language, intent and sentiment are being read.
    Understanding,
    /// Knowledge is being searched or a tool runs.
    LookingUp,
    /// The answer is being written.
    Answering,
}
