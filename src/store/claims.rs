//! What a worker reads of the conversation that it has claimed.

use super::StoreError;
use super::conversations::{CONVERSATION, ConversationState, QUOTED, speaker};
use super::dialect::{Connection, Row};
use super::rows::{json, number, optional_text, text};
use crate::domain::{
    Answer, History, HistoryEntry, InboundContent, InboxId, ProductId, Reference, Speaker,
};

/// So many entries of a conversation are read back for a turn.
const HISTORY: i64 = 40;

/// A conversation that this worker holds, with what waits in it.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The conversation as it stood when it was claimed.
    pub state: ConversationState,
    /// The fence: a write with another epoch is refused.
    pub epoch: i64,
    /// How often this work was begun, this time included.
    pub attempts: i64,
    /// What waits, oldest first.
    pub pending: Vec<PendingMessage>,
    /// What was said before.
    pub history: History,
    /// What it is about beside its words.
    pub reference: Reference,
    /// Whether all that waits came late, and something newer was dealt with before.
    pub outdated: bool,
}

/// A message that waits for a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct PendingMessage {
    /// Its id.
    pub id: InboxId,
    /// The channel's id of it.
    pub external_id: String,
    /// What was sent.
    pub content: InboundContent,
    /// When it was received, milliseconds since 1970.
    pub received_at: i64,
}

/// Everything that a worker needs of the conversation it has claimed.
pub(super) async fn load(connection: &mut Connection, claimed: &Row) -> Result<Claim, StoreError> {
    let id = text(claimed, "id")?;
    let row = sqlx::query(CONVERSATION)
        .bind(&id)
        .fetch_one(&mut *connection)
        .await?;
    let state = ConversationState::read(&row)?;
    let rows = sqlx::query(
        "SELECT id, external_id, content, received_at, late FROM inbox \
         WHERE conversation_id = $1 AND turn_id IS NULL ORDER BY sent_at, id",
    )
    .bind(&id)
    .fetch_all(&mut *connection)
    .await?;
    let pending = rows
        .iter()
        .map(|row| {
            Ok(PendingMessage {
                id: text(row, "id")?.into(),
                external_id: text(row, "external_id")?,
                content: json(row, "content")?,
                received_at: number(row, "received_at")?,
            })
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    let mut late = true;
    for row in &rows {
        late &= number(row, "late")? != 0;
    }
    Ok(Claim {
        reference: reference(connection, &pending).await?,
        outdated: late && !pending.is_empty() && !has_newest(connection, &id, &pending).await?,
        history: history(connection, &id).await?,
        state,
        epoch: number(claimed, "lease_epoch")?,
        attempts: number(claimed, "attempts")?,
        pending,
    })
}

/// Whether the customer's newest message is among those that wait.
async fn has_newest(
    connection: &mut Connection,
    conversation: &str,
    pending: &[PendingMessage],
) -> Result<bool, StoreError> {
    let newest = sqlx::query(
        "SELECT i.id FROM inbox i JOIN messages m ON m.id = i.id \
         WHERE i.conversation_id = $1 AND m.speaker = 'customer' \
         ORDER BY i.sent_at DESC, i.id DESC LIMIT 1",
    )
    .bind(conversation)
    .fetch_optional(connection)
    .await?;
    let Some(newest) = newest else {
        return Ok(true);
    };
    let newest = text(&newest, "id")?;
    Ok(pending.iter().any(|message| message.id.as_str() == newest))
}

/// What the last of the messages that is about another one, or about a product, is about.
async fn reference(
    connection: &mut Connection,
    pending: &[PendingMessage],
) -> Result<Reference, StoreError> {
    for message in pending.iter().rev() {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!(
            "SELECT m.product, q.speaker, q.text, q.body, q.intent, q.awaiting, q.at FROM messages m \
             JOIN conversations v ON v.id = m.conversation_id {QUOTED} WHERE m.id = $1"
        )))
        .bind(message.id.as_str())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { continue };
        let is_quoted = optional_text(&row, "speaker")?.is_some();
        let quoted = if is_quoted { Some(entry(&row)?) } else { None };
        let reference = Reference {
            quoted: quoted.filter(|quoted| !quoted.text.is_empty() || !quoted.products.is_empty()),
            product: optional_text(&row, "product")?.map(ProductId),
        };
        if !reference.is_empty() {
            return Ok(reference);
        }
    }
    Ok(Reference::default())
}

async fn history(connection: &mut Connection, conversation: &str) -> Result<History, StoreError> {
    let rows = sqlx::query(
        "SELECT m.speaker, m.text, m.body, m.intent, m.awaiting, m.at FROM messages m \
         WHERE m.conversation_id = $1 AND NOT EXISTS ( \
         SELECT 1 FROM inbox i WHERE i.id = m.id AND i.turn_id IS NULL) \
         ORDER BY m.id DESC LIMIT $2",
    )
    .bind(conversation)
    .bind(HISTORY)
    .fetch_all(connection)
    .await?;
    let entries = rows
        .iter()
        .rev()
        .map(entry)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(History { entries })
}

fn entry(row: &Row) -> Result<HistoryEntry, StoreError> {
    let speaker = speaker(&text(row, "speaker")?);
    let products = if speaker == Speaker::Customer {
        Vec::new()
    } else {
        json::<Answer>(row, "body")?
            .products
            .into_iter()
            .map(|card| card.id)
            .collect()
    };
    Ok(HistoryEntry {
        speaker,
        text: text(row, "text")?,
        products,
        intent: optional_text(row, "intent")?,
        awaiting: optional_text(row, "awaiting")?,
        at: number(row, "at")? / 1000,
    })
}
