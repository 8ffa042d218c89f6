//! Events of the account, of its numbers and templates, and of customers' preferences: typed, unknown ones
//! kept.

mod change;

pub use change::change;

use serde::Deserialize;
use serde_json::Value;

use super::{integer, text};
use crate::domain::{Quality, TemplateCategory, TemplateChange, TemplateStatus, template_language};

/// An event that is no message and no status.
#[derive(Debug, Clone, PartialEq)]
pub enum AccountEvent {
    /// A customer's wish about messages that sell.
    Preference(Preference),
    /// A template was approved, refused, paused.
    TemplateStatus(TemplateChange),
    /// A template is rated otherwise.
    TemplateQuality(TemplateChange),
    /// A template is for something else now.
    TemplateCategory(TemplateChange),
    /// A template's words were changed at Meta.
    TemplateComponents(TemplateChange),
    /// A number's quality, tier or throughput changed.
    NumberQuality(NumberEvent),
    /// A number's name was approved or refused.
    NumberName {
        /// As people dial it.
        display: Option<String>,
        /// `APPROVED`, `DEFERRED`, `REJECTED`, …
        decision: String,
        /// Why it was refused.
        reason: Option<String>,
    },
    /// How many people the portfolio may write to first in 24 hours.
    Capability {
        /// A number, or `UNLIMITED`.
        tier: String,
    },
    /// The account was restricted, disabled, deleted, reviewed, connected.
    Update(AccountUpdate),
    /// A warning of Meta's.
    Alert {
        /// What kind.
        kind: String,
        /// How bad.
        severity: String,
        /// What happened.
        text: String,
    },
    /// The account was reviewed.
    Review {
        /// `APPROVED`, `REJECTED`, …
        decision: String,
    },
    /// Someone changed the number's PIN or asked for it.
    Security {
        /// As people dial it.
        display: Option<String>,
        /// `PIN_CHANGED`, …
        event: String,
    },
    /// An event that we do not know, or one without what it should have.
    Unknown,
}

/// A customer's wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// E.164 phone and business-scoped user id, as far as they are told.
    pub addresses: Vec<String>,
    /// What for, for example `marketing_messages`.
    pub category: String,
    /// What they wish.
    pub value: PreferenceValue,
    /// Meta's words for it.
    pub detail: Option<String>,
}

/// What a customer wishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreferenceValue {
    /// No more.
    Stop,
    /// Again.
    Resume,
    /// Signed up on a page of Meta's.
    SignUp,
    /// Something that we do not know.
    Other(String),
}

/// What happened to a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberEvent {
    /// As people dial it.
    pub display: Option<String>,
    /// `FLAGGED`, `UNFLAGGED`, `ONBOARDING`, `THROUGHPUT_UPGRADE`, …
    pub event: String,
    /// Its quality, when it is said or follows from the event.
    pub quality: Option<Quality>,
    /// How many people it may write to first in 24 hours.
    pub tier: Option<String>,
}

/// What happened to the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountUpdate {
    /// It may not do something for a while.
    Restriction(Vec<Restriction>),
    /// It was banned, will be, or is free again.
    Disabled(BanState),
    /// It is gone.
    Deleted,
    /// It broke a rule.
    Violation(Option<String>),
    /// It left the Cloud API.
    Offboarded,
    /// It is back.
    Reconnected,
    /// Anything else, by its name.
    Other(String),
}

/// What an account may not do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Restriction {
    /// For example `RESTRICTED_BIZ_INITIATED_MESSAGING`.
    #[serde(default)]
    pub restriction_type: String,
    /// Until when, seconds since 1970.
    #[serde(default)]
    pub expiration: Option<i64>,
}

/// What became of a ban.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BanState {
    /// It is banned.
    Disable,
    /// It will be.
    Scheduled,
    /// It is free again.
    Reinstate,
    /// Something that we do not know.
    Other(String),
}

/// Reads the value of a change, or an element of one of its lists.
pub(super) fn parse(field: &str, value: &Value) -> AccountEvent {
    read(field, value).unwrap_or(AccountEvent::Unknown)
}

fn read(field: &str, value: &Value) -> Option<AccountEvent> {
    Some(match field {
        "user_preferences" => AccountEvent::Preference(preference(value)?),
        "message_template_status_update" => AccountEvent::TemplateStatus(status(value)?),
        "message_template_quality_update" => {
            let mut change = template(value)?;
            change.quality = Some(text(value, "new_quality_score")?.into());
            AccountEvent::TemplateQuality(change)
        }
        "template_category_update" => {
            let mut change = template(value)?;
            change.category = Some(text(value, "new_category")?.into());
            AccountEvent::TemplateCategory(change)
        }
        "message_template_components_update" => AccountEvent::TemplateComponents(template(value)?),
        "phone_number_quality_update" => AccountEvent::NumberQuality(number(value)?),
        "phone_number_name_update" => AccountEvent::NumberName {
            display: text(value, "display_phone_number"),
            decision: text(value, "decision")?,
            reason: text(value, "rejection_reason"),
        },
        "business_capability_update" => AccountEvent::Capability { tier: tier(value)? },
        "account_update" => AccountEvent::Update(update(value)?),
        "account_alerts" => AccountEvent::Alert {
            kind: text(value, "alert_type").or_else(|| text(value, "event"))?,
            severity: text(value, "alert_severity").unwrap_or_default(),
            text: text(value, "alert_description").unwrap_or_default(),
        },
        "account_review_update" => AccountEvent::Review {
            decision: text(value, "decision")?,
        },
        "security" => AccountEvent::Security {
            display: text(value, "display_phone_number"),
            event: text(value, "event")?,
        },
        _ => return None,
    })
}

fn preference(value: &Value) -> Option<Preference> {
    let phone = text(value, "wa_id").map(|digits| format!("+{}", digits.trim_start_matches('+')));
    let addresses: Vec<String> = phone.into_iter().chain(text(value, "user_id")).collect();
    if addresses.is_empty() {
        return None;
    }
    let wish = text(value, "value")?;
    Some(Preference {
        addresses,
        category: text(value, "category")?,
        value: match wish.as_str() {
            "stop" => PreferenceValue::Stop,
            "resume" => PreferenceValue::Resume,
            "signup" => PreferenceValue::SignUp,
            _ => PreferenceValue::Other(wish),
        },
        detail: text(value, "detail"),
    })
}

fn template(value: &Value) -> Option<TemplateChange> {
    Some(TemplateChange {
        name: text(value, "message_template_name")?,
        language: template_language(&text(value, "message_template_language")?),
        external_id: integer(value.get("message_template_id")).map(|id| id.to_string()),
        ..TemplateChange::default()
    })
}

fn status(value: &Value) -> Option<TemplateChange> {
    let mut change = template(value)?;
    let event = text(value, "event")?;
    // A flag that says a limit was hit is about the day, not about the template.
    change.status = Some(TemplateStatus::from(event));
    change.category = text(value, "message_template_category").map(TemplateCategory::from);
    change.reason = value
        .pointer("/rejection_info/reason")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .or_else(|| text(value, "reason").filter(|reason| reason != "NONE"));
    Some(change)
}

fn number(value: &Value) -> Option<NumberEvent> {
    let event = text(value, "event")?;
    let told = ["quality_rating", "new_quality_score", "current_quality"]
        .iter()
        .find_map(|name| text(value, name));
    let quality = told.map(Quality::from).or(match event.as_str() {
        "FLAGGED" => Some(Quality::Red),
        "UNFLAGGED" => Some(Quality::Green),
        _ => None,
    });
    Some(NumberEvent {
        display: text(value, "display_phone_number"),
        tier: tier(value).or_else(|| text(value, "current_limit").map(|limit| plain_tier(&limit))),
        event,
        quality,
    })
}

/// The limit under any of the names it had, as a number or a `TIER_` name.
fn tier(value: &Value) -> Option<String> {
    let names = [
        "max_daily_conversations_per_business",
        "max_daily_conversation_per_phone",
        "max_daily_conversations_per_phone",
    ];
    let found = names.iter().find_map(|name| value.get(*name))?;
    match found {
        Value::Number(number) if number.as_i64() == Some(-1) => Some("UNLIMITED".to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(name) => Some(plain_tier(name)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A limit without its dress: `TIER_2K` is 2000.
pub(in crate::whatsapp) fn plain_tier(name: &str) -> String {
    let bare = name.trim_start_matches("TIER_");
    match bare.strip_suffix('K').map(str::parse::<u64>) {
        Some(Ok(thousands)) => (thousands * 1000).to_string(),
        _ => bare.to_owned(),
    }
}

fn update(value: &Value) -> Option<AccountUpdate> {
    let event = text(value, "event")?;
    Some(match event.as_str() {
        "ACCOUNT_RESTRICTION" => {
            let restrictions = value.get("restriction_info").and_then(Value::as_array);
            let read = |one: &Value| serde_json::from_value(one.clone()).ok();
            AccountUpdate::Restriction(
                restrictions
                    .into_iter()
                    .flatten()
                    .filter_map(read)
                    .collect(),
            )
        }
        "DISABLED_UPDATE" => {
            let state = value.pointer("/ban_info/waba_ban_state");
            AccountUpdate::Disabled(match state.and_then(Value::as_str) {
                Some("DISABLE") | None => BanState::Disable,
                Some("SCHEDULE_FOR_DISABLE") => BanState::Scheduled,
                Some("REINSTATE") => BanState::Reinstate,
                Some(other) => BanState::Other(other.to_owned()),
            })
        }
        "ACCOUNT_DELETED" => AccountUpdate::Deleted,
        "ACCOUNT_OFFBOARDED" => AccountUpdate::Offboarded,
        "ACCOUNT_RECONNECTED" => AccountUpdate::Reconnected,
        "ACCOUNT_VIOLATION" => AccountUpdate::Violation(
            value
                .pointer("/violation_info/violation_type")
                .and_then(Value::as_str)
                .map(str::to_owned),
        ),
        _ => AccountUpdate::Other(event),
    })
}
