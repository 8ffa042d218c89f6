//! Messages that we begin: once under a key, inside the day as text, else as a template; and what is checked
//! again when they are sent.

use super::conversations::{CONVERSATION, ConversationState, ensure, unsaid};
use super::dialect::Connection;
use super::fitting::{Unfit, fits};
use super::outbox::{self, Kind, NewOutboxRow};
use super::rows::{optional_number, text};
use super::{Store, StoreError, gate};
use crate::domain::{
    Answer, Channel, ConversationId, Inbound, Lane, Language, MessageCategory, TemplateMessage,
};

/// A message that we begin.
#[derive(Debug, Clone)]
pub struct Notification {
    /// Said once under this key.
    pub key: String,
    /// The number of ours.
    pub sender: String,
    /// E.164 phone of the customer.
    pub phone: String,
    /// The language.
    pub language: Language,
    /// What is said, with the template that says it when the window is closed.
    pub answer: Answer,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notified {
    /// It is in the outbox.
    Queued {
        /// Its conversation.
        conversation: ConversationId,
        /// Whether it goes as a template.
        template: bool,
    },
    /// It was said before under this key.
    Before {
        /// Its conversation.
        conversation: ConversationId,
    },
    /// The window is closed and there is no template that may be sent.
    NoTemplate(String),
    /// The template sells, and the customer has not said yes.
    NoConsent,
}

impl Store {
    /// Says a message that we begin, once. Free text inside the window, else its template.
    ///
    /// # Errors
    /// What the database says.
    pub async fn notify(
        &self,
        notification: Notification,
        now: i64,
    ) -> Result<Notified, StoreError> {
        self.write(move |connection| Box::pin(say(connection, notification, now)))
            .await
    }
}

async fn say(
    connection: &mut Connection,
    notification: Notification,
    now: i64,
) -> Result<Notified, StoreError> {
    let before = sqlx::query("SELECT conversation_id FROM notifications WHERE key = $1")
        .bind(&notification.key)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(row) = before {
        let conversation = ConversationId(text(&row, "conversation_id")?);
        return Ok(Notified::Before { conversation });
    }
    let (phone, sender) = (&notification.phone, &notification.sender);
    let opened = Inbound {
        phone: Some(phone.clone()),
        ..unsaid(Channel::Whatsapp, phone, sender, now)
    };
    let conversation = ensure(connection, &opened, now).await?;
    let row = sqlx::query(CONVERSATION)
        .bind(conversation.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let state = ConversationState::read(&row)?;
    let as_template = !window_open(connection, conversation.as_str(), now).await?;
    let mut category = MessageCategory::Service;
    if as_template {
        let Some(template) = &notification.answer.template else {
            return Ok(Notified::NoTemplate("it has none".to_owned()));
        };
        category = match fits(connection, template, state.contact.id.as_str()).await? {
            Ok(category) => category,
            Err(unfit) => return Ok(not_notified(template, unfit)),
        };
    }
    let message = NewOutboxRow {
        state: &state,
        turn: None,
        language: notification.language,
        answer: &notification.answer,
        by_human: false,
        regardless: false,
    };
    let kind = Kind {
        lane: Lane::Bulk,
        category,
        as_template,
    };
    outbox::say_as(connection, &message, &kind, None, now).await?;
    sqlx::query("INSERT INTO notifications (key, conversation_id, at) VALUES ($1, $2, $3)")
        .bind(&notification.key)
        .bind(conversation.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(Notified::Queued {
        conversation,
        template: as_template,
    })
}

fn not_notified(template: &TemplateMessage, unfit: Unfit) -> Notified {
    match unfit {
        Unfit::NoConsent => Notified::NoConsent,
        Unfit::NotUsable => Notified::NoTemplate(format!(
            "`{}` ({}) is not approved",
            template.name, template.language
        )),
    }
}

/// Whether free words may be sent.
pub(super) async fn window_open(
    connection: &mut Connection,
    conversation: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT last_inbound_at, free_until FROM conversations WHERE id = $1")
        .bind(conversation)
        .fetch_one(connection)
        .await?;
    let last = optional_number(&row, "last_inbound_at")?;
    let free = optional_number(&row, "free_until")?;
    Ok(gate::window_is_open(last, free, now))
}
