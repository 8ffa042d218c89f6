//! Who someone is on a channel that knows people by a phone, by an id of its own, or by both.
//!
//! The id is the person, the phone is theirs while they have it. Two contacts are never joined because a
//! message names both: that is noted, and a person decides.

mod merge;

pub use merge::{MergeRefusal, Merged};

use serde_json::{Value, json};

use super::StoreError;
use super::audit::{is_noted, note};
use super::dialect::{Connection, Row};
use super::rows::{optional_text, text};
use crate::domain::{Channel, ContactId, Inbound, Moved};

/// A contact as its row says.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: String,
    phone: Option<String>,
    user_id: Option<String>,
    name: Option<String>,
}

impl Known {
    pub(super) fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?,
            phone: optional_text(row, "phone")?,
            user_id: optional_text(row, "user_id")?,
            name: optional_text(row, "name")?,
        })
    }
}

/// By what a sender is known.
struct Identity<'a> {
    portfolio: &'a str,
    phone: Option<&'a str>,
    user_id: Option<&'a str>,
    name: Option<&'a str>,
}

/// Finds or makes the contact of an inbound message.
pub(super) async fn contact(
    connection: &mut Connection,
    inbound: &Inbound,
    now: i64,
) -> Result<String, StoreError> {
    let identity = Identity {
        portfolio: &inbound.about.portfolio,
        phone: inbound.phone.as_deref(),
        user_id: inbound.about.user_id.as_deref(),
        name: inbound.name.as_deref(),
    };
    let known_by_more = identity.phone.is_some() || identity.user_id.is_some();
    if inbound.channel == Channel::Whatsapp && known_by_more {
        identity.contact(connection, now).await
    } else {
        by_address(connection, inbound, now).await
    }
}

async fn by_address(
    connection: &mut Connection,
    inbound: &Inbound,
    now: i64,
) -> Result<String, StoreError> {
    let row = sqlx::query(
        "INSERT INTO contacts (id, channel, address, phone, name, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (channel, address) DO UPDATE SET \
         phone = COALESCE(excluded.phone, contacts.phone), \
         name = COALESCE(excluded.name, contacts.name) RETURNING id",
    )
    .bind(ContactId::new().0)
    .bind(inbound.channel.name())
    .bind(&inbound.sender)
    .bind(&inbound.phone)
    .bind(&inbound.name)
    .bind(now)
    .fetch_one(connection)
    .await?;
    text(&row, "id")
}

impl Identity<'_> {
    async fn contact(&self, connection: &mut Connection, now: i64) -> Result<String, StoreError> {
        let by_user = self.by_user(connection).await?;
        let by_phone = self.by_phone(connection).await?;
        match (by_user, by_phone) {
            (Some(user), Some(phone)) if user.id != phone.id => {
                self.conflict(connection, &user, &phone, now).await?;
                self.named(connection, &user).await?;
                Ok(user.id)
            }
            (Some(known), _) => self.with_phone(connection, known, now).await,
            (None, Some(known)) => self.with_user_id(connection, known, now).await,
            (None, None) => self.insert(connection, self.phone, now).await,
        }
    }

    async fn by_user(&self, connection: &mut Connection) -> Result<Option<Known>, StoreError> {
        let Some(user_id) = self.user_id else {
            return Ok(None);
        };
        find_user(connection, self.portfolio, user_id).await
    }

    async fn by_phone(&self, connection: &mut Connection) -> Result<Option<Known>, StoreError> {
        let Some(phone) = self.phone else {
            return Ok(None);
        };
        find_phone(connection, self.portfolio, phone).await
    }

    /// The id is known, and the phone is nobody else's: it is theirs now.
    async fn with_phone(
        &self,
        connection: &mut Connection,
        mut known: Known,
        now: i64,
    ) -> Result<String, StoreError> {
        if let Some(phone) = self.phone
            && known.phone.as_deref() != Some(phone)
        {
            let details = json!({ "from": known.phone, "to": phone });
            note(
                connection,
                "channel",
                "contact_phone",
                &known.id,
                &details,
                now,
            )
            .await?;
            known.phone = Some(phone.to_owned());
            address(connection, self.portfolio, &known).await?;
        }
        self.named(connection, &known).await?;
        Ok(known.id)
    }

    /// The phone is known, the id is nobody's. A phone with another id than before is another person's:
    /// the number was given away.
    async fn with_user_id(
        &self,
        connection: &mut Connection,
        mut known: Known,
        now: i64,
    ) -> Result<String, StoreError> {
        let Some(user_id) = self.user_id else {
            self.named(connection, &known).await?;
            return Ok(known.id);
        };
        let details = json!({ "phone": self.phone, "user_id": user_id, "before": known.user_id });
        if known.user_id.is_some() {
            note(
                connection,
                "channel",
                "contact_phone_passed_on",
                &known.id,
                &details,
                now,
            )
            .await?;
            known.phone = None;
            address(connection, self.portfolio, &known).await?;
            return self.insert(connection, self.phone, now).await;
        }
        note(
            connection,
            "channel",
            "contact_user_id",
            &known.id,
            &details,
            now,
        )
        .await?;
        known.user_id = Some(user_id.to_owned());
        address(connection, self.portfolio, &known).await?;
        self.named(connection, &known).await?;
        Ok(known.id)
    }

    async fn insert(
        &self,
        connection: &mut Connection,
        phone: Option<&str>,
        now: i64,
    ) -> Result<String, StoreError> {
        // A contact that was made for an address alone is this one.
        let row = sqlx::query(
            "INSERT INTO contacts (id, channel, portfolio, address, phone, user_id, name, created_at) \
             VALUES ($1, 'whatsapp', $2, $3, $4, $5, $6, $7) ON CONFLICT (channel, address) DO UPDATE SET \
             phone = COALESCE(contacts.phone, excluded.phone), \
             user_id = COALESCE(contacts.user_id, excluded.user_id), \
             name = COALESCE(excluded.name, contacts.name) RETURNING id",
        )
        .bind(ContactId::new().0)
        .bind(self.portfolio)
        .bind(key(self.portfolio, phone.or(self.user_id)))
        .bind(phone)
        .bind(self.user_id)
        .bind(self.name)
        .bind(now)
        .fetch_one(connection)
        .await?;
        text(&row, "id")
    }

    async fn named(&self, connection: &mut Connection, known: &Known) -> Result<(), StoreError> {
        if self.name.is_none() || self.name == known.name.as_deref() {
            return Ok(());
        }
        sqlx::query("UPDATE contacts SET name = $1 WHERE id = $2")
            .bind(self.name)
            .bind(&known.id)
            .execute(connection)
            .await?;
        Ok(())
    }

    async fn conflict(
        &self,
        connection: &mut Connection,
        user: &Known,
        phone: &Known,
        now: i64,
    ) -> Result<(), StoreError> {
        let details = json!({ "phone": self.phone, "phone_of": phone.id, "user_id": self.user_id });
        perhaps_same(connection, &user.id, &details, now).await
    }
}

/// Notes once that a message showed two contacts as perhaps one person.
async fn perhaps_same(
    connection: &mut Connection,
    contact: &str,
    details: &Value,
    now: i64,
) -> Result<(), StoreError> {
    if is_noted(connection, "contact_conflict", contact, details).await? {
        return Ok(());
    }
    note(
        connection,
        "channel",
        "contact_conflict",
        contact,
        details,
        now,
    )
    .await
}

/// A customer whom the channel knew by an id only has shared their own phone when we asked for it. A phone
/// that is known already stays; one that is somebody else's is noted, and a person decides.
pub(super) async fn shared(
    connection: &mut Connection,
    conversation: &str,
    phone: &str,
    now: i64,
) -> Result<(), StoreError> {
    let (known, portfolio) = of_conversation(connection, conversation).await?;
    if known.phone.is_some() || known.user_id.is_none() {
        return Ok(());
    }
    if let Some(other) = find_phone(connection, &portfolio, phone).await? {
        let details = json!({ "phone": phone, "phone_of": other.id, "user_id": known.user_id });
        return perhaps_same(connection, &known.id, &details, now).await;
    }
    let details = json!({ "from": known.phone, "to": phone, "source": "contact_request" });
    let changed = Known {
        phone: Some(phone.to_owned()),
        ..known
    };
    address(connection, &portfolio, &changed).await?;
    note(
        connection,
        "channel",
        "contact_phone",
        &changed.id,
        &details,
        now,
    )
    .await
}

async fn of_conversation(
    connection: &mut Connection,
    conversation: &str,
) -> Result<(Known, String), StoreError> {
    let row = sqlx::query(
        "SELECT c.id, c.phone, c.user_id, c.name, c.portfolio FROM contacts c \
         JOIN conversations v ON v.contact_id = c.id WHERE v.id = $1",
    )
    .bind(conversation)
    .fetch_one(connection)
    .await?;
    Ok((Known::read(&row)?, text(&row, "portfolio")?))
}

/// Gives the contact of a conversation another phone or id, because the channel says so. When somebody
/// else has either already, nothing changes and that is noted.
pub(super) async fn moved(
    connection: &mut Connection,
    conversation: &str,
    moved: &Moved,
    now: i64,
) -> Result<(), StoreError> {
    if *moved == Moved::default() {
        return Ok(());
    }
    let (known, portfolio) = of_conversation(connection, conversation).await?;
    let mut holders = Vec::new();
    if let Some(phone) = &moved.phone {
        holders.extend(find_phone(connection, &portfolio, phone).await?);
    }
    if let Some(user_id) = &moved.user_id {
        holders.extend(find_user(connection, &portfolio, user_id).await?);
    }
    let details = json!({
        "phone": { "from": known.phone, "to": moved.phone },
        "user_id": { "from": known.user_id, "to": moved.user_id },
    });
    if let Some(other) = holders.iter().find(|holder| holder.id != known.id) {
        let details = json!({ "change": details, "held_by": other.id });
        return note(
            connection,
            "channel",
            "contact_conflict",
            &known.id,
            &details,
            now,
        )
        .await;
    }
    let changed = Known {
        phone: moved.phone.clone().or(known.phone),
        user_id: moved.user_id.clone().or(known.user_id),
        ..known
    };
    address(connection, &portfolio, &changed).await?;
    note(
        connection,
        "channel",
        "contact_moved",
        &changed.id,
        &details,
        now,
    )
    .await
}

async fn find_phone(
    connection: &mut Connection,
    portfolio: &str,
    phone: &str,
) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query(
        "SELECT id, phone, user_id, name FROM contacts \
         WHERE channel = 'whatsapp' AND portfolio = $1 AND phone = $2",
    )
    .bind(portfolio)
    .bind(phone)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(Known::read).transpose()
}

async fn find_user(
    connection: &mut Connection,
    portfolio: &str,
    user_id: &str,
) -> Result<Option<Known>, StoreError> {
    let row = sqlx::query(
        "SELECT id, phone, user_id, name FROM contacts \
         WHERE channel = 'whatsapp' AND portfolio = $1 AND user_id = $2",
    )
    .bind(portfolio)
    .bind(user_id)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(Known::read).transpose()
}

/// Writes a contact's phone and id down; what waits for them goes where they are now.
async fn address(
    connection: &mut Connection,
    portfolio: &str,
    known: &Known,
) -> Result<(), StoreError> {
    let sends_to = known.phone.as_deref().or(known.user_id.as_deref());
    sqlx::query("UPDATE contacts SET phone = $1, user_id = $2, address = $3 WHERE id = $4")
        .bind(&known.phone)
        .bind(&known.user_id)
        .bind(key(portfolio, sends_to.or(Some(&known.id))))
        .bind(&known.id)
        .execute(&mut *connection)
        .await?;
    let Some(sends_to) = sends_to else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE outbox SET recipient = $1 WHERE state IN ('queued', 'sending') AND conversation_id IN \
         (SELECT id FROM conversations WHERE contact_id = $2)",
    )
    .bind(sends_to)
    .bind(&known.id)
    .execute(connection)
    .await?;
    Ok(())
}

/// Unique per channel: the address, within its portfolio.
fn key(portfolio: &str, address: Option<&str>) -> String {
    let address = address.unwrap_or_default();
    if portfolio.is_empty() {
        address.to_owned()
    } else {
        format!("{portfolio}/{address}")
    }
}
