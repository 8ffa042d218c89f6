//! Which products of the catalog a message names.

use std::collections::HashSet;

use serde_json::json;

use super::errand::{Called, Errand};
use crate::domain::{Language, PassageKind};
use crate::tools::{CatalogAnswer, ProductView};
use crate::understand::{entities, is_common_word};

/// Categories whose products do different things.
const MIXED: [&str; 3] = ["cleaning", "accessory", "spare_part"];

/// Products that a search for these words finds and whose own name stands in the message.
pub fn named(errand: &mut Errand<'_>, words: &str) -> Called<Vec<ProductView>> {
    let query: String = words.chars().take(200).collect();
    match errand.call::<CatalogAnswer>("search_catalog", json!({ "query": query, "limit": 10 })) {
        Called::Missing => Called::Missing,
        Called::Refused => Called::Refused,
        Called::Done(answer) => {
            let own =
                |product: &&ProductView| !own_names(errand, product, &answer.products).is_empty();
            Called::Done(answer.products.iter().filter(own).cloned().collect())
        }
    }
}

/// Whether the message names a product of the catalog.
pub fn referred_by_name(errand: &mut Errand<'_>) -> Called<bool> {
    let asked = errand.asked;
    match named(errand, &asked.text) {
        Called::Missing => Called::Missing,
        Called::Done(products) => Called::Done(!products.is_empty()),
        Called::Refused => Called::Refused,
    }
}

/// Whether a passage that was found for the message is a product that it names.
pub fn names_a_product(errand: &Errand<'_>) -> bool {
    names(errand) > 0
}

/// How many of the products that were found for the message it names.
pub fn names(errand: &Errand<'_>) -> usize {
    let said = long_words(&errand.asked.text);
    let language = errand.words.language();
    let products = errand
        .facts
        .passages
        .iter()
        .filter(|passage| passage.kind == PassageKind::Product);
    let named: HashSet<String> = products
        .filter_map(|passage| {
            proper_words(&passage.title, &passage.document)
                .into_iter()
                .find(|word| said.contains(word) && is_name(word, language, &[]))
        })
        .collect();
    named.len()
}

/// The product that a search meant from the start: named by a word that its id carries too.
pub fn meant(errand: &Errand<'_>, products: &[ProductView]) -> Option<ProductView> {
    let by_id = |product: &&ProductView| {
        let names = own_names(errand, product, products);
        let parts: Vec<&str> = product.id.as_str().split('-').collect();
        names.iter().any(|name| parts.contains(&name.as_str()))
    };
    let mut meant = products.iter().filter(by_id);
    match (meant.next(), meant.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// Words of a title that stand in the message and name this product among the others.
pub fn own_names(
    errand: &Errand<'_>,
    product: &ProductView,
    others: &[ProductView],
) -> Vec<String> {
    let said = long_words(&errand.asked.text);
    proper_words(&product.title, product.id.as_str())
        .into_iter()
        .filter(|word| said.contains(word) && is_name(word, errand.words.language(), others))
        .collect()
}

/// Words of a title that may be a name: written large, or part of the product's id.
fn proper_words(title: &str, id: &str) -> Vec<String> {
    let large = |word: &str| word.chars().next().is_some_and(char::is_uppercase);
    let in_id = |word: &str| id.split('-').any(|part| part == word);
    let all_small = !title.chars().any(char::is_uppercase);
    title
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| all_small || large(word) || in_id(word))
        .flat_map(long_words)
        .collect()
}

/// The only product whose title has the word for its kind that the message has: the descaler among what
/// cleans.
pub fn only_called(errand: &Errand<'_>, products: &[ProductView]) -> Option<ProductView> {
    let language = errand.words.language();
    let mixed = products
        .iter()
        .all(|product| MIXED.contains(&product.category.as_str()));
    let kinds = long_words(&errand.asked.text)
        .into_iter()
        .filter(|word| !entities(word, language).categories.is_empty());
    kinds.filter(|_| mixed).find_map(|kind| {
        let called = |product: &&ProductView| product.title.to_lowercase().contains(&kind);
        let mut called = products.iter().filter(called);
        called.next().filter(|_| called.next().is_none()).cloned()
    })
}

fn long_words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    words
        .filter(|word| word.chars().count() >= 4)
        .map(str::to_owned)
        .collect()
}

/// A word of a title is a name when it says no category, feature or colour and few titles share it.
fn is_name(word: &str, language: Language, products: &[ProductView]) -> bool {
    let said = entities(word, language);
    let common = products
        .iter()
        .filter(|product| product.title.to_lowercase().contains(word))
        .count();
    said.categories.is_empty()
        && said.features.is_empty()
        && said.colors.is_empty()
        && common <= 2
        && !is_common_word(word, language)
}
