//! What was done to records of people. Only ever added to, and without the text of messages.

use serde::Serialize;
use serde_json::Value;

use super::dialect::{Connection, Row};
use super::rows::{json, number, text};
use super::{Store, StoreError};
use crate::domain::InboxId;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEntry {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Who did it: `channel`, `desk` or `operator`.
    pub actor: String,
    /// What, for example `contact_moved`.
    pub action: String,
    /// To which record, by its id.
    pub subject: String,
    /// What changed.
    pub details: Value,
}

impl Store {
    /// What was done to a record, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn audit_of(&self, subject: &str) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT at, actor, action, subject, details FROM audit WHERE subject = $1 ORDER BY id",
        )
        .bind(subject)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(AuditEntry::read).collect()
    }
}

impl AuditEntry {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            at: number(row, "at")?,
            actor: text(row, "actor")?,
            action: text(row, "action")?,
            subject: text(row, "subject")?,
            details: json(row, "details")?,
        })
    }
}

/// Notes what was done.
pub(super) async fn note(
    connection: &mut Connection,
    actor: &str,
    action: &str,
    subject: &str,
    details: &Value,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO audit (id, at, actor, action, subject, details) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(InboxId::new().0)
    .bind(now)
    .bind(actor)
    .bind(action)
    .bind(subject)
    .bind(details.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the same was noted of a record already.
pub(super) async fn is_noted(
    connection: &mut Connection,
    action: &str,
    subject: &str,
    details: &Value,
) -> Result<bool, StoreError> {
    let known = sqlx::query(
        "SELECT 1 FROM audit WHERE subject = $1 AND action = $2 AND details = $3 LIMIT 1",
    )
    .bind(subject)
    .bind(action)
    .bind(details.to_string())
    .fetch_optional(connection)
    .await?;
    Ok(known.is_some())
}
