//! `get_order_status`: where an order is, for the one who proves that it is theirs.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, CallContext, Caller, Tool, ToolError, WITH_PROOF, Workbench, nobody};
use crate::clock;
use crate::domain::{ContactId, Language, Order, OrderNumber, OrderStatus, Scope};
use crate::knowledge::Knowledge;

/// After so many failed pairs in an hour a person takes over.
const FAILED_PROOFS: i64 = 5;
const HOUR: i64 = 60 * 60 * 1000;

/// Which order.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// The order number, digits only.
    #[serde(default)]
    #[schemars(length(min = 3, max = 20), regex(pattern = r"^[0-9A-Za-z-]+$"))]
    order_number: Option<OrderNumber>,
    /// The e-mail of the order, exactly as the customer wrote it in this conversation.
    #[serde(default)]
    #[schemars(length(max = 120))]
    email: Option<String>,
}

/// The orders, or what is missing to show them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OrderAnswer {
    /// Whether the customer has proved that the order is theirs.
    pub verified: bool,
    /// Whether there were too many failed attempts: hand off to a person.
    pub locked: bool,
    /// The orders; one when a number was given.
    pub orders: Vec<OrderView>,
    /// What to say or ask next.
    pub advice: String,
}

/// An order as its customer may see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderView {
    /// The number.
    pub number: OrderNumber,
    /// Where it stands.
    pub status: OrderStatus,
    /// The carrier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// The carrier's tracking code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracking: Option<String>,
    /// ISO date on which it was placed.
    pub placed_on: String,
    /// ISO date on which it should arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_on: Option<String>,
    /// What was ordered, in words.
    pub items: Vec<String>,
}

/// The tool.
pub struct GetOrderStatus(pub Workbench);

#[async_trait]
impl Tool for GetOrderStatus {
    const NAME: &'static str = "get_order_status";
    const TITLE: &'static str = "Get the status of an order";
    const DESCRIPTION: &'static str = include_str!("../../tools/get_order_status.md");
    const ANNOTATIONS: Annotations = Annotations::READS;
    const CALLERS: &'static [Caller] = WITH_PROOF;
    const SCOPE: Option<Scope> = Some(Scope::OrdersRead);
    type Args = Args;
    type Output = OrderAnswer;

    async fn call(&self, args: Args, context: &CallContext) -> Result<OrderAnswer, ToolError> {
        let prover = prover(context, args.order_number.as_ref()).ok_or_else(nobody)?;
        let Some(number) = &args.order_number else {
            return self.latest(context).await;
        };
        if self.failed(&prover).await? >= FAILED_PROOFS {
            return Ok(locked());
        }
        let found = self.0.store.order(number).await?;
        if let Some((order, placed_in)) = &found {
            let by_phone = context
                .phone
                .as_deref()
                .is_some_and(|phone| phone == order.phone);
            let here = placed_in.is_some() && *placed_in == context.conversation;
            if by_phone || here || proves(order, args.email.as_deref(), context) {
                return Ok(self.shown(vec![order], context.language));
            }
        }
        if args.email.is_none() {
            return Ok(unproved(
                "Ask the customer for the e-mail address of the order.",
            ));
        }
        self.0
            .store
            .note_failed_proof(&prover, clock::now())
            .await?;
        if self.failed(&prover).await? >= FAILED_PROOFS {
            return Ok(locked());
        }
        Ok(unproved(
            "Number and e-mail do not match an order. Ask the customer to check both; do not say which is wrong.",
        ))
    }
}

impl GetOrderStatus {
    async fn failed(&self, contact: &ContactId) -> Result<i64, ToolError> {
        Ok(self
            .0
            .store
            .failed_proofs(contact, clock::now() - HOUR)
            .await?)
    }

    async fn latest(&self, context: &CallContext) -> Result<OrderAnswer, ToolError> {
        let orders = match &context.phone {
            Some(phone) => self.0.store.orders_of_phone(phone).await?,
            None => Vec::new(),
        };
        if orders.is_empty() {
            return Ok(unproved("Ask the customer for the order number."));
        }
        Ok(self.shown(orders.iter().collect(), context.language))
    }

    fn shown(&self, orders: Vec<&Order>, language: Language) -> OrderAnswer {
        let knowledge = self.0.knowledge.load();
        OrderAnswer {
            verified: true,
            locked: false,
            orders: orders
                .into_iter()
                .map(|order| view(order, &knowledge, language))
                .collect(),
            advice: "Tell the status, the carrier with the tracking code, and the expected date."
                .to_owned(),
        }
    }
}

/// Whose failed attempts are counted. The shop's own assistant asks for many customers, so there they count for the
/// number it asks about.
fn prover(context: &CallContext, number: Option<&OrderNumber>) -> Option<ContactId> {
    let token = context.token.as_ref();
    let token = token.filter(|_| context.caller == Caller::Assistant);
    context.contact.clone().or_else(|| {
        let number = number.map_or("", OrderNumber::as_str);
        Some(ContactId(format!("{}/{number}", token?)))
    })
}

/// The e-mail proves the order when the customer wrote it in this conversation, or told it to the shop's own assistant.
fn proves(order: &Order, email: Option<&str>, context: &CallContext) -> bool {
    let Some(email) = email.map(str::trim).filter(|email| !email.is_empty()) else {
        return false;
    };
    let same = email.eq_ignore_ascii_case(&order.email);
    let lower = email.to_lowercase();
    let told = context.caller == Caller::Assistant
        || context
            .written
            .iter()
            .any(|text| text.to_lowercase().contains(&lower));
    same && told
}

fn unproved(advice: &str) -> OrderAnswer {
    OrderAnswer {
        verified: false,
        locked: false,
        orders: Vec::new(),
        advice: advice.to_owned(),
    }
}

fn locked() -> OrderAnswer {
    OrderAnswer {
        verified: false,
        locked: true,
        orders: Vec::new(),
        advice: "Too many attempts. Hand off to a person.".to_owned(),
    }
}

fn view(order: &Order, knowledge: &Knowledge, language: Language) -> OrderView {
    let item = |item: &crate::domain::OrderItem| {
        let title = knowledge
            .product(&item.product_id)
            .map_or(item.product_id.as_str(), |product| product.title(language));
        format!("{} × {title}", item.quantity)
    };
    OrderView {
        number: order.number.clone(),
        status: order.status,
        carrier: order.carrier.clone(),
        tracking: order.tracking.clone(),
        placed_on: order.placed_on.clone(),
        expected_on: order.expected_on.clone(),
        items: order.items.iter().map(item).collect(),
    }
}
