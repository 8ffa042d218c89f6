//! Messages that the channel has approved beforehand, as plain values.

use serde::{Deserialize, Serialize};

use super::Money;

/// A template with what fills it, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateMessage {
    /// Its name.
    pub name: String,
    /// Its language as the channel writes it, for example `it` or `en_US`.
    pub language: String,
    /// What fills the header, when it has something to fill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<TemplateValue>,
    /// What fills the body, in the order of its blanks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub body: Vec<TemplateValue>,
    /// What fills buttons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<TemplateButton>,
}

/// What fills a blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateValue {
    /// The blank's name; none where blanks are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What stands there.
    pub value: Filling,
}

/// What stands in a blank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Filling {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// An amount.
    Currency {
        /// The amount.
        amount: Money,
        /// The same in words.
        text: String,
    },
    /// A date or time in words.
    DateTime {
        /// The words.
        text: String,
    },
    /// A picture on the web.
    Image {
        /// Its address.
        link: String,
    },
    /// A film on the web.
    Video {
        /// Its address.
        link: String,
    },
    /// A file on the web.
    Document {
        /// Its address.
        link: String,
    },
}

/// What fills a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateButton {
    /// Its place, from 0.
    pub index: u8,
    /// What it takes.
    pub value: ButtonFilling,
}

/// What a button takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ButtonFilling {
    /// The end of the link.
    Url {
        /// It follows the template's own beginning.
        suffix: String,
    },
    /// What comes back when it is tapped.
    Payload {
        /// Our data.
        payload: String,
    },
    /// What it copies.
    Coupon {
        /// The code.
        code: String,
    },
}
