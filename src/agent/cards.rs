//! What tools answered in a run, and which of it belongs beside a model's text.

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

    /// A model's text with the cards of the products it names, the payment link and its sources.
    pub fn answer(&self, text: String) -> Answer {
        let lower = text.to_lowercase();
        let mut products = Vec::new();
        for product in &self.products {
            let named = lower.contains(&product.title.to_lowercase())
                || lower.contains(product.id.as_str());
            let known = products
                .iter()
                .any(|card: &crate::domain::ProductCard| card.id == product.id);
            if named && !known && products.len() < CARDS {
                products.push(product.card(None));
            }
        }
        Answer {
            products,
            payment: self.payment.as_ref().map(button),
            choices: Vec::new(),
            sources: self.passages.first().map(source).into_iter().collect(),
            text,
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
