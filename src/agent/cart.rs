//! A basket from WhatsApp's own catalog: priced from ours, and answered with a link to pay it.

use minijinja::context;
use serde_json::{Value, json};

use super::cards::button;
use super::{Agent, Desk, TurnInput, finish};
use crate::domain::{
    Answer, CartItem, HandOffReason, InboundContent, Outcome, PaymentButton, ToolTrace,
};
use crate::prompts::Words;
use crate::tools::{CallContext, PaymentAnswer, ProductAnswer, ProductView, ToolError};

/// More than this of one product is an order for a person, and more than the link's tool takes.
const MOST_PIECES: u32 = 50;
/// More lines than this, too.
const MOST_LINES: usize = 20;

/// What came of a basket.
pub struct Priced {
    /// The calls.
    pub tools: Vec<ToolTrace>,
    /// What is said.
    pub end: End,
}

/// What is said of a basket.
pub enum End {
    /// The lines of the answer, and the link.
    Said(Vec<String>, Option<PaymentButton>),
    /// A person is to do it.
    Person(HandOffReason),
}

impl End {
    /// The outcome in the customer's words.
    pub fn outcome(self, words: Words<'_>, desk: Desk, summary: String) -> Outcome {
        let (lines, payment) = match self {
            Self::Person(reason) => return finish::hand_off(reason, words, desk, summary),
            Self::Said(lines, payment) => (lines, payment),
        };
        let mut answer = Answer::text(lines.join("\n"));
        if payment.is_none() {
            answer.choices.push(finish::person(words));
        }
        answer.payment = payment.map(|payment| PaymentButton {
            label: words.plain("link_label"),
            ..payment
        });
        Outcome::Answered {
            answer,
            awaiting: None,
        }
    }
}

/// A basket as our catalog has it.
#[derive(Default)]
struct Sorted {
    /// What can be had, with how many.
    had: Vec<CartItem>,
    /// What is to be said of the others.
    lines: Vec<String>,
    /// What the catalog does not have.
    unknown: Vec<String>,
}

impl Agent {
    /// Prices the last basket that came. A basket replaces the one before it, as on the customer's phone.
    pub(super) async fn cart(&self, input: &TurnInput, context: &CallContext) -> Priced {
        let mut tools = Vec::new();
        let end = match self.priced(input, context, &mut tools).await {
            Ok(end) => end,
            Err(error) => {
                let detail = error.for_caller();
                tracing::error!(turn = %input.turn, detail, "a basket could not be priced");
                End::Person(HandOffReason::Failure)
            }
        };
        Priced { tools, end }
    }

    async fn priced(
        &self,
        input: &TurnInput,
        context: &CallContext,
        tools: &mut Vec<ToolTrace>,
    ) -> Result<End, ToolError> {
        let carts = input.messages.iter().rev();
        let items = carts
            .filter_map(InboundContent::cart)
            .map(|cart| &cart.items)
            .find(|items| !items.is_empty());
        let items = items.map(Vec::as_slice).unwrap_or_default();
        if items.len() > MOST_LINES || items.iter().any(|item| item.quantity > MOST_PIECES) {
            return Ok(End::Person(HandOffReason::OutOfReach));
        }
        let words = self.prompts.words(context.language);
        let mut sorted = Sorted::default();
        for item in items {
            let found = self.called(
                "get_product",
                json!({ "id": item.product_id }),
                context,
                tools,
            );
            match found.await {
                Ok(found) => sorted.take(item, read::<ProductAnswer>(found)?.product, words),
                Err(ToolError::Invalid(_)) => sorted.unknown.push(item.product_id.to_string()),
                Err(error) => return Err(error),
            }
        }
        let mut lines = sorted.lines;
        if !sorted.unknown.is_empty() {
            let products = words.list(&sorted.unknown);
            lines.push(words.say("cart_unknown", context! { products }));
        }
        if sorted.had.is_empty() {
            lines.push(words.plain("cart_nothing"));
            return Ok(End::Said(lines, None));
        }
        let arguments = json!({ "items": sorted.had });
        match self.called("payment_link", arguments, context, tools).await {
            Ok(link) => {
                let link = read::<PaymentAnswer>(link)?;
                lines.push(words.say(
                    "link",
                    context! {
                        lines => words.list(&link.lines),
                        total => link.total_text.as_str(),
                        hours => link.expires_in_hours,
                    },
                ));
                Ok(End::Said(lines, Some(button(&link))))
            }
            Err(ToolError::NotAllowed(_)) => {
                lines.push(words.plain("payments_off"));
                Ok(End::Said(lines, None))
            }
            Err(error) => Err(error),
        }
    }

    async fn called(
        &self,
        name: &str,
        arguments: Value,
        context: &CallContext,
        tools: &mut Vec<ToolTrace>,
    ) -> Result<Value, ToolError> {
        let result = self.tools.call(name, arguments.clone(), context).await;
        tools.push(ToolTrace {
            name: name.to_owned(),
            arguments,
            result: match &result {
                Ok(result) => result.clone(),
                Err(error) => json!({ "error": error.for_caller() }),
            },
            failed: result.is_err(),
        });
        result
    }
}

impl Sorted {
    fn take(&mut self, item: &CartItem, product: ProductView, words: Words<'_>) {
        let quantity = item.quantity.min(product.stock);
        if quantity == 0 {
            let title = product.title.as_str();
            self.lines
                .push(words.say("cart_sold_out", context! { title }));
            return;
        }
        if quantity < item.quantity {
            let blanks = context! { title => product.title.as_str(), number => quantity };
            self.lines.push(words.say("cart_few", blanks));
        }
        self.had.push(CartItem {
            product_id: product.id,
            quantity,
        });
    }
}

fn read<T: serde::de::DeserializeOwned>(result: Value) -> Result<T, ToolError> {
    serde_json::from_value(result).map_err(|error| ToolError::Unavailable {
        detail: error.to_string(),
    })
}
