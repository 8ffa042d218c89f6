//! Pages with the whole text of messages that a channel shortens.

use std::borrow::Cow;

use super::rows::{optional_parsed, text};
use super::{Store, StoreError};
use crate::domain::{Answer, Language};

/// From so many characters on, some form of a channel may be too small.
const LONG: usize = 900;

impl Store {
    /// The text of the message with this token, and its conversation's language.
    ///
    /// # Errors
    /// What the database says.
    pub async fn page(
        &self,
        token: &str,
    ) -> Result<Option<(String, Option<Language>)>, StoreError> {
        let row = sqlx::query(
            "SELECT m.text, v.language FROM messages m JOIN conversations v \
             ON v.id = m.conversation_id WHERE m.page = $1",
        )
        .bind(token)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| Ok((text(&row, "text")?, optional_parsed(&row, "language")?)))
            .transpose()
    }
}

/// A long answer with a token that cannot be guessed: 128 random bits.
pub(super) fn with_page(answer: &Answer) -> Cow<'_, Answer> {
    if answer.page.is_some() || answer.text.encode_utf16().count() <= LONG {
        return Cow::Borrowed(answer);
    }
    let mut paged = answer.clone();
    paged.page = Some(uuid::Uuid::new_v4().simple().to_string());
    Cow::Owned(paged)
}
