//! What an event of the account changes.

use super::{
    AccountEvent, AccountUpdate, BanState, NumberEvent, Preference, PreferenceValue, Restriction,
};
use crate::domain::{
    Alert, ChannelChange, ConsentChange, ConsentState, NumberChange, Quality, Sending,
    TemplateCategory, TemplateChange, TemplateStatus,
};

/// What an event changes, for numbers of ours by Meta's ids. The key of its item proves a consent.
#[must_use]
pub fn change(event: &AccountEvent, ours: &[String], key: &str) -> ChannelChange {
    match event {
        AccountEvent::Preference(preference) => wish(preference, key),
        AccountEvent::TemplateStatus(change) => templated(change, status_alert(change)),
        AccountEvent::TemplateQuality(change) => {
            let low = change.quality == Some(Quality::Red);
            let told = low.then(|| template_alert(change, "low quality"));
            templated(change, told)
        }
        AccountEvent::TemplateCategory(change) => {
            let category = change.category.as_ref().map_or("", TemplateCategory::name);
            let text = format!("is in the category {category} now");
            templated(change, Some(template_alert(change, &text)))
        }
        AccountEvent::TemplateComponents(change) => {
            let told = template_alert(
                change,
                "was changed at Meta; run `sportello templates sync`",
            );
            templated(change, Some(told))
        }
        AccountEvent::NumberQuality(event) => number_change(event, ours),
        AccountEvent::NumberName {
            display,
            decision,
            reason,
        } => {
            let reason = reason.as_deref().unwrap_or_default();
            let text = format!("its name: {decision} {reason}");
            told(
                "phone_number_name_update",
                display.as_deref().unwrap_or("number"),
                text.trim(),
            )
        }
        AccountEvent::Capability { tier } => ChannelChange {
            numbers: everyone(ours, |number| number.tier = Some(tier.clone())),
            ..ChannelChange::default()
        },
        AccountEvent::Update(update) => account_change(update, ours),
        AccountEvent::Alert { kind, text, .. } => told(kind, "account", text),
        AccountEvent::Review { decision } => told(
            "account_review_update",
            "account",
            &format!("the review ended: {decision}"),
        ),
        AccountEvent::Security { display, event } => {
            told("security", display.as_deref().unwrap_or("number"), event)
        }
        AccountEvent::Unknown => ChannelChange::default(),
    }
}

fn told(kind: &str, subject: &str, text: &str) -> ChannelChange {
    ChannelChange {
        alert: Some(alert(kind, subject, text)),
        ..ChannelChange::default()
    }
}

fn alert(kind: &str, subject: &str, text: &str) -> Alert {
    Alert {
        kind: kind.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
    }
}

fn wish(preference: &Preference, key: &str) -> ChannelChange {
    let state = match preference.value {
        PreferenceValue::Stop => ConsentState::Revoked,
        PreferenceValue::Resume | PreferenceValue::SignUp => ConsentState::Granted,
        PreferenceValue::Other(_) => return ChannelChange::default(),
    };
    if preference.category != "marketing_messages" {
        return ChannelChange::default();
    }
    let mut said = ConsentChange::marketing(state, "whatsapp_settings", Some(key.to_owned()));
    said.shown.clone_from(&preference.detail);
    ChannelChange {
        consent: Some((preference.addresses.clone(), said)),
        ..ChannelChange::default()
    }
}

fn templated(change: &TemplateChange, alert: Option<Alert>) -> ChannelChange {
    ChannelChange {
        template: Some(change.clone()),
        alert,
        ..ChannelChange::default()
    }
}

fn template_alert(change: &TemplateChange, text: &str) -> Alert {
    let subject = format!("{} ({})", change.name, change.language);
    alert("template", &subject, text)
}

/// A template that may not be sent any more is worth a word; one that waits is not.
fn status_alert(change: &TemplateChange) -> Option<Alert> {
    let status = change.status.as_ref()?;
    if status.usable() || *status == TemplateStatus::Pending {
        return None;
    }
    let reason = change.reason.as_deref().unwrap_or_default();
    let text = format!("{} {reason}", status.name());
    Some(template_alert(change, text.trim()))
}

fn everyone(ours: &[String], fill: impl Fn(&mut NumberChange)) -> Vec<NumberChange> {
    ours.iter()
        .map(|number| {
            let mut change = NumberChange {
                number: number.clone(),
                ..NumberChange::default()
            };
            fill(&mut change);
            change
        })
        .collect()
}

/// The only number, when there is one; else it is told by what is dialled, which the store knows.
fn meant(display: Option<&str>, ours: &[String]) -> Option<String> {
    match ours {
        [number] => Some(number.clone()),
        _ => display.map(|display| display.chars().filter(char::is_ascii_digit).collect()),
    }
}

fn number_change(event: &NumberEvent, ours: &[String]) -> ChannelChange {
    let numbers = meant(event.display.as_deref(), ours)
        .into_iter()
        .map(|number| NumberChange {
            number,
            display: event.display.clone(),
            quality: event.quality.clone(),
            tier: event.tier.clone(),
            event: Some(event.event.clone()),
            sending: None,
        });
    let subject = event.display.as_deref().unwrap_or("number");
    ChannelChange {
        numbers: numbers.collect(),
        alert: Some(alert("phone_number_quality_update", subject, &event.event)),
        ..ChannelChange::default()
    }
}

fn account_change(update: &AccountUpdate, ours: &[String]) -> ChannelChange {
    let (text, sending) = match update {
        AccountUpdate::Restriction(restrictions) => restricted(restrictions),
        AccountUpdate::Disabled(BanState::Disable) => stopped("the account is disabled", None),
        AccountUpdate::Disabled(BanState::Reinstate) => (
            "the account is free again".to_owned(),
            Some(Sending::Allowed),
        ),
        AccountUpdate::Disabled(BanState::Scheduled) => {
            ("the account will be disabled".to_owned(), None)
        }
        AccountUpdate::Disabled(BanState::Other(state)) => (format!("the ban is {state}"), None),
        AccountUpdate::Deleted => stopped("the account was deleted", None),
        AccountUpdate::Offboarded => stopped("the account left the Cloud API", None),
        AccountUpdate::Reconnected => ("the account is back".to_owned(), Some(Sending::Allowed)),
        AccountUpdate::Violation(kind) => {
            let kind = kind.as_deref().unwrap_or("unknown");
            (format!("a rule was broken: {kind}"), None)
        }
        AccountUpdate::Other(event) => (event.clone(), None),
    };
    ChannelChange {
        numbers: match &sending {
            Some(sending) => everyone(ours, |number| number.sending = Some(sending.clone())),
            None => Vec::new(),
        },
        alert: Some(alert("account_update", "account", &text)),
        ..ChannelChange::default()
    }
}

fn stopped(reason: &str, until: Option<i64>) -> (String, Option<Sending>) {
    let sending = Sending::Stopped {
        reason: reason.to_owned(),
        until,
    };
    (reason.to_owned(), Some(sending))
}

/// A restriction of messages stops sending until it ends; one without a list is taken at its word.
fn restricted(restrictions: &[Restriction]) -> (String, Option<Sending>) {
    let kinds: Vec<&str> = restrictions
        .iter()
        .map(|restriction| restriction.restriction_type.as_str())
        .collect();
    let text = format!("the account is restricted: {}", kinds.join(", "));
    let messaging: Vec<&Restriction> = restrictions
        .iter()
        .filter(|restriction| restriction.restriction_type.contains("MESSAGING"))
        .collect();
    if messaging.is_empty() && !restrictions.is_empty() {
        return (text, None);
    }
    let ends: Option<Vec<i64>> = messaging.iter().map(|one| one.expiration).collect();
    stopped(&text, ends.and_then(|ends| ends.into_iter().max()))
}
