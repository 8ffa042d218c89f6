//! A product as tools answer it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::{Language, Money, Product, ProductCard, ProductId};

/// A product with its real price and stock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProductView {
    /// The catalog's id.
    pub id: ProductId,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// The category.
    pub category: String,
    /// The price.
    pub price: Money,
    /// The price as the customer reads it.
    pub price_text: String,
    /// Pieces in stock.
    pub stock: u32,
    /// Attributes such as `colors`.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Address of the picture.
    pub image_url: String,
}

impl ProductView {
    /// The product in a language.
    pub fn of(product: &Product, language: Language, public_url: &str) -> Self {
        Self {
            id: product.id.clone(),
            title: product.title(language).to_owned(),
            description: product.description(language).to_owned(),
            category: product.category.clone(),
            price: product.price,
            price_text: product.price.display(language),
            stock: product.stock,
            attributes: product.attributes.clone(),
            image_url: if product.image.starts_with('/') {
                format!("{public_url}{}", product.image)
            } else {
                product.image.clone()
            },
        }
    }

    /// The product as a card in a chat.
    #[must_use]
    pub fn card(&self, reason: Option<String>) -> ProductCard {
        ProductCard {
            id: self.id.clone(),
            title: self.title.clone(),
            price: self.price,
            stock: self.stock,
            image_url: self.image_url.clone(),
            reason,
        }
    }
}

/// Up to this level a machine counts as quiet.
const QUIET_DECIBELS: f32 = 63.0;
/// Up to this width a machine counts as compact.
const COMPACT_CENTIMETRES: f32 = 16.0;

/// Whether attributes say that a product has a feature; none when they say nothing of it. `quiet` and
/// `compact` are read from the noise and the width.
#[must_use]
pub fn has_feature(
    attributes: &BTreeMap<String, Vec<String>>,
    key: &str,
    value: &str,
) -> Option<bool> {
    if let Some(values) = attributes.get(key) {
        return Some(values.iter().any(|known| known == value));
    }
    let (measure, most) = match key {
        "quiet" => ("noise_db", QUIET_DECIBELS),
        "compact" => ("width_cm", COMPACT_CENTIMETRES),
        _ => return None,
    };
    let measured: f32 = attributes.get(measure)?.first()?.parse().ok()?;
    Some(measured <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_from_attributes_and_measures() {
        let attributes = [("noise_db", "61"), ("burr", "flat")];
        let attributes = attributes
            .into_iter()
            .map(|(key, value)| (key.to_owned(), vec![value.to_owned()]))
            .collect();
        assert_eq!(has_feature(&attributes, "quiet", "yes"), Some(true));
        assert_eq!(has_feature(&attributes, "burr", "conical"), Some(false));
        assert_eq!(has_feature(&attributes, "compact", "yes"), None);
    }
}
