//! Meta's limits on what a message holds, and text that is made to fit them.
//!
//! Lengths are counted in UTF-16 units, which is never less than the characters Meta counts, and text is
//! shortened between graphemes, with an ellipsis.

use std::collections::HashSet;

use unicode_segmentation::UnicodeSegmentation;

use super::FormError;

/// A text message.
pub const TEXT: usize = 4096;
/// The body of an interactive message.
pub const BODY: usize = 1024;
/// The body of a list.
pub const LIST_BODY: usize = 4096;
/// The body of a carousel's card.
pub const CARD_BODY: usize = 160;
/// A header of text.
pub const HEADER: usize = 60;
/// A footer.
pub const FOOTER: usize = 60;
/// What stands below a picture.
pub const CAPTION: usize = 1024;
/// Reply buttons in a message.
pub const BUTTONS: usize = 3;
/// A reply button's id.
pub const BUTTON_ID: usize = 256;
/// What a button says.
pub const BUTTON_TITLE: usize = 20;
/// Sections of a list or of products.
pub const SECTIONS: usize = 10;
/// What a section says.
pub const SECTION_TITLE: usize = 24;
/// Rows of a list, over all its sections.
pub const ROWS: usize = 10;
/// A row's id.
pub const ROW_ID: usize = 200;
/// What a row says.
pub const ROW_TITLE: usize = 24;
/// What a row says below its title.
pub const ROW_DESCRIPTION: usize = 72;
/// Products of a message, over all its sections.
pub const PRODUCTS: usize = 30;
/// A link behind a button.
pub const LINK: usize = 2000;
/// What the button of a flow says.
pub const FLOW_BUTTON: usize = 30;
/// Cards of a carousel.
pub const CARDS: std::ops::RangeInclusive<usize> = 2..=10;
/// Contact cards of a message, by the specification; the documents say 257.
pub const CONTACTS: usize = 5;
/// The data that comes back with a status.
pub const OPAQUE: usize = 512;
/// Buttons of a template.
pub const TEMPLATE_BUTTONS: u8 = 10;
/// A template's parameter; Meta refuses line breaks, tabs and more than four spaces in a row in one.
pub const PARAMETER: usize = 1024;
/// What a coupon's button copies.
pub const COUPON: usize = 20;

/// How long Meta thinks a text is, at most.
#[must_use]
pub fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text, or its beginning with an ellipsis.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    if length(text) <= limit {
        return text.to_owned();
    }
    let mut room = limit.saturating_sub(1);
    let kept: usize = text
        .graphemes(true)
        .take_while(|grapheme| match room.checked_sub(length(grapheme)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .map(str::len)
        .sum();
    format!("{}…", text[..kept].trim_end())
}

/// Text that fits and says something: WhatsApp refuses an empty one.
#[must_use]
pub fn filled(text: &str, limit: usize) -> String {
    if text.trim().is_empty() {
        "…".to_owned()
    } else {
        shorten(text, limit)
    }
}

/// Text on one line; a price keeps its unbreakable space.
#[must_use]
pub fn title(text: &str, limit: usize) -> String {
    let words = text.split(|character: char| character == ' ' || character.is_control());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    filled(&line, limit)
}

/// Titles given out so far: WhatsApp refuses two that are alike.
#[derive(Debug, Default)]
pub struct Titles(HashSet<String>);

impl Titles {
    /// The text on one line, with a number behind it when another title reads like it.
    pub fn unique(&mut self, text: &str, limit: usize) -> String {
        let plain = title(text, limit);
        if self.0.insert(plain.to_lowercase()) {
            return plain;
        }
        (2..)
            .map(|number| {
                let suffix = format!(" ({number})");
                format!("{}{suffix}", title(text, limit - length(&suffix)))
            })
            .find(|numbered| self.0.insert(numbered.to_lowercase()))
            .unwrap_or(plain)
    }
}

/// An id as it is, when it can come back whole.
pub(super) fn id(what: &'static str, text: &str, limit: usize) -> Result<String, FormError> {
    let text = text.trim();
    if text.is_empty() {
        Err(FormError::Empty(what))
    } else if length(text) > limit {
        Err(FormError::Long { what, limit })
    } else {
        Ok(text.to_owned())
    }
}

/// Whether there are as many as WhatsApp takes.
pub(super) fn count(
    what: &'static str,
    found: usize,
    allowed: std::ops::RangeInclusive<usize>,
) -> Result<(), FormError> {
    if allowed.contains(&found) {
        Ok(())
    } else {
        Err(FormError::Count {
            what,
            found,
            least: *allowed.start(),
            most: *allowed.end(),
        })
    }
}

/// Whether each id is there once.
pub(super) fn distinct<'a>(
    what: &'static str,
    ids: impl IntoIterator<Item = &'a str>,
) -> Result<(), FormError> {
    let mut seen = HashSet::new();
    if ids.into_iter().all(|id| seen.insert(id)) {
        Ok(())
    } else {
        Err(FormError::Repeated(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_between_graphemes() {
        assert_eq!(shorten("caffè macchiato", 7), "caffè…");
        assert_eq!(shorten("👩‍👩‍👧👩‍👩‍👧", 12), "👩‍👩‍👧…");
        assert_eq!(shorten("👩‍👩‍👧", 4), "…");
        assert_eq!(length(&shorten(&"è".repeat(5_000), TEXT)), TEXT);
    }

    #[test]
    fn ids_and_counts_that_do_not_fit_are_refused() {
        assert_eq!(id("an id", "  ", 5), Err(FormError::Empty("an id")));
        assert_eq!(id("an id", " abc ", 5).as_deref(), Ok("abc"));
        assert!(id("an id", "abcdef", 5).is_err());
        assert!(count("rows", 11, 1..=10).is_err());
        assert_eq!(count("rows", 10, 1..=10), Ok(()));
        assert!(distinct("ids", ["a", "b", "a"]).is_err());
    }
}
