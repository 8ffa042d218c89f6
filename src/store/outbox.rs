//! What goes out: one row per message, marked `sending` before the channel is called.

use super::conversations::ConversationState;
use super::dialect::{Connection, Row};
use super::rows::{json, number, parsed, text};
use super::{Store, StoreError};
use crate::domain::{Answer, InboxId, Language, OutboxId, TurnId};
use crate::ports::Outgoing;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// Waits to be sent.
    Queued,
    /// The channel has accepted it.
    Sent,
    /// Certainly not sent, and never will be.
    Failed,
    /// Perhaps sent; a status may still tell.
    Unknown,
}

impl OutboxState {
    fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A row that was taken for sending.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// The message.
    pub message: Outgoing,
    /// Tries so far, this one included.
    pub attempts: i64,
}

pub(super) struct NewOutboxRow<'a> {
    pub state: &'a ConversationState,
    pub turn: Option<&'a TurnId>,
    pub language: Language,
    pub answer: &'a Answer,
    pub by_human: bool,
}

/// Adds what we say to the transcript.
pub(super) async fn say(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    awaiting: Option<&str>,
    now: i64,
) -> Result<String, StoreError> {
    let id = InboxId::new().0;
    sqlx::query(
        "INSERT INTO messages (id, conversation_id, turn_id, speaker, text, body, awaiting, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&id)
    .bind(message.state.id.as_str())
    .bind(message.turn.map(TurnId::as_str))
    .bind(if message.by_human { "human" } else { "agent" })
    .bind(&message.answer.text)
    .bind(serde_json::to_string(message.answer)?)
    .bind(awaiting)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(id)
}

/// Queues a message for the channel.
pub(super) async fn queue(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO outbox (id, conversation_id, turn_id, channel, sender, recipient, language, \
         answer, by_human, state, due_at, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $10, $10)",
    )
    .bind(OutboxId::new().0)
    .bind(message.state.id.as_str())
    .bind(message.turn.map(TurnId::as_str))
    .bind(message.state.channel.name())
    .bind(&message.state.recipient)
    .bind(&message.state.contact.address)
    .bind(message.language.code())
    .bind(serde_json::to_string(message.answer)?)
    .bind(i64::from(message.by_human))
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Rows that were being sent when the program died are queued again and marked as perhaps repeated.
    /// Call it once at start, before anything is sent. Returns how many there were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recover_outbox(&self, now: i64) -> Result<u64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                Ok(sqlx::query(
                    "UPDATE outbox SET state = 'queued', repeated = 1, due_at = $1 WHERE state = 'sending'",
                )
                .bind(now)
                .execute(connection)
                .await?
                .rows_affected())
            })
        })
        .await
    }

    /// Takes the next row to send and marks it `sending`. A conversation's rows go in order, one at a
    /// time.
    ///
    /// # Errors
    /// What the database says.
    pub async fn take_outgoing(&self, now: i64) -> Result<Option<OutboxRow>, StoreError> {
        let waiting =
            sqlx::query("SELECT 1 FROM outbox WHERE state = 'queued' AND due_at <= $1 LIMIT 1")
                .bind(now)
                .fetch_optional(&self.readers)
                .await?;
        if waiting.is_none() {
            return Ok(None);
        }
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "UPDATE outbox SET state = 'sending', attempts = attempts + 1, updated_at = $1 \
                     WHERE id = (SELECT o.id FROM outbox o WHERE o.state = 'queued' AND o.due_at <= $1 \
                     AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.conversation_id = o.conversation_id \
                     AND p.state IN ('queued', 'sending') AND p.id < o.id) ORDER BY o.id LIMIT 1) \
                     RETURNING id, sender, recipient, language, answer, attempts",
                )
                .bind(now)
                .fetch_optional(connection)
                .await?;
                row.as_ref().map(OutboxRow::read).transpose()
            })
        })
        .await
    }

    /// Records how sending ended. With [`OutboxState::Queued`] it is tried again at `due_at`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn record_sending(
        &self,
        id: &OutboxId,
        state: OutboxState,
        external_id: Option<String>,
        fault: Option<String>,
        due_at: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE outbox SET state = $1, external_id = COALESCE($2, external_id), fault = $3, \
                     due_at = $4, updated_at = $5 WHERE id = $6",
                )
                .bind(state.name())
                .bind(external_id)
                .bind(fault)
                .bind(due_at)
                .bind(now)
                .bind(id.as_str())
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

impl OutboxRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            message: Outgoing {
                id: text(row, "id")?.into(),
                sender: text(row, "sender")?,
                recipient: text(row, "recipient")?,
                answer: json(row, "answer")?,
                language: parsed(row, "language")?,
            },
            attempts: number(row, "attempts")?,
        })
    }
}
