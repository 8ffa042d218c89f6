//! What the channel tells of a message of ours after it took it. Statuses come in any order, repeated, and
//! before our own call has returned; a message only moves forward.

use tokio::sync::broadcast;

use super::costs::{self, Priced};
use super::dialect::Connection;
use super::gate::{FACTS, Facts};
use super::outbox::promote;
use super::remedies::{self, Failure};
use super::rows::{number, optional_text, text};
use super::{Store, StoreError, consent, inbox};
use crate::domain::{ConversationId, ErrorClass};

/// A message that was perhaps sent is shown to a person after this time without a status.
const PERHAPS: i64 = 10 * 60 * 1_000;
/// WhatsApp drops what it could not deliver in 30 days, without a status.
const EXPIRES: i64 = 30 * 24 * 60 * 60 * 1_000;
/// So many rows are tended to at once.
const TENDED: i64 = 500;

/// A delivery status of a message of ours.
#[derive(Debug, Clone, Default)]
pub struct Delivered {
    /// Our number.
    pub recipient: String,
    /// Unique: message id and status.
    pub key: String,
    /// The channel's id of the message.
    pub external_id: String,
    /// Our outbox row, when the status carries it.
    pub outbox_id: Option<String>,
    /// `sent`, `delivered`, `read`, `failed`, …
    pub status: String,
    /// By what the channel knows the customer: E.164 phone, its own id.
    pub customer: Vec<String>,
    /// Why it failed: the class and the channel's number of it.
    pub failure: Option<(ErrorClass, i64)>,
    /// What it costs, when the status says so.
    pub priced: Option<Priced>,
    /// The raw item.
    pub body: String,
}

/// What [`Store::tend_outbox`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tended {
    /// Conversations that came to a person, because a message was perhaps sent.
    pub handed_over: Vec<ConversationId>,
    /// Messages that nobody will deliver any more.
    pub expired: u64,
}

/// How far a status is; unknown ones are nowhere.
fn rank(status: &str) -> u8 {
    match status {
        "sent" => 1,
        "failed" => 2,
        "expired" => 3,
        "delivered" => 4,
        "read" | "played" => 5,
        _ => 0,
    }
}

/// Whether a message moves from one status to another. `failed` is final unless the message arrived all the same.
fn moves(from: Option<&str>, to: &str) -> bool {
    rank(to) > from.map_or(0, rank)
}

/// Stores a status and does what it asks for. The conversation, when a person got it because of that.
pub(super) async fn accept(
    connection: &mut Connection,
    delivery: &Delivered,
    now: i64,
) -> Result<Option<ConversationId>, StoreError> {
    let event = inbox::Event {
        recipient: delivery.recipient.clone(),
        key: delivery.key.clone(),
        kind: "status".to_owned(),
        body: delivery.body.clone(),
    };
    if !inbox::insert_event(connection, &event, now).await? {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT id, conversation_id, state, delivery, attempts FROM outbox WHERE id = $2 OR external_id = $1 LIMIT 1",
    )
    .bind(&delivery.external_id)
    .bind(&delivery.outbox_id)
    .fetch_optional(&mut *connection)
    .await?;
    let (id, conversation) = match &row {
        Some(row) => (Some(text(row, "id")?), Some(text(row, "conversation_id")?)),
        None => (None, None),
    };
    if let Some(priced) = &delivery.priced {
        let ours = (id.as_deref(), conversation.as_deref());
        costs::record(connection, &delivery.external_id, ours, priced, now).await?;
    }
    let Some(row) = row else {
        opted_out(connection, delivery, now).await?;
        return Ok(None);
    };
    if moves(
        optional_text(&row, "delivery")?.as_deref(),
        &delivery.status,
    ) {
        let before = text(&row, "state")?;
        let tried = number(&row, "attempts")? > 0;
        let id = text(&row, "id")?;
        if advance(connection, delivery, &id, &before, tried, now).await? {
            return Ok(conversation.map(ConversationId));
        }
    }
    Ok(None)
}

/// A customer's no counts, whoever sent them the message.
async fn opted_out(
    connection: &mut Connection,
    delivery: &Delivered,
    now: i64,
) -> Result<(), StoreError> {
    let Some((ErrorClass::OptedOut, code)) = delivery.failure else {
        return Ok(());
    };
    let no = consent::by_channel(code, Some(delivery.external_id.clone()));
    consent::record_by_address(connection, &delivery.customer, &no, now).await?;
    Ok(())
}

async fn advance(
    connection: &mut Connection,
    delivery: &Delivered,
    id: &str,
    before: &str,
    tried: bool,
    now: i64,
) -> Result<bool, StoreError> {
    let failed = delivery.status == "failed";
    let (class, code) = delivery.failure.unzip();
    // A status also tells of a message that was perhaps sent that it was, and of one that waits to be
    // sent once more that it need not be.
    let settles = matches!(before, "unknown" | "held" | "failed") && !failed
        || before == "unknown"
        || before == "queued" && tried && !failed;
    sqlx::query(
        "UPDATE outbox SET delivery = $1, external_id = COALESCE(external_id, $2), updated_at = $3, \
         state = CASE WHEN $4 = 1 THEN 'sent' ELSE state END, sent_at = COALESCE(sent_at, $3), \
         class = CASE WHEN $5 IS NULL THEN class ELSE $5 END, code = CASE WHEN $6 IS NULL THEN code ELSE $6 END, \
         fault = CASE WHEN $5 IS NOT NULL THEN $7 WHEN $4 = 1 THEN NULL ELSE fault END WHERE id = $8",
    )
    .bind(&delivery.status)
    .bind(&delivery.external_id)
    .bind(now)
    .bind(i64::from(settles))
    .bind(class.map(ErrorClass::name))
    .bind(code)
    .bind(class.zip(code).map(|(class, code)| fault(class, code)))
    .bind(id)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("{FACTS} WHERE o.id = $1")))
        .bind(id)
        .fetch_one(&mut *connection)
        .await?;
    let facts = Facts::read(&row)?;
    if settles {
        promote(connection, &facts.conversation, facts.lane).await?;
    }
    if rank(&delivery.status) >= rank("delivered") && facts.undeliverable > 0 {
        sqlx::query("UPDATE contacts SET undeliverable = 0 WHERE id = $1")
            .bind(&facts.contact)
            .execute(&mut *connection)
            .await?;
    }
    // What the answer to our call said has been acted upon already.
    if let (Some(class), Some(code), true) = (class, code, matches!(before, "sent" | "unknown")) {
        let failure = Failure {
            class,
            code,
            fault: fault(class, code),
        };
        return remedies::apply(connection, &facts, &failure, now).await;
    }
    Ok(false)
}

fn fault(class: ErrorClass, code: i64) -> String {
    format!("a status says that it failed: code {code} ({class})")
}

impl Store {
    /// The conversations that come to a person from now on, because of what the channel tells of our messages.
    #[must_use]
    pub fn handed_over(&self) -> broadcast::Receiver<ConversationId> {
        self.handed_over.subscribe()
    }

    /// Tells those who watch.
    pub(super) fn tell_handed_over(&self, conversations: Vec<ConversationId>) {
        for conversation in conversations {
            // Nobody watches in a command.
            let _ = self.handed_over.send(conversation);
        }
    }

    /// What the time does to messages: one that was perhaps sent and of which nothing was heard is shown to a
    /// person; one that was not delivered in 30 days has expired.
    ///
    /// # Errors
    /// What the database says.
    pub async fn tend_outbox(&self, now: i64) -> Result<Tended, StoreError> {
        let due = sqlx::query(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE state = 'unknown' AND shown = 0 AND updated_at <= $1) AS perhaps, \
             EXISTS (SELECT 1 FROM outbox WHERE state = 'sent' AND (delivery IS NULL OR delivery = 'sent') \
             AND sent_at <= $2) AS expired",
        )
        .bind(now - PERHAPS)
        .bind(now - EXPIRES)
        .fetch_one(&self.readers)
        .await?;
        if number(&due, "perhaps")? == 0 && number(&due, "expired")? == 0 {
            return Ok(Tended::default());
        }
        self.write(move |connection| Box::pin(tend(connection, now)))
            .await
    }
}

async fn tend(connection: &mut Connection, now: i64) -> Result<Tended, StoreError> {
    let perhaps = sqlx::query(
        "UPDATE outbox SET shown = 1 WHERE id IN (SELECT id FROM outbox WHERE state = 'unknown' AND shown = 0 \
         AND updated_at <= $1 ORDER BY updated_at LIMIT $2) RETURNING conversation_id",
    )
    .bind(now - PERHAPS)
    .bind(TENDED)
    .fetch_all(&mut *connection)
    .await?;
    let mut tended = Tended::default();
    for row in &perhaps {
        let conversation = text(row, "conversation_id")?;
        remedies::hand_over(connection, &conversation, "perhaps_sent", now).await?;
        tended.handed_over.push(conversation.into());
    }
    tended.expired = sqlx::query(
        "UPDATE outbox SET delivery = 'expired', updated_at = $1 WHERE id IN (SELECT id FROM outbox \
         WHERE state = 'sent' AND (delivery IS NULL OR delivery = 'sent') AND sent_at <= $2 \
         ORDER BY sent_at LIMIT $3)",
    )
    .bind(now)
    .bind(now - EXPIRES)
    .bind(TENDED)
    .execute(connection)
    .await?
    .rows_affected();
    Ok(tended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_only_moves_forward() {
        let order = ["sent", "failed", "delivered", "read"];
        for (place, from) in order.iter().enumerate() {
            for (other, to) in order.iter().enumerate() {
                assert_eq!(moves(Some(from), to), other > place, "{from} to {to}");
            }
            assert!(moves(None, from));
            assert!(!moves(Some(from), "something new"));
        }
        assert!(!moves(Some("read"), "played"));
        assert!(moves(Some("expired"), "delivered"));
        assert!(!moves(None, "warning"));
    }
}
