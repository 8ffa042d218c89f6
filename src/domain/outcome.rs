//! How a turn ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Answer;

/// The one recorded end of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The customer is answered.
    Answered {
        /// The answer.
        answer: Answer,
        /// What the agent waits to hear next, for example `order_number`.
        awaiting: Option<String>,
    },
    /// A person takes over; the customer is told so.
    HandedOff {
        /// What the customer reads.
        answer: Answer,
        /// Why.
        reason: HandOffReason,
        /// What the colleague reads.
        summary: String,
    },
    /// Nothing to say: a person holds the conversation, or the message closes it.
    Silent {
        /// Why, for the trace.
        reason: String,
    },
}

impl Outcome {
    /// The answer, when there is one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered { answer, .. } | Self::HandedOff { answer, .. } => Some(answer),
            Self::Silent { .. } => None,
        }
    }

    /// The name on metrics and in the store.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Answered { .. } => "answered",
            Self::HandedOff { .. } => "handed_off",
            Self::Silent { .. } => "silent",
        }
    }
}

/// Why a conversation goes to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HandOffReason {
    /// The customer asked for a person.
    Requested,
    /// Strong negative sentiment.
    Upset,
    /// Not understood several times in a row.
    NotUnderstood,
    /// The agent cannot do what is asked.
    OutOfReach,
    /// A limit of steps, tokens or time was reached.
    Limit,
    /// Too many failed proofs of an order.
    Proofs,
    /// Something failed inside.
    Failure,
}

impl HandOffReason {
    /// The name in the store and on the desk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Upset => "upset",
            Self::NotUnderstood => "not_understood",
            Self::OutOfReach => "out_of_reach",
            Self::Limit => "limit",
            Self::Proofs => "proofs",
            Self::Failure => "failure",
        }
    }
}
