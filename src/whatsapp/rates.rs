//! What a message costs, by the configured rate card: Meta's statuses tell the type and the category, not the amount.

use super::webhook::Pricing;
use crate::config::{self, micros};
use crate::store::Priced;

/// The price of a message. Only the type `regular` is billed; the first thousand service messages of a month, those of
/// a free entry point and the like say so in their type.
#[must_use]
pub fn priced(rates: &config::Rates, pricing: &Pricing) -> Priced {
    let kind = pricing.kind.clone().unwrap_or_else(|| "unknown".to_owned());
    let category = pricing
        .category
        .clone()
        .unwrap_or_else(|| "unknown".to_owned());
    let billed = kind == "regular" && pricing.billable != Some(false);
    let rate = match category.replace('-', "_").as_str() {
        "service" | "general_purpose_ai" => &rates.service,
        "utility" => &rates.utility,
        "marketing" => &rates.marketing,
        "marketing_lite" => &rates.marketing_lite,
        "authentication" => &rates.authentication,
        "authentication_international" => &rates.authentication_international,
        _ => "0",
    };
    Priced {
        billable: pricing.billable,
        model: pricing.model.clone(),
        kind,
        category,
        micros: if billed { micros(rate).unwrap_or(0) } else { 0 },
        currency: rates.currency.code().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_messages_cost_what_the_rate_card_says() {
        let rates = config::Rates {
            service: "0.0248".to_owned(),
            marketing: "0.1".to_owned(),
            ..config::Rates::default()
        };
        let cost = |kind: &str, category: &str, billable: Option<bool>| {
            let pricing = Pricing {
                billable,
                kind: Some(kind.to_owned()),
                category: Some(category.to_owned()),
                ..Pricing::default()
            };
            priced(&rates, &pricing).micros
        };
        assert_eq!(cost("regular", "service", None), 24_800);
        assert_eq!(cost("regular", "marketing", Some(true)), 100_000);
        assert_eq!(cost("regular", "marketing", Some(false)), 0);
        assert_eq!(cost("free_customer_service", "service", None), 0);
        assert_eq!(cost("regular", "something new", None), 0);
        assert_eq!(priced(&rates, &Pricing::default()).kind, "unknown");
    }
}
