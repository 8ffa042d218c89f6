//! `payment_link`: a link to pay a basket. No amount: prices come from the catalog.

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, CUSTOMERS, CallContext, Caller, Tool, ToolError, Workbench, nobody};
use crate::clock;
use crate::domain::{
    ConversationId, Money, OrderItem, OrderNumber, OrderStatus, PaymentId, ProductId, Scope,
};
use crate::knowledge::Knowledge;
use crate::store::{NewPaymentLink, PaymentLine, PaymentLink};

/// What is to be paid.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// Products and quantities.
    #[serde(default)]
    #[schemars(length(max = 20))]
    items: Vec<Item>,
    /// Or the number of an order that waits for payment.
    #[serde(default)]
    #[schemars(length(max = 20))]
    order_number: Option<OrderNumber>,
}

/// One product and how many.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// The product's id.
    #[schemars(length(min = 1, max = 60))]
    product_id: ProductId,
    /// Pieces.
    #[schemars(range(min = 1, max = 50))]
    quantity: u32,
}

/// The link.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PaymentAnswer {
    /// Its id.
    pub id: PaymentId,
    /// Where to pay.
    pub url: String,
    /// The basket, in words.
    pub lines: Vec<String>,
    /// The total, from the catalog.
    pub total: Money,
    /// The total as the customer reads it.
    pub total_text: String,
    /// Until when it can be paid, ISO 8601.
    pub expires_at: String,
    /// For how many hours from now.
    pub expires_in_hours: i64,
}

/// The tool.
pub struct MakePaymentLink(pub Workbench);

#[async_trait]
impl Tool for MakePaymentLink {
    const NAME: &'static str = "payment_link";
    const TITLE: &'static str = "Make a payment link";
    const DESCRIPTION: &'static str = include_str!("../../tools/payment_link.md");
    const ANNOTATIONS: Annotations = Annotations::ADDS;
    const CALLERS: &'static [Caller] = CUSTOMERS;
    const SCOPE: Option<Scope> = Some(Scope::PaymentsWrite);
    type Args = Args;
    type Output = PaymentAnswer;

    async fn call(&self, args: Args, context: &CallContext) -> Result<PaymentAnswer, ToolError> {
        let conversation = context.conversation.as_ref().ok_or_else(nobody)?;
        let provider = self.0.payments.ok_or_else(|| {
            ToolError::NotAllowed("Payment links are off here. Offer a person.".to_owned())
        })?;
        let items = match &args.order_number {
            Some(number) => self.order_items(number, conversation, context).await?,
            None => merged(args.items),
        };
        let knowledge = self.0.knowledge.load_full();
        let (lines, total) = priced(&items, &knowledge, context)?;
        let now = clock::now();
        let link = NewPaymentLink {
            conversation: conversation.clone(),
            order: args.order_number,
            lines,
            total,
            language: context.language,
            provider,
            expires_at: now + self.0.link_milliseconds,
        };
        let link = self.0.store.payment_link(link, context.epoch, now).await?;
        Ok(answer(&link, context, &self.0.public_url, now))
    }
}

impl MakePaymentLink {
    async fn order_items(
        &self,
        number: &OrderNumber,
        conversation: &ConversationId,
        context: &CallContext,
    ) -> Result<Vec<OrderItem>, ToolError> {
        let unproved = || {
            ToolError::NotAllowed(
                "This order cannot be paid here. Use get_order_status first, or offer a person."
                    .to_owned(),
            )
        };
        let (order, placed_in) = self.0.store.order(number).await?.ok_or_else(unproved)?;
        let theirs = context
            .phone
            .as_deref()
            .is_some_and(|phone| phone == order.phone)
            || placed_in.as_ref() == Some(conversation);
        if !theirs {
            return Err(unproved());
        }
        if order.status != OrderStatus::AwaitingPayment {
            return Err(ToolError::Invalid(format!(
                "Order {number} does not wait for a payment."
            )));
        }
        Ok(order.items)
    }
}

fn merged(items: Vec<Item>) -> Vec<OrderItem> {
    let mut merged: Vec<OrderItem> = Vec::with_capacity(items.len());
    for item in items {
        match merged
            .iter_mut()
            .find(|known| known.product_id == item.product_id)
        {
            Some(known) => known.quantity = known.quantity.saturating_add(item.quantity),
            None => merged.push(OrderItem {
                product_id: item.product_id,
                quantity: item.quantity,
            }),
        }
    }
    merged
}

fn priced(
    items: &[OrderItem],
    knowledge: &Knowledge,
    context: &CallContext,
) -> Result<(Vec<PaymentLine>, Money), ToolError> {
    let mut lines = Vec::with_capacity(items.len());
    let mut total: Option<Money> = None;
    for item in items {
        let product = knowledge.product(&item.product_id).ok_or_else(|| {
            ToolError::Invalid(format!(
                "`items`: the catalog has no product `{}`. Find the id with search_catalog.",
                item.product_id
            ))
        })?;
        if product.stock < item.quantity {
            return Err(ToolError::Invalid(format!(
                "`items`: only {} of `{}` in stock. Tell the customer and ask what to do.",
                product.stock, item.product_id
            )));
        }
        let too_large = || ToolError::Invalid("`items`: the total is too large.".to_owned());
        let sum = product.price.times(item.quantity).ok_or_else(too_large)?;
        total = Some(match total {
            Some(total) => Money::new(
                total.minor.checked_add(sum.minor).ok_or_else(too_large)?,
                total.currency,
            ),
            None => sum,
        });
        lines.push(PaymentLine {
            product_id: product.id.clone(),
            title: product.title(context.language).to_owned(),
            unit_price: product.price,
            quantity: item.quantity,
        });
    }
    let total = total.ok_or_else(|| {
        ToolError::Invalid(
            "Give `items` with product ids and quantities, or an `order_number`.".to_owned(),
        )
    })?;
    lines.sort_by(|one, other| one.product_id.cmp(&other.product_id));
    Ok((lines, total))
}

fn answer(link: &PaymentLink, context: &CallContext, public_url: &str, now: i64) -> PaymentAnswer {
    let line = |line: &PaymentLine| format!("{} × {}", line.quantity, line.title);
    PaymentAnswer {
        id: link.id.clone(),
        url: format!("{public_url}/pay/{}", link.id),
        lines: link.lines.iter().map(line).collect(),
        total: link.total,
        total_text: link.total.display(context.language),
        expires_at: Timestamp::from_millisecond(link.expires_at)
            .map_or_else(|_| String::new(), |at| at.to_string()),
        expires_in_hours: (link.expires_at - now + 1_800_000) / 3_600_000,
    }
}
