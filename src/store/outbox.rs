//! What goes out: one row per message, in one of two lanes. `sending` takes them from here.

use super::conversations::{CONVERSATION, ConversationState};
use super::dialect::{Connection, Row};
use super::rows::{number, optional_text, parsed, text};
use super::{Store, StoreError, pages};
use crate::domain::{
    Answer, ConversationId, InboxId, Lane, Language, MessageCategory, OutboxId, TurnId,
};
use crate::ports::Outgoing;

/// Stands for a row's secret wherever its words are kept.
pub(super) const SECRET: &str = "[code]";

/// A row that was taken for sending, under a lease.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// The message.
    pub message: Outgoing,
    /// Its conversation.
    pub conversation: ConversationId,
    /// Tries so far, this one included.
    pub attempts: i64,
    /// The fence: what became of it is recorded under this epoch only.
    pub epoch: i64,
    /// Until when it is this sender's, milliseconds since 1970.
    pub lease_until: i64,
}

/// Something that is said without being asked: a notification, a template, a campaign.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// To whom.
    pub conversation: ConversationId,
    /// The words as the transcript shows them; what is sent, too, when there is no template.
    pub answer: Answer,
    /// The language of the words.
    pub language: Language,
    /// Which queue it waits in.
    pub lane: Lane,
    /// What it is to the channel's rules.
    pub category: MessageCategory,
    /// Whether it goes as the answer's template from the start, not only when the window is over.
    pub as_template: bool,
}

#[derive(Clone, Copy)]
pub(super) struct NewOutboxRow<'a> {
    pub state: &'a ConversationState,
    pub turn: Option<&'a TurnId>,
    pub language: Language,
    pub answer: &'a Answer,
    pub by_human: bool,
    /// Goes although a person holds the conversation.
    pub regardless: bool,
}

/// Says a message: in the transcript, and in the queue of a channel that sends.
pub(super) async fn say(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    awaiting: Option<&str>,
    now: i64,
) -> Result<(), StoreError> {
    let reply = Kind {
        lane: Lane::Reply,
        category: MessageCategory::Service,
        as_template: false,
    };
    say_as(connection, message, &reply, awaiting, now).await?;
    Ok(())
}

/// Says a message of any kind; its row, on a channel that sends.
pub(super) async fn say_as(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    kind: &Kind,
    awaiting: Option<&str>,
    now: i64,
) -> Result<Option<OutboxId>, StoreError> {
    if !message.state.channel.is_sent() {
        write_down(connection, message, awaiting, now).await?;
        return Ok(None);
    }
    let answer = pages::with_page(message.answer);
    let message = NewOutboxRow {
        answer: &answer,
        ..*message
    };
    let said = write_down(connection, &message, awaiting, now).await?;
    insert(connection, &message, &said, kind, now)
        .await
        .map(Some)
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

/// What sets a row apart from a reply.
pub(super) struct Kind {
    pub lane: Lane,
    pub category: MessageCategory,
    pub as_template: bool,
}

/// The first row that waits in a conversation's lane is its head; only heads are looked at.
async fn insert(
    connection: &mut Connection,
    message: &NewOutboxRow<'_>,
    said: &InboxId,
    kind: &Kind,
    now: i64,
) -> Result<OutboxId, StoreError> {
    let id = OutboxId::new();
    let template = message.answer.template.as_ref();
    let template = template.filter(|_| kind.as_template);
    let template = template.map(serde_json::to_string).transpose()?;
    sqlx::query("INSERT INTO senders (id) VALUES ($1) ON CONFLICT (id) DO NOTHING")
        .bind(&message.state.recipient)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO outbox (id, conversation_id, turn_id, channel, sender, recipient, language, \
         answer, by_human, state, due_at, created_at, updated_at, message_id, lane, category, template, \
         regardless, head) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $10, $10, $11, $12, $13, $14, $15, \
         CASE WHEN EXISTS (SELECT 1 FROM outbox w WHERE w.conversation_id = $2 AND w.lane = $12 \
         AND w.state IN ('queued', 'sending') AND w.capped = 0) THEN 0 ELSE 1 END)",
    )
    .bind(id.as_str())
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
    .bind(kind.lane.name())
    .bind(kind.category.name())
    .bind(template)
    .bind(i64::from(message.regardless))
    .execute(connection)
    .await?;
    Ok(id)
}

/// Makes the first row that waits in a conversation's lane its head. Called whenever a row ends. A row that waits
/// for a day because of a cap holds up nobody. What was secret of rows that have ended is forgotten.
pub(super) async fn promote(
    connection: &mut Connection,
    conversation: &str,
    lane: Lane,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE outbox SET head = 1 WHERE id = (SELECT w.id FROM outbox w WHERE w.conversation_id = $1 \
         AND w.lane = $2 AND w.state IN ('queued', 'sending') AND w.capped = 0 ORDER BY w.id LIMIT 1)",
    )
    .bind(conversation)
    .bind(lane.name())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE outbox SET secret = NULL WHERE conversation_id = $1 AND secret IS NOT NULL \
         AND state NOT IN ('queued', 'sending')",
    )
    .bind(conversation)
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Says something that nobody asked for: in the transcript, and in the queue. None when there is no such
    /// conversation, or when its channel sends nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn announce(
        &self,
        announcement: Announcement,
        now: i64,
    ) -> Result<Option<OutboxId>, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(CONVERSATION)
                    .bind(announcement.conversation.as_str())
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let state = ConversationState::read(&row)?;
                if !state.channel.is_sent() {
                    return Ok(None);
                }
                let message = NewOutboxRow {
                    state: &state,
                    turn: None,
                    language: announcement.language,
                    answer: &announcement.answer,
                    by_human: false,
                    regardless: false,
                };
                let kind = Kind {
                    lane: announcement.lane,
                    category: announcement.category,
                    as_template: announcement.as_template,
                };
                say_as(connection, &message, &kind, None, now).await
            })
        })
        .await
    }
}

impl OutboxRow {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        let secret = optional_text(row, "secret")?;
        let revealed = |kept: String| match &secret {
            Some(secret) => kept.replace(SECRET, secret),
            None => kept,
        };
        let mut answer: Answer = serde_json::from_str(&revealed(text(row, "answer")?))?;
        // A template may lie ready that is not used while free words may be sent.
        answer.template = optional_text(row, "template")?
            .map(|template| serde_json::from_str(&revealed(template)))
            .transpose()?;
        Ok(Self {
            message: Outgoing {
                id: text(row, "id")?.into(),
                sender: text(row, "sender")?,
                recipient: text(row, "recipient")?,
                answer,
                language: parsed(row, "language")?,
                upload: number(row, "media_tries")? > 0,
            },
            conversation: text(row, "conversation_id")?.into(),
            attempts: number(row, "attempts")?,
            epoch: number(row, "epoch")?,
            lease_until: number(row, "lease_until")?,
        })
    }
}
