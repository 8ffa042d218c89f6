//! One-time codes that prove who a customer is, and the handles they are exchanged for.
//!
//! The caller is answered the same whether anybody was found: a row is kept either way, and a code that was
//! sent to nobody fits nothing.

use std::sync::Arc;

use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::audit::note;
use super::conversations::{CONVERSATION, ConversationState, ensure, unsaid};
use super::dialect::{Connection, Row};
use super::notify::window_open;
use super::outbox::{self, Kind, NewOutboxRow, SECRET};
use super::rows::{number, optional_parsed, optional_text, parsed, text};
use super::{Store, StoreError, fitting};
use crate::domain::{
    Answer, ButtonFilling, Channel, CodeRecipient, ContactId, ConversationId, Filling, Inbound,
    Lane, Language, MessageCategory, TemplateButton, TemplateMessage, TemplateValue,
};

const HOUR: i64 = 60 * 60 * 1000;
/// Codes for one number in an hour.
const CODES_AN_HOUR: i64 = 3;
/// Tries for one code.
const TRIES: i64 = 5;

/// Writes the message around the placeholder, in a language.
pub type Wording = Arc<dyn Fn(Language) -> String + Send + Sync>;

/// A code that is asked for.
#[derive(Clone)]
pub struct NewVerification {
    /// Hash of the request and of who asks.
    pub key: String,
    /// Hash of whom it is for.
    pub subject: String,
    /// Hash of the request and the code.
    pub code_hash: String,
    /// The code; kept only until its message is sent.
    pub code: String,
    /// Whom it is for.
    pub person: CodeRecipient,
    /// Our number that writes to somebody who never wrote to us.
    pub sender: String,
    /// The template with a code, when only one of several may be used.
    pub template: Option<String>,
    /// The language of somebody whose language is not known.
    pub home: Language,
    /// The message; [`Store::code_placeholder`] stands for the code.
    pub wording: Wording,
    /// Until when it can be used, milliseconds since 1970.
    pub expires_at: i64,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started {
    /// It waits for the code.
    Waiting {
        /// Where the code was sent; none when nobody was found, or could be written to.
        conversation: Option<ConversationId>,
    },
    /// This number had its codes for now.
    TooMany,
}

/// A customer who has proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCustomer {
    /// The contact.
    pub contact: ContactId,
    /// Their conversation on the channel that vouches for them.
    pub conversation: ConversationId,
    /// E.164 phone.
    pub phone: Option<String>,
    /// The language they write in.
    pub language: Option<Language>,
}

impl Store {
    /// Stands for the code wherever a message is kept.
    #[must_use]
    pub fn code_placeholder() -> &'static str {
        SECRET
    }

    /// Makes a one-time code and sends it, when the person is known and can be written to.
    ///
    /// # Errors
    /// What the database says.
    pub async fn start_verification(
        &self,
        new: NewVerification,
        now: i64,
    ) -> Result<Started, StoreError> {
        self.write(move |connection| Box::pin(start(connection, new, now)))
            .await
    }

    /// Exchanges a code for a handle, once. False when it is wrong, used, over, or was tried too often.
    ///
    /// # Errors
    /// What the database says.
    pub async fn redeem_code(
        &self,
        key: String,
        code_hash: String,
        handle: (String, i64),
        now: i64,
    ) -> Result<bool, StoreError> {
        self.write(move |connection| Box::pin(redeem(connection, key, code_hash, handle, now)))
            .await
    }

    /// The customer of a handle, while it holds and the phone is still theirs.
    ///
    /// # Errors
    /// What the database says.
    pub async fn customer_of_handle(
        &self,
        key: &str,
        now: i64,
    ) -> Result<Option<VerifiedCustomer>, StoreError> {
        let row = sqlx::query(
            "SELECT h.contact_id, h.conversation_id, h.phone AS proved, c.phone, v.language \
             FROM customer_handles h JOIN contacts c ON c.id = h.contact_id \
             JOIN conversations v ON v.id = h.conversation_id WHERE h.key = $1 AND h.expires_at > $2",
        )
        .bind(key)
        .bind(now)
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let phone = optional_text(&row, "phone")?;
        if optional_text(&row, "proved")? != phone {
            return Ok(None);
        }
        Ok(Some(VerifiedCustomer {
            contact: text(&row, "contact_id")?.into(),
            conversation: text(&row, "conversation_id")?.into(),
            phone,
            language: optional_parsed(&row, "language")?,
        }))
    }
}

async fn start(
    connection: &mut Connection,
    new: NewVerification,
    now: i64,
) -> Result<Started, StoreError> {
    sqlx::query("DELETE FROM verifications WHERE created_at <= $1")
        .bind(now - HOUR)
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query("SELECT COUNT(*) AS n FROM verifications WHERE subject = $1")
        .bind(&new.subject)
        .fetch_one(&mut *connection)
        .await?;
    if number(&row, "n")? >= CODES_AN_HOUR {
        return Ok(Started::TooMany);
    }
    let state = match find(connection, &new, now).await? {
        Some(state) if send(connection, &new, &state, now).await? => Some(state),
        Some(_) | None => None,
    };
    sqlx::query(
        "INSERT INTO verifications (key, subject, code, contact_id, conversation_id, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&new.key)
    .bind(&new.subject)
    .bind(&new.code_hash)
    .bind(state.as_ref().map(|state| state.contact.id.as_str()))
    .bind(state.as_ref().map(|state| state.id.as_str()))
    .bind(now)
    .bind(new.expires_at)
    .execute(connection)
    .await?;
    Ok(Started::Waiting {
        conversation: state.map(|state| state.id),
    })
}

const BY_PHONE: &str = "SELECT v.id FROM conversations v JOIN contacts c ON c.id = v.contact_id \
    WHERE c.channel = 'whatsapp' AND c.phone = $1 ORDER BY COALESCE(v.last_inbound_at, 0) DESC, v.id LIMIT 1";
const BY_USER: &str = "SELECT v.id FROM conversations v JOIN contacts c ON c.id = v.contact_id \
    WHERE c.channel = 'whatsapp' AND c.user_id = $1 ORDER BY COALESCE(v.last_inbound_at, 0) DESC, v.id LIMIT 1";

/// The conversation in which a known person wrote last; one is made for a person who only has orders.
async fn find(
    connection: &mut Connection,
    new: &NewVerification,
    now: i64,
) -> Result<Option<ConversationState>, StoreError> {
    let (query, address) = match &new.person {
        CodeRecipient::Phone(phone) => (BY_PHONE, phone),
        CodeRecipient::UserId(id) => (BY_USER, id),
    };
    let known = sqlx::query(query)
        .bind(address)
        .fetch_optional(&mut *connection)
        .await?;
    let id = match (known, &new.person) {
        (Some(row), _) => ConversationId(text(&row, "id")?),
        (None, CodeRecipient::UserId(_)) => return Ok(None),
        (None, CodeRecipient::Phone(phone)) => {
            let ordered = ordered_in(connection, phone).await?;
            // Somebody who never wrote can be written to by a template only.
            if ordered.is_none() || template(connection, new, new.home).await?.is_none() {
                return Ok(None);
            }
            let opened = Inbound {
                phone: Some(phone.clone()),
                ..unsaid(Channel::Whatsapp, phone, &new.sender, now)
            };
            ensure(connection, &opened, now).await?
        }
    };
    let row = sqlx::query(CONVERSATION)
        .bind(id.as_str())
        .fetch_one(connection)
        .await?;
    ConversationState::read(&row).map(Some)
}

/// The language of the latest order of a phone.
async fn ordered_in(
    connection: &mut Connection,
    phone: &str,
) -> Result<Option<Language>, StoreError> {
    let row = sqlx::query(
        "SELECT language FROM orders WHERE phone = $1 ORDER BY placed_on DESC, number DESC LIMIT 1",
    )
    .bind(phone)
    .fetch_optional(connection)
    .await?;
    row.map(|row| parsed(&row, "language")).transpose()
}

/// Sends the code as text inside the window, else by a template. False when neither may be sent.
async fn send(
    connection: &mut Connection,
    new: &NewVerification,
    state: &ConversationState,
    now: i64,
) -> Result<bool, StoreError> {
    let language = match (state.language, &state.contact.phone) {
        (None, Some(phone)) => ordered_in(connection, phone).await?,
        (language, _) => language,
    };
    let language = language.unwrap_or(new.home);
    // The channel takes templates with codes for phone numbers only.
    let template = match &state.contact.phone {
        Some(_) => template(connection, new, language).await?,
        None => None,
    };
    let as_template = !window_open(connection, state.id.as_str(), now).await?;
    if as_template && template.is_none() {
        return Ok(false);
    }
    let answer = Answer {
        template: template.map(Box::new),
        ..Answer::text((new.wording)(language))
    };
    let message = NewOutboxRow {
        state,
        turn: None,
        language,
        answer: &answer,
        by_human: false,
        regardless: true,
    };
    let kind = Kind {
        lane: Lane::Reply,
        category: if as_template {
            MessageCategory::Authentication
        } else {
            MessageCategory::Service
        },
        as_template,
    };
    let Some(id) = outbox::say_as(connection, &message, &kind, None, now).await? else {
        return Ok(false);
    };
    sqlx::query("UPDATE outbox SET secret = $1, secret_until = $2 WHERE id = $3")
        .bind(&new.code)
        .bind(new.expires_at)
        .bind(id.as_str())
        .execute(connection)
        .await?;
    Ok(true)
}

/// The approved template with a code that speaks the customer's language, else the shop's, else any.
async fn template(
    connection: &mut Connection,
    new: &NewVerification,
    language: Language,
) -> Result<Option<TemplateMessage>, StoreError> {
    let usable = fitting::with_code(connection).await?;
    let rank = |spoken: &str| {
        let spoken = spoken.parse::<Language>();
        if spoken == Ok(language) {
            0
        } else if spoken == Ok(new.home) {
            1
        } else {
            2
        }
    };
    let best = usable
        .into_iter()
        .filter(|known| new.template.as_ref().is_none_or(|name| *name == known.name))
        .min_by_key(|known| rank(&known.language));
    Ok(best.map(|known| TemplateMessage {
        name: known.name,
        language: known.language,
        header: None,
        body: vec![TemplateValue {
            name: None,
            value: Filling::Text {
                text: SECRET.to_owned(),
            },
        }],
        buttons: vec![TemplateButton {
            index: 0,
            value: ButtonFilling::Url {
                suffix: SECRET.to_owned(),
            },
        }],
    }))
}

async fn redeem(
    connection: &mut Connection,
    key: String,
    code_hash: String,
    (handle, handle_until): (String, i64),
    now: i64,
) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "UPDATE verifications SET attempts = attempts + 1 \
         WHERE key = $1 AND used = 0 AND attempts < $2 AND expires_at > $3 \
         RETURNING code, contact_id, conversation_id",
    )
    .bind(&key)
    .bind(TRIES)
    .bind(now)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let right = text(&row, "code")?
        .as_bytes()
        .ct_eq(code_hash.as_bytes())
        .into();
    let Some((contact, conversation)) = sent_to(&row)?.filter(|_| right) else {
        return Ok(false);
    };
    sqlx::query("UPDATE verifications SET used = 1 WHERE key = $1")
        .bind(&key)
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM customer_handles WHERE expires_at <= $1")
        .bind(now)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO customer_handles (key, contact_id, conversation_id, phone, expires_at) \
         SELECT $1, id, $2, phone, $3 FROM contacts WHERE id = $4",
    )
    .bind(handle)
    .bind(conversation)
    .bind(handle_until)
    .bind(&contact)
    .execute(&mut *connection)
    .await?;
    let until = json!({ "until": handle_until });
    note(
        connection,
        "assistant",
        "customer_verified",
        &contact,
        &until,
        now,
    )
    .await?;
    Ok(true)
}

fn sent_to(row: &Row) -> Result<Option<(String, String)>, StoreError> {
    let contact = optional_text(row, "contact_id")?;
    Ok(contact.zip(optional_text(row, "conversation_id")?))
}
