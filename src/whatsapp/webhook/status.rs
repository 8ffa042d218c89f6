//! One status of a webhook: what became of a message of ours.

use serde_json::Value;

use super::{integer, text};
use crate::domain::OutboxId;

/// What became of a message of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// WhatsApp's id of the message.
    pub wamid: String,
    /// How far it got.
    pub status: StatusKind,
    /// When, seconds since 1970; 0 when Meta does not say.
    pub at: i64,
    /// The row of the outbox, which travelled along as opaque data.
    pub outbox_id: Option<OutboxId>,
    /// Why it failed.
    pub errors: Vec<StatusError>,
    /// Whom it was for, as far as Meta says: phone, business-scoped user id, that of the parent portfolio.
    pub recipient: StatusRecipient,
    /// What it costs; once, with `sent` or `delivered`.
    pub pricing: Option<Pricing>,
    /// The conversation; since v24 only of a free entry point.
    pub conversation: Option<StatusConversation>,
}

/// Whom a message was for. Each may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusRecipient {
    /// The phone, digits without `+`.
    pub phone: Option<String>,
    /// The business-scoped user id.
    pub user_id: Option<String>,
    /// The user id of the parent portfolio.
    pub parent_user_id: Option<String>,
}

/// What a message costs. Every part may be absent or of a kind that we do not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pricing {
    /// Whether it is billed; on its way out of the API.
    pub billable: Option<bool>,
    /// `PMP`, formerly `CBP`.
    pub model: Option<String>,
    /// `regular`, `free_customer_service`, `free_entry_point`, `free_group_customer_service`.
    pub kind: Option<String>,
    /// `service`, `utility`, `marketing`, `authentication`, …
    pub category: Option<String>,
}

/// A conversation as Meta bills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusConversation {
    /// Meta's id.
    pub id: String,
    /// `service`, `referral_conversion`, …
    pub origin: Option<String>,
    /// When it ends, seconds since 1970.
    pub expires_at: Option<i64>,
}

/// How far a message got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusKind {
    /// It left WhatsApp.
    Sent,
    /// It reached the phone.
    Delivered,
    /// It was read.
    Read,
    /// A voice message was played.
    Played,
    /// It was not delivered.
    Failed,
    /// A status that we do not know, by its name.
    Other(String),
}

impl StatusKind {
    /// WhatsApp's name of it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Played => "played",
            Self::Failed => "failed",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for StatusKind {
    fn from(name: String) -> Self {
        match name.as_str() {
            "sent" => Self::Sent,
            "delivered" => Self::Delivered,
            "read" => Self::Read,
            "played" => Self::Played,
            "failed" => Self::Failed,
            _ => Self::Other(name),
        }
    }
}

/// An error as Meta numbers it; [`crate::whatsapp::graph::ErrorClass`] says what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusError {
    /// The code.
    pub code: i64,
    /// Meta's words for it.
    pub title: Option<String>,
}

/// The status with its key, or what is wrong with it. In a group each reader has a status of their own.
pub(super) fn parse(status: &Value) -> Result<(String, Status), String> {
    let wamid = text(status, "id").ok_or("a status without a message")?;
    let name = text(status, "status").ok_or("a status without a name")?;
    let reader = text(status, "recipient_participant_user_id")
        .or_else(|| text(status, "recipient_participant_id"))
        .map(|reader| format!(":{reader}"))
        .unwrap_or_default();
    let key = format!("{wamid}:{name}{reader}");
    let errors = status.get("errors").and_then(Value::as_array);
    let status = Status {
        wamid,
        status: StatusKind::from(name),
        at: integer(status.get("timestamp")).unwrap_or(0),
        outbox_id: text(status, "biz_opaque_callback_data").map(OutboxId),
        errors: errors
            .map(|errors| errors.iter().filter_map(error).collect())
            .unwrap_or_default(),
        recipient: StatusRecipient {
            phone: text(status, "recipient_id"),
            user_id: text(status, "recipient_user_id"),
            parent_user_id: text(status, "parent_recipient_user_id"),
        },
        pricing: status
            .get("pricing")
            .filter(|pricing| pricing.is_object())
            .map(pricing),
        conversation: status.get("conversation").and_then(conversation),
    };
    Ok((key, status))
}

fn error(error: &Value) -> Option<StatusError> {
    Some(StatusError {
        code: integer(error.get("code"))?,
        title: text(error, "title"),
    })
}

fn pricing(pricing: &Value) -> Pricing {
    Pricing {
        billable: pricing.get("billable").and_then(Value::as_bool),
        model: text(pricing, "pricing_model"),
        kind: text(pricing, "type"),
        category: text(pricing, "category"),
    }
}

fn conversation(conversation: &Value) -> Option<StatusConversation> {
    Some(StatusConversation {
        id: text(conversation, "id")?,
        origin: conversation
            .get("origin")
            .and_then(|origin| text(origin, "type")),
        expires_at: integer(conversation.get("expiration_timestamp")),
    })
}
