//! Messages that we begin: once under a key, inside the day as text, else as a template; and what is checked
//! again when they are sent.

use sqlx::Row as _;

use super::conversations::{CONVERSATION, ConversationState, ensure};
use super::dialect::Connection;
use super::outbox::{self, NewOutboxRow};
use super::rows::text;
use super::{Store, StoreError, channel, consent};
use crate::domain::{
    Answer, Channel, ConsentState, ConversationId, Inbound, InboundContent, Language, MARKETING,
};
use crate::ports::Outgoing;

/// Free text may be sent so long after the customer's last message, milliseconds.
const WINDOW: i64 = 24 * 60 * 60 * 1000;
/// A number that may not send is looked at again after this time, milliseconds.
const HELD: i64 = 60_000;

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
    let opened = Inbound {
        channel: Channel::Whatsapp,
        recipient: notification.sender.clone(),
        external_id: String::new(),
        sender: notification.phone.clone(),
        phone: Some(notification.phone.clone()),
        name: None,
        sent_at: now / 1000,
        content: InboundContent::Silent {
            kind: "opened".to_owned(),
        },
    };
    let conversation = ensure(connection, &opened, now).await?;
    let row = sqlx::query(CONVERSATION)
        .bind(conversation.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let state = ConversationState::read(&row)?;
    let template = !window_open(connection, conversation.as_str(), now).await?;
    if template {
        let contact = state.contact.id.as_str();
        match allowed(connection, &notification.answer, contact).await? {
            Allowed::Yes => {}
            Allowed::NoTemplate(why) => return Ok(Notified::NoTemplate(why)),
            Allowed::NoConsent => return Ok(Notified::NoConsent),
        }
    }
    let message = NewOutboxRow {
        state: &state,
        turn: None,
        language: notification.language,
        answer: &notification.answer,
        by_human: false,
    };
    outbox::say(connection, &message, None, now).await?;
    sqlx::query("INSERT INTO notifications (key, conversation_id, at) VALUES ($1, $2, $3)")
        .bind(&notification.key)
        .bind(conversation.as_str())
        .bind(now)
        .execute(connection)
        .await?;
    Ok(Notified::Queued {
        conversation,
        template,
    })
}

/// Whether the customer wrote within the day.
pub(super) async fn window_open(
    connection: &mut Connection,
    conversation: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let last: Option<i64> = sqlx::query(
        "SELECT MAX(at) FROM messages WHERE conversation_id = $1 AND speaker = 'customer'",
    )
    .bind(conversation)
    .fetch_one(connection)
    .await?
    .try_get(0)?;
    Ok(last.is_some_and(|last| last > now - WINDOW))
}

enum Allowed {
    Yes,
    NoTemplate(String),
    NoConsent,
}

/// Whether an answer's template may be sent to a contact: approved by the channel and, when it sells, with
/// the contact's yes.
async fn allowed(
    connection: &mut Connection,
    answer: &Answer,
    contact: &str,
) -> Result<Allowed, StoreError> {
    let Some(template) = &answer.template else {
        return Ok(Allowed::NoTemplate("it has none".to_owned()));
    };
    let (name, language) = (&template.name, &template.language);
    let known = channel::known_template(connection, name, language).await?;
    let Some(known) = known.filter(channel::ChannelTemplate::usable) else {
        return Ok(Allowed::NoTemplate(format!(
            "`{name}` ({language}) is not approved"
        )));
    };
    if known.needs_consent()
        && consent::latest(connection, contact, MARKETING).await? != Some(ConsentState::Granted)
    {
        return Ok(Allowed::NoConsent);
    }
    Ok(Allowed::Yes)
}

/// What the transaction that marks a row `sending` says of it.
pub(super) enum Gate {
    /// It may go.
    Open,
    /// Its number may not send: look again then.
    Held {
        /// Milliseconds since 1970.
        until: i64,
        /// Why.
        fault: String,
    },
    /// It may never go.
    Closed {
        /// Why.
        fault: String,
    },
}

/// Checks a row that is about to be sent, and chooses its form: free text inside the window, else its
/// template. A row without a template is let through; the window is then the channel's to refuse.
pub(super) async fn gate(
    connection: &mut Connection,
    message: &mut Outgoing,
    conversation: &str,
    now: i64,
) -> Result<Gate, StoreError> {
    if let Some(reason) = channel::stopped(connection, &message.sender, now).await? {
        return Ok(Gate::Held {
            until: now + HELD,
            fault: format!("the number may not send: {reason}"),
        });
    }
    if message.answer.template.is_none() {
        return Ok(Gate::Open);
    }
    if window_open(connection, conversation, now).await? {
        message.answer.template = None;
        return Ok(Gate::Open);
    }
    let row = sqlx::query("SELECT contact_id FROM conversations WHERE id = $1")
        .bind(conversation)
        .fetch_one(&mut *connection)
        .await?;
    let contact = text(&row, "contact_id")?;
    Ok(
        match allowed(connection, &message.answer, &contact).await? {
            Allowed::Yes => Gate::Open,
            Allowed::NoTemplate(why) => Gate::Closed {
                fault: format!("no template may be sent: {why}"),
            },
            Allowed::NoConsent => Gate::Closed {
                fault: "the customer has not agreed to marketing".to_owned(),
            },
        },
    )
}
