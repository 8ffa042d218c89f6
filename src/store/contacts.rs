//! Who writes to us, as a person looks them up.

use serde::Serialize;
use serde_json::Value;

use super::audit::AuditEntry;
use super::dialect::{Connection, Row};
use super::identity::Known;
use super::rows::{json, number, optional_text, text};
use super::{Store, StoreError};
use crate::domain::{ContactId, ConversationId};

/// A contact as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownContact {
    /// Our id.
    pub id: ContactId,
    /// The channel.
    pub channel: String,
    /// E.164 phone that the channel vouches for.
    pub phone: Option<String>,
    /// The channel's own id of them.
    pub user_id: Option<String>,
    /// The name they show.
    pub name: Option<String>,
    /// Where messages to them go.
    pub address: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

/// A contact, its conversations and what was done to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContactFile {
    /// The contact.
    pub contact: KnownContact,
    /// Its conversations, newest first.
    pub conversations: Vec<ConversationId>,
    /// Contacts that a message has shown as perhaps the same person.
    pub perhaps: Vec<KnownContact>,
    /// What was done to it, oldest first.
    pub audit: Vec<AuditEntry>,
}

/// A contact that was looked for.
pub(super) struct Found {
    pub known: Known,
    pub channel: String,
    pub portfolio: String,
}

const CONTACT: &str = "SELECT c.id, c.channel, c.phone, c.user_id, c.name, c.created_at, c.portfolio, \
    CASE WHEN c.channel = 'whatsapp' THEN COALESCE(c.phone, c.user_id, c.address) ELSE c.address END \
    AS address FROM contacts c";

impl KnownContact {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?.into(),
            channel: text(row, "channel")?,
            phone: optional_text(row, "phone")?,
            user_id: optional_text(row, "user_id")?,
            name: optional_text(row, "name")?,
            address: text(row, "address")?,
            created_at: number(row, "created_at")?,
        })
    }
}

impl Store {
    /// The contacts, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn contacts(&self, limit: i64) -> Result<Vec<KnownContact>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, channel, phone, user_id, name, created_at, portfolio, \
             CASE WHEN channel = 'whatsapp' THEN COALESCE(phone, user_id, address) ELSE address END AS address \
             FROM contacts ORDER BY id DESC LIMIT $1",
        )
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(KnownContact::read).collect()
    }

    /// The contacts with this id, phone or user id: none, one, or one a portfolio.
    ///
    /// # Errors
    /// What the database says.
    pub async fn contact_files(&self, who: &str) -> Result<Vec<ContactFile>, StoreError> {
        let found = {
            let mut connection = self.readers.acquire().await?;
            find(&mut connection, who).await?
        };
        let mut files = Vec::with_capacity(found.len());
        for contact in found {
            let id = contact.known.id;
            let Some(contact) = self.known_contact(&id).await? else {
                continue;
            };
            let rows =
                sqlx::query("SELECT id FROM conversations WHERE contact_id = $1 ORDER BY id DESC")
                    .bind(&id)
                    .fetch_all(&self.readers)
                    .await?;
            let conversations = rows
                .iter()
                .map(|row| text(row, "id").map(ConversationId))
                .collect::<Result<_, _>>()?;
            files.push(ContactFile {
                contact,
                conversations,
                perhaps: self.perhaps_same(&id.as_str().into()).await?,
                audit: self.audit_of(&id).await?,
            });
        }
        Ok(files)
    }

    /// Contacts of whom a message has shown that they are perhaps this one: it showed the phone of one and
    /// the user id of the other. Those that are gone are left out.
    ///
    /// # Errors
    /// What the database says.
    pub async fn perhaps_same(&self, contact: &ContactId) -> Result<Vec<KnownContact>, StoreError> {
        let rows = sqlx::query(
            "SELECT details FROM audit WHERE subject = $1 AND action = 'contact_conflict' ORDER BY id",
        )
        .bind(contact.as_str())
        .fetch_all(&self.readers)
        .await?;
        let mut ids: Vec<String> = Vec::new();
        for row in &rows {
            let details: Value = json(row, "details")?;
            let other = details.get("phone_of").or_else(|| details.get("held_by"));
            if let Some(other) = other.and_then(Value::as_str)
                && !ids.iter().any(|id| id == other)
            {
                ids.push(other.to_owned());
            }
        }
        let mut perhaps = Vec::new();
        for id in ids {
            perhaps.extend(self.known_contact(&id).await?);
        }
        Ok(perhaps)
    }

    async fn known_contact(&self, id: &str) -> Result<Option<KnownContact>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{CONTACT} WHERE c.id = $1")))
            .bind(id)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(KnownContact::read).transpose()
    }
}

/// The contacts with this id, phone or user id.
pub(super) async fn find(connection: &mut Connection, who: &str) -> Result<Vec<Found>, StoreError> {
    let who = who.trim();
    let statement = if who.starts_with("ct_") {
        format!("{CONTACT} WHERE c.id = $1")
    } else if who.starts_with('+') {
        format!("{CONTACT} WHERE c.phone = $1 AND c.phone IS NOT NULL ORDER BY c.id")
    } else {
        format!("{CONTACT} WHERE c.user_id = $1 AND c.user_id IS NOT NULL ORDER BY c.id")
    };
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(who)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Found {
                known: Known::read(row)?,
                channel: text(row, "channel")?,
                portfolio: text(row, "portfolio")?,
            })
        })
        .collect()
}
