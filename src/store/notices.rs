//! What a message that was just stored does beside waiting for its turn: it is said in the transcript, or
//! it changes or takes back an earlier one, moves its sender, or tells that a person answered elsewhere.
//!
//! Nothing here depends on the order in which a message and the notices about it arrive.

use super::desk::hold;
use super::dialect::{Connection, Row};
use super::rows::{json, number, optional_number, text};
use super::{StoreError, identity, media, raw};
use crate::domain::{Answer, ConversationId, Holder, Inbound, InboundContent, InboxId, ProductId};

/// The kind that a message has after it was taken back.
const REVOKED: &str = "revoked";

/// The beginning of an edit as it is kept, an echo's too.
const EDIT: &str = r#"%"type":"edit"%"#;

/// A message that was just stored.
pub(super) struct Received<'a> {
    pub id: &'a InboxId,
    pub conversation: &'a ConversationId,
    pub inbound: &'a Inbound,
    pub now: i64,
}

/// The channel's id of the message that a notice changes, takes back or reacts to.
pub(super) fn target(content: &InboundContent) -> Option<&str> {
    match content {
        InboundContent::Edit { message, .. }
        | InboundContent::Revoke { message }
        | InboundContent::Reaction { message, .. } => Some(message),
        InboundContent::Echo { content } => target(content),
        InboundContent::Text { .. }
        | InboundContent::Choice { .. }
        | InboundContent::Media(_)
        | InboundContent::Location(_)
        | InboundContent::Contacts { .. }
        | InboundContent::Cart(_)
        | InboundContent::Form { .. }
        | InboundContent::CallPermission { .. }
        | InboundContent::Moved(_)
        | InboundContent::Unreadable { .. }
        | InboundContent::Unknown { .. }
        | InboundContent::Silent { .. } => None,
    }
}

/// A channel delivers what it is not sure of again. What was taken back meanwhile is in the body of that
/// delivery, too.
pub(super) async fn came_again(
    connection: &mut Connection,
    inbound: &Inbound,
) -> Result<(), StoreError> {
    let original = target(&inbound.content).unwrap_or(&inbound.external_id);
    let revoked = sqlx::query(
        "SELECT i.received_at AS at FROM inbox i JOIN messages m ON m.id = i.id WHERE i.channel = $1 \
         AND i.recipient = $2 AND i.external_id = $3 AND m.revoked_at IS NOT NULL",
    )
    .bind(inbound.channel.name())
    .bind(&inbound.recipient)
    .bind(original)
    .fetch_optional(&mut *connection)
    .await?;
    match revoked {
        Some(row) => raw::forget(connection, original, number(&row, "at")?).await,
        None => Ok(()),
    }
}

impl Received<'_> {
    /// Does what the message does.
    pub async fn perform(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let content = &self.inbound.content;
        if let Some(original) = target(content) {
            return self.settle(connection, original).await;
        }
        if let InboundContent::Moved(moved) = content {
            let conversation = self.conversation.as_str();
            return identity::moved(connection, conversation, moved, self.now).await;
        }
        if let InboundContent::Echo { content } = content {
            if content.is_silent() {
                return Ok(());
            }
            self.answered_elsewhere(connection, content).await?;
        } else if content.is_silent() {
            return Ok(());
        } else {
            self.said(connection, "customer", content).await?;
            self.shared_phone(connection, content).await?;
        }
        self.settle(connection, &self.inbound.external_id).await
    }

    /// A customer without a phone may have told theirs because we asked.
    async fn shared_phone(
        &self,
        connection: &mut Connection,
        content: &InboundContent,
    ) -> Result<(), StoreError> {
        let InboundContent::Contacts {
            own_phone: Some(phone),
            ..
        } = content
        else {
            return Ok(());
        };
        if self.inbound.about.forwarded {
            return Ok(());
        }
        let conversation = self.conversation.as_str();
        identity::shared(connection, conversation, phone, self.now).await
    }

    /// A colleague wrote on the phone app: the bot is silent from now on. Our own messages are not news.
    async fn answered_elsewhere(
        &self,
        connection: &mut Connection,
        content: &InboundContent,
    ) -> Result<(), StoreError> {
        let ours = sqlx::query("SELECT 1 FROM outbox WHERE external_id = $1 LIMIT 1")
            .bind(&self.inbound.external_id)
            .fetch_optional(&mut *connection)
            .await?;
        if ours.is_some() {
            return Ok(());
        }
        self.said(connection, "human", content).await?;
        hold(connection, self.conversation, Holder::Human, self.now).await
    }

    async fn said(
        &self,
        connection: &mut Connection,
        speaker: &str,
        content: &InboundContent,
    ) -> Result<(), StoreError> {
        let (shown, body) = shown(content, speaker)?;
        sqlx::query(
            "INSERT INTO messages (id, conversation_id, speaker, text, body, at, quoted, product) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(self.id.as_str())
        .bind(self.conversation.as_str())
        .bind(speaker)
        .bind(shown)
        .bind(body)
        .bind(self.now)
        .bind(&self.inbound.about.reply_to)
        .bind(self.inbound.about.product.as_ref().map(ProductId::as_str))
        .execute(&mut *connection)
        .await?;
        let number = &self.inbound.recipient;
        media::wait_for(connection, self.id.as_str(), number, content, self.now).await
    }

    /// Brings a message to where all the notices about it leave it: taken back if one takes it back, else
    /// with the words of the latest edit.
    async fn settle(&self, connection: &mut Connection, original: &str) -> Result<(), StoreError> {
        let notices = self.notices(connection, original).await?;
        if notices.is_empty() {
            return Ok(());
        }
        let row = sqlx::query(
            "SELECT id, content FROM inbox WHERE channel = $1 AND recipient = $2 AND external_id = $3 \
             AND conversation_id = $4",
        )
        .bind(self.inbound.channel.name())
        .bind(&self.inbound.recipient)
        .bind(original)
        .bind(self.conversation.as_str())
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { return Ok(()) };
        let message = Original::read(&row)?;
        match message.end(notices) {
            End::Unchanged => Ok(()),
            End::Edited(content) => message.edit(connection, self, &content).await,
            End::Revoked => {
                message.revoke(connection, self.now).await?;
                self.forget_edits(connection, original).await?;
                let since = self.first(connection, original).await?;
                raw::forget(connection, original, since).await
            }
        }
    }

    /// When the message, or a notice about it, came first.
    async fn first(&self, connection: &mut Connection, original: &str) -> Result<i64, StoreError> {
        let mut first = self.now;
        for statement in [
            "SELECT MIN(received_at) AS at FROM inbox WHERE channel = $1 AND recipient = $2 AND external_id = $3",
            "SELECT MIN(received_at) AS at FROM inbox WHERE channel = $1 AND recipient = $2 AND target = $3 \
             AND target IS NOT NULL",
        ] {
            let row = sqlx::query(statement)
                .bind(self.inbound.channel.name())
                .bind(&self.inbound.recipient)
                .bind(original)
                .fetch_one(&mut *connection)
                .await?;
            first = first.min(optional_number(&row, "at")?.unwrap_or(first));
        }
        Ok(first)
    }

    async fn notices(
        &self,
        connection: &mut Connection,
        original: &str,
    ) -> Result<Vec<InboundContent>, StoreError> {
        let rows = sqlx::query(
            "SELECT content FROM inbox WHERE channel = $1 AND recipient = $2 AND target = $3 \
             AND target IS NOT NULL AND conversation_id = $4 ORDER BY sent_at, external_id",
        )
        .bind(self.inbound.channel.name())
        .bind(&self.inbound.recipient)
        .bind(original)
        .bind(self.conversation.as_str())
        .fetch_all(connection)
        .await?;
        rows.iter().map(|row| json(row, "content")).collect()
    }

    /// What was taken back is in no edit of it either.
    async fn forget_edits(
        &self,
        connection: &mut Connection,
        original: &str,
    ) -> Result<(), StoreError> {
        let emptied = InboundContent::Silent {
            kind: "edit".to_owned(),
        };
        sqlx::query(
            "UPDATE inbox SET content = $1 WHERE channel = $2 AND recipient = $3 AND target = $4 \
             AND target IS NOT NULL AND conversation_id = $5 AND content LIKE $6",
        )
        .bind(serde_json::to_string(&emptied)?)
        .bind(self.inbound.channel.name())
        .bind(&self.inbound.recipient)
        .bind(original)
        .bind(self.conversation.as_str())
        .bind(EDIT)
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// A message that notices are about.
struct Original {
    id: String,
    content: InboundContent,
}

/// Where the notices leave a message.
enum End {
    Unchanged,
    Edited(InboundContent),
    Revoked,
}

impl Original {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?,
            content: json(row, "content")?,
        })
    }

    fn is_echo(&self) -> bool {
        matches!(self.content, InboundContent::Echo { .. })
    }

    fn speaker(&self) -> &'static str {
        if self.is_echo() { "human" } else { "customer" }
    }

    /// Only who wrote a message changes it or takes it back.
    fn end(&self, notices: Vec<InboundContent>) -> End {
        let mut edited = None;
        for notice in notices {
            let (echo, notice) = if let InboundContent::Echo { content } = notice {
                (true, *content)
            } else {
                (false, notice)
            };
            if echo != self.is_echo() {
                continue;
            }
            if matches!(notice, InboundContent::Revoke { .. }) {
                return End::Revoked;
            }
            if let InboundContent::Edit { content, .. } = notice {
                edited = Some(*content);
            }
        }
        edited.map_or(End::Unchanged, End::Edited)
    }

    async fn edit(
        &self,
        connection: &mut Connection,
        received: &Received<'_>,
        content: &InboundContent,
    ) -> Result<(), StoreError> {
        let (shown, body) = shown(content, self.speaker())?;
        let kept = if self.is_echo() {
            InboundContent::Echo {
                content: Box::new(content.clone()),
            }
        } else {
            content.clone()
        };
        if kept == self.content {
            return Ok(());
        }
        self.write(connection, &kept, &shown, &body).await?;
        sqlx::query("UPDATE messages SET edited_at = $1 WHERE id = $2")
            .bind(received.now)
            .bind(&self.id)
            .execute(&mut *connection)
            .await?;
        let number = &received.inbound.recipient;
        media::wait_for(connection, &self.id, number, content, received.now).await
    }

    async fn revoke(&self, connection: &mut Connection, now: i64) -> Result<(), StoreError> {
        let gone = InboundContent::Silent {
            kind: REVOKED.to_owned(),
        };
        let kept = if self.is_echo() {
            InboundContent::Echo {
                content: Box::new(gone.clone()),
            }
        } else {
            gone.clone()
        };
        if kept == self.content {
            return Ok(());
        }
        let (_, body) = shown(&gone, self.speaker())?;
        self.write(connection, &kept, "", &body).await?;
        sqlx::query("UPDATE messages SET revoked_at = $1 WHERE id = $2")
            .bind(now)
            .bind(&self.id)
            .execute(&mut *connection)
            .await?;
        media::take_away(connection, &self.id, now).await
    }

    async fn write(
        &self,
        connection: &mut Connection,
        content: &InboundContent,
        shown: &str,
        body: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE inbox SET content = $1 WHERE id = $2")
            .bind(serde_json::to_string(content)?)
            .bind(&self.id)
            .execute(&mut *connection)
            .await?;
        sqlx::query("UPDATE messages SET text = $1, body = $2 WHERE id = $3")
            .bind(shown)
            .bind(body)
            .bind(&self.id)
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// The text and the body of a message in the transcript. What one of us said is an answer there.
fn shown(content: &InboundContent, speaker: &str) -> Result<(String, String), StoreError> {
    let shown = content.shown();
    if speaker == "customer" {
        return Ok((shown, serde_json::to_string(content)?));
    }
    let kind = content.kind().filter(|_| shown.is_empty());
    let said = kind.map_or(shown, |kind| format!("[{kind}]"));
    let body = serde_json::to_string(&Answer::text(said.as_str()))?;
    Ok((said, body))
}
