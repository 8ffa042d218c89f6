//! The other side of WhatsApp: a stand-in for the Graph API, and what a customer's phone causes.
//!
//! It knows Meta's JSON as Meta speaks it, and nothing of this program: what [`crate::whatsapp`] sends is
//! checked by code of its own. [`Graph::router`] serves, [`Graph::deliver`] posts signed webhooks to the
//! server under test; whoever uses it runs both.

pub mod check;
pub mod customer;
pub mod errors;
mod files;
mod graph;
pub mod screen;
mod templates;
pub mod webhook;

pub use graph::{Broken, Graph, Reply, Sent, Step};

/// What Meta's side and the server under test share: ids and secrets.
#[derive(Debug, Clone)]
pub struct Account {
    /// The id of the business's number.
    pub number: String,
    /// The business account.
    pub business: String,
    /// What a request must carry as bearer.
    pub token: String,
    /// Signs the webhooks.
    pub secret: String,
    /// Stands in every message id, so that the ids of two runs differ; may be empty.
    pub run: String,
}
