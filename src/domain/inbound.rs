//! What comes in from a customer: every kind of message, as plain values.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Channel, ProductId, mask_cards, mask_cards_in_value};

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
    /// When the customer sent it, seconds since 1970; 0 when the channel does not say.
    pub sent_at: i64,
    /// What was sent.
    pub content: InboundContent,
    /// What else the channel says of it.
    pub about: About,
}

/// What a channel says beside a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct About {
    /// The portfolio of businesses that `user_id` is unique in; empty for the only one.
    pub portfolio: String,
    /// The channel's own id of the sender, which stays when there is no phone.
    pub user_id: Option<String>,
    /// The channel's id of the message that this one quotes.
    pub reply_to: Option<String>,
    /// The product that the customer asks about from its card.
    pub product: Option<ProductId>,
    /// Whether it was forwarded from another chat.
    pub forwarded: bool,
    /// The advertisement that led here; on a first message only.
    pub referral: Option<Referral>,
}

/// The advertisement or post that a customer tapped to write to us.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Referral {
    /// `ad` or `post`, or whatever the channel calls it.
    pub source_type: Option<String>,
    /// Its id there.
    pub source_id: Option<String>,
    /// Its address.
    pub source_url: Option<String>,
    /// Its headline.
    pub headline: Option<String>,
    /// Its text.
    pub body: Option<String>,
    /// `image` or `video`.
    pub media_type: Option<String>,
    /// The address of its picture or of its video's still.
    pub picture_url: Option<String>,
    /// The click's id, which Meta's reports count by.
    pub click_id: Option<String>,
    /// The greeting that the customer read.
    pub welcome: Option<String>,
}

/// The content of an inbound message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum InboundContent {
    /// Text as written.
    Text {
        /// The text.
        text: String,
    },
    /// A button or list row of ours that was tapped.
    Choice {
        /// The id that we gave the row.
        id: String,
        /// The title the customer saw.
        title: String,
    },
    /// A picture, video, document, voice note, sound or sticker.
    Media(Media),
    /// A place on the map.
    Location(Location),
    /// Cards of people.
    Contacts {
        /// The cards.
        cards: Vec<ContactCard>,
        /// Whether we had asked for them.
        requested: bool,
    },
    /// A basket that was filled in WhatsApp's own catalog. The prices in it are not kept: ours count.
    Cart(Cart),
    /// A form of ours that was filled in.
    Form {
        /// The form's name.
        name: Option<String>,
        /// What was filled in, an object where the channel is right.
        fields: Value,
    },
    /// An emoji on a message.
    Reaction {
        /// The channel's id of the message.
        message: String,
        /// The emoji; none when it was taken back.
        emoji: Option<String>,
    },
    /// Whether we may call.
    CallPermission {
        /// The answer.
        granted: bool,
        /// Whether it holds for good.
        permanent: bool,
        /// Until when, seconds since 1970.
        until: Option<i64>,
    },
    /// The customer has another phone number or user id from now on.
    Moved(Moved),
    /// Other words for an earlier message.
    Edit {
        /// The channel's id of the message.
        message: String,
        /// What it says now.
        content: Box<Self>,
    },
    /// An earlier message is taken back.
    Revoke {
        /// The channel's id of the message.
        message: String,
    },
    /// What one of us wrote, or did to a message, on the phone app.
    Echo {
        /// What.
        content: Box<Self>,
    },
    /// Something the channel says it cannot hand on.
    Unreadable {
        /// The channel's name of the kind, for example `unsupported`.
        kind: String,
    },
    /// A kind that we do not know.
    Unknown {
        /// The channel's name of it.
        kind: String,
        /// The message as it came.
        raw: Value,
    },
    /// Something that is kept and never answered: a notice.
    Silent {
        /// The channel's name of the kind, for example `system`.
        kind: String,
    },
}

/// A file of a customer, which the channel keeps for us for some days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// The channel's id of the file.
    pub id: Option<String>,
    /// The type the sender's phone named; what it really is is read from its bytes.
    pub mime_type: Option<String>,
    /// SHA-256 of the bytes, base64.
    pub sha256: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
    /// The words beside it.
    pub caption: Option<String>,
    /// The words in it, for a voice note that was written down.
    pub transcript: Option<String>,
}

/// The kinds of files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// A document.
    #[default]
    Document,
    /// A sound that was not recorded in the chat.
    Audio,
    /// A voice note.
    Voice,
    /// A sticker.
    Sticker,
    /// A sticker that moves.
    AnimatedSticker,
}

impl MediaKind {
    /// The name in the store and on the desk.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Document => "document",
            Self::Audio => "audio",
            Self::Voice => "voice",
            Self::Sticker => "sticker",
            Self::AnimatedSticker => "animated_sticker",
        }
    }

    /// The largest file that WhatsApp takes of this kind, bytes.
    #[must_use]
    pub fn limit(self) -> usize {
        match self {
            Self::Image => 5 << 20,
            Self::Video | Self::Audio | Self::Voice => 16 << 20,
            Self::Document => 100 << 20,
            Self::Sticker => 100 << 10,
            Self::AnimatedSticker => 500 << 10,
        }
    }

    /// Whether a colleague may want to look at it when someone complains.
    #[must_use]
    pub fn is_evidence(self) -> bool {
        matches!(self, Self::Image | Self::Video | Self::Document)
    }

    /// Whether there are words to be heard in it.
    #[must_use]
    pub fn is_sound(self) -> bool {
        matches!(self, Self::Audio | Self::Voice)
    }
}

impl std::str::FromStr for MediaKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [
            Self::Image,
            Self::Video,
            Self::Document,
            Self::Audio,
            Self::Voice,
            Self::Sticker,
            Self::AnimatedSticker,
        ]
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or_else(|| format!("`{name}` is not a kind of media"))
    }
}

/// A place on the map.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Location {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
    /// What is there.
    pub name: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

/// The card of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactCard {
    /// The name.
    pub name: Option<String>,
    /// The phones, as written.
    pub phones: Vec<String>,
    /// The mail addresses.
    pub emails: Vec<String>,
}

/// A basket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cart {
    /// What is in it, each product once.
    pub items: Vec<CartItem>,
    /// The words beside it.
    pub text: Option<String>,
}

/// One line of a basket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    /// Our catalog's id, as the channel's catalog repeats it.
    pub product_id: ProductId,
    /// Pieces, at least 1.
    pub quantity: u32,
}

/// A changed address. What did not change is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// The phone from now on, E.164.
    pub phone: Option<String>,
    /// The user id from now on.
    pub user_id: Option<String>,
}

impl InboundContent {
    /// The words the agent works on: the text, the title of a choice, the words beside or in a file.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match self {
            Self::Text { text } => Some(text),
            Self::Choice { title, .. } => Some(title),
            Self::Media(media) => media.transcript.as_deref().or(media.caption.as_deref()),
            Self::Cart(cart) => cart.text.as_deref(),
            Self::Location(_)
            | Self::Contacts { .. }
            | Self::Form { .. }
            | Self::Reaction { .. }
            | Self::CallPermission { .. }
            | Self::Moved(_)
            | Self::Edit { .. }
            | Self::Revoke { .. }
            | Self::Echo { .. }
            | Self::Unreadable { .. }
            | Self::Unknown { .. }
            | Self::Silent { .. } => None,
        }
    }

    /// What the transcript shows of it; empty for what has neither words nor anything to write down.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Location(place) => place.shown(),
            Self::Contacts { cards, .. } => {
                let cards: Vec<String> = cards.iter().map(ContactCard::shown).collect();
                cards.join("\n")
            }
            Self::Cart(cart) => cart.shown(),
            Self::Form { fields, .. } => form(fields),
            Self::Echo { content } => content.shown(),
            Self::Media(media) => {
                let name = media.filename.as_deref();
                let words = self.words().or(name);
                words.unwrap_or_default().to_owned()
            }
            Self::Text { .. }
            | Self::Choice { .. }
            | Self::Reaction { .. }
            | Self::CallPermission { .. }
            | Self::Moved(_)
            | Self::Edit { .. }
            | Self::Revoke { .. }
            | Self::Unreadable { .. }
            | Self::Unknown { .. }
            | Self::Silent { .. } => self.words().unwrap_or_default().to_owned(),
        }
    }

    /// Whether it is kept and never answered.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        match self {
            Self::Reaction { .. }
            | Self::CallPermission { .. }
            | Self::Moved(_)
            | Self::Edit { .. }
            | Self::Revoke { .. }
            | Self::Echo { .. }
            | Self::Silent { .. } => true,
            Self::Text { .. }
            | Self::Choice { .. }
            | Self::Media(_)
            | Self::Location(_)
            | Self::Contacts { .. }
            | Self::Cart(_)
            | Self::Form { .. }
            | Self::Unreadable { .. }
            | Self::Unknown { .. } => false,
        }
    }

    /// The kind of what is not simply words, for example `image`.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        Some(match self {
            Self::Text { .. } | Self::Choice { .. } => return None,
            Self::Media(media) => media.kind.name(),
            Self::Location(_) => "location",
            Self::Contacts { .. } => "contacts",
            Self::Cart(_) => "order",
            Self::Form { .. } => "form",
            Self::Reaction { .. } => "reaction",
            Self::CallPermission { .. } => "call_permission_reply",
            Self::Moved(_) => "system",
            Self::Edit { .. } => "edit",
            Self::Revoke { .. } => "revoke",
            Self::Echo { .. } => "echo",
            Self::Unreadable { kind } | Self::Unknown { kind, .. } | Self::Silent { kind } => kind,
        })
    }

    /// The same without card numbers. What comes from a webhook is masked before it is parsed already.
    #[must_use]
    pub fn masked(self) -> Self {
        let Ok(mut value) = serde_json::to_value(&self) else {
            return self;
        };
        if mask_cards_in_value(&mut value) == 0 {
            return self;
        }
        serde_json::from_value(value).unwrap_or(match self {
            Self::Text { text } => Self::Text {
                text: mask_cards(&text).text.into_owned(),
            },
            other => Self::Unreadable {
                kind: other.kind().unwrap_or("masked").to_owned(),
            },
        })
    }
}

impl Location {
    fn shown(&self) -> String {
        let parts = [self.name.as_deref(), self.address.as_deref()];
        let words: Vec<&str> = parts.into_iter().flatten().collect();
        if words.is_empty() {
            format!("{:.5}, {:.5}", self.latitude, self.longitude)
        } else {
            words.join(", ")
        }
    }
}

impl ContactCard {
    fn shown(&self) -> String {
        let parts = self.name.iter().chain(&self.phones).chain(&self.emails);
        let parts: Vec<&str> = parts.map(String::as_str).collect();
        parts.join(", ")
    }
}

impl Cart {
    fn shown(&self) -> String {
        let lines = self.items.iter();
        let mut lines: Vec<String> = lines
            .map(|item| format!("{} × {}", item.quantity, item.product_id))
            .collect();
        lines.extend(self.text.clone());
        lines.join("\n")
    }
}

/// A filled-in form, a line a field; the token that only the channel needs is left out.
fn form(fields: &Value) -> String {
    let Some(fields) = fields.as_object() else {
        return fields.as_str().unwrap_or_default().to_owned();
    };
    let mut shown = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "flow_token") {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let _ = writeln!(shown, "{name}: {value}");
    }
    shown.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_something_to_write_down_is_written_down() {
        let cart = InboundContent::Cart(Cart {
            items: vec![CartItem {
                product_id: ProductId::from("aria"),
                quantity: 2,
            }],
            text: Some("presto!".to_owned()),
        });
        assert_eq!(cart.shown(), "2 × aria\npresto!");
        let place = |name: Option<&str>| {
            InboundContent::Location(Location {
                latitude: 45.0,
                longitude: 9.0,
                name: name.map(str::to_owned),
                address: None,
            })
        };
        assert_eq!(place(None).shown(), "45.00000, 9.00000");
        assert_eq!(place(Some("Duomo")).shown(), "Duomo");
        let form = InboundContent::Form {
            name: None,
            fields: json!({ "flow_token": "x", "rating": 5, "comment": "bene" }),
        };
        assert_eq!(form.shown(), "rating: 5\ncomment: bene");
        let silent = InboundContent::Revoke {
            message: "wamid.1".to_owned(),
        };
        assert!(silent.is_silent() && silent.shown().is_empty());
    }

    #[test]
    fn card_numbers_are_masked_in_every_kind() {
        let number = "4111 1111 1111 1111";
        let contents = [
            InboundContent::Text {
                text: number.to_owned(),
            },
            InboundContent::Choice {
                id: "row".to_owned(),
                title: number.to_owned(),
            },
            InboundContent::Media(Media {
                filename: Some(format!("{number}.pdf")),
                ..Media::default()
            }),
            InboundContent::Contacts {
                cards: vec![ContactCard {
                    name: Some(number.to_owned()),
                    phones: vec![number.to_owned()],
                    emails: Vec::new(),
                }],
                requested: false,
            },
            InboundContent::Form {
                name: None,
                fields: json!({ "field": { "deep": number } }),
            },
        ];
        for content in contents {
            let kept = serde_json::to_string(&content.masked()).unwrap();
            assert!(!kept.contains(number) && kept.contains("1111]"), "{kept}");
        }
    }

    #[test]
    fn every_kind_of_media_is_read_back_by_its_name() {
        for kind in [
            MediaKind::Image,
            MediaKind::AnimatedSticker,
            MediaKind::Voice,
        ] {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("hologram".parse::<MediaKind>().is_err());
    }
}
