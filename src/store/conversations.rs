//! Contacts and conversations.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;

use super::dialect::{Connection, Row};
use super::rows::{number, optional_parsed, optional_text, parsed, text};
use super::{Store, StoreError, identity};
use crate::domain::{
    About, Channel, ContactId, ConversationId, Holder, Inbound, InboundContent, Language, Referral,
    Speaker,
};

/// Someone who writes to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Our id.
    pub id: ContactId,
    /// Where messages to them go: the phone if it is known, else the channel's own id of them.
    pub address: String,
    /// The channel's own id of them.
    pub user_id: Option<String>,
    /// E.164 phone the channel vouches for.
    pub phone: Option<String>,
    /// The name they show.
    pub name: Option<String>,
}

/// A conversation as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationState {
    /// Its id.
    pub id: ConversationId,
    /// Its channel.
    pub channel: Channel,
    /// Our number or page.
    pub recipient: String,
    /// With whom.
    pub contact: Contact,
    /// Who answers.
    pub holder: Holder,
    /// The language so far.
    pub language: Option<Language>,
    /// Failures to understand, in a row.
    pub misunderstood: u32,
    /// Whether the customer was told that this is an AI.
    pub disclosed: bool,
    /// The advertisement that led here.
    pub referral: Option<Referral>,
}

pub(super) const CONVERSATION: &str = "SELECT v.id, v.channel, v.recipient, v.holder, v.language, \
    v.misunderstood, v.disclosed, c.id AS contact_id, c.phone, c.user_id, c.name, v.referral, \
    CASE WHEN c.channel = 'whatsapp' THEN COALESCE(c.phone, c.user_id, c.address) ELSE c.address END \
    AS address \
    FROM conversations v JOIN contacts c ON c.id = v.contact_id WHERE v.id = $1";

/// The message that `m` quotes, in the conversation `v`: found by the channel's id, among ours and theirs.
pub(super) const QUOTED: &str = "LEFT JOIN messages q ON m.quoted IS NOT NULL \
    AND q.conversation_id = m.conversation_id AND q.id = COALESCE( \
    (SELECT s.message_id FROM outbox s WHERE s.external_id = m.quoted AND s.external_id IS NOT NULL LIMIT 1), \
    (SELECT r.id FROM inbox r WHERE r.channel = v.channel AND r.recipient = v.recipient \
    AND r.external_id = m.quoted))";

impl ConversationState {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?.into(),
            channel: parsed(row, "channel")?,
            recipient: text(row, "recipient")?,
            contact: Contact {
                id: text(row, "contact_id")?.into(),
                address: text(row, "address")?,
                user_id: optional_text(row, "user_id")?,
                phone: optional_text(row, "phone")?,
                name: optional_text(row, "name")?,
            },
            holder: holder(&text(row, "holder")?),
            language: optional_parsed(row, "language")?,
            misunderstood: u32::try_from(number(row, "misunderstood")?).unwrap_or(u32::MAX),
            disclosed: number(row, "disclosed")? != 0,
            referral: referral(row)?,
        })
    }
}

/// The advertisement in the column `referral`.
pub(super) fn referral(row: &Row) -> Result<Option<Referral>, StoreError> {
    let kept = optional_text(row, "referral")?;
    let kept: Option<KeptReferral> = kept.map(|kept| serde_json::from_str(&kept)).transpose()?;
    Ok(kept.map(|kept| kept.referral))
}

/// An advertisement as the column holds it, with the second in which the customer wrote.
#[derive(Serialize, Deserialize)]
struct KeptReferral {
    at: i64,
    #[serde(flatten)]
    referral: Referral,
}

/// Keeps the advertisement of a message, unless that of a later message is kept already.
pub(super) async fn refer(
    connection: &mut Connection,
    conversation: &ConversationId,
    inbound: &Inbound,
) -> Result<(), StoreError> {
    let Some(referral) = inbound.about.referral.clone() else {
        return Ok(());
    };
    let row = sqlx::query("SELECT referral FROM conversations WHERE id = $1")
        .bind(conversation.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let kept = optional_text(&row, "referral")?;
    let kept: Option<KeptReferral> = kept.map(|kept| serde_json::from_str(&kept)).transpose()?;
    if kept.is_some_and(|kept| kept.at > inbound.sent_at) {
        return Ok(());
    }
    let at = inbound.sent_at;
    let keep = serde_json::to_string(&KeptReferral { at, referral })?;
    sqlx::query("UPDATE conversations SET referral = $1 WHERE id = $2")
        .bind(keep)
        .bind(conversation.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

pub(super) fn speaker(name: &str) -> Speaker {
    match name {
        "customer" => Speaker::Customer,
        "human" => Speaker::Human,
        _ => Speaker::Agent,
    }
}

pub(super) fn holder(name: &str) -> Holder {
    if name == "human" {
        Holder::Human
    } else {
        Holder::Agent
    }
}

impl Store {
    /// The conversation with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversation(
        &self,
        id: &ConversationId,
    ) -> Result<Option<ConversationState>, StoreError> {
        let row = sqlx::query(CONVERSATION)
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(ConversationState::read).transpose()
    }

    /// The conversation of a channel's address with one of our numbers or pages, when there is one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn conversation_of(
        &self,
        channel: Channel,
        address: &str,
        recipient: &str,
    ) -> Result<Option<ConversationId>, StoreError> {
        let row = sqlx::query(
            "SELECT v.id FROM conversations v JOIN contacts c ON c.id = v.contact_id \
             WHERE c.channel = $1 AND c.address = $2 AND v.recipient = $3",
        )
        .bind(channel.name())
        .bind(address)
        .bind(recipient)
        .fetch_optional(&self.readers)
        .await?;
        Ok(row
            .map(|row| row.try_get::<String, _>(0))
            .transpose()?
            .map(ConversationId))
    }

    /// Finds or makes the conversation of an address that may not have written anything.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the disk takes no more.
    pub async fn open_conversation(
        &self,
        channel: Channel,
        address: &str,
        recipient: &str,
        now: i64,
    ) -> Result<ConversationId, StoreError> {
        let nothing = unsaid(channel, address, recipient, now);
        self.write(move |connection| {
            Box::pin(async move { ensure(connection, &nothing, now).await })
        })
        .await
    }
}

/// Nothing, from an address that may not have written: finds or makes its contact as a message would.
pub(super) fn unsaid(channel: Channel, address: &str, recipient: &str, now: i64) -> Inbound {
    Inbound {
        channel,
        recipient: recipient.to_owned(),
        external_id: String::new(),
        sender: address.to_owned(),
        phone: None,
        name: None,
        sent_at: now / 1000,
        content: InboundContent::Silent {
            kind: "opened".to_owned(),
        },
        about: About::default(),
    }
}

/// Finds or makes the contact and the conversation of an inbound message.
pub(super) async fn ensure(
    connection: &mut Connection,
    inbound: &Inbound,
    now: i64,
) -> Result<ConversationId, StoreError> {
    let contact = identity::contact(connection, inbound, now).await?;
    let conversation: String = sqlx::query(
        "INSERT INTO conversations (id, contact_id, channel, recipient, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (contact_id, recipient) DO UPDATE SET \
         updated_at = excluded.updated_at RETURNING id",
    )
    .bind(ConversationId::new().0)
    .bind(contact)
    .bind(inbound.channel.name())
    .bind(&inbound.recipient)
    .bind(now)
    .fetch_one(&mut *connection)
    .await?
    .try_get(0)?;
    Ok(ConversationId(conversation))
}

/// Refuses a write of a worker whose lease was taken over; a write without an epoch is nobody's turn.
pub(super) async fn fence(
    connection: &mut Connection,
    conversation: &ConversationId,
    epoch: Option<i64>,
) -> Result<(), StoreError> {
    let Some(epoch) = epoch else { return Ok(()) };
    let held = sqlx::query(
        "SELECT 1 FROM conversations WHERE id = $1 AND lease_epoch = $2 AND lease_until > 0",
    )
    .bind(conversation.as_str())
    .bind(epoch)
    .fetch_optional(connection)
    .await?;
    if held.is_some() {
        Ok(())
    } else {
        Err(StoreError::Stale)
    }
}
