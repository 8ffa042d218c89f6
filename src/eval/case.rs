//! Cases as suites write them.

use serde::{Deserialize, Serialize};

use crate::domain::{Holder, Language, PassageKind, Polarity};

/// What a case tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// A conversation with the agent.
    Conversation,
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
            Self::Conversation => "conversation",
        }
    }
}

/// One case.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Case {
    /// The intent of a message.
    Intent(IntentCase),
    /// The mood of a message.
    Sentiment(SentimentCase),
    /// The language of a message.
    Language(LanguageCase),
    /// What a search finds.
    Retrieval(RetrievalCase),
    /// A conversation with the agent.
    Conversation(ConversationCase),
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
            Self::Conversation(_) => Kind::Conversation,
        }
    }
}

/// A message and its intent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntentCase {
    /// The message.
    pub text: String,
    /// Its language, for reports.
    pub language: Option<Language>,
    /// The intent's name, or `out_of_scope`.
    pub intent: String,
}

/// A message and its mood.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SentimentCase {
    /// The message.
    pub text: String,
    /// Its language, for reports.
    pub language: Option<Language>,
    /// The mood.
    pub label: Polarity,
}

/// A message and its language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LanguageCase {
    /// The message.
    pub text: String,
    /// Its language.
    pub language: Language,
}

/// A question and the documents that answer it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetrievalCase {
    /// The question.
    pub text: String,
    /// Its language; detected when missing.
    pub language: Option<Language>,
    /// Kinds of passages to search; all when empty.
    #[serde(default)]
    pub kinds: Vec<PassageKind>,
    /// Documents or products, of which one must be found.
    pub relevant: Vec<String>,
    /// Among the first so many.
    #[serde(default = "three")]
    pub k: usize,
}

/// A conversation, turn by turn.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConversationCase {
    /// Its name, unique in the suite.
    pub id: String,
    /// Its language, for reports.
    pub language: Option<Language>,
    /// E.164 phone that counts as verified.
    pub phone: Option<String>,
    /// The turns.
    pub turns: Vec<Turn>,
}

/// What the customer sends, and what must come of it.
#[derive(Debug, Deserialize)]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tap {
    /// The id that we gave it.
    pub id: String,
    /// What it says.
    pub title: String,
}

/// One text or several.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Default, Deserialize)]
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
}

fn three() -> usize {
    3
}
