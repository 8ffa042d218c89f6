//! Claiming a conversation and closing a turn, fenced by the lease's epoch.

use sqlx::Row as _;

use super::claims::{Claim, load};
use super::conversations::{CONVERSATION, ConversationState};
use super::dialect::{Connection, Row};
use super::outbox::{self, NewOutboxRow};
use super::rows::{json, text};
use super::{Store, StoreError};
use crate::domain::{
    ConversationId, Holder, InboundContent, InboxId, Language, Outcome, TurnId, TurnTrace,
};

/// Everything that ends a turn, written in one transaction.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The turn.
    pub turn: TurnId,
    /// The conversation.
    pub conversation: ConversationId,
    /// The epoch under which it was claimed.
    pub epoch: i64,
    /// The messages it dealt with.
    pub consumed: Vec<InboxId>,
    /// The intent that was read in them.
    pub intent: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did.
    pub trace: TurnTrace,
    /// The conversation's language from now on.
    pub language: Language,
    /// Failures to understand in a row, this turn included.
    pub misunderstood: u32,
    /// Whether the answer told the customer that this is an AI.
    pub disclosed: bool,
}

/// A turn as it was recorded.
#[derive(Debug, Clone)]
pub struct TurnRecord {
    /// Its id.
    pub id: TurnId,
    /// How it ended.
    pub outcome: Outcome,
    /// What it did.
    pub trace: TurnTrace,
}

impl Store {
    /// Takes one conversation whose time has come and that nobody holds, for `lease` milliseconds.
    ///
    /// # Errors
    /// What the database says.
    pub async fn claim(
        &self,
        owner: &str,
        lease: i64,
        now: i64,
    ) -> Result<Option<Claim>, StoreError> {
        let due = sqlx::query(
            "SELECT 1 FROM conversations WHERE due_at <= $1 AND lease_until < $1 LIMIT 1",
        )
        .bind(now)
        .fetch_optional(&self.readers)
        .await?;
        if due.is_none() {
            return Ok(None);
        }
        let owner = owner.to_owned();
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(
                    "UPDATE conversations SET lease_owner = $1, lease_until = $2, \
                     lease_epoch = lease_epoch + 1, attempts = attempts + 1 WHERE id = ( \
                     SELECT id FROM conversations WHERE due_at <= $3 AND lease_until < $3 \
                     ORDER BY due_at, id LIMIT 1) RETURNING id, lease_epoch, attempts",
                )
                .bind(owner)
                .bind(now + lease)
                .bind(now)
                .fetch_optional(&mut *connection)
                .await?;
                match row {
                    Some(row) => load(connection, &row).await.map(Some),
                    None => Ok(None),
                }
            })
        })
        .await
    }

    /// The milliseconds at which the next conversation is due, when one is.
    ///
    /// # Errors
    /// What the database says.
    pub async fn next_due(&self) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(CASE WHEN lease_until > due_at THEN lease_until ELSE due_at END) \
             FROM conversations WHERE due_at IS NOT NULL",
        )
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// Records a turn: its outcome, its messages, what is to be sent and the conversation's new state.
    /// When a person has taken over meanwhile, the outcome is recorded as silent and nothing is sent.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when another worker has claimed the conversation since, or when this claim
    /// has ended already; nothing is recorded then.
    pub async fn close_turn(&self, closing: Closing, now: i64) -> Result<Outcome, StoreError> {
        self.write(move |connection| Box::pin(close(connection, closing, now)))
            .await
    }

    /// Gives a claimed conversation back to be tried again at `due_at`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn release(
        &self,
        conversation: &ConversationId,
        epoch: i64,
        due_at: i64,
    ) -> Result<(), StoreError> {
        let conversation = conversation.clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "UPDATE conversations SET lease_until = 0, due_at = $1 \
                     WHERE id = $2 AND lease_epoch = $3",
                )
                .bind(due_at)
                .bind(conversation.as_str())
                .bind(epoch)
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// Makes due now what is due or leased only after `limit`, as after a clock that was set back. Returns
    /// how many conversations there were.
    ///
    /// # Errors
    /// What the database says.
    pub async fn pull_back(&self, now: i64, limit: i64) -> Result<u64, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                Ok(sqlx::query(
                    "UPDATE conversations SET due_at = CASE WHEN due_at > $2 THEN $1 ELSE due_at END, \
                     lease_until = CASE WHEN lease_until > $2 THEN 0 ELSE lease_until END \
                     WHERE due_at > 0 AND (due_at > $2 OR lease_until > $2)",
                )
                .bind(now)
                .bind(limit)
                .execute(connection)
                .await?
                .rows_affected())
            })
        })
        .await
    }

    /// Ends every lease, of conversations and of rows that were being sent. Only for a process that owns the database alone, at its start.
    ///
    /// # Errors
    /// What the database says.
    pub async fn recover_leases(&self) -> Result<(), StoreError> {
        self.write(|connection| {
            Box::pin(async move {
                sqlx::query("UPDATE conversations SET lease_until = 0 WHERE lease_until > 0")
                    .execute(&mut *connection)
                    .await?;
                sqlx::query(
                    "UPDATE outbox SET lease_until = 0 WHERE state = 'sending' AND lease_until > 0",
                )
                .execute(connection)
                .await?;
                Ok(())
            })
        })
        .await
    }

    /// The last turns of a conversation, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn turns(
        &self,
        conversation: &ConversationId,
        limit: i64,
    ) -> Result<Vec<TurnRecord>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, outcome, trace FROM turns WHERE conversation_id = $1 ORDER BY id DESC LIMIT $2",
        )
        .bind(conversation.as_str())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(TurnRecord::read).collect()
    }

    /// What customers sent in a conversation, by the turn that took it, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn taken(
        &self,
        conversation: &ConversationId,
    ) -> Result<Vec<(TurnId, InboundContent)>, StoreError> {
        let rows = sqlx::query(
            "SELECT turn_id, content FROM inbox WHERE conversation_id = $1 AND turn_id IS NOT NULL ORDER BY id",
        )
        .bind(conversation.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((TurnId(text(row, "turn_id")?), json(row, "content")?)))
            .collect()
    }

    /// The turn that took a message; none before it ended.
    ///
    /// # Errors
    /// What the database says.
    pub async fn turn_that_took(
        &self,
        message: &InboxId,
    ) -> Result<Option<TurnRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT t.id, t.outcome, t.trace FROM inbox i JOIN turns t ON t.id = i.turn_id WHERE i.id = $1",
        )
        .bind(message.as_str())
        .fetch_optional(&self.readers)
        .await?;
        row.as_ref().map(TurnRecord::read).transpose()
    }
}

impl TurnRecord {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?.into(),
            outcome: json(row, "outcome")?,
            trace: json(row, "trace")?,
        })
    }
}

async fn close(
    connection: &mut Connection,
    closing: Closing,
    now: i64,
) -> Result<Outcome, StoreError> {
    let row = sqlx::query(CONVERSATION)
        .bind(closing.conversation.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let row = row.ok_or(StoreError::Stale)?;
    let state = ConversationState::read(&row)?;
    let held = state.holder == Holder::Human && closing.outcome.answer().is_some();
    let outcome = if held {
        Outcome::Silent {
            reason: "a person took the conversation over".to_owned(),
        }
    } else {
        closing.outcome.clone()
    };
    update_conversation(connection, &closing, &outcome, now).await?;
    record(connection, &closing, &outcome, now).await?;
    if let Some(answer) = outcome.answer() {
        let awaiting = match &outcome {
            Outcome::Answered { awaiting, .. } => awaiting.clone(),
            Outcome::HandedOff { .. } | Outcome::Silent { .. } => None,
        };
        let message = NewOutboxRow {
            state: &state,
            turn: Some(&closing.turn),
            language: closing.language,
            answer,
            by_human: false,
            regardless: matches!(outcome, Outcome::HandedOff { .. }),
        };
        outbox::say(connection, &message, awaiting.as_deref(), now).await?;
    }
    Ok(outcome)
}

async fn update_conversation(
    connection: &mut Connection,
    closing: &Closing,
    outcome: &Outcome,
    now: i64,
) -> Result<(), StoreError> {
    let (reason, summary) = match outcome {
        Outcome::HandedOff {
            reason, summary, ..
        } => (Some(reason.name()), Some(summary.as_str())),
        Outcome::Answered { .. } | Outcome::Silent { .. } => (None, None),
    };
    let updated = sqlx::query(
        "UPDATE conversations SET lease_until = 0, attempts = 0, language = $1, misunderstood = $2, \
         disclosed = CASE WHEN $3 = 1 THEN 1 ELSE disclosed END, \
         disclosed_at = CASE WHEN $3 = 1 THEN $4 ELSE disclosed_at END, updated_at = $4, \
         holder = CASE WHEN $5 IS NULL THEN holder ELSE 'human' END, \
         waiting_since = CASE WHEN $5 IS NULL THEN waiting_since ELSE COALESCE(waiting_since, $4) END, \
         hand_off_reason = COALESCE($5, hand_off_reason), summary = COALESCE($6, summary) \
         WHERE id = $7 AND lease_epoch = $8 AND lease_until > 0",
    )
    .bind(closing.language.code())
    .bind(i64::from(closing.misunderstood))
    .bind(i64::from(closing.disclosed && outcome.answer().is_some()))
    .bind(now)
    .bind(reason)
    .bind(summary)
    .bind(closing.conversation.as_str())
    .bind(closing.epoch)
    .execute(connection)
    .await?
    .rows_affected();
    if updated == 0 {
        Err(StoreError::Stale)
    } else {
        Ok(())
    }
}

async fn record(
    connection: &mut Connection,
    closing: &Closing,
    outcome: &Outcome,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO turns (id, conversation_id, epoch, outcome, trace, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(closing.turn.as_str())
    .bind(closing.conversation.as_str())
    .bind(closing.epoch)
    .bind(serde_json::to_string(outcome)?)
    .bind(serde_json::to_string(&closing.trace)?)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    for id in &closing.consumed {
        let taken = sqlx::query("UPDATE inbox SET turn_id = $1 WHERE id = $2 AND turn_id IS NULL")
            .bind(closing.turn.as_str())
            .bind(id.as_str())
            .execute(&mut *connection)
            .await?
            .rows_affected();
        if taken == 0 {
            return Err(StoreError::Stale);
        }
        sqlx::query("UPDATE messages SET turn_id = $1, intent = $2 WHERE id = $3")
            .bind(closing.turn.as_str())
            .bind(&closing.intent)
            .bind(id.as_str())
            .execute(&mut *connection)
            .await?;
    }
    // What arrived during the turn is due at once.
    sqlx::query(
        "UPDATE conversations SET due_at = CASE WHEN EXISTS (SELECT 1 FROM inbox \
         WHERE conversation_id = $1 AND turn_id IS NULL) THEN $2 ELSE NULL END WHERE id = $1",
    )
    .bind(closing.conversation.as_str())
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}
