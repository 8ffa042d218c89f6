//! A product of the catalog.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Language, Money, ProductId};

/// A category as the catalog names it, for example `grinder`.
pub type Category = String;

/// A product with its texts in every language the catalog has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// The owner's id.
    pub id: ProductId,
    /// The category.
    pub category: Category,
    /// The price.
    pub price: Money,
    /// Pieces in stock.
    pub stock: u32,
    /// Address of the picture, absolute or starting with `/`.
    pub image: String,
    /// Attributes such as `colors` → [`black`, `red`]; keys and values in English, lower case.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// Title and description by language.
    pub texts: BTreeMap<Language, ProductText>,
}

/// A product's words in one language.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductText {
    /// The title.
    pub title: String,
    /// The description; empty when the catalog has a title only.
    pub description: String,
}

impl Product {
    /// The title in this language, else in English, else in any, else the id.
    #[must_use]
    pub fn title(&self, language: Language) -> &str {
        self.texts
            .get(&language)
            .or_else(|| self.texts.get(&Language::EN))
            .or_else(|| self.texts.values().next())
            .map_or(self.id.as_str(), |text| text.title.as_str())
    }

    /// The description in this language, else in English, else in any.
    #[must_use]
    pub fn description(&self, language: Language) -> &str {
        let written = |text: &&ProductText| !text.description.is_empty();
        self.texts
            .get(&language)
            .filter(written)
            .or_else(|| self.texts.get(&Language::EN).filter(written))
            .or_else(|| self.texts.values().find(written))
            .map_or("", |text| text.description.as_str())
    }

    /// The values of an attribute; empty when the catalog does not say.
    #[must_use]
    pub fn attribute(&self, key: &str) -> &[String] {
        self.attributes.get(key).map_or(&[], Vec::as_slice)
    }
}
