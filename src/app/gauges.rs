//! What the channel says of us, and what messages cost, on `/metrics`.

use crate::clock;
use crate::domain::{Quality, TemplateStatus};
use crate::store::{Alert, Spending, Store};

/// Alerts of what we send.
const KINDS: [&str; 6] = [
    "number",
    "bulk",
    "template",
    "payload",
    "media",
    "marketing_api",
];
/// All others: what the channel says of the account.
const ACCOUNT: &str = "account";

/// Sets the gauges of numbers, templates, alerts and costs. What the store does not say stays as it was.
#[expect(clippy::cast_precision_loss, reason = "counts and amounts of money")]
pub async fn set(store: &Store) {
    if let Ok(waiting) = store.arrivals_waiting().await {
        metrics::gauge!("sportello_arrivals_waiting").set(waiting as f64);
    }
    if let Ok(numbers) = store.channel_numbers().await {
        for number in numbers {
            let label = number.number.clone();
            let quality = number.quality.as_ref().map_or(0.0, quality);
            metrics::gauge!("sportello_whatsapp_quality", "number" => label.clone()).set(quality);
            let tier = number.tier.as_deref().map_or(0.0, tier);
            metrics::gauge!("sportello_whatsapp_tier", "number" => label.clone()).set(tier);
            let stopped = f64::from(u8::from(number.stopped_reason.is_some()));
            metrics::gauge!("sportello_whatsapp_stopped", "number" => label).set(stopped);
        }
    }
    if let Ok(templates) = store.channel_templates().await {
        let paused = templates
            .iter()
            .filter(|template| template.status == Some(TemplateStatus::Paused))
            .count();
        let unusable = templates
            .iter()
            .filter(|template| !template.usable())
            .count();
        metrics::gauge!("sportello_whatsapp_templates_paused").set(paused as f64);
        metrics::gauge!("sportello_whatsapp_templates_unusable").set(unusable as f64);
    }
    if let Ok(alerts) = store.alerts().await {
        for kind in KINDS.into_iter().chain([ACCOUNT]) {
            let is = |alert: &&Alert| {
                kind == alert.kind || (kind == ACCOUNT && !KINDS.contains(&alert.kind.as_str()))
            };
            let raised = alerts.iter().filter(is).count();
            metrics::gauge!("sportello_alerts", "kind" => kind).set(raised as f64);
        }
    }
    if let Ok(sums) = store.spending(Spending::Categories, clock::now()).await {
        for sum in sums {
            let (kind, category) = sum.key.split_once('/').unwrap_or((&sum.key, ""));
            let labels = [
                ("type", kind.to_owned()),
                ("category", category.to_owned()),
                ("currency", sum.currency.clone()),
            ];
            metrics::gauge!("sportello_messages_priced", &labels).set(sum.messages as f64);
            metrics::gauge!("sportello_messages_cost", &labels).set(sum.micros as f64 / 1e6);
        }
    }
}

/// 3 is good, 1 is bad, 0 is not rated.
fn quality(quality: &Quality) -> f64 {
    match quality {
        Quality::Green => 3.0,
        Quality::Yellow => 2.0,
        Quality::Red => 1.0,
        Quality::Other(_) => 0.0,
    }
}

/// People in 24 hours; infinite without a limit, 0 when the name is none we know.
fn tier(name: &str) -> f64 {
    match name {
        "UNLIMITED" => f64::INFINITY,
        _ => name.parse().unwrap_or(0.0),
    }
}
