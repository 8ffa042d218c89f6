//! What tools answered in a run, and which of it belongs beside a model's text.

use std::collections::HashSet;

use serde_json::Value;

use crate::domain::{Answer, PaymentButton, Source};
use crate::tools::{
    CatalogAnswer, PassageView, PaymentAnswer, PoliciesAnswer, ProductAnswer, ProductView,
};

/// At most so many cards beside a text.
const CARDS: usize = 5;

/// What tools answered so far.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    products: Vec<ProductView>,
    passages: Vec<PassageView>,
    payment: Option<PaymentAnswer>,
}

impl Collected {
    /// Takes a tool's result.
    pub fn take(&mut self, name: &str, value: &Value) {
        match name {
            "search_catalog" => {
                if let Ok(answer) = serde_json::from_value::<CatalogAnswer>(value.clone()) {
                    self.products.extend(answer.products);
                }
            }
            "get_product" => {
                if let Ok(answer) = serde_json::from_value::<ProductAnswer>(value.clone()) {
                    self.products.push(answer.product);
                }
            }
            "search_policies" => {
                if let Ok(answer) = serde_json::from_value::<PoliciesAnswer>(value.clone()) {
                    self.passages.extend(answer.passages);
                }
            }
            "payment_link" => {
                self.payment = serde_json::from_value(value.clone()).ok();
            }
            _ => {}
        }
    }

    /// A model's text with the cards of the products it names, in the order it names them ("the second
    /// one" is the second of both), the payment link and its sources.
    pub fn answer(&self, text: String) -> Answer {
        let lower = text.to_lowercase();
        let place = |product: &ProductView| {
            let title = lower.find(&product.title.to_lowercase());
            title
                .into_iter()
                .chain(lower.find(product.id.as_str()))
                .min()
        };
        let mut named: Vec<(usize, &ProductView)> = self
            .products
            .iter()
            .filter_map(|product| Some((place(product)?, product)))
            .collect();
        named.sort_by_key(|(place, _)| *place);
        let mut known = HashSet::new();
        let products = named
            .into_iter()
            .filter(|(_, product)| known.insert(&product.id))
            .map(|(_, product)| product.card(None))
            .take(CARDS)
            .collect();
        Answer {
            products,
            payment: self.payment.as_ref().map(button),
            choices: Vec::new(),
            sources: self.passages.first().map(source).into_iter().collect(),
            text,
            ..Answer::default()
        }
    }
}

/// A payment link as a button; the label is filled in by the turn.
pub fn button(payment: &PaymentAnswer) -> PaymentButton {
    PaymentButton {
        id: payment.id.clone(),
        label: String::new(),
        url: payment.url.clone(),
        total: payment.total,
    }
}

fn source(passage: &PassageView) -> Source {
    Source {
        id: passage.document.clone(),
        title: passage.title.clone(),
    }
}
