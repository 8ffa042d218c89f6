//! Payment links: one open link per conversation and basket, paid at most once.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::conversations::{CONVERSATION, ConversationState, fence};
use super::dialect::{Connection, Row};
use super::outbox::{self, NewOutboxRow};
use super::rows::{json, number, optional_text, parsed, text};
use super::{Store, StoreError};
use crate::domain::{
    Answer, ConversationId, Language, Money, OrderItem, OrderNumber, PaymentId, ProductId,
};

/// One line of a basket, priced by the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentLine {
    /// The product.
    pub product_id: ProductId,
    /// Its title when the link was made.
    pub title: String,
    /// Price of one piece.
    pub unit_price: Money,
    /// Pieces.
    pub quantity: u32,
}

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Can be paid, while it has not expired.
    Open,
    /// Was paid.
    Paid,
    /// Can no longer be paid.
    Expired,
}

impl FromStr for PaymentState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "open" => Ok(Self::Open),
            "paid" => Ok(Self::Paid),
            "expired" => Ok(Self::Expired),
            _ => Err(format!("`{text}` is not a payment state")),
        }
    }
}

/// What a link is made with.
#[derive(Debug, Clone)]
pub struct NewPaymentLink {
    /// Where it was asked for.
    pub conversation: ConversationId,
    /// The order it pays, when it is not a new one.
    pub order: Option<OrderNumber>,
    /// The basket, sorted by product.
    pub lines: Vec<PaymentLine>,
    /// The sum of the lines.
    pub total: Money,
    /// The customer's language.
    pub language: Language,
    /// The provider's name.
    pub provider: &'static str,
    /// Until when it can be paid, milliseconds since 1970.
    pub expires_at: i64,
}

/// A payment link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PaymentLink {
    /// Its id, also in its address.
    pub id: PaymentId,
    /// Where it was asked for.
    pub conversation: ConversationId,
    /// The basket.
    pub lines: Vec<PaymentLine>,
    /// The sum.
    pub total: Money,
    /// The customer's language.
    pub language: Language,
    /// Where it stands.
    pub state: PaymentState,
    /// The order it became.
    pub order: Option<OrderNumber>,
    /// Until when it can be paid, milliseconds since 1970.
    pub expires_at: i64,
}

/// A link that has just been paid, or had been before.
#[derive(Debug, Clone)]
pub struct PaidLink {
    /// The link.
    pub link: PaymentLink,
    /// Whether this call paid it; false when it was paid already.
    pub first: bool,
}

const LINK: &str = "SELECT id, conversation_id, items, total_minor, currency, language, state, \
    order_number, expires_at FROM payment_links";

impl PaymentLink {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: text(row, "id")?.into(),
            conversation: text(row, "conversation_id")?.into(),
            lines: json(row, "items")?,
            total: Money::new(number(row, "total_minor")?, parsed(row, "currency")?),
            language: parsed(row, "language")?,
            state: parsed(row, "state")?,
            order: optional_text(row, "order_number")?.map(OrderNumber),
            expires_at: number(row, "expires_at")?,
        })
    }
}

impl Store {
    /// Makes a payment link, or finds the open one for the same basket.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when `epoch` is no longer the conversation's.
    pub async fn payment_link(
        &self,
        link: NewPaymentLink,
        epoch: Option<i64>,
        now: i64,
    ) -> Result<PaymentLink, StoreError> {
        self.write(move |connection| {
            Box::pin(async move {
                fence(connection, &link.conversation, epoch).await?;
                find_or_make(connection, link, now).await
            })
        })
        .await
    }

    /// The link with this id.
    ///
    /// # Errors
    /// What the database says.
    pub async fn payment(&self, id: &PaymentId) -> Result<Option<PaymentLink>, StoreError> {
        let row = sqlx::query(sqlx::AssertSqlSafe(format!("{LINK} WHERE id = $1")))
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(PaymentLink::read).transpose()
    }

    /// Marks a link as paid, makes its order and thanks the customer, all in one transaction and once.
    /// `thanks` writes the message when it knows the order's number. None when there is no such link.
    ///
    /// # Errors
    /// What the database says.
    pub async fn pay(
        &self,
        id: &PaymentId,
        external_id: Option<String>,
        today: String,
        thanks: impl FnOnce(&OrderNumber, Language) -> Answer + Send + 'static,
        now: i64,
    ) -> Result<Option<PaidLink>, StoreError> {
        let id = id.clone();
        self.write(move |connection| {
            Box::pin(async move {
                let row = sqlx::query(sqlx::AssertSqlSafe(format!("{LINK} WHERE id = $1")))
                    .bind(id.as_str())
                    .fetch_optional(&mut *connection)
                    .await?;
                let Some(row) = row else { return Ok(None) };
                let mut link = PaymentLink::read(&row)?;
                if link.state == PaymentState::Paid {
                    return Ok(Some(PaidLink { link, first: false }));
                }
                let order = match link.order.clone() {
                    Some(order) => pay_order(connection, order).await?,
                    None => make_order(connection, &link, &today).await?,
                };
                settle(connection, &id, &order, external_id, now).await?;
                thank(connection, &link, &thanks(&order, link.language), now).await?;
                link.state = PaymentState::Paid;
                link.order = Some(order);
                Ok(Some(PaidLink { link, first: true }))
            })
        })
        .await
    }
}

async fn find_or_make(
    connection: &mut Connection,
    link: NewPaymentLink,
    now: i64,
) -> Result<PaymentLink, StoreError> {
    let key = link
        .order
        .as_ref()
        .map_or_else(|| basket_key(&link.lines), |order| format!("order:{order}"));
    sqlx::query(
        "UPDATE payment_links SET state = 'expired' WHERE conversation_id = $1 AND state = 'open' \
         AND expires_at <= $2",
    )
    .bind(link.conversation.as_str())
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO payment_links (id, conversation_id, key, items, total_minor, currency, language, \
         provider, state, order_number, expires_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'open', $9, $10, $11) \
         ON CONFLICT (conversation_id, key) WHERE state = 'open' DO NOTHING",
    )
    .bind(PaymentId::random().0)
    .bind(link.conversation.as_str())
    .bind(&key)
    .bind(serde_json::to_string(&link.lines)?)
    .bind(link.total.minor)
    .bind(link.total.currency.code())
    .bind(link.language.code())
    .bind(link.provider)
    .bind(link.order.as_ref().map(OrderNumber::as_str))
    .bind(link.expires_at)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "{LINK} WHERE conversation_id = $1 AND key = $2 AND state = 'open'"
    )))
    .bind(link.conversation.as_str())
    .bind(&key)
    .fetch_one(connection)
    .await?;
    PaymentLink::read(&row)
}

/// The same basket at the same prices has the same key.
fn basket_key(lines: &[PaymentLine]) -> String {
    let mut parts: Vec<String> = lines
        .iter()
        .map(|line| {
            format!(
                "{}x{}@{}",
                line.product_id, line.quantity, line.unit_price.minor
            )
        })
        .collect();
    parts.sort();
    parts.join(";")
}

async fn make_order(
    connection: &mut Connection,
    link: &PaymentLink,
    today: &str,
) -> Result<OrderNumber, StoreError> {
    let row = sqlx::query(CONVERSATION)
        .bind(link.conversation.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let state = ConversationState::read(&row)?;
    let items: Vec<OrderItem> = link
        .lines
        .iter()
        .map(|line| OrderItem {
            product_id: line.product_id.clone(),
            quantity: line.quantity,
        })
        .collect();
    let row = sqlx::query(
        "INSERT INTO orders (number, name, phone, email, language, placed_on, status, items, \
         conversation_id) SELECT CAST(COALESCE(MAX(CAST(number AS INTEGER)), 10000) + 1 AS TEXT), \
         $1, $2, '', $3, $4, 'paid', $5, $6 FROM orders RETURNING number",
    )
    .bind(state.contact.name.unwrap_or_default())
    .bind(state.contact.phone.unwrap_or_default())
    .bind(link.language.code())
    .bind(today)
    .bind(serde_json::to_string(&items)?)
    .bind(link.conversation.as_str())
    .fetch_one(connection)
    .await?;
    Ok(OrderNumber(text(&row, "number")?))
}

async fn pay_order(
    connection: &mut Connection,
    order: OrderNumber,
) -> Result<OrderNumber, StoreError> {
    sqlx::query(
        "UPDATE orders SET status = 'paid' WHERE number = $1 AND status = 'awaiting_payment'",
    )
    .bind(order.as_str())
    .execute(connection)
    .await?;
    Ok(order)
}

async fn settle(
    connection: &mut Connection,
    id: &PaymentId,
    order: &OrderNumber,
    external_id: Option<String>,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE payment_links SET state = 'paid', order_number = $1, external_id = $2, paid_at = $3 \
         WHERE id = $4",
    )
    .bind(order.as_str())
    .bind(external_id)
    .bind(now)
    .bind(id.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

async fn thank(
    connection: &mut Connection,
    link: &PaymentLink,
    answer: &Answer,
    now: i64,
) -> Result<(), StoreError> {
    let row = sqlx::query(CONVERSATION)
        .bind(link.conversation.as_str())
        .fetch_one(&mut *connection)
        .await?;
    let state = ConversationState::read(&row)?;
    let message = NewOutboxRow {
        state: &state,
        turn: None,
        language: link.language,
        answer,
        by_human: false,
        regardless: true,
    };
    outbox::say(connection, &message, None, now).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;

    fn line(product: &str, quantity: u32, minor: i64) -> PaymentLine {
        PaymentLine {
            product_id: product.into(),
            title: "as it was called".to_owned(),
            unit_price: Money::new(minor, Currency::EUR),
            quantity,
        }
    }

    #[test]
    fn the_same_basket_has_the_same_key_and_another_has_another() {
        let basket = [line("aria", 2, 14_900), line("moka", 1, 2_490)];
        let turned = [basket[1].clone(), basket[0].clone()];
        assert_eq!(basket_key(&basket), basket_key(&turned));
        let others = [
            vec![line("aria", 2, 14_900)],
            vec![line("aria", 1, 14_900), line("moka", 2, 2_490)],
            vec![line("aria", 2, 14_901), line("moka", 1, 2_490)],
        ];
        for other in others {
            assert_ne!(basket_key(&other), basket_key(&basket), "{other:?}");
        }
    }
}
