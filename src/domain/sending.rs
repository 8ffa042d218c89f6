//! What is to be sent: its lane, its category, and what a channel's refusal means.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which queue a message waits in. Replies always go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// An answer to a customer who wrote.
    Reply,
    /// A notification or a campaign: nobody waits for it.
    Bulk,
}

/// What a message is to WhatsApp's rules and prices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageCategory {
    /// Free words within the 24 hours after the customer's last message.
    Service,
    /// A template about something the customer did, such as an order.
    Utility,
    /// A template that advertises; needs the customer's consent.
    Marketing,
    /// A template with a one-time code.
    Authentication,
}

/// Why a channel refused a message, by what is to be done about it. The same refusal comes as the answer to
/// a request, or later as the reason of a `failed` status, or as both; it is acted upon once.
///
/// The classes are those of Meta's list of error codes, which `whatsapp` maps onto them; the numbers named here are
/// Meta's. Each class is handled in one match, in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// A fault of the channel's that passes (1, 2, 131000, 131016, 133004). Tried again with growing waits and
    /// jitter, five times in all; then a person gets the conversation.
    Transient,
    /// Too many requests of the app, the account or the number (4, 80007, 130429). The number's bucket is
    /// emptied for a growing pause and the message is tried again after it.
    Throughput,
    /// Too many messages to one customer (131056). Everything to this customer is held for 4ⁿ seconds at the
    /// n-th time in a row; other customers do not wait.
    Pair,
    /// The account is held for a while (131048 spam, 131064 lifts by itself, 131057 maintenance). The number's
    /// bulk lane pauses and the desk is alerted; replies go on, this one after a wait.
    AccountHold,
    /// The 24 hours since the customer's last message are over (131047). Not tried again: a template is sent
    /// when one fits, else the message stays as a note and a person gets the conversation.
    Window,
    /// The customer cannot be reached (131026). Not tried again, but counted: after three in a row nothing is
    /// sent to this customer until they write again.
    Undeliverable,
    /// The channel's own cap on marketing for this customer (131049). Once more after a day, never twice.
    MarketingCap,
    /// The customer stopped marketing messages (131050). Written into the ledger of consents as revoked; not
    /// tried again.
    OptedOut,
    /// The customer is in an experiment of the channel's (130472). Not tried again.
    Experiment,
    /// This recipient does not get this message: blocked, the wrong kind of id, marketing switched off, the
    /// country (130403, 131062, 131063, 130497). Not tried again; the reason is shown at the desk.
    Recipient,
    /// The request is wrong, a fault of ours (100, 131008, 131009, 131051). Not tried again; the row keeps the
    /// message and the reason, the desk is alerted, and a person gets the conversation.
    Payload,
    /// A file could not be fetched or taken (131052, 131053). It is uploaded anew once; then the words go without
    /// it and the desk is alerted, or, where nothing may go without it, it is treated as a wrong request.
    Media,
    /// The template is wrong, missing, paused or disabled (132000 to 132069). This template is not used any
    /// more until it is released; the desk is alerted.
    Template,
    /// The account, its payment, its permissions or its token (131031, 368, 131042, 133010, 131005, 3, 10, 190,
    /// 200 to 299). Nothing more is sent from the number: a single message probes it after growing pauses, or a
    /// person clears it at the desk. The message stays queued.
    Account,
    /// The interface for marketing messages refused (134100 to 134102). Not tried again; the desk is alerted.
    MarketingApi,
    /// A code that is in no list. Not tried again where the channel blames the request; where it does not, the
    /// message was perhaps sent.
    Unknown,
}

/// The names in the store and on metrics are those of serde.
macro_rules! names {
    ($kind:ty, $what:literal, $($variant:ident => $name:literal),+ $(,)?) => {
        impl $kind {
            /// The name in the store and on metrics.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl fmt::Display for $kind {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.name())
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("`{}` is no ", $what), text)),
                }
            }
        }
    };
}

names!(Lane, "lane", Reply => "reply", Bulk => "bulk");
names!(
    MessageCategory, "category",
    Service => "service", Utility => "utility", Marketing => "marketing", Authentication => "authentication",
);
names!(
    ErrorClass, "class of errors",
    Transient => "transient", Throughput => "throughput", Pair => "pair", AccountHold => "account_hold",
    Window => "window", Undeliverable => "undeliverable", MarketingCap => "marketing_cap",
    OptedOut => "opted_out", Experiment => "experiment", Recipient => "recipient", Payload => "payload",
    Media => "media", Template => "template", Account => "account", MarketingApi => "marketing_api",
    Unknown => "unknown",
);
