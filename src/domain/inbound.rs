//! What comes in from a customer: every kind of message, as plain values.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Cart, Channel, ContactCard, Location, Media, Moved, ProductId, Referral, mask_cards,
    mask_cards_in_value,
};

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
        /// E.164 phone of the sender, where the channel marks the card as the sender's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own_phone: Option<String>,
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

    /// The cart that it is.
    #[must_use]
    pub fn cart(&self) -> Option<&Cart> {
        if let Self::Cart(cart) = self {
            Some(cart)
        } else {
            None
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
        serde_json::from_value(value).unwrap_or_else(|_| {
            if let Self::Text { text } = &self {
                let text = mask_cards(text).text.into_owned();
                return Self::Text { text };
            }
            let kind = self.kind().unwrap_or("masked").to_owned();
            Self::Unreadable { kind }
        })
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
    use crate::domain::CartItem;

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
                own_phone: None,
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
}
