//! Identifiers as types, so that one can never stand where another belongs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! text_id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

macro_rules! made_id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        text_id!($(#[$meta])* $name);

        impl $name {
            /// A new identifier: a prefix that says what it names, then a time-ordered UUID.
            #[must_use]
            pub fn new() -> Self {
                Self(format!(concat!($prefix, "_{}"), Uuid::now_v7().simple()))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }
    };
}

made_id!(
    /// A person who writes to us, whatever the door they came through.
    ContactId, "ct"
);
made_id!(
    /// A conversation with one contact on one channel.
    ConversationId, "cv"
);
made_id!(
    /// One run of the agent over the messages that were waiting.
    TurnId, "tn"
);
made_id!(
    /// An accepted inbound message.
    InboxId, "in"
);
made_id!(
    /// A message on its way to the customer.
    OutboxId, "ob"
);
made_id!(
    /// A ticket that a colleague works on.
    TicketId, "tk"
);
made_id!(
    /// A token of a shop's own assistant. Names the token; is not the token.
    TokenId, "at"
);
text_id!(
    /// A payment link. Unguessable: whoever has the id can open the page.
    PaymentId
);
text_id!(
    /// A product of the catalog, as its owner numbers it.
    ProductId
);
text_id!(
    /// An order as the customer knows it.
    OrderNumber
);

impl PaymentId {
    /// A new random identifier of 122 bits.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4().simple().to_string())
    }
}
