//! What may come with or instead of words: files, places, cards, baskets, and the advertisement that led here.

use serde::{Deserialize, Serialize};

use super::ProductId;

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

impl Location {
    pub(super) fn shown(&self) -> String {
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
    pub(super) fn shown(&self) -> String {
        let parts = self.name.iter().chain(&self.phones).chain(&self.emails);
        let parts: Vec<&str> = parts.map(String::as_str).collect();
        parts.join(", ")
    }
}

impl Cart {
    pub(super) fn shown(&self) -> String {
        let lines = self.items.iter();
        let mut lines: Vec<String> = lines
            .map(|item| format!("{} × {}", item.quantity, item.product_id))
            .collect();
        lines.extend(self.text.clone());
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
