//! `sportello report ads`: reads the database, so a server may run meanwhile.

use crate::commands::output::{json, line};
use crate::commands::{Failure, Shared};
use crate::domain::{Currency, Language, Money};
use crate::store::AdFigures;

/// A line an advertisement, most conversations first.
pub async fn run(shared: &Shared, as_json: bool) -> Result<(), Failure> {
    let store = shared.store().await?;
    let ads = store.ads().await;
    store.close().await;
    let ads = ads?;
    if as_json {
        return json(&ads);
    }
    if ads.is_empty() {
        return line("no conversation came from an advertisement yet");
    }
    for ad in &ads {
        line(&told(ad))?;
    }
    Ok(())
}

fn told(ad: &AdFigures) -> String {
    let paid: Vec<String> = ad
        .paid
        .iter()
        .map(|(currency, minor)| match currency.parse::<Currency>() {
            Ok(currency) => Money::new(*minor, currency).display(Language::EN),
            Err(_) => format!("{minor} {currency}"),
        })
        .collect();
    format!(
        "{}  {}  {} conversations  {} handed off  {} payments  {}",
        ad.source_id.as_deref().unwrap_or("(without an id)"),
        ad.headline.as_deref().unwrap_or("-"),
        ad.conversations,
        ad.handed_off,
        ad.payments,
        if paid.is_empty() {
            "-".to_owned()
        } else {
            paid.join(", ")
        },
    )
}
