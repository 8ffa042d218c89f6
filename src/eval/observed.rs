//! What was seen when a case ran: enough to judge it again under other expectations.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::judged::Judged;
use crate::domain::{ConversationId, Holder, Language, Outcome, Polarity, TurnTrace};

/// What was seen of one case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub enum Observed {
    /// A message, understood.
    Understood {
        /// The intent, or `out_of_scope`.
        intent: String,
        /// The probability that the message is in scope and means the best intent, in [0, 1].
        intent_score: f64,
        /// The language.
        language: Language,
        /// How sure that is, in [0, 1].
        language_score: f64,
        /// The mood.
        sentiment: Polarity,
        /// From -1 to 1.
        polarity: f64,
    },
    /// What a search found.
    Ranked {
        /// The language that was searched in.
        language: Language,
        /// Whether the search holds the best of them for an answer.
        #[serde(default = "yes")]
        relevant: bool,
        /// The documents, best first, each once.
        documents: Vec<String>,
        /// Their scores.
        scores: Vec<f64>,
    },
    /// A conversation.
    Talked(Talked),
    /// What a model that was asked directly wanted to call.
    Called {
        /// The calls: name and arguments.
        calls: Vec<(String, Value)>,
        /// What it said.
        text: String,
    },
    /// It could not be run to its end.
    Failed {
        /// Why.
        reason: String,
    },
    /// It was not run.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It is not kept: the run is a baseline.
    #[default]
    Unkept,
}

/// A conversation as it went.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Talked {
    /// The turns.
    pub turns: Vec<TurnSeen>,
    /// What the store has of it at the end, as the desk shows it.
    pub state: Value,
    /// Why it broke off, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke_off: Option<String>,
    /// Numbers of the orders that were made in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orders: Vec<String>,
    /// Which conversation it was, while the run lasts.
    #[serde(skip)]
    pub conversation: Option<ConversationId>,
}

/// One turn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TurnSeen {
    /// What the customer sent.
    pub customer: Vec<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did.
    pub trace: TurnTrace,
    /// Who answers from now on.
    pub holder: Holder,
    /// How many tickets the conversation has.
    pub tickets: usize,
    /// The payment link that was shown last before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_before: Option<String>,
    /// What was wrong with the answer, whatever it is about: manners, prices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manners: Vec<String>,
    /// What the judge found, where one was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Judged>,
    /// Milliseconds; 0 where they are not told.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub milliseconds: u64,
}

fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands it over by reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TurnSeen {
    /// The calls of the turn, name and arguments. A person who was called without a tool counts as the tool.
    #[must_use]
    pub fn calls(&self) -> Vec<(&str, &Value)> {
        let tools = &self.trace.tools;
        let mut calls: Vec<(&str, &Value)> = tools
            .iter()
            .map(|tool| (tool.name.as_str(), &tool.arguments))
            .collect();
        let handed_off = matches!(self.outcome, Outcome::HandedOff { .. });
        if handed_off && !calls.iter().any(|(name, _)| *name == "hand_off_to_human") {
            calls.push(("hand_off_to_human", &Value::Null));
        }
        calls
    }

    /// Milliseconds and tokens of all model calls.
    #[must_use]
    pub fn tokens(&self) -> (u64, u64) {
        let models = self.trace.models.iter();
        models.fold((0, 0), |(input, output), model| {
            (input + model.input_tokens, output + model.output_tokens)
        })
    }
}

impl Observed {
    /// Whether there is nothing to judge again.
    #[must_use]
    pub fn is_unkept(&self) -> bool {
        matches!(self, Self::Unkept)
    }

    /// The turns of a conversation.
    #[must_use]
    pub fn turns(&self) -> &[TurnSeen] {
        let Self::Talked(talked) = self else {
            return &[];
        };
        &talked.turns
    }
}
