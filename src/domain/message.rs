//! What goes out to a customer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Money, PaymentId, ProductId, TemplateMessage};

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
