//! The order book and the proofs that open it.

use sqlx::Row as _;

use super::dialect::Row;
use super::rows::{json, optional_text, parsed, text};
use super::{Store, StoreError};
use crate::domain::{ContactId, ConversationId, Order, OrderNumber};

impl Store {
    /// Adds orders that are not there yet; the others stay as they are.
    ///
    /// # Errors
    /// What the database says.
    pub async fn seed_orders(&self, orders: Vec<Order>) -> Result<(), StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                for order in &orders {
                    sqlx::query(
                        "INSERT INTO orders (number, name, phone, email, language, placed_on, status, \
                         carrier, tracking, expected_on, items) \
                         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
                         ON CONFLICT (number) DO NOTHING",
                    )
                    .bind(order.number.as_str())
                    .bind(&order.name)
                    .bind(&order.phone)
                    .bind(&order.email)
                    .bind(order.language.code())
                    .bind(&order.placed_on)
                    .bind(order.status.name())
                    .bind(&order.carrier)
                    .bind(&order.tracking)
                    .bind(&order.expected_on)
                    .bind(serde_json::to_string(&order.items)?)
                    .execute(&mut *connection)
                    .await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// The order with this number and the conversation that it was placed in, if it was in one.
    ///
    /// # Errors
    /// What the database says.
    pub async fn order(
        &self,
        number: &OrderNumber,
    ) -> Result<Option<(Order, Option<ConversationId>)>, StoreError> {
        let row = sqlx::query("SELECT * FROM orders WHERE number = $1")
            .bind(number.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            let conversation = optional_text(&row, "conversation_id")?.map(ConversationId);
            Ok((read(&row)?, conversation))
        })
        .transpose()
    }

    /// The newest orders of a phone that the channel vouches for.
    ///
    /// # Errors
    /// What the database says.
    pub async fn orders_of_phone(&self, phone: &str) -> Result<Vec<Order>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM orders WHERE phone = $1 ORDER BY placed_on DESC, number DESC LIMIT 5",
        )
        .bind(phone)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(read).collect()
    }

    /// Notes a pair of order number and e-mail that did not match.
    ///
    /// # Errors
    /// What the database says.
    pub async fn note_failed_proof(&self, contact: &ContactId, now: i64) -> Result<(), StoreError> {
        let contact = contact.clone();
        self.write(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO failed_proofs (contact_id, at) VALUES ($1, $2)")
                    .bind(contact.as_str())
                    .bind(now)
                    .execute(connection)
                    .await?;
                Ok(())
            })
        })
        .await
    }

    /// How many pairs did not match since then.
    ///
    /// # Errors
    /// What the database says.
    pub async fn failed_proofs(&self, contact: &ContactId, since: i64) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*) FROM failed_proofs WHERE contact_id = $1 AND at > $2")
                .bind(contact.as_str())
                .bind(since)
                .fetch_one(&self.readers)
                .await?;
        Ok(row.try_get(0)?)
    }
}

fn read(row: &Row) -> Result<Order, StoreError> {
    Ok(Order {
        number: text(row, "number")?.into(),
        name: text(row, "name")?,
        phone: text(row, "phone")?,
        email: text(row, "email")?,
        language: parsed(row, "language")?,
        placed_on: text(row, "placed_on")?,
        status: parsed(row, "status")?,
        carrier: optional_text(row, "carrier")?,
        tracking: optional_text(row, "tracking")?,
        expected_on: optional_text(row, "expected_on")?,
        items: json(row, "items")?,
    })
}
