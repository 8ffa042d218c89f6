//! What the desk sees and does.

use serde::Serialize;
use serde_json::Value;

use super::contacts::KnownContact;
use super::conversations::{CONVERSATION, ConversationState, QUOTED, holder, referral, speaker};
use super::dialect::{Connection, Row};
use super::outbox::{self, NewOutboxRow};
use super::rows::{json, number, optional_number, optional_text, text};
use super::tickets::Ticket;
use super::{Store, StoreError};
use crate::domain::{
    Answer, ConversationId, Holder, InboundContent, Lane, Language, ProductId, Referral, Speaker,
};

/// A conversation in the desk's list.
#[derive(Debug, Clone, Serialize)]
pub struct DeskOverview {
    /// Its id.
    pub id: ConversationId,
    /// Its channel.
    pub channel: String,
    /// The name the customer shows.
    pub name: Option<String>,
    /// The customer's address on the channel.
    pub address: String,
    /// The language.
    pub language: Option<String>,
    /// Who answers.
    pub holder: Holder,
    /// Why it came to the desk.
    pub reason: Option<String>,
    /// Since when it waits, milliseconds since 1970.
    pub waiting_since: Option<i64>,
    /// What was said last.
    pub last: Option<String>,
    /// When it last changed, milliseconds since 1970.
    pub updated_at: i64,
}

/// A conversation as the desk opens it.
#[derive(Debug, Clone, Serialize)]
pub struct DeskConversation {
    /// What the list shows.
    pub overview: DeskOverview,
    /// What a colleague needs to act.
    pub summary: Option<String>,
    /// The advertisement that led here.
    pub referral: Option<Referral>,
    /// The last triage, as the trace has it.
    pub triage: Option<Value>,
    /// The transcript, oldest first.
    pub messages: Vec<DeskMessage>,
    /// Its tickets, newest first.
    pub tickets: Vec<Ticket>,
    /// Contacts that a message has shown as perhaps the same person.
    pub perhaps: Vec<KnownContact>,
}

/// One message of a transcript.
#[derive(Debug, Clone, Serialize)]
pub struct DeskMessage {
    /// Its id; ids grow with time.
    pub id: String,
    /// Who said it.
    pub speaker: Speaker,
    /// The text.
    pub text: String,
    /// Of the agent and of people: the whole answer, with cards and buttons.
    pub answer: Option<Answer>,
    /// Of a customer: the kind of what is not simply words, for example `image`; `revoked` for what was
    /// taken back.
    pub kind: Option<String>,
    /// Since when it has other words than it was sent with, milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<i64>,
    /// Of a customer: the message that it quotes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<DeskQuote>,
    /// Of a customer: the product whose card it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductId>,
    /// The emoji with which the customer reacted to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
    /// The file that came with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media: Option<DeskMedia>,
    /// On a channel that sends: what became of what we said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeskDelivery>,
    /// Milliseconds since 1970.
    pub at: i64,
}

/// A message that another one quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskQuote {
    /// Its id.
    pub id: String,
    /// Who said it.
    pub speaker: Speaker,
    /// The text.
    pub text: String,
}

/// A file of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskMedia {
    /// `waiting` to be fetched, `stored`, `failed` or `gone`.
    pub state: String,
    /// What it is, read from its bytes.
    pub mime_type: Option<String>,
    /// The name of a document.
    pub filename: Option<String>,
    /// Why there is none.
    pub fault: Option<String>,
}

/// What became of a message that was to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeskDelivery {
    /// `queued`, `sending`, `sent`, `failed`, `unknown` (perhaps sent), or `held`: it stays a note, because the 24 hours
    /// are over.
    pub state: String,
    /// What the channel says: `sent`, `delivered`, `read`, `played` or `failed`; `expired` after 30 days without that.
    pub status: Option<String>,
    /// Whether the customer may have it twice, because the program died while it was being sent.
    pub repeated: bool,
    /// Why it was not sent.
    pub fault: Option<String>,
}

const OVERVIEW: &str = "SELECT v.id, v.channel, c.id AS contact_id, c.name, v.language, v.holder, v.referral, \
    CASE WHEN c.channel = 'whatsapp' THEN COALESCE(c.phone, c.user_id, c.address) ELSE c.address END \
    AS address, v.hand_off_reason, v.waiting_since, v.updated_at, v.summary, \
    (SELECT m.text FROM messages m WHERE m.conversation_id = v.id ORDER BY m.id DESC LIMIT 1) AS last \
    FROM conversations v JOIN contacts c ON c.id = v.contact_id";

/// The customer's last reaction to the message `m`, sent as `o` or received as `i`.
const REACTION: &str = "(SELECT r.content FROM inbox r WHERE r.channel = v.channel AND r.recipient = v.recipient \
    AND r.target IS NOT NULL AND r.target = COALESCE(o.external_id, i.external_id) \
    AND r.conversation_id = m.conversation_id AND r.content LIKE '{_type_:_reaction_%' \
    ORDER BY r.sent_at DESC, r.external_id DESC LIMIT 1)";

impl Store {
    /// The conversations a person holds, longest waiting first, then the others, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn desk(&self, limit: i64) -> Result<Vec<DeskOverview>, StoreError> {
        let mut rows = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{OVERVIEW} WHERE v.waiting_since IS NOT NULL ORDER BY v.waiting_since LIMIT $1"
        )))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let left = limit - i64::try_from(rows.len()).unwrap_or(limit);
        let others = sqlx::query(sqlx::AssertSqlSafe(format!(
            "{OVERVIEW} WHERE v.waiting_since IS NULL ORDER BY v.updated_at DESC LIMIT $1"
        )))
        .bind(left)
        .fetch_all(&self.readers)
        .await?;
        rows.extend(others);
        rows.iter().map(DeskOverview::read).collect()
    }

    /// How many conversations wait for a person.
    ///
    /// # Errors
    /// What the database says.
    pub async fn waiting(&self) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*) AS n FROM conversations WHERE waiting_since IS NOT NULL")
                .fetch_one(&self.readers)
                .await?;
        number(&row, "n")
    }

    /// A conversation with its transcript and tickets.
    ///
    /// # Errors
    /// What the database says.
    pub async fn desk_conversation(
        &self,
        id: &ConversationId,
    ) -> Result<Option<DeskConversation>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{OVERVIEW} WHERE v.id = $1")))
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let triage = self
            .turns(id, 1)
            .await?
            .into_iter()
            .next()
            .and_then(|turn| turn.trace.triage);
        Ok(Some(DeskConversation {
            overview: DeskOverview::read(&row)?,
            summary: optional_text(&row, "summary")?,
            referral: referral(&row)?,
            triage: triage.map(serde_json::to_value).transpose()?,
            messages: self.transcript(id, "", 200).await?,
            tickets: self.tickets(id).await?,
            perhaps: self.perhaps_same(&text(&row, "contact_id")?.into()).await?,
        }))
    }

    /// The last messages of a conversation after the message `after`, oldest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn transcript(
        &self,
        id: &ConversationId,
        after: &str,
        limit: i64,
    ) -> Result<Vec<DeskMessage>, StoreError> {
        let rows = sqlx::query(
            sqlx::AssertSqlSafe(format!("SELECT m.id, m.speaker, m.text, m.body, m.at, m.edited_at, m.product, \
             o.state, o.delivery, o.repeated, o.fault, f.state AS file_state, f.mime_type, f.filename, \
             f.fault AS file_fault, q.id AS quoted_id, q.speaker AS quoted_speaker, q.text AS quoted_text, \
             {REACTION} AS reaction FROM messages m JOIN conversations v ON v.id = m.conversation_id \
             LEFT JOIN outbox o ON o.message_id = m.id LEFT JOIN inbox i ON i.id = m.id \
             LEFT JOIN media f ON f.message_id = m.id {QUOTED} \
             WHERE m.conversation_id = $1 AND m.id > $2 ORDER BY m.id DESC LIMIT $3")),
        )
        .bind(id.as_str())
        .bind(after)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().rev().map(DeskMessage::read).collect()
    }

    /// Sends what a person writes; the conversation is theirs from then on.
    /// False when there is no such conversation.
    ///
    /// # Errors
    /// What the database says.
    pub async fn reply(
        &self,
        id: &ConversationId,
        written: String,
        now: i64,
    ) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(CONVERSATION)
                    .bind(id.as_str())
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(row) = row else { return Ok(false) };
                let state = ConversationState::read(&row)?;
                let message = NewOutboxRow {
                    state: &state,
                    turn: None,
                    language: state.language.unwrap_or(Language::EN),
                    answer: &Answer::text(written),
                    by_human: true,
                    regardless: true,
                };
                outbox::say(connection, &message, None, now).await?;
                hold(connection, &id, Holder::Human, now).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Gives a conversation to a person or back to the agent.
    ///
    /// # Errors
    /// What the database says.
    pub async fn set_holder(
        &self,
        id: &ConversationId,
        holder: Holder,
        now: i64,
    ) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            Box::pin(async move { hold(connection, &id, holder, now).await })
        })
        .await
    }
}

pub(super) async fn hold(
    connection: &mut Connection,
    id: &ConversationId,
    holder: Holder,
    now: i64,
) -> Result<(), StoreError> {
    let statement = match holder {
        Holder::Human => {
            "UPDATE conversations SET holder = 'human', updated_at = $1, \
             waiting_since = COALESCE(waiting_since, $1) WHERE id = $2"
        }
        Holder::Agent => {
            "UPDATE conversations SET holder = 'agent', updated_at = $1, waiting_since = NULL, \
             hand_off_reason = NULL, summary = NULL, misunderstood = 0, disclosed = 0 WHERE id = $2"
        }
    };
    if holder == Holder::Human {
        // What the agent still had to say is no longer its to say. A row that is being sent may yet
        // arrive, but is not tried again.
        sqlx::query(
            "UPDATE outbox SET withdrawn = 1, fault = 'a person took over', updated_at = $1, \
             state = CASE WHEN state = 'queued' THEN 'failed' ELSE state END \
             WHERE conversation_id = $2 AND lane = 'reply' AND by_human = 0 AND state IN ('queued', 'sending')",
        )
        .bind(now)
        .bind(id.as_str())
        .execute(&mut *connection)
        .await?;
        outbox::promote(connection, id.as_str(), Lane::Reply).await?;
    }
    sqlx::query(statement)
        .bind(now)
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

impl DeskOverview {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?.into(),
            channel: text(row, "channel")?,
            name: optional_text(row, "name")?,
            address: text(row, "address")?,
            language: optional_text(row, "language")?,
            holder: holder(&text(row, "holder")?),
            reason: optional_text(row, "hand_off_reason")?,
            waiting_since: optional_number(row, "waiting_since")?,
            last: optional_text(row, "last")?,
            updated_at: number(row, "updated_at")?,
        })
    }
}

impl DeskMessage {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let speaker = speaker(&text(row, "speaker")?);
        let (answer, kind) = if speaker == Speaker::Customer {
            let content = json::<InboundContent>(row, "body")?;
            (None, content.kind().map(str::to_owned))
        } else {
            (Some(json::<Answer>(row, "body")?), None)
        };
        Ok(Self {
            id: text(row, "id")?,
            speaker,
            text: text(row, "text")?,
            answer,
            kind,
            edited_at: optional_number(row, "edited_at")?,
            quoted: DeskQuote::read(row)?,
            product: optional_text(row, "product")?.map(ProductId),
            reaction: reaction(row)?,
            media: DeskMedia::read(row)?,
            delivery: DeskDelivery::read(row)?,
            at: number(row, "at")?,
        })
    }
}

/// The emoji of a reaction as it is kept; none when it was taken back.
fn reaction(row: &Row) -> Result<Option<String>, StoreError> {
    let Some(kept) = optional_text(row, "reaction")? else {
        return Ok(None);
    };
    if let InboundContent::Reaction { emoji, .. } = serde_json::from_str(&kept)? {
        return Ok(emoji);
    }
    Ok(None)
}

impl DeskQuote {
    fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(id) = optional_text(row, "quoted_id")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            id,
            speaker: speaker(&text(row, "quoted_speaker")?),
            text: text(row, "quoted_text")?,
        }))
    }
}

impl DeskMedia {
    fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(state) = optional_text(row, "file_state")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            state,
            mime_type: optional_text(row, "mime_type")?,
            filename: optional_text(row, "filename")?,
            fault: optional_text(row, "file_fault")?,
        }))
    }
}

impl DeskDelivery {
    fn read(row: &Row) -> Result<Option<Self>, StoreError> {
        let Some(state) = optional_text(row, "state")? else {
            return Ok(None);
        };
        Ok(Some(Self {
            state,
            status: optional_text(row, "delivery")?,
            repeated: number(row, "repeated")? != 0,
            fault: optional_text(row, "fault")?,
        }))
    }
}
