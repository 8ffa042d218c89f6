//! What messages cost: a ledger of one row a message, and the sums that budgets are held against.

use serde::Serialize;

use super::dialect::Connection;
use super::rows::{number, text};
use super::{Store, StoreError};
use crate::domain::ConversationId;

/// Days are counted in UTC.
const DAY: i64 = 24 * 60 * 60 * 1_000;

/// The price of one message, as a status tells it and the rate card values it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// Whether it is billed; newer versions of the API do not say.
    pub billable: Option<bool>,
    /// The model, for example `PMP`.
    pub model: Option<String>,
    /// The type: `regular`, `free_customer_service`, `free_entry_point`, …
    pub kind: String,
    /// The category: `service`, `utility`, `marketing`, …
    pub category: String,
    /// By our rate card, millionths of the currency.
    pub micros: i64,
    /// ISO 4217.
    pub currency: String,
}

/// A sum of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// What it is the sum of: for example `regular/service`, or a day.
    pub key: String,
    /// ISO 4217.
    pub currency: String,
    /// How many messages.
    pub messages: i64,
    /// Millionths of the currency.
    pub micros: i64,
}

impl Store {
    /// What was spent in a conversation, and today (UTC), in a currency: millionths of it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn spent(
        &self,
        conversation: &ConversationId,
        currency: &str,
        now: i64,
    ) -> Result<(i64, i64), StoreError> {
        let sum = async |scope: &'static str, key: String| -> Result<i64, StoreError> {
            let row = sqlx::query(
                "SELECT micros FROM spending WHERE scope = $1 AND key = $2 AND currency = $3",
            )
            .bind(scope)
            .bind(key)
            .bind(currency)
            .fetch_optional(&self.readers)
            .await?;
            row.map_or(Ok(0), |row| number(&row, "micros"))
        };
        let conversation = sum("conversation", conversation.0.clone()).await?;
        Ok((conversation, sum("day", day(now)).await?))
    }

    /// The sums by type and category since the beginning, or of today.
    ///
    /// # Errors
    /// What the database says.
    pub async fn spending(&self, scope: Spending, now: i64) -> Result<Vec<Spent>, StoreError> {
        let (scope, from, to) = match scope {
            Spending::Categories => ("category", String::new(), "\u{10ffff}".to_owned()),
            Spending::Today => ("day", day(now), day(now)),
            Spending::Conversation(id) => ("conversation", id.0.clone(), id.0),
        };
        let rows = sqlx::query(
            "SELECT key, currency, messages, micros FROM spending WHERE scope = $1 AND key >= $2 AND key <= $3 \
             ORDER BY key, currency",
        )
        .bind(scope)
        .bind(from)
        .bind(to)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Spent {
                    key: text(row, "key")?,
                    currency: text(row, "currency")?,
                    messages: number(row, "messages")?,
                    micros: number(row, "micros")?,
                })
            })
            .collect()
    }
}

/// What [`Store::spending`] sums up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spending {
    /// By type and category.
    Categories,
    /// Today, UTC.
    Today,
    /// One conversation.
    Conversation(ConversationId),
}

fn day(now: i64) -> String {
    now.div_euclid(DAY).to_string()
}

/// Enters a message's price once, whichever status brings it.
pub(super) async fn record(
    connection: &mut Connection,
    external_id: &str,
    (outbox, conversation): (Option<&str>, Option<&str>),
    priced: &Priced,
    now: i64,
) -> Result<(), StoreError> {
    let new = sqlx::query(
        "INSERT INTO costs (external_id, outbox_id, conversation_id, billable, model, kind, category, micros, \
         currency, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (external_id) DO NOTHING",
    )
    .bind(external_id)
    .bind(outbox)
    .bind(conversation)
    .bind(priced.billable.map(i64::from))
    .bind(&priced.model)
    .bind(&priced.kind)
    .bind(&priced.category)
    .bind(priced.micros)
    .bind(&priced.currency)
    .bind(now)
    .execute(&mut *connection)
    .await?
    .rows_affected();
    if new == 0 {
        return Ok(());
    }
    let category = format!("{}/{}", priced.kind, priced.category);
    add(connection, "category", &category, priced).await?;
    add(connection, "day", &day(now), priced).await?;
    if let Some(conversation) = conversation {
        add(connection, "conversation", conversation, priced).await?;
    }
    Ok(())
}

async fn add(
    connection: &mut Connection,
    scope: &str,
    key: &str,
    priced: &Priced,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO spending (scope, key, currency, messages, micros) VALUES ($1, $2, $3, 1, $4) \
         ON CONFLICT (scope, key, currency) DO UPDATE SET messages = spending.messages + 1, \
         micros = spending.micros + excluded.micros",
    )
    .bind(scope)
    .bind(key)
    .bind(&priced.currency)
    .bind(priced.micros)
    .execute(connection)
    .await?;
    Ok(())
}
