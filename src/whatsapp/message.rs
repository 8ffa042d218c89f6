//! Every message that can be sent, as values that serialise to Meta's JSON.
//!
//! Constructors hold Meta's limits ([`limits`]): text is shortened, ids, links and numbers of elements that
//! do not fit are a [`FormError`]. What Meta answers with in examples can be read back, unknown parts of
//! templates and interactive messages included.

mod contact;
mod interactive;
pub mod limits;
mod template;

pub use contact::{
    ContactAddress, ContactCard, ContactMail, ContactName, ContactPhone, ContactUrl, Organization,
};
pub use interactive::{
    Card, Flow, FlowAction, FlowId, Form, Header, Interactive, ListRow, ListSection,
    ProductSection, Sku,
};
pub use template::{
    ButtonIndex, ButtonKind, Component, Currency, DateTime, Offer, Parameter, Template,
    TemplateCard, TemplateLanguage,
};

use serde::{Deserialize, Serialize};

/// Why a message cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Something that must say something says nothing.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// Something that cannot be shortened is too long.
    #[error("{what} is longer than {limit} characters")]
    Long {
        /// What it is.
        what: &'static str,
        /// How long it may be.
        limit: usize,
    },
    /// There are too many or too few of something.
    #[error("{found} {what}; WhatsApp takes {least} to {most}")]
    Count {
        /// What there are.
        what: &'static str,
        /// How many.
        found: usize,
        /// At least so many.
        least: usize,
        /// At most so many.
        most: usize,
    },
    /// Two of something that must differ are alike.
    #[error("two {0} are alike")]
    Repeated(&'static str),
    /// A number that is none of its kind.
    #[error("{0} is out of range")]
    Range(&'static str),
}

/// What is posted to `/messages`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Request {
    /// Marks a message as read.
    Read(ReadReceipt),
    /// Sends a message.
    Message(Box<Message>),
}

/// Marks a message of the customer, and those before it, as read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadReceipt {
    messaging_product: Product,
    status: Read,
    /// WhatsApp's id of the message.
    pub message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    typing_indicator: Option<Typing>,
}

impl ReadReceipt {
    /// Marks it as read. With `typing` the customer sees that an answer is being written, for 25 seconds at
    /// most.
    #[must_use]
    pub fn new(message_id: impl Into<String>, typing: bool) -> Self {
        Self {
            messaging_product: Product::Whatsapp,
            status: Read::Read,
            message_id: message_id.into(),
            typing_indicator: typing.then_some(Typing {
                kind: TypingKind::Text,
            }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Product {
    Whatsapp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Read {
    Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Typing {
    #[serde(rename = "type")]
    kind: TypingKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TypingKind {
    Text,
}

/// A message with its address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    messaging_product: Product,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient_type: Option<RecipientType>,
    /// A phone number, E.164 with `+`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A business-scoped user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Quote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    biz_opaque_callback_data: Option<String>,
    /// What it says.
    #[serde(flatten)]
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RecipientType {
    Individual,
    Group,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Quote {
    message_id: String,
}

impl Message {
    /// A message to a phone number, with or without `+`, or to a business-scoped user id.
    #[must_use]
    pub fn new(recipient: &str, content: Content) -> Self {
        let user_id = is_user_id(recipient);
        let phone = || format!("+{}", recipient.trim_start_matches('+'));
        Self {
            messaging_product: Product::Whatsapp,
            recipient_type: Some(RecipientType::Individual),
            to: (!user_id).then(phone),
            recipient: user_id.then(|| recipient.to_owned()),
            context: None,
            biz_opaque_callback_data: None,
            content,
        }
    }

    /// Quotes a message of the conversation, by WhatsApp's id of it.
    #[must_use]
    pub fn quoting(mut self, message_id: impl Into<String>) -> Self {
        self.context = Some(Quote {
            message_id: message_id.into(),
        });
        self
    }

    /// Takes data along that every status of the message brings back.
    ///
    /// # Errors
    /// When it has more than 512 characters.
    pub fn carrying(mut self, data: &str) -> Result<Self, FormError> {
        if limits::length(data) > limits::OPAQUE {
            return Err(FormError::Long {
                what: "the data of a message",
                limit: limits::OPAQUE,
            });
        }
        self.biz_opaque_callback_data = Some(data.to_owned());
        Ok(self)
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Text.
    Text {
        /// The text.
        text: Text,
    },
    /// A picture.
    Image {
        /// Where it is.
        image: Media,
    },
    /// A film.
    Video {
        /// Where it is.
        video: Media,
    },
    /// A file.
    Document {
        /// Where it is.
        document: Media,
    },
    /// A sound or a voice note.
    Audio {
        /// Where it is.
        audio: Media,
    },
    /// A sticker.
    Sticker {
        /// Where it is.
        sticker: Media,
    },
    /// A place.
    Location {
        /// The place.
        location: Location,
    },
    /// Contact cards.
    Contacts {
        /// The cards.
        contacts: Vec<ContactCard>,
    },
    /// A reaction to a message of the customer.
    Reaction {
        /// The reaction.
        reaction: Reaction,
    },
    /// Something to tap.
    Interactive {
        /// The form.
        interactive: Box<Interactive>,
    },
    /// A template.
    Template {
        /// The template with its parameters.
        template: Template,
    },
}

impl Content {
    /// Text, shortened when it is too long. A link in it gets a preview.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let body = limits::filled(text, limits::TEXT);
        let link = body.contains("https://") || body.contains("http://");
        Self::Text {
            text: Text {
                preview_url: link.then_some(true),
                body,
            },
        }
    }

    /// A reaction; an empty emoji takes one back.
    #[must_use]
    pub fn reaction(message_id: impl Into<String>, emoji: impl Into<String>) -> Self {
        Self::Reaction {
            reaction: Reaction {
                message_id: message_id.into(),
                emoji: emoji.into(),
            },
        }
    }

    /// Contact cards.
    ///
    /// # Errors
    /// When there are none, or more than five.
    pub fn contacts(contacts: Vec<ContactCard>) -> Result<Self, FormError> {
        limits::count("contacts", contacts.len(), 1..=limits::CONTACTS)?;
        Ok(Self::Contacts { contacts })
    }

    /// A sticker, which has no caption and no name.
    #[must_use]
    pub fn sticker(source: MediaSource) -> Self {
        Self::Sticker {
            sticker: Media::new(source),
        }
    }
}

impl From<Interactive> for Content {
    fn from(interactive: Interactive) -> Self {
        Self::Interactive {
            interactive: Box::new(interactive),
        }
    }
}

impl From<Template> for Content {
    fn from(template: Template) -> Self {
        Self::Template { template }
    }
}

/// Text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// The text.
    pub body: String,
    /// Whether the first link is shown as a card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preview_url: Option<bool>,
}

/// A file of ours that a message shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where it is.
    #[serde(flatten)]
    pub source: MediaSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    caption: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<String>,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaSource {
    /// Uploaded to WhatsApp before, by its id.
    Id(String),
    /// On the web.
    Link(String),
}

impl Media {
    /// A file without words.
    #[must_use]
    pub fn new(source: MediaSource) -> Self {
        Self {
            source,
            caption: None,
            filename: None,
        }
    }

    /// Puts words below it, shortened when they are too long. Sounds and stickers have none.
    #[must_use]
    pub fn captioned(mut self, caption: &str) -> Self {
        self.caption =
            (!caption.trim().is_empty()).then(|| limits::shorten(caption, limits::CAPTION));
        self
    }

    /// Names a document.
    #[must_use]
    pub fn named(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }
}

/// A place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Location {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

impl Location {
    /// A place by its degrees, with its name and address.
    ///
    /// # Errors
    /// When the degrees are none.
    pub fn new(
        latitude: f64,
        longitude: f64,
        name: Option<String>,
        address: Option<String>,
    ) -> Result<Self, FormError> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(FormError::Range("the latitude"));
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(FormError::Range("the longitude"));
        }
        Ok(Self {
            latitude,
            longitude,
            name,
            address,
        })
    }
}

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// WhatsApp's id of the message.
    pub message_id: String,
    /// One emoji, or empty to take it back.
    pub emoji: String,
}

/// Whether an address is a business-scoped user id: `IT.1349…` or `IT.ENT.1349…`.
#[must_use]
pub fn is_user_id(address: &str) -> bool {
    let Some((country, rest)) = address.split_once('.') else {
        return false;
    };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
