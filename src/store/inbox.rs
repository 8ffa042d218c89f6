//! What came in: durable and free of duplicates before anything is acknowledged.

use sqlx::Row as _;

use super::conversations::{ensure, refer};
use super::dead_letters::{self, NewDeadLetter};
use super::deliveries::{self, Delivered};
use super::dialect::Connection;
use super::{Store, StoreError, channel, consent, notices};
use crate::domain::{
    ChannelChange, ConversationId, Inbound, InboundContent, InboxId, consent_word,
};

/// So long a conversation is free that an advertisement led to, milliseconds (Meta's free entry point).
const FREE_ENTRY: i64 = 72 * 60 * 60 * 1_000;

/// What a delivery brings, stored in one transaction.
#[derive(Debug, Clone, Default)]
pub struct Intake {
    /// The messages, each with the milliseconds to wait for more of a burst.
    pub messages: Vec<(Inbound, i64)>,
    /// What happened to messages of ours.
    pub deliveries: Vec<Delivered>,
    /// Everything else, kept as it is.
    pub events: Vec<Event>,
    /// What the channel says of us or of a customer's consent, kept and applied once.
    pub notices: Vec<Notice>,
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
        let taken = self
            .write(move |connection| {
                Box::pin(async move { take_in(connection, &intake, now).await })
            })
            .await?;
        self.tell_handed_over(taken.handed_over);
        Ok(taken.accepted)
    }
}

/// What became of an intake.
#[derive(Debug, Default)]
pub(super) struct TakenIn {
    pub accepted: Vec<Accepted>,
    /// Conversations that came to a person.
    pub handed_over: Vec<ConversationId>,
}

/// Works a delivery into contacts, conversations, transcripts and ledgers.
pub(super) async fn take_in(
    connection: &mut Connection,
    intake: &Intake,
    now: i64,
) -> Result<TakenIn, StoreError> {
    let mut taken = TakenIn::default();
    for (inbound, wait) in &intake.messages {
        let new = New {
            inbound,
            wait: *wait,
            patience: intake.patience,
            now,
        };
        taken.accepted.push(new.insert(connection).await?);
    }
    for delivery in &intake.deliveries {
        let handed_over = deliveries::accept(connection, delivery, now).await?;
        taken.handed_over.extend(handed_over);
    }
    for event in &intake.events {
        insert_event(connection, event, now).await?;
    }
    for notice in &intake.notices {
        if insert_event(connection, &notice.event, now).await? {
            channel::apply(connection, &notice.change, now).await?;
        }
    }
    for letter in &intake.dead_letters {
        dead_letters::insert(connection, letter, now).await?;
    }
    Ok(taken)
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
            notices::came_again(connection, self.inbound).await?;
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
        self.consent(connection, &conversation, &id).await?;
        self.schedule(connection, &conversation).await?;
        Ok(Accepted {
            id: Some(id),
            conversation,
        })
    }

    /// Words such as STOP count at once, whoever holds the conversation.
    async fn consent(
        &self,
        connection: &mut Connection,
        conversation: &ConversationId,
        id: &InboxId,
    ) -> Result<(), StoreError> {
        let words = self.inbound.content.words();
        let words = words.filter(|_| self.inbound.channel.is_sent());
        let Some(words) = words.filter(|words| consent_word(words).is_some()) else {
            return Ok(());
        };
        let contact: String = sqlx::query("SELECT contact_id FROM conversations WHERE id = $1")
            .bind(conversation.as_str())
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        consent::heard(connection, &contact, words, id, self.now).await?;
        Ok(())
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

    /// What a message changes in its conversation. A customer who writes can be answered for 24 hours, after
    /// an advertisement for 72, and is reachable; what the channel only tells about a customer opens nothing.
    async fn schedule(
        &self,
        connection: &mut Connection,
        conversation: &ConversationId,
    ) -> Result<(), StoreError> {
        let written_at = (!self.inbound.content.is_silent()).then(|| self.written_at());
        let referred = self.inbound.about.referral.is_some();
        let free_until = written_at
            .filter(|_| referred)
            .map(|written_at| written_at + FREE_ENTRY);
        sqlx::query(
            "UPDATE conversations SET due_at = $1, updated_at = $2, \
             last_inbound_at = CASE WHEN $3 IS NULL OR last_inbound_at > $3 THEN last_inbound_at ELSE $3 END, \
             free_until = CASE WHEN $4 IS NULL OR free_until > $4 THEN free_until ELSE $4 END \
             WHERE id = $5",
        )
        .bind(self.due(connection, conversation).await?)
        .bind(self.now)
        .bind(written_at)
        .bind(free_until)
        .bind(conversation.as_str())
        .execute(&mut *connection)
        .await?;
        if written_at.is_some() {
            sqlx::query(
                "UPDATE contacts SET undeliverable = 0 WHERE undeliverable > 0 \
                 AND id = (SELECT contact_id FROM conversations WHERE id = $1)",
            )
            .bind(conversation.as_str())
            .execute(connection)
            .await?;
        }
        Ok(())
    }

    /// When the customer wrote, milliseconds; never in the future.
    fn written_at(&self) -> i64 {
        let sent_at = self.inbound.sent_at.saturating_mul(1_000);
        if sent_at > 0 {
            sent_at.min(self.now)
        } else {
            self.now
        }
    }

    /// More of a burst postpones the turn, but not for ever. What is late comes with more of its kind.
    async fn due(
        &self,
        connection: &mut Connection,
        conversation: &ConversationId,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(received_at), MAX(ready_at) FROM inbox \
             WHERE conversation_id = $1 AND turn_id IS NULL",
        )
        .bind(conversation.as_str())
        .fetch_one(connection)
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
        Ok(due.max(ready.unwrap_or(due)))
    }
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
