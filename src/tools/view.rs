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
