//! A conversation: who holds it and what has been said.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, InboundContent, ProductId};

/// The door a conversation came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// WhatsApp Cloud API.
    Whatsapp,
    /// The chat on the shop's page.
    Web,
    /// `sportello chat` in a terminal, and evaluations.
    Terminal,
}

impl Channel {
    /// The name in the store and on metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Whatsapp => "whatsapp",
            Self::Web => "web",
            Self::Terminal => "terminal",
        }
    }

    /// Whether answers are sent by a messenger; on the other channels the customer reads the store.
    #[must_use]
    pub fn is_sent(self) -> bool {
        self == Self::Whatsapp
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Channel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "whatsapp" => Ok(Self::Whatsapp),
            "web" => Ok(Self::Web),
            "terminal" => Ok(Self::Terminal),
            _ => Err(format!("`{text}` is not a channel")),
        }
    }
}

/// Who answers in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Holder {
    /// The agent.
    Agent,
    /// A person at the desk: the agent is silent.
    Human,
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The customer.
    Customer,
    /// The agent.
    Agent,
    /// A person at the desk.
    Human,
}

/// One thing that was said, oldest first in a [`History`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Who said it.
    pub speaker: Speaker,
    /// The text (of a customer: as written; of the agent: the answer's text).
    pub text: String,
    /// Products that were shown with it, in order: what "the second one" means.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductId>,
    /// The intent that was read in it, for a customer's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// What the agent asked for and waits to hear, for example `order_number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaiting: Option<String>,
    /// Seconds since 1970.
    pub at: i64,
}

impl HistoryEntry {
    /// What the agent said, as history.
    #[must_use]
    pub fn agent(answer: &Answer, awaiting: Option<String>, at: i64) -> Self {
        Self {
            speaker: Speaker::Agent,
            text: answer.text.clone(),
            products: answer.products.iter().map(|card| card.id.clone()).collect(),
            intent: None,
            awaiting,
            at,
        }
    }

    /// What the customer said, as history.
    #[must_use]
    pub fn customer(content: &InboundContent, at: i64) -> Self {
        Self {
            speaker: Speaker::Customer,
            text: content.shown(),
            products: Vec::new(),
            intent: None,
            awaiting: None,
            at,
        }
    }
}

/// What a message is about beside its words: the message that it quotes, the product whose card it answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The message that it quotes, ours or theirs.
    pub quoted: Option<HistoryEntry>,
    /// The product, by the id that the channel's catalog has from ours.
    pub product: Option<ProductId>,
}

impl Reference {
    /// Whether it is about nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.quoted.is_none() && self.product.is_none()
    }

    /// The products that it points at, in the order shown.
    #[must_use]
    pub fn products(&self) -> &[ProductId] {
        match (&self.product, &self.quoted) {
            (Some(product), _) => std::slice::from_ref(product),
            (None, Some(quoted)) => &quoted.products,
            (None, None) => &[],
        }
    }
}

/// What has been said in a conversation so far, oldest first, without the turn at hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// The entries.
    pub entries: Vec<HistoryEntry>,
}

impl History {
    /// The same as if what a message is about had been said just before it.
    #[must_use]
    pub fn about(mut self, reference: &Reference) -> Self {
        self.entries.extend(reference.quoted.clone());
        if let Some(product) = &reference.product {
            self.entries.push(HistoryEntry {
                speaker: Speaker::Agent,
                text: String::new(),
                products: vec![product.clone()],
                intent: None,
                awaiting: None,
                at: self.entries.last().map_or(0, |entry| entry.at),
            });
        }
        self
    }

    /// The products shown last, in the order shown.
    #[must_use]
    pub fn last_products(&self) -> &[ProductId] {
        self.entries
            .iter()
            .rev()
            .find(|entry| !entry.products.is_empty())
            .map_or(&[], |entry| entry.products.as_slice())
    }

    /// The last products that were shown as a list: what "the second one" counts in.
    #[must_use]
    pub fn last_list(&self) -> &[ProductId] {
        self.entries
            .iter()
            .rev()
            .find(|entry| entry.products.len() > 1)
            .map_or_else(|| self.last_products(), |entry| entry.products.as_slice())
    }

    /// What the agent's last message waits for.
    #[must_use]
    pub fn awaiting(&self) -> Option<&str> {
        let last = self
            .entries
            .iter()
            .rev()
            .find(|entry| entry.speaker != Speaker::Customer)?;
        last.awaiting.as_deref()
    }

    /// The customer's texts, newest first.
    pub fn customer_texts(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .rev()
            .filter(|entry| entry.speaker == Speaker::Customer)
            .map(|entry| entry.text.as_str())
    }
}
