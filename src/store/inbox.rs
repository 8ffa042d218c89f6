//! What came in: durable and free of duplicates before anything is acknowledged.

use sqlx::Row as _;

use super::conversations::ensure;
use super::deliveries::{self, Delivered};
use super::dialect::Connection;
use super::{Store, StoreError, channel, consent};
use crate::domain::{
    ChannelChange, ConversationId, HistoryEntry, Inbound, InboundContent, InboxId,
};

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
    /// What the channel says of us or of a customer's consent, kept and applied once.
    pub notices: Vec<Notice>,
}

/// An event that changes something.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The event as it is kept.
    pub event: Event,
    /// What it changes.
    pub change: ChannelChange,
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
                    accepted.push(insert_message(connection, inbound, *wait, now).await?);
                }
                for delivery in &intake.deliveries {
                    deliveries::accept(connection, delivery, now).await?;
                }
                for event in &intake.events {
                    insert_event(connection, event, now).await?;
                }
                for notice in &intake.notices {
                    if insert_event(connection, &notice.event, now).await? {
                        channel::apply(connection, &notice.change, now).await?;
                    }
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

async fn insert_message(
    connection: &mut Connection,
    inbound: &Inbound,
    wait: i64,
    now: i64,
) -> Result<Accepted, StoreError> {
    let conversation = ensure(connection, inbound, now).await?;
    let id = InboxId::new();
    let content = serde_json::to_string(&inbound.content)?;
    let inserted = sqlx::query(
        "INSERT INTO inbox (id, channel, recipient, external_id, conversation_id, content, sent_at, \
         received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (channel, recipient, external_id) DO NOTHING",
    )
    .bind(id.as_str())
    .bind(inbound.channel.name())
    .bind(&inbound.recipient)
    .bind(&inbound.external_id)
    .bind(conversation.as_str())
    .bind(&content)
    .bind(inbound.sent_at)
    .bind(now)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if inserted == 0 {
        return Ok(Accepted {
            id: None,
            conversation,
        });
    }
    if !matches!(inbound.content, InboundContent::Silent { .. }) {
        say(
            connection,
            &conversation,
            id.as_str(),
            &inbound.content,
            &content,
            now,
        )
        .await?;
    }
    if let Some(words) = inbound.content.words()
        && inbound.channel.is_sent()
    {
        let contact: String = sqlx::query("SELECT contact_id FROM conversations WHERE id = $1")
            .bind(conversation.as_str())
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        consent::heard(connection, &contact, words, &id, now).await?;
    }
    open_window(connection, &conversation, inbound, now).await?;
    schedule(connection, &conversation, now, wait).await?;
    Ok(Accepted {
        id: Some(id),
        conversation,
    })
}

async fn say(
    connection: &mut Connection,
    conversation: &ConversationId,
    id: &str,
    content: &InboundContent,
    body: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO messages (id, conversation_id, speaker, text, body, at) \
         VALUES ($1, $2, 'customer', $3, $4, $5)",
    )
    .bind(id)
    .bind(conversation.as_str())
    .bind(HistoryEntry::customer(content, now).text)
    .bind(body)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// A customer who writes can be answered for 24 hours, and is reachable. What the channel only tells about a customer
/// opens nothing.
async fn open_window(
    connection: &mut Connection,
    conversation: &ConversationId,
    inbound: &Inbound,
    now: i64,
) -> Result<(), StoreError> {
    if matches!(inbound.content, InboundContent::Silent { .. }) {
        return Ok(());
    }
    let sent_at = inbound.sent_at.saturating_mul(1_000);
    let written_at = if sent_at > 0 { sent_at.min(now) } else { now };
    sqlx::query(
        "UPDATE conversations SET last_inbound_at = $1 \
         WHERE id = $2 AND (last_inbound_at IS NULL OR last_inbound_at < $1)",
    )
    .bind(written_at)
    .bind(conversation.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE contacts SET undeliverable = 0 WHERE undeliverable > 0 \
         AND id = (SELECT contact_id FROM conversations WHERE id = $1)",
    )
    .bind(conversation.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// More of a burst postpones the turn, but never beyond three times the wait after its first message.
async fn schedule(
    connection: &mut Connection,
    conversation: &ConversationId,
    now: i64,
    wait: i64,
) -> Result<(), StoreError> {
    let first: Option<i64> = sqlx::query(
        "SELECT MIN(received_at) FROM inbox WHERE conversation_id = $1 AND turn_id IS NULL",
    )
    .bind(conversation.as_str())
    .fetch_one(&mut *connection)
    .await?
    .try_get(0)?;
    let due = (now + wait).min(first.unwrap_or(now) + 3 * wait);
    sqlx::query("UPDATE conversations SET due_at = $1, updated_at = $2 WHERE id = $3")
        .bind(due)
        .bind(now)
        .bind(conversation.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps an event; false when it was known.
pub(super) async fn insert_event(
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
