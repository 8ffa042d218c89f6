//! `open_ticket`: something a colleague must do.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Annotations, CUSTOMERS, CallContext, Caller, Tool, ToolError, Workbench, nobody};
use crate::clock;
use crate::domain::{OrderNumber, Scope, TicketId};
use crate::store::{NewTicket, Priority};

/// What it is about.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Args {
    /// One line.
    #[schemars(length(min = 3, max = 120))]
    subject: String,
    /// What a colleague needs to act without reading back.
    #[schemars(length(min = 3, max = 2000))]
    summary: String,
    /// The order it is about, when the customer wrote its number.
    #[serde(default)]
    #[schemars(length(max = 20))]
    order_number: Option<OrderNumber>,
}

/// The ticket.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TicketAnswer {
    /// Its id.
    pub ticket: TicketId,
    /// Whether it is new; otherwise the conversation's open ticket was added to.
    pub created: bool,
    /// How soon a colleague looks, from the customer's mood.
    pub priority: Priority,
}

/// The tool.
pub struct OpenTicket(pub Workbench);

#[async_trait]
impl Tool for OpenTicket {
    const NAME: &'static str = "open_ticket";
    const TITLE: &'static str = "Open a ticket";
    const DESCRIPTION: &'static str = include_str!("../../tools/open_ticket.md");
    const ANNOTATIONS: Annotations = Annotations::ADDS;
    const CALLERS: &'static [Caller] = CUSTOMERS;
    const SCOPE: Option<Scope> = Some(Scope::TicketsWrite);
    type Args = Args;
    type Output = TicketAnswer;

    async fn call(&self, args: Args, context: &CallContext) -> Result<TicketAnswer, ToolError> {
        let (Some(conversation), Some(contact)) = (&context.conversation, &context.contact) else {
            return Err(nobody());
        };
        let summary = match &args.order_number {
            Some(number) => format!("{} (order {number})", args.summary),
            None => args.summary,
        };
        let ticket = NewTicket {
            conversation: conversation.clone(),
            contact: contact.clone(),
            subject: args.subject,
            summary,
            priority: priority(context.polarity),
        };
        let opened = self
            .0
            .store
            .open_ticket(ticket, context.epoch, clock::now())
            .await?;
        Ok(TicketAnswer {
            ticket: opened.id,
            created: opened.created,
            priority: opened.priority,
        })
    }
}

fn priority(polarity: f32) -> Priority {
    if polarity <= -0.7 {
        Priority::Urgent
    } else if polarity <= -0.3 {
        Priority::High
    } else {
        Priority::Normal
    }
}
