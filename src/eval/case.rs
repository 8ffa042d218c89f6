//! Cases as suites write them.

mod safety;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::matcher::{ExpectedCall, Matcher};
use crate::domain::{Holder, Language, PassageKind, Polarity};
pub use safety::{Entitled, SafetyCase, ScriptedCall};

/// What a case tries.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The intent of a message.
    Intent,
    /// The mood of a message.
    Sentiment,
    /// The language of a message.
    Language,
    /// What a search finds.
    Retrieval,
    /// The tools that are called for a message.
    ToolCall,
    /// A conversation with the agent.
    Conversation,
    /// A conversation with a customer that a model plays.
    Simulation,
    /// An attack, judged by its effects.
    Safety,
}

impl Kind {
    /// The name in suites and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Sentiment => "sentiment",
            Self::Language => "language",
            Self::Retrieval => "retrieval",
            Self::ToolCall => "tool_call",
            Self::Conversation => "conversation",
            Self::Simulation => "simulation",
            Self::Safety => "safety",
        }
    }
}

/// One case.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a suite has hundreds of cases, read once"
)]
pub enum Case {
    /// The intent of a message.
    Intent(IntentCase),
    /// The mood of a message.
    Sentiment(SentimentCase),
    /// The language of a message.
    Language(LanguageCase),
    /// What a search finds.
    Retrieval(RetrievalCase),
    /// The tools that are called for a message.
    ToolCall(ToolCallCase),
    /// A conversation with the agent.
    Conversation(ConversationCase),
    /// A conversation with a customer that a model plays.
    Simulation(SimulationCase),
    /// An attack, judged by its effects.
    Safety(SafetyCase),
}

impl Case {
    /// What it tries.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Intent(_) => Kind::Intent,
            Self::Sentiment(_) => Kind::Sentiment,
            Self::Language(_) => Kind::Language,
            Self::Retrieval(_) => Kind::Retrieval,
            Self::ToolCall(_) => Kind::ToolCall,
            Self::Conversation(_) => Kind::Conversation,
            Self::Simulation(_) => Kind::Simulation,
            Self::Safety(_) => Kind::Safety,
        }
    }

    /// Its name in reports: the id, else the message.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Intent(case) => case.id.as_deref().unwrap_or(&case.text),
            Self::Sentiment(case) => case.id.as_deref().unwrap_or(&case.text),
            Self::Language(case) => case.id.as_deref().unwrap_or(&case.text),
            Self::Retrieval(case) => case.id.as_deref().unwrap_or(&case.text),
            Self::ToolCall(case) => &case.id,
            Self::Conversation(case) => &case.id,
            Self::Simulation(case) => &case.id,
            Self::Safety(case) => &case.id,
        }
    }

    /// Its language, when it names one.
    #[must_use]
    pub fn language(&self) -> Option<Language> {
        match self {
            Self::Intent(case) => case.language,
            Self::Sentiment(case) => case.language,
            Self::Language(case) => Some(case.language),
            Self::Retrieval(case) => case.language,
            Self::ToolCall(case) => case.language,
            Self::Conversation(case) => case.language,
            Self::Simulation(case) => case.language,
            Self::Safety(case) => case.language,
        }
    }

    /// The parts of the suite that it belongs to beside kind and language.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        match self {
            Self::Intent(case) => case.tags.clone(),
            Self::Sentiment(case) => case.tags.clone(),
            Self::Language(case) => case.tags.clone(),
            Self::Retrieval(case) => case.tags.clone(),
            Self::ToolCall(case) => case.tags.clone(),
            Self::Conversation(case) => case.tags.clone(),
            Self::Simulation(case) => case.tags.clone(),
            Self::Safety(case) => {
                let vector = case.vector.iter();
                vector.chain(&case.tags).cloned().collect()
            }
        }
    }
}

/// A message and its intent.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentCase {
    /// Its name, unique in the suite; the text when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The message.
    pub text: String,
    /// Its language, for reports.
    pub language: Option<Language>,
    /// The intent's name, or `out_of_scope`.
    pub intent: String,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A message and its mood.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SentimentCase {
    /// Its name, unique in the suite; the text when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The message.
    pub text: String,
    /// Its language, for reports.
    pub language: Option<Language>,
    /// The mood.
    pub label: Polarity,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A message and its language.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LanguageCase {
    /// Its name, unique in the suite; the text when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The message.
    pub text: String,
    /// Its language.
    pub language: Language,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A question and the documents that answer it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrievalCase {
    /// Its name, unique in the suite; the text when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The question.
    pub text: String,
    /// Its language; detected when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Kinds of passages to search; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<PassageKind>,
    /// The documents or products that answer it, each with a grade of 1 or more where one answers better; a list
    /// gives each the grade 1. When it is empty, the search must say that nothing answers it.
    pub relevant: Relevant,
    /// One of them must be among the first so many.
    #[serde(default = "three")]
    pub k: usize,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Documents that answer a question.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "write a list of documents, or documents with grades"
)]
pub enum Relevant {
    /// All alike.
    Listed(Vec<String>),
    /// With grades; 0 is not relevant.
    Graded(BTreeMap<String, u32>),
}

impl Relevant {
    /// Every relevant document with its grade.
    #[must_use]
    pub fn grades(&self) -> BTreeMap<&str, u32> {
        match self {
            Self::Listed(names) => names.iter().map(|name| (name.as_str(), 1)).collect(),
            Self::Graded(grades) => grades
                .iter()
                .filter(|(_, grade)| **grade > 0)
                .map(|(name, grade)| (name.as_str(), *grade))
                .collect(),
        }
    }
}

/// A message and the tools that must be called for it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolCallCase {
    /// Its name, unique in the suite.
    pub id: String,
    /// Its language, for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// E.164 phone that counts as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Earlier messages of the customer, which are answered but not judged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Words>,
    /// What is said: one text, or several as a burst.
    pub say: Words,
    /// The calls, in this order; none when empty.
    pub tools: Vec<ExpectedCall>,
    /// Tools to choose from in place of the shop's; the model is then asked directly, and nothing is called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<Function>,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A tool that a case brings along.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// When to use it.
    #[serde(default)]
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// A conversation, turn by turn.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationCase {
    /// Its name, unique in the suite.
    pub id: String,
    /// Its language, for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// E.164 phone that counts as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// The turns.
    pub turns: Vec<Turn>,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A customer that a model plays.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulationCase {
    /// Its name, unique in the suite.
    pub id: String,
    /// The language the customer writes in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// E.164 phone that counts as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Who the customer is, what they know and what they want. The model that plays them reads nothing else.
    pub persona: String,
    /// The first message; the model writes it when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<String>,
    /// The customer gives up after so many messages.
    #[serde(default = "eight")]
    pub max_turns: u32,
    /// What must hold at the end, over the whole conversation. Tools and words are looked for in all turns.
    pub expect: Expect,
    /// Parts of the suite to report on their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What the customer sends, and what must come of it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// What is said: one text, or several as a burst.
    #[serde(default)]
    pub say: Words,
    /// What is tapped, after what is said.
    pub choice: Option<Tap>,
    /// Instead of both: the payment link shown last is paid, and its provider says so twice.
    #[serde(default)]
    pub paid: bool,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// A button or row that the customer taps.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    /// The id that we gave it.
    pub id: String,
    /// What it says.
    pub title: String,
}

/// One text or several.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "write a text, in quotes where it is a number or a yes, or a list of texts"
)]
pub enum Words {
    /// One text.
    One(String),
    /// A burst.
    Several(Vec<String>),
}

impl Words {
    /// The texts, in order.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Several(texts) => texts.clone(),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

/// How a turn ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With an answer.
    Answered,
    /// With a person taking over.
    HandedOff,
    /// With nothing.
    Silent,
}

impl Ending {
    /// The outcome's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::HandedOff => "handed_off",
            Self::Silent => "silent",
        }
    }
}

/// What must hold after a turn. What is left out is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// How it ends.
    pub outcome: Option<Ending>,
    /// Tools that are called in this order; others may be called between them.
    pub tools: Vec<String>,
    /// Tools that are not called.
    pub not_tools: Vec<String>,
    /// All of these are read by the customer, in any case.
    pub contains: Vec<String>,
    /// At least one of these is.
    pub contains_any: Vec<String>,
    /// None of these is.
    pub not_contains: Vec<String>,
    /// Each of these regular expressions is found in what the customer reads; `(?i)` in front ignores case.
    pub matches: Vec<String>,
    /// None of these is.
    pub not_matches: Vec<String>,
    /// The language of the answer.
    pub language: Option<Language>,
    /// At least so many product cards.
    pub products_min: Option<usize>,
    /// At most so many product cards.
    pub products_max: Option<usize>,
    /// No card costs more, in minor units.
    pub max_price: Option<i64>,
    /// Whether there is a payment link.
    pub payment: Option<bool>,
    /// Whether the payment link is the one shown last before.
    pub same_payment: Option<bool>,
    /// What the payment link asks for, in minor units.
    pub payment_total: Option<i64>,
    /// Who answers from now on.
    pub holder: Option<Holder>,
    /// All of these stand in the summary that a colleague reads, in any case.
    pub summary: Vec<String>,
    /// How many tickets the conversation has.
    pub tickets: Option<usize>,
    /// Notes that the trace has.
    pub notes: Vec<String>,
    /// None of these stands anywhere in what is stored of the conversation.
    pub not_stored: Vec<String>,
    /// The intent, or `out_of_scope`.
    pub intent: Option<String>,
    /// The mood.
    pub sentiment: Option<Polarity>,
    /// The polarity, in [-1, 1], is below this.
    pub polarity_below: Option<f32>,
    /// A document that the answer names as its source.
    pub source: Option<String>,
    /// Documents of which the turn read a passage.
    pub passages: Vec<String>,
    /// Calls with their arguments, in this order; others may be made between them.
    pub calls: Vec<ExpectedCall>,
    /// What stands in the store afterwards, by JSON path (RFC 9535) into the conversation as the desk shows it, for
    /// example `$.tickets[0].priority: high`. `sportello eval run … --json` shows it for every case.
    pub state: BTreeMap<String, Matcher>,
}

fn three() -> usize {
    3
}

fn eight() -> u32 {
    8
}
