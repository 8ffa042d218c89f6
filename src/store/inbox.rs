//! What came in: durable and free of duplicates before anything is acknowledged.

use sqlx::Row as _;

use super::conversations::{ensure, refer};
use super::dead_letters::{self, NewDeadLetter};
use super::dialect::Connection;
use super::{Store, StoreError, notices};
use crate::domain::{ConversationId, Inbound, InboundContent, InboxId};

/// Everything of one delivery, stored in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    /// The raw body, card numbers masked; none for channels without one.
    pub raw: Option<String>,
    /// Why the body is kept aside, when it could not be read.
    pub fault: Option<String>,
    /// The messages, each with the milliseconds to wait for more of a burst.
    pub messages: Vec<(Inbound, i64)>,
    /// What happened to messages of ours.
    pub deliveries: Vec<Delivered>,
    /// Everything else, kept as it is.
    pub events: Vec<Event>,
    /// What cannot be worked on.
    pub dead_letters: Vec<NewDeadLetter>,
    /// How long turns wait, beyond the wait of each message.
    pub patience: Patience,
}

/// How long turns wait, milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Patience {
    /// At most so long after the first message of a burst; three times a message's own wait when absent.
    pub burst: Option<i64>,
    /// A message that was sent longer ago than this is late: it is answered only if it is its
    /// conversation's newest. Without it none is late.
    pub late: Option<i64>,
    /// So long the turn waits for a voice note to be written down; 0 where nobody does that.
    pub voice: i64,
}

/// A delivery status of a message of ours.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// Our number.
    pub recipient: String,
    /// Unique: message id and status.
    pub key: String,
    /// The channel's id of the message.
    pub external_id: String,
    /// Our outbox row, when the status carries it.
    pub outbox_id: Option<String>,
    /// `sent`, `delivered`, `read`, `failed`, …
    pub status: String,
    /// The raw item.
    pub body: String,
}

/// Something a channel says that is neither a message nor a status.
#[derive(Debug, Clone)]
pub struct Event {
    /// Our number, or empty.
    pub recipient: String,
    /// Unique per event.
    pub key: String,
    /// The channel's name of the kind.
    pub kind: String,
    /// The raw item.
    pub body: String,
}

/// A message that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Our id; none when it was stored before.
    pub id: Option<InboxId>,
    /// Its conversation.
    pub conversation: ConversationId,
}

impl Store {
    /// Stores a delivery. When this returns, the delivery survives a crash.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more; nothing is stored then.
    pub async fn accept(&self, intake: Intake, now: i64) -> Result<Vec<Accepted>, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                if let Some(raw) = &intake.raw {
                    insert_raw(connection, raw, intake.fault.as_deref(), now).await?;
                }
                let mut accepted = Vec::with_capacity(intake.messages.len());
                for (inbound, wait) in &intake.messages {
                    let new = New {
                        inbound,
                        wait: *wait,
                        patience: intake.patience,
                        now,
                    };
                    accepted.push(new.insert(connection).await?);
                }
                for delivery in &intake.deliveries {
                    insert_delivery(connection, delivery, now).await?;
                }
                for event in &intake.events {
                    insert_event(connection, event, now).await?;
                }
                for letter in &intake.dead_letters {
                    dead_letters::insert(connection, letter, now).await?;
                }
                Ok(accepted)
            })
        })
        .await
    }
}

async fn insert_raw(
    connection: &mut Connection,
    body: &str,
    fault: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO webhooks (id, received_at, body, fault) VALUES ($1, $2, $3, $4)")
        .bind(InboxId::new().0)
        .bind(now)
        .bind(body)
        .bind(fault)
        .execute(connection)
        .await?;
    Ok(())
}

/// A message that may be new.
struct New<'a> {
    inbound: &'a Inbound,
    wait: i64,
    patience: Patience,
    now: i64,
}

impl New<'_> {
    /// Looked for before anything else: what is known already must not bring back an address that its
    /// sender has given up since.
    async fn insert(&self, connection: &mut Connection) -> Result<Accepted, StoreError> {
        if let Some(conversation) = self.known(connection).await? {
            return Ok(Accepted {
                id: None,
                conversation,
            });
        }
        let inbound = self.inbound;
        let conversation = ensure(connection, inbound, self.now).await?;
        let id = InboxId::new();
        sqlx::query(
            "INSERT INTO inbox (id, channel, recipient, external_id, conversation_id, content, sent_at, \
             received_at, target, late, ready_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(id.as_str())
        .bind(inbound.channel.name())
        .bind(&inbound.recipient)
        .bind(&inbound.external_id)
        .bind(conversation.as_str())
        .bind(serde_json::to_string(&inbound.content)?)
        .bind(inbound.sent_at)
        .bind(self.now)
        .bind(notices::target(&inbound.content))
        .bind(i64::from(self.is_late()))
        .bind(self.ready_at())
        .execute(&mut *connection)
        .await?;
        let received = notices::Received {
            id: &id,
            conversation: &conversation,
            inbound,
            now: self.now,
        };
        received.perform(connection).await?;
        refer(connection, &conversation, inbound).await?;
        self.schedule(connection, &conversation).await?;
        Ok(Accepted {
            id: Some(id),
            conversation,
        })
    }

    async fn known(
        &self,
        connection: &mut Connection,
    ) -> Result<Option<ConversationId>, StoreError> {
        let row = sqlx::query(
            "SELECT conversation_id FROM inbox \
             WHERE channel = $1 AND recipient = $2 AND external_id = $3",
        )
        .bind(self.inbound.channel.name())
        .bind(&self.inbound.recipient)
        .bind(&self.inbound.external_id)
        .fetch_optional(connection)
        .await?;
        row.map(|row| Ok(ConversationId(row.try_get(0)?)))
            .transpose()
    }

    fn is_late(&self) -> bool {
        let age = self.now - self.inbound.sent_at.saturating_mul(1000);
        self.inbound.sent_at > 0 && self.patience.late.is_some_and(|late| age > late)
    }

    fn ready_at(&self) -> Option<i64> {
        let InboundContent::Media(media) = &self.inbound.content else {
            return None;
        };
        let is_awaited = media.kind.is_sound() && media.id.is_some() && self.patience.voice > 0;
        is_awaited.then(|| self.now + self.patience.voice)
    }

    /// More of a burst postpones the turn, but not for ever. What is late comes with more of its kind.
    async fn schedule(
        &self,
        connection: &mut Connection,
        conversation: &ConversationId,
    ) -> Result<(), StoreError> {
        let row = sqlx::query(
            "SELECT MIN(received_at), MAX(ready_at) FROM inbox \
             WHERE conversation_id = $1 AND turn_id IS NULL",
        )
        .bind(conversation.as_str())
        .fetch_one(&mut *connection)
        .await?;
        let first: Option<i64> = row.try_get(0)?;
        let ready: Option<i64> = row.try_get(1)?;
        let burst = self.patience.burst.unwrap_or(3 * self.wait);
        let wait = if self.is_late() {
            self.wait.max(burst)
        } else {
            self.wait
        };
        let due = (self.now + wait).min(first.unwrap_or(self.now) + burst);
        sqlx::query("UPDATE conversations SET due_at = $1, updated_at = $2 WHERE id = $3")
            .bind(due.max(ready.unwrap_or(due)))
            .bind(self.now)
            .bind(conversation.as_str())
            .execute(connection)
            .await?;
        Ok(())
    }
}

async fn insert_delivery(
    connection: &mut Connection,
    delivery: &Delivered,
    now: i64,
) -> Result<(), StoreError> {
    let event = Event {
        recipient: delivery.recipient.clone(),
        key: delivery.key.clone(),
        kind: "status".to_owned(),
        body: delivery.body.clone(),
    };
    if !insert_event(connection, &event, now).await? {
        return Ok(());
    }
    // A status only moves forward; `failed` is kept unless the message arrived all the same. It also tells
    // of a message that was perhaps sent that it was.
    sqlx::query(
        "UPDATE outbox SET delivery = $1, external_id = COALESCE(external_id, $2), updated_at = $3, \
         state = CASE WHEN state = 'unknown' OR (state = 'queued' AND repeated = 1) THEN 'sent' \
         ELSE state END \
         WHERE (external_id = $2 OR id = $4) AND \
         CASE $1 WHEN 'sent' THEN 1 WHEN 'failed' THEN 2 WHEN 'delivered' THEN 3 WHEN 'read' THEN 4 \
         WHEN 'played' THEN 4 ELSE 0 END > \
         CASE delivery WHEN 'sent' THEN 1 WHEN 'failed' THEN 2 WHEN 'delivered' THEN 3 \
         WHEN 'read' THEN 4 WHEN 'played' THEN 4 ELSE 0 END",
    )
    .bind(&delivery.status)
    .bind(&delivery.external_id)
    .bind(now)
    .bind(&delivery.outbox_id)
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_event(
    connection: &mut Connection,
    event: &Event,
    now: i64,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO events (recipient, key, kind, body, received_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (recipient, key) DO NOTHING",
    )
    .bind(&event.recipient)
    .bind(&event.key)
    .bind(&event.kind)
    .bind(&event.body)
    .bind(now)
    .execute(connection)
    .await?
    .rows_affected();
    Ok(inserted > 0)
}
