//! What came in and could not be worked on, with the reason, until somebody has it tried again.

use serde::Serialize;

use super::dialect::{Connection, Row};
use super::rows::{number, optional_number, text};
use super::{Store, StoreError};
use crate::domain::InboxId;

/// What could not be worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDeadLetter {
    /// Our number, or empty.
    pub recipient: String,
    /// The same for the same thing in every delivery; unique together with the number.
    pub key: String,
    /// Why; quotes nothing of it.
    pub reason: String,
    /// What came, as it may be stored.
    pub body: String,
}

/// A dead letter as it lies there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// Our number, or empty.
    pub recipient: String,
    /// Why it lies there.
    pub reason: String,
    /// What came.
    pub body: String,
    /// When it came, milliseconds since 1970.
    pub received_at: i64,
    /// How often it was tried again.
    pub replays: i64,
    /// When that worked, milliseconds since 1970.
    pub replayed_at: Option<i64>,
}

impl Store {
    /// The letters that still lie there, oldest first; with `all` also those that were replayed.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead_letters(&self, all: bool, limit: i64) -> Result<Vec<DeadLetter>, StoreError> {
        let statement = if all {
            "SELECT * FROM dead_letters WHERE id > '' ORDER BY id LIMIT $1"
        } else {
            "SELECT * FROM dead_letters WHERE replayed_at IS NULL AND id > '' ORDER BY id LIMIT $1"
        };
        let rows = sqlx::query(statement)
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(DeadLetter::read).collect()
    }

    /// One letter.
    ///
    /// # Errors
    /// What the database says.
    pub async fn dead_letter(&self, id: &str) -> Result<Option<DeadLetter>, StoreError> {
        let row = sqlx::query("SELECT * FROM dead_letters WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(DeadLetter::read).transpose()
    }

    /// Notes that a letter was tried again: done, or why it still cannot be worked on.
    ///
    /// # Errors
    /// What the database says.
    pub async fn letter_replayed(
        &self,
        id: &str,
        reason: Option<String>,
        now: i64,
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE dead_letters SET replays = replays + 1, reason = COALESCE($1, reason), \
                     replayed_at = CASE WHEN $1 IS NULL THEN $2 ELSE NULL END WHERE id = $3",
                )
                .bind(reason)
                .bind(now)
                .bind(id)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

impl DeadLetter {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?,
            recipient: text(row, "recipient")?,
            reason: text(row, "reason")?,
            body: text(row, "body")?,
            received_at: number(row, "received_at")?,
            replays: number(row, "replays")?,
            replayed_at: optional_number(row, "replayed_at")?,
        })
    }
}

/// Lays a letter down, once.
pub(super) async fn insert(
    connection: &mut Connection,
    letter: &NewDeadLetter,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO dead_letters (id, recipient, key, reason, body, received_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (recipient, key) DO NOTHING",
    )
    .bind(InboxId::new().0)
    .bind(&letter.recipient)
    .bind(&letter.key)
    .bind(&letter.reason)
    .bind(&letter.body)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
