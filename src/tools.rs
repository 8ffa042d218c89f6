//! The tools: one typed list that the agent, MCP, the page and the command line all read.
//!
//! A tool never takes the customer's identity, a price or an amount from its arguments; who is asking
//! travels beside them in a [`CallContext`].

mod faults;
mod get_order_status;
mod get_product;
mod hand_off_to_human;
mod open_ticket;
mod payment_link;
mod registry;
mod search_catalog;
mod search_policies;
mod view;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use get_order_status::{OrderAnswer, OrderView};
pub use get_product::ProductAnswer;
pub use hand_off_to_human::HandOff;
pub use open_ticket::TicketAnswer;
pub use payment_link::PaymentAnswer;
pub use registry::{
    Annotations, CallContext, Caller, Registry, Tool, ToolError, ToolSpec, describe,
};
pub use search_catalog::CatalogAnswer;
pub use search_policies::{PassageView, PoliciesAnswer};
pub use view::{ProductView, has_feature};

use crate::knowledge::Knowledge;
use crate::retrieval::Retriever;
use crate::store::{Store, StoreError};

/// What the tools work with.
#[derive(Clone)]
pub struct Workbench {
    /// The shop's knowledge, as it was read last.
    pub knowledge: Arc<ArcSwap<Knowledge>>,
    /// The search.
    pub retriever: Arc<Retriever>,
    /// The store.
    pub store: Store,
    /// How the outside reaches the server, without a slash at the end.
    pub public_url: Arc<str>,
    /// The payment provider's name; none when payments are off.
    pub payments: Option<&'static str>,
    /// How long a payment link lives, milliseconds.
    pub link_milliseconds: i64,
}

/// The one list. Everything that shows or calls tools is derived from it.
macro_rules! tools {
    ($($tool:ty => $make:expr,)*) => {
        /// All tools, in the order that every list shows.
        #[must_use]
        pub fn registry(workbench: &Workbench) -> Registry {
            Registry::default()$(.with($make(workbench)))*
        }

        /// Whether a tool changes nothing.
        #[must_use]
        pub fn only_reads(name: &str) -> bool {
            let tools = [$((<$tool as Tool>::NAME, <$tool as Tool>::ANNOTATIONS)),*];
            tools.iter().any(|(known, hints)| *known == name && hints.read_only_hint)
        }

        /// What everybody may know of the tools, without the shop behind them.
        #[must_use]
        pub fn specs() -> Vec<ToolSpec> {
            vec![$(ToolSpec::of::<$tool>()),*]
        }
    };
}

tools! {
    search_catalog::SearchCatalog => |bench: &Workbench| search_catalog::SearchCatalog(bench.clone()),
    get_product::GetProduct => |bench: &Workbench| get_product::GetProduct(bench.clone()),
    search_policies::SearchPolicies => |bench: &Workbench| search_policies::SearchPolicies(bench.clone()),
    get_order_status::GetOrderStatus => |bench: &Workbench| get_order_status::GetOrderStatus(bench.clone()),
    open_ticket::OpenTicket => |bench: &Workbench| open_ticket::OpenTicket(bench.clone()),
    payment_link::MakePaymentLink => |bench: &Workbench| payment_link::MakePaymentLink(bench.clone()),
    hand_off_to_human::HandOffToHuman => |_: &Workbench| hand_off_to_human::HandOffToHuman,
}

const EVERYONE: &[Caller] = &[
    Caller::Anonymous,
    Caller::Page,
    Caller::Conversation,
    Caller::Assistant,
    Caller::Customer,
];
/// An order's number with its e-mail is proof enough for the shop's own assistant.
const WITH_PROOF: &[Caller] = &[Caller::Conversation, Caller::Assistant, Caller::Customer];
/// With a customer, also one whom nobody verified; on the page the visitor is asked first.
const CUSTOMERS: &[Caller] = &[Caller::Page, Caller::Conversation, Caller::Customer];
const IN_CONVERSATION: &[Caller] = &[Caller::Conversation];

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable {
            detail: error.to_string(),
        }
    }
}

fn nobody() -> ToolError {
    ToolError::NotAllowed(
        "This needs a verified customer: it works in a customer's own conversation, or after verify_customer."
            .to_owned(),
    )
}
