//! The ledger of consents: append-only, the latest of a purpose counts.

use uuid::Uuid;

use super::conversations::unsaid;
use super::dialect::Connection;
use super::rows::{number, parsed, text};
use super::{Store, StoreError, identity};
use crate::domain::{Channel, ConsentChange, ConsentState, ContactId, InboxId};

const LATEST: &str = "SELECT state, at FROM consents WHERE contact_id = $1 AND purpose = $2 \
    ORDER BY at DESC, id DESC LIMIT 1";

impl Store {
    /// Writes a yes or a no down. Returns whether it says something new.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_consent(
        &self,
        contact: &ContactId,
        change: ConsentChange,
        now: i64,
    ) -> Result<bool, StoreError> {
        let contact = contact.clone();
        self.write(move |connection| {
            Box::pin(async move { record(connection, contact.as_str(), &change, now).await })
        })
        .await
    }

    /// The latest word of a contact on a purpose.
    ///
    /// # Errors
    /// What the database says.
    pub async fn consent_of(
        &self,
        contact: &ContactId,
        purpose: &str,
    ) -> Result<Option<ConsentState>, StoreError> {
        let row = sqlx::query(LATEST)
            .bind(contact.as_str())
            .bind(purpose)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| parsed(&row, "state")).transpose()
    }

    /// What messages of a contact changed in the ledger, when one of them did; the last counts.
    ///
    /// # Errors
    /// What the database says.
    pub async fn consent_by(
        &self,
        contact: &ContactId,
        messages: &[InboxId],
    ) -> Result<Option<ConsentState>, StoreError> {
        for id in messages.iter().rev() {
            let row = sqlx::query(
                "SELECT state FROM consents WHERE contact_id = $1 AND proof = $2 \
                 ORDER BY at DESC, id DESC LIMIT 1",
            )
            .bind(contact.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
            if let Some(row) = row {
                return parsed(&row, "state").map(Some);
            }
        }
        Ok(None)
    }
}

/// Appends a word unless it repeats the one before. Times grow, so that the latest is never in doubt.
pub(super) async fn record(
    connection: &mut Connection,
    contact: &str,
    change: &ConsentChange,
    now: i64,
) -> Result<bool, StoreError> {
    let before = sqlx::query(LATEST)
        .bind(contact)
        .bind(&change.purpose)
        .fetch_optional(&mut *connection)
        .await?;
    let mut at = now;
    if let Some(row) = &before {
        if parsed::<ConsentState>(row, "state")? == change.state {
            return Ok(false);
        }
        at = at.max(number(row, "at")? + 1);
    }
    sqlx::query(
        "INSERT INTO consents (id, contact_id, purpose, state, source, shown, proof, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(format!("cs_{}", Uuid::now_v7().simple()))
    .bind(contact)
    .bind(&change.purpose)
    .bind(change.state.name())
    .bind(&change.source)
    .bind(&change.shown)
    .bind(&change.proof)
    .bind(at)
    .execute(connection)
    .await?;
    Ok(true)
}

/// The latest word, inside a transaction.
pub(super) async fn latest(
    connection: &mut Connection,
    contact: &str,
    purpose: &str,
) -> Result<Option<ConsentState>, StoreError> {
    let row = sqlx::query(LATEST)
        .bind(contact)
        .bind(purpose)
        .fetch_optional(connection)
        .await?;
    row.map(|row| parsed(&row, "state")).transpose()
}

/// Appends a word of someone the channel knows by these addresses, and makes the contact when nobody is:
/// a no must hold for who has not written yet. Returns whether it says something new.
pub(super) async fn record_by_address(
    connection: &mut Connection,
    addresses: &[String],
    change: &ConsentChange,
    now: i64,
) -> Result<bool, StoreError> {
    let mut contacts = Vec::new();
    for address in addresses {
        let rows = sqlx::query(
            "SELECT id FROM contacts WHERE channel = 'whatsapp' AND phone = $1 \
             UNION SELECT id FROM contacts WHERE channel = 'whatsapp' AND user_id = $1",
        )
        .bind(address)
        .fetch_all(&mut *connection)
        .await?;
        for row in &rows {
            let id = text(row, "id")?;
            if !contacts.contains(&id) {
                contacts.push(id);
            }
        }
    }
    if contacts.is_empty()
        && let Some(address) = addresses.first()
    {
        let is_phone = address.starts_with('+');
        let mut unheard = unsaid(Channel::Whatsapp, address, "", now);
        let known_by = if is_phone {
            &mut unheard.phone
        } else {
            &mut unheard.about.user_id
        };
        *known_by = Some(address.clone());
        let id = identity::contact(connection, &unheard, now).await?;
        contacts.push(id);
    }
    let mut new = false;
    for contact in &contacts {
        new |= record(connection, contact, change, now).await?;
    }
    Ok(new)
}

/// A whole message that stops or resumes is written down when it comes. A yes counts only after a no: a
/// greeting such as "start" is no consent.
pub(super) async fn heard(
    connection: &mut Connection,
    contact: &str,
    words: &str,
    proof: &InboxId,
    now: i64,
) -> Result<(), StoreError> {
    let Some(state) = crate::domain::consent_word(words) else {
        return Ok(());
    };
    let purpose = crate::domain::MARKETING;
    if state == ConsentState::Granted
        && latest(connection, contact, purpose).await? != Some(ConsentState::Revoked)
    {
        return Ok(());
    }
    let change = ConsentChange {
        shown: Some(words.trim().to_owned()),
        ..ConsentChange::marketing(state, "keyword", Some(proof.0.clone()))
    };
    record(connection, contact, &change, now).await?;
    Ok(())
}

/// The channel says by an error that the customer stopped marketing messages.
pub(super) fn by_channel(code: i64, proof: Option<String>) -> ConsentChange {
    ConsentChange::marketing(ConsentState::Revoked, &format!("error_{code}"), proof)
}
