//! Who agreed to what: a ledger that only grows. The latest row of a customer and a purpose holds.

use uuid::Uuid;

use super::dialect::Connection;
use super::rows::{number, optional_text, text};
use super::{Store, StoreError};
use crate::domain::ContactId;

/// The purpose of messages that advertise.
pub const MARKETING: &str = "marketing";

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Whose.
    pub contact: ContactId,
    /// To what, for example [`MARKETING`].
    pub purpose: String,
    /// Granted, or revoked.
    pub granted: bool,
    /// Where it came from, for example `keyword`, `preferences`, `error 131050`, `desk`.
    pub source: String,
    /// The text the customer was shown, when there was one.
    pub shown: Option<String>,
    /// What proves it, for example the id of the message.
    pub proof: Option<String>,
    /// When, milliseconds since 1970.
    pub at: i64,
}

impl Store {
    /// Adds an entry.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_consent(&self, consent: Consent) -> Result<(), StoreError> {
        self.write(move |connection| Box::pin(async move { record(connection, &consent).await }))
            .await
    }

    /// A customer's entries, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn consents(&self, contact: &ContactId) -> Result<Vec<Consent>, StoreError> {
        let rows = sqlx::query(
            "SELECT purpose, state, source, shown, proof, at FROM consents WHERE contact_id = $1 ORDER BY id",
        )
        .bind(contact.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Consent {
                    contact: contact.clone(),
                    purpose: text(row, "purpose")?,
                    granted: text(row, "state")? == "granted",
                    source: text(row, "source")?,
                    shown: optional_text(row, "shown")?,
                    proof: optional_text(row, "proof")?,
                    at: number(row, "at")?,
                })
            })
            .collect()
    }
}

/// Adds an entry in the transaction at hand.
pub(super) async fn record(
    connection: &mut Connection,
    consent: &Consent,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO consents (id, contact_id, purpose, state, source, shown, proof, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(format!("cs_{}", Uuid::now_v7().simple()))
    .bind(consent.contact.as_str())
    .bind(&consent.purpose)
    .bind(if consent.granted {
        "granted"
    } else {
        "revoked"
    })
    .bind(&consent.source)
    .bind(&consent.shown)
    .bind(&consent.proof)
    .bind(consent.at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a customer agrees to a purpose now: silence is no.
pub(super) async fn granted(
    connection: &mut Connection,
    contact: &str,
    purpose: &str,
) -> Result<bool, StoreError> {
    let latest = sqlx::query(
        "SELECT state FROM consents WHERE contact_id = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1",
    )
    .bind(contact)
    .bind(purpose)
    .fetch_optional(connection)
    .await?;
    Ok(match latest {
        Some(row) => text(&row, "state")? == "granted",
        None => false,
    })
}

/// The channel says that the customer stopped marketing messages.
pub(super) async fn revoke_by_channel(
    connection: &mut Connection,
    contact: &str,
    code: i64,
    now: i64,
) -> Result<(), StoreError> {
    let consent = Consent {
        contact: contact.into(),
        purpose: MARKETING.to_owned(),
        granted: false,
        source: format!("error {code}"),
        shown: None,
        proof: None,
        at: now,
    };
    record(connection, &consent).await
}
