//! What a person must look at, until it is over: one row per kind and subject.

use serde::Serialize;

use super::dialect::Connection;
use super::rows::{number, text};
use super::{Store, StoreError, remedies};

/// At most so many are shown.
const SHOWN: i64 = 50;

/// Something a person must look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// `number` (nothing is sent from it), `bulk` (its notifications pause), `template`, `payload`, …
    pub kind: String,
    /// Which number or template.
    pub subject: String,
    /// What the channel said.
    pub detail: String,
    /// How often it was said.
    pub times: i64,
    /// Since when, milliseconds since 1970.
    pub since: i64,
    /// When last.
    pub at: i64,
}

impl Store {
    /// What a person must look at, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn alerts(&self) -> Result<Vec<Alert>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, subject, detail, times, since, at FROM alerts ORDER BY at DESC, kind, subject LIMIT $1",
        )
        .bind(SHOWN)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Alert {
                    kind: text(row, "kind")?,
                    subject: text(row, "subject")?,
                    detail: text(row, "detail")?,
                    times: number(row, "times")?,
                    since: number(row, "since")?,
                    at: number(row, "at")?,
                })
            })
            .collect()
    }

    /// A person has dealt with it: the alert goes, and what it stopped goes on. False when there was none.
    ///
    /// # Errors
    /// What the database says.
    pub async fn clear_alert(
        &self,
        kind: &str,
        subject: &str,
        now: i64,
    ) -> Result<bool, StoreError> {
        let (kind, subject) = (kind.to_owned(), subject.to_owned());
        self.write(move |connection| {
            Box::pin(async move {
                if !clear(connection, &kind, &subject).await? {
                    return Ok(false);
                }
                release(connection, &kind, &subject, now).await?;
                Ok(true)
            })
        })
        .await
    }
}

async fn release(
    connection: &mut Connection,
    kind: &str,
    subject: &str,
    now: i64,
) -> Result<(), StoreError> {
    let statement = match kind {
        "number" => "UPDATE senders SET broken = NULL, probes = 0, probe_at = 0 WHERE id = $1",
        "bulk" => "UPDATE senders SET bulk_from = 0 WHERE id = $1",
        "template" => "DELETE FROM stopped_templates WHERE name = $1",
        _ => return Ok(()),
    };
    sqlx::query(statement)
        .bind(subject)
        .execute(&mut *connection)
        .await?;
    if kind == "number" {
        remedies::wake(connection, subject, now).await?;
    }
    Ok(())
}

/// Raises an alert, or counts it again.
pub(super) async fn raise(
    connection: &mut Connection,
    kind: &str,
    subject: &str,
    detail: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alerts (kind, subject, detail, times, since, at) VALUES ($1, $2, $3, 1, $4, $4) \
         ON CONFLICT (kind, subject) DO UPDATE SET detail = excluded.detail, times = alerts.times + 1, \
         at = excluded.at",
    )
    .bind(kind)
    .bind(subject)
    .bind(detail)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes an alert away.
pub(super) async fn clear(
    connection: &mut Connection,
    kind: &str,
    subject: &str,
) -> Result<bool, StoreError> {
    let gone = sqlx::query("DELETE FROM alerts WHERE kind = $1 AND subject = $2")
        .bind(kind)
        .bind(subject)
        .execute(connection)
        .await?
        .rows_affected();
    Ok(gone > 0)
}
