//! Joining two contacts that a person says are one: everything of the one becomes the other's, in one
//! transaction, and is written into `audit`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Known, address};
use crate::domain::{ConsentChange, ConsentState, ContactId, ConversationId, Holder, Lane};
use crate::store::audit::note;
use crate::store::contacts::{self, Found};
use crate::store::desk::hold;
use crate::store::dialect::Connection;
use crate::store::rows::text;
use crate::store::{Store, StoreError, consent, outbox, pace, tickets};

/// What was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The contact that stays.
    pub contact: ContactId,
    /// The one that is gone.
    pub gone: ContactId,
    /// The conversations of the contact that stays.
    pub conversations: Vec<ConversationId>,
    /// Conversations that became part of one of those.
    pub joined: Vec<ConversationId>,
}

/// Why two contacts are not joined. Nothing is changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeRefusal {
    /// There is no such contact.
    #[error("`{0}` is no contact; see `sportello contacts list`")]
    Unknown(String),
    /// Contacts of several portfolios have this address.
    #[error("`{0}` is an address of several contacts ({1}); name one by its id")]
    Several(String, String),
    /// It is one contact already.
    #[error("both are the contact {0}; name two")]
    Same(ContactId),
    /// Not on the same channel.
    #[error("one is on {0} and the other on {1}; only contacts of one channel are joined")]
    Channels(String, String),
    /// Other channels know nobody by two addresses.
    #[error("both are on {0}; only contacts on WhatsApp are joined")]
    Elsewhere(String),
    /// An id means different people in different portfolios.
    #[error("they are in different portfolios, in which the same id means different people")]
    Portfolios,
    /// A turn is running.
    #[error(
        "the assistant is working in the conversation {0} at this moment; try again in a minute"
    )]
    Busy(ConversationId),
    /// Nothing says that they are one person.
    #[error(
        "no message has shown that these two are one person; `sportello contacts merge` joins them all the same"
    )]
    NotNoted,
}

impl Store {
    /// Joins `other` into `keep`, each named by its id, its phone or its user id. What both have of a phone,
    /// a user id and a name stays as `keep` has it; of their consents a no counts. `by` is the actor in `audit`.
    ///
    /// # Errors
    /// What the database says. That they are not joined is no error of the store: see [`MergeRefusal`].
    pub async fn merge_contacts(
        &self,
        keep: &str,
        other: &str,
        by: &'static str,
        now: i64,
    ) -> Result<Result<Merged, MergeRefusal>, StoreError> {
        let (keep, other) = (keep.to_owned(), other.to_owned());
        self.write(move |connection| {
            Box::pin(async move {
                let pair = match both(connection, &keep, &other, now).await? {
                    Ok(pair) => pair,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                pair.join(connection, by, now).await.map(Ok)
            })
        })
        .await
    }
}

/// Two contacts that may be joined.
struct Pair {
    keep: Found,
    other: Found,
}

async fn both(
    connection: &mut Connection,
    keep: &str,
    other: &str,
    now: i64,
) -> Result<Result<Pair, MergeRefusal>, StoreError> {
    let keep = match one(connection, keep).await? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let other = match one(connection, other).await? {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if keep.known.id == other.known.id {
        return Ok(Err(MergeRefusal::Same(keep.known.id.into())));
    }
    if keep.channel != other.channel {
        return Ok(Err(MergeRefusal::Channels(keep.channel, other.channel)));
    }
    if keep.channel != "whatsapp" {
        return Ok(Err(MergeRefusal::Elsewhere(keep.channel)));
    }
    if keep.portfolio != other.portfolio {
        return Ok(Err(MergeRefusal::Portfolios));
    }
    let busy = sqlx::query(
        "SELECT id FROM conversations WHERE contact_id IN ($1, $2) AND lease_until > $3 LIMIT 1",
    )
    .bind(&keep.known.id)
    .bind(&other.known.id)
    .bind(now)
    .fetch_optional(connection)
    .await?;
    if let Some(row) = busy {
        return Ok(Err(MergeRefusal::Busy(text(&row, "id")?.into())));
    }
    Ok(Ok(Pair { keep, other }))
}

async fn one(
    connection: &mut Connection,
    who: &str,
) -> Result<Result<Found, MergeRefusal>, StoreError> {
    let mut found = contacts::find(connection, who).await?;
    Ok(match (found.pop(), found.is_empty()) {
        (None, _) => Err(MergeRefusal::Unknown(who.to_owned())),
        (Some(only), true) => Ok(only),
        (Some(last), false) => {
            found.push(last);
            let ids: Vec<String> = found.into_iter().map(|found| found.known.id).collect();
            Err(MergeRefusal::Several(who.to_owned(), ids.join(", ")))
        }
    })
}

impl Pair {
    async fn join(
        self,
        connection: &mut Connection,
        by: &str,
        now: i64,
    ) -> Result<Merged, StoreError> {
        let (keep, other) = (self.keep.known.id.clone(), self.other.known.id.clone());
        // Who was proved to be one of them proves it again for both.
        for statement in [
            "DELETE FROM customer_handles WHERE contact_id IN ($1, $2)",
            "UPDATE verifications SET contact_id = NULL, conversation_id = NULL WHERE contact_id IN ($1, $2)",
        ] {
            sqlx::query(statement)
                .bind(&keep)
                .bind(&other)
                .execute(&mut *connection)
                .await?;
        }
        let joined = self.conversations(connection, now).await?;
        self.consents(connection, now).await?;
        for statement in [
            "UPDATE tickets SET contact_id = $1 WHERE contact_id = $2",
            "UPDATE failed_proofs SET contact_id = $1 WHERE contact_id = $2",
        ] {
            sqlx::query(statement)
                .bind(&keep)
                .bind(&other)
                .execute(&mut *connection)
                .await?;
        }
        pace::same_person(connection, &keep, &other, now).await?;
        self.addresses(connection).await?;
        let details = json!({
            "gone": other,
            "phone": { "kept": self.keep.known.phone, "other": self.other.known.phone },
            "user_id": { "kept": self.keep.known.user_id, "other": self.other.known.user_id },
            "joined": joined,
        });
        note(connection, by, "contact_merged", &keep, &details, now).await?;
        let into = json!({ "into": keep });
        note(connection, by, "contact_merged_into", &other, &into, now).await?;
        let rows = sqlx::query("SELECT id FROM conversations WHERE contact_id = $1 ORDER BY id")
            .bind(&keep)
            .fetch_all(connection)
            .await?;
        let conversations = rows
            .iter()
            .map(|row| text(row, "id").map(ConversationId))
            .collect::<Result<_, _>>()?;
        Ok(Merged {
            contact: keep.into(),
            gone: other.into(),
            conversations,
            joined,
        })
    }

    /// A conversation with a number of ours that both wrote to becomes part of the one that stays; the
    /// others change hands. The ids that are gone.
    async fn conversations(
        &self,
        connection: &mut Connection,
        now: i64,
    ) -> Result<Vec<ConversationId>, StoreError> {
        let rows = sqlx::query(
            "SELECT o.id, k.id AS into_id FROM conversations o LEFT JOIN conversations k \
             ON k.contact_id = $1 AND k.recipient = o.recipient WHERE o.contact_id = $2 ORDER BY o.id",
        )
        .bind(&self.keep.known.id)
        .bind(&self.other.known.id)
        .fetch_all(&mut *connection)
        .await?;
        let mut joined = Vec::new();
        for row in &rows {
            let from = text(row, "id")?;
            match crate::store::rows::optional_text(row, "into_id")? {
                Some(into) => {
                    join_conversations(connection, &into, &from, now).await?;
                    joined.push(from.into());
                }
                None => {
                    sqlx::query(
                        "UPDATE conversations SET contact_id = $1, updated_at = $2 WHERE id = $3",
                    )
                    .bind(&self.keep.known.id)
                    .bind(now)
                    .bind(&from)
                    .execute(&mut *connection)
                    .await?;
                }
            }
        }
        Ok(joined)
    }

    /// One ledger; where either of them said no last, no is the last word.
    async fn consents(&self, connection: &mut Connection, now: i64) -> Result<(), StoreError> {
        let (keep, other) = (&self.keep.known.id, &self.other.known.id);
        let rows =
            sqlx::query("SELECT DISTINCT purpose FROM consents WHERE contact_id IN ($1, $2)")
                .bind(keep)
                .bind(other)
                .fetch_all(&mut *connection)
                .await?;
        let mut refused = Vec::new();
        for row in &rows {
            let purpose = text(row, "purpose")?;
            for contact in [keep, other] {
                let latest = consent::latest(connection, contact, &purpose).await?;
                if latest == Some(ConsentState::Revoked) && !refused.contains(&purpose) {
                    refused.push(purpose.clone());
                }
            }
        }
        sqlx::query("UPDATE consents SET contact_id = $1 WHERE contact_id = $2")
            .bind(keep)
            .bind(other)
            .execute(&mut *connection)
            .await?;
        for purpose in refused {
            let no = ConsentChange {
                purpose,
                ..ConsentChange::marketing(ConsentState::Revoked, "contact_merged", None)
            };
            consent::record(connection, keep, &no, now).await?;
        }
        Ok(())
    }

    async fn addresses(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let (keep, other) = (&self.keep.known, &self.other.known);
        // Whoever is reached by one of two addresses is reached.
        sqlx::query(
            "UPDATE contacts SET undeliverable = CASE WHEN o.undeliverable < contacts.undeliverable \
             THEN o.undeliverable ELSE contacts.undeliverable END, name = COALESCE(contacts.name, o.name) \
             FROM contacts o WHERE o.id = $1 AND contacts.id = $2",
        )
        .bind(&other.id)
        .bind(&keep.id)
        .execute(&mut *connection)
        .await?;
        sqlx::query("DELETE FROM contacts WHERE id = $1")
            .bind(&other.id)
            .execute(&mut *connection)
            .await?;
        let one = Known {
            id: keep.id.clone(),
            phone: keep.phone.clone().or_else(|| other.phone.clone()),
            user_id: keep.user_id.clone().or_else(|| other.user_id.clone()),
            name: None,
        };
        address(connection, &self.keep.portfolio, &one).await
    }
}

/// Everything that names a conversation.
const MOVED: [&str; 9] = [
    "UPDATE inbox SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE messages SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE turns SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE outbox SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE tickets SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE payment_links SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE orders SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE costs SET conversation_id = $1 WHERE conversation_id = $2",
    "UPDATE notifications SET conversation_id = $1 WHERE conversation_id = $2",
];

async fn join_conversations(
    connection: &mut Connection,
    into: &str,
    from: &str,
    now: i64,
) -> Result<(), StoreError> {
    tickets::fold(connection, into, from, now).await?;
    // One open link a basket.
    sqlx::query(
        "UPDATE payment_links SET state = 'expired' WHERE conversation_id = $2 AND state = 'open' \
         AND key IN (SELECT key FROM payment_links WHERE conversation_id = $1 AND state = 'open')",
    )
    .bind(into)
    .bind(from)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO spending (scope, key, currency, messages, micros) \
         SELECT scope, $1, currency, messages, micros FROM spending WHERE scope = 'conversation' AND key = $2 \
         ON CONFLICT (scope, key, currency) DO UPDATE SET messages = spending.messages + excluded.messages, \
         micros = spending.micros + excluded.micros",
    )
    .bind(into)
    .bind(from)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM spending WHERE scope = 'conversation' AND key = $1")
        .bind(from)
        .execute(&mut *connection)
        .await?;
    for statement in MOVED {
        sqlx::query(statement)
            .bind(into)
            .bind(from)
            .execute(&mut *connection)
            .await?;
    }
    let row = state(connection, into, from, now).await?;
    sqlx::query("DELETE FROM conversations WHERE id = $1")
        .bind(from)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "UPDATE outbox SET head = 0 WHERE conversation_id = $1 AND state IN ('queued', 'sending') \
         AND capped = 0",
    )
    .bind(into)
    .execute(&mut *connection)
    .await?;
    for lane in [Lane::Reply, Lane::Bulk] {
        outbox::promote(connection, into, lane).await?;
    }
    if row == "human" {
        hold(connection, &into.into(), Holder::Human, now).await?;
    }
    Ok(())
}

/// The conversation as both of them leave it: who holds it afterwards. What bounds us is the later of two
/// moments; a worker whose lease ran out cannot close its turn any more.
async fn state(
    connection: &mut Connection,
    into: &str,
    from: &str,
    now: i64,
) -> Result<String, StoreError> {
    let mut columns = Vec::new();
    for (sign, names) in [
        (
            '>',
            &[
                "last_inbound_at",
                "free_until",
                "pair_free_at",
                "pair_held_until",
                "pair_holds",
            ][..],
        ),
        ('<', &["waiting_since", "due_at", "created_at"][..]),
    ] {
        columns.extend(names.iter().map(|name| {
            format!(
                "{name} = CASE WHEN conversations.{name} IS NULL OR f.{name} {sign} conversations.{name} \
                 THEN f.{name} ELSE conversations.{name} END"
            )
        }));
    }
    for name in ["language", "hand_off_reason", "summary", "referral"] {
        columns.push(format!("{name} = COALESCE(conversations.{name}, f.{name})"));
    }
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE conversations SET {}, holder = CASE WHEN f.holder = 'human' THEN 'human' \
         ELSE conversations.holder END, lease_epoch = conversations.lease_epoch + 1, lease_until = 0, \
         updated_at = $1 FROM conversations f WHERE f.id = $2 AND conversations.id = $3 \
         RETURNING conversations.holder",
        columns.join(", ")
    )))
    .bind(now)
    .bind(from)
    .bind(into)
    .fetch_one(connection)
    .await?;
    text(&row, "holder")
}
