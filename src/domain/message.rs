//! What comes in from a customer and what goes out to one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Channel, Money, PaymentId, ProductId, TemplateMessage};

/// A message from a customer, parsed at the edge. Card numbers are masked before it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbound {
    /// The door it came through.
    pub channel: Channel,
    /// Our number or page that received it; scopes `external_id`.
    pub recipient: String,
    /// The channel's own message id; a second one with the same id is the same message.
    pub external_id: String,
    /// The channel's address of the sender: E.164 phone, business-scoped user id or session.
    pub sender: String,
    /// E.164 phone the channel vouches for, when there is one.
    pub phone: Option<String>,
    /// The name the sender chose to show.
    pub name: Option<String>,
    /// When the customer sent it, seconds since 1970.
    pub sent_at: i64,
    /// What was sent.
    pub content: InboundContent,
}

/// The content of an inbound message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InboundContent {
    /// Text, also of captions.
    Text {
        /// The text as written.
        text: String,
    },
    /// A button or list row of ours that was tapped.
    Choice {
        /// The id that we gave the row.
        id: String,
        /// The title the customer saw.
        title: String,
    },
    /// Something we keep but cannot read yet: an image, a voice note, a location.
    Unreadable {
        /// The channel's name of the kind, for example `image`.
        kind: String,
    },
    /// Something that is kept and never answered: a reaction, a system notice.
    Silent {
        /// The channel's name of the kind, for example `reaction`.
        kind: String,
    },
}

impl InboundContent {
    /// The words the agent works on: the text, or the title of the choice.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Choice { title, .. } => Some(title),
            Self::Unreadable { .. } | Self::Silent { .. } => None,
        }
    }
}

/// A complete answer to one turn: one message on every channel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The text, plain, in the customer's language.
    pub text: String,
    /// Products to show as cards, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<ProductCard>,
    /// A payment link to show as a button.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentButton>,
    /// Short replies to offer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// Texts of the shop that the answer rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// The template that says the same where free text may not be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub template: Option<Box<TemplateMessage>>,
    /// The token of the page with the whole text, when a channel may have to shorten it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub page: Option<String>,
}

impl Answer {
    /// An answer of text only.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..Self::default()
        }
    }
}

/// A product as a customer sees it in a chat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProductCard {
    /// The product.
    pub id: ProductId,
    /// Title in the customer's language.
    pub title: String,
    /// Price from the catalog.
    pub price: Money,
    /// Pieces in stock.
    pub stock: u32,
    /// Absolute address of the picture.
    pub image_url: String,
    /// One reason why it fits, when there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A payment link as a customer sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentButton {
    /// The link's id.
    pub id: PaymentId,
    /// What the button says, at most 20 characters.
    pub label: String,
    /// Where it leads.
    pub url: String,
    /// The total, from the catalog.
    pub total: Money,
}

/// A short reply that the customer can tap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Choice {
    /// What comes back when it is tapped.
    pub id: String,
    /// What it says, at most 20 characters.
    pub title: String,
}

/// A text of the shop that an answer rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// The passage's document, for example `policy-returns`.
    pub id: String,
    /// Its title.
    pub title: String,
}
