//! What goes out: one row per message, marked `sending` before the channel is called.

use super::conversations::ConversationState;
use super::dialect::{Connection, Row};
use super::rows::{json, number, parsed, text};
use super::{Store, StoreError, notify, pages};
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

#[derive(Clone, Copy)]
pub(super) struct NewOutboxRow<'a> {
    pub state: &'a ConversationState,
    pub turn: Option<&'a TurnId>,
    pub language: Language,
    pub answer: &'a Answer,
    pub by_human: bool,
}

/// Says a message: in the transcript, and in the queue of a channel that sends.
pub(super) async fn say(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    awaiting: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    if !message.state.channel.is_sent() {
        write_down(connection, message, awaiting, now).await?;
        return Ok(());
    }
    let answer = pages::with_page(message.answer);
    let message = NewOutboxRow {
        answer: &answer,
        ..*message
    };
    let id = write_down(connection, &message, awaiting, now).await?;
    queue(connection, &message, &id, now).await
}

async fn write_down(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    awaiting: Option<&str>,
    now: i64,
) -> Result<InboxId, StoreError> {
    let id = InboxId::new();
    sqlx::query(
        "INSERT INTO messages (id, conversation_id, turn_id, speaker, text, body, awaiting, at, page) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.as_str())
    .bind(message.state.id.as_str())
    .bind(message.turn.map(TurnId::as_str))
    .bind(if message.by_human { "human" } else { "agent" })
    .bind(&message.answer.text)
    .bind(serde_json::to_string(message.answer)?)
    .bind(awaiting)
    .bind(now)
    .bind(&message.answer.page)
    .execute(connection)
    .await?;
    Ok(id)
}

async fn queue(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    said: &InboxId,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO outbox (id, conversation_id, turn_id, channel, sender, recipient, language, \
         answer, by_human, state, due_at, created_at, updated_at, message_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $10, $10, $11)",
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
    .bind(said.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Rows that were being sent when the program died are queued again and marked as perhaps repeated,
    /// except those of which a status told, or which a person withdrew. Call it once at start, before anything is sent. Returns how many there were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recover_outbox(&self, now: i64) -> Result<u64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                Ok(sqlx::query(
                    "UPDATE outbox SET due_at = $1, updated_at = $1, \
                     repeated = CASE WHEN delivery IS NULL AND withdrawn = 0 THEN 1 ELSE repeated END, \
                     state = CASE WHEN delivery IS NOT NULL THEN 'sent' \
                     WHEN withdrawn = 1 THEN 'unknown' ELSE 'queued' END WHERE state = 'sending'",
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
                     AND p.state IN ('queued', 'sending') AND p.id < o.id) \
                     ORDER BY o.due_at, o.id LIMIT 1) \
                     RETURNING id, sender, recipient, language, answer, attempts, conversation_id",
                )
                .bind(now)
                .fetch_optional(&mut *connection)
                .await?;
                let Some(row) = row else { return Ok(None) };
                let conversation = text(&row, "conversation_id")?;
                let mut taken = OutboxRow::read(&row)?;
                let gate = notify::gate(connection, &mut taken.message, &conversation, now).await?;
                let (state, due, fault) = match gate {
                    notify::Gate::Open => return Ok(Some(taken)),
                    notify::Gate::Held { until, fault } => (OutboxState::Queued, until, fault),
                    notify::Gate::Closed { fault } => (OutboxState::Failed, now, fault),
                };
                put_back(connection, &taken.message.id, state, due, fault).await?;
                Ok(None)
            })
        })
        .await
    }

    /// Records how sending ended. With [`OutboxState::Queued`] it is tried again at `due_at`, unless a
    /// person has taken over meanwhile. A row that is not being sent stays as it is.
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
                    "UPDATE outbox SET external_id = COALESCE($2, external_id), \
                     state = CASE WHEN $1 = 'queued' AND withdrawn = 1 THEN 'failed' \
                     WHEN $1 = 'unknown' AND delivery IS NOT NULL THEN 'sent' ELSE $1 END, \
                     fault = CASE WHEN $1 = 'queued' AND withdrawn = 1 THEN fault ELSE $3 END, \
                     due_at = $4, updated_at = $5 WHERE id = $6 AND state = 'sending'",
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

/// A row that was taken and may not go.
async fn put_back(
    connection: &mut Connection,
    id: &OutboxId,
    state: OutboxState,
    due: i64,
    fault: String,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET state = $1, due_at = $2, fault = $3, attempts = attempts - 1 WHERE id = $4",
    )
    .bind(state.name())
    .bind(due)
    .bind(fault)
    .bind(id.as_str())
    .execute(connection)
    .await?;
    Ok(())
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
