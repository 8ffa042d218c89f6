//! The agent's turn: triage, plan, passages, model loop, outcome.
//!
//! `plan` and `run` decide and do no IO; `drive` performs what they say. The agent knows ports,
//! never providers.

mod cards;
mod cart;
mod consent;
mod drive;
mod finish;
mod mood;
mod plain;
mod plan;
mod prompt;
mod query;
mod run;
mod summary;
mod turn;

pub use run::{Limits, Run, Step};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::domain::{
    ConsentState, ContactId, ConversationId, History, InboundContent, Language, Outcome, Reference,
    Referral, TurnId, TurnTrace,
};
use crate::ports::{ChatModel, Embedder};
use crate::prompts::Prompts;
use crate::retrieval::Retriever;
use crate::tools::Registry;
use crate::understand::Understanding;

/// The agent. One for all conversations.
pub struct Agent {
    /// The configured model; without one the offline model answers everything.
    pub model: Option<Arc<dyn ChatModel>>,
    /// The offline model, which also answers when the configured one does not.
    pub offline: Arc<dyn ChatModel>,
    /// The tools.
    pub tools: Arc<Registry>,
    /// The search.
    pub retriever: Arc<Retriever>,
    /// Makes the vectors that messages are understood with.
    pub reader: Arc<dyn Embedder>,
    /// Makes their vectors as questions, a second opinion on the intent; the search reuses them.
    pub questions: Option<Arc<dyn Embedder>>,
    /// Language, intent, sentiment.
    pub understanding: Arc<ArcSwap<Understanding>>,
    /// Prompts and phrases.
    pub prompts: Arc<Prompts>,
    /// The limits.
    pub settings: Settings,
}

/// What the configuration says about turns.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The shop's name.
    pub shop: String,
    /// What it sells.
    pub about: String,
    /// The language that colleagues read summaries in, and customers when nothing else is known.
    pub home: Language,
    /// Time for a whole turn.
    pub deadline: Duration,
    /// Steps and tokens of one turn.
    pub limits: Limits,
    /// Tokens of one answer.
    pub output_tokens: u32,
    /// Passages that a turn reads.
    pub passages: usize,
    /// What repeating an earlier passage costs, in units of the score.
    pub diversity: f32,
    /// Failures to understand, in a row, before a person is called.
    pub misunderstandings: u32,
    /// Polarity at or below which a person is called.
    pub upset_below: f32,
    /// What tells customers that this is an AI, by language, instead of the phrases.
    pub disclosure: BTreeMap<Language, String>,
}

/// What a turn works on.
#[derive(Debug, Clone)]
pub struct TurnInput {
    /// The turn.
    pub turn: TurnId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The contact.
    pub contact: ContactId,
    /// The lease's epoch.
    pub epoch: i64,
    /// E.164 phone that the channel vouches for.
    pub phone: Option<String>,
    /// The conversation's language so far.
    pub language: Option<Language>,
    /// Failures to understand in a row so far.
    pub misunderstood: u32,
    /// Whether the customer was told that this is an AI.
    pub disclosed: bool,
    /// What was said before.
    pub history: History,
    /// What the customer sent, oldest first.
    pub messages: Vec<InboundContent>,
    /// When someone is at the desk.
    pub desk: Desk,
    /// The advertisement that led here.
    pub referral: Option<Referral>,
    /// What the messages are about beside their words.
    pub reference: Reference,
}

/// When someone is at the desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Desk {
    /// Now.
    Open,
    /// Later: ISO weekday (1 is Monday), hour and minute in the shop's time.
    Opens {
        /// 1 to 7.
        weekday: i8,
        /// 0 to 23.
        hour: i8,
        /// 0 to 59.
        minute: i8,
    },
}

/// How a turn ended.
#[derive(Debug, Clone)]
pub struct TurnReport {
    /// The outcome.
    pub outcome: Outcome,
    /// What was done.
    pub trace: TurnTrace,
    /// The conversation's language from now on.
    pub language: Language,
    /// The intent, as reported.
    pub intent: Option<String>,
    /// Failures to understand in a row, this turn included.
    pub misunderstood: u32,
    /// Whether the answer says that this is an AI.
    pub disclosed: bool,
}

impl Agent {
    /// What a customer reads who stopped or resumed messages that sell.
    #[must_use]
    pub fn confirm_consent(&self, state: ConsentState, language: Language) -> Outcome {
        finish::consent(state, self.prompts.words(language), &self.settings)
    }

    /// A hand-off without a turn: for work that failed again and again.
    #[must_use]
    pub fn hand_off(
        &self,
        reason: crate::domain::HandOffReason,
        language: Language,
        desk: Desk,
        text: &str,
    ) -> Outcome {
        let home = self.prompts.words(self.settings.home);
        let summary = summary::summary(home, text, &[], &History::default(), &[]);
        finish::hand_off(reason, self.prompts.words(language), desk, summary)
    }
}
