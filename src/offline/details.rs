//! What the catalog says about one product: a feature, a measure, everything.

use minijinja::context;

use super::products::COMPARED;
use super::reasons;
use crate::prompts::Words;
use crate::tools::{ProductView, has_feature};
use crate::understand::reads_as;

/// Measures in one description.
const MEASURES: usize = 4;

/// The answer to a question about a feature; none when the catalog does not say. A feature with the value
/// `?` asks for the value.
pub fn feature(product: &ProductView, key: &str, value: &str, words: Words<'_>) -> Option<String> {
    let title = product.title.as_str();
    // Whether something is quiet is best answered with its noise.
    let measured = match key {
        "quiet" => Some("noise_db"),
        "compact" => Some("width_cm"),
        _ if value == "?" => Some(key),
        _ => None,
    };
    if let Some(key) = measured {
        let values = product.attributes.get(key)?;
        let attribute = words.name("attributes", key);
        let value = values.join(", ");
        return Some(words.say("attribute_is", context! { title, attribute, value }));
    }
    let has = has_feature(&product.attributes, key, value)?;
    let own = product.attributes.get(key)?.first()?;
    let feature = if matches!(value, "yes" | "no") {
        words.name("attributes", key)
    } else {
        words.name("values", &own.replace('-', "_"))
    };
    let phrase = match (has, value) {
        (true, _) => "feature_yes",
        (false, "yes" | "no") => "feature_no",
        (false, _) => "feature_other",
    };
    Some(words.say(phrase, context! { title, feature }))
}

/// Price, stock, and the description in the customer's language; where the catalog has none in it, what
/// its attributes say.
pub fn whole(product: &ProductView, words: Words<'_>) -> String {
    let (title, price) = (product.title.as_str(), product.price_text.as_str());
    let stock = reasons::stock(product, words);
    let description = product.description.as_str();
    if !description.is_empty() && reads_as(description, words.language()) {
        return words.say("details", context! { title, price, stock, description });
    }
    let mut lines = vec![words.say("price_is", context! { title, price, stock })];
    let measures: Vec<String> = COMPARED
        .iter()
        .filter_map(|key| {
            let value = product.attributes.get(*key)?.join(", ");
            Some(format!("{}: {value}", words.name("attributes", key)))
        })
        .take(MEASURES)
        .collect();
    if !measures.is_empty() {
        lines.push(measures.join(" · "));
    }
    if let Some(colors) = product.attributes.get("colors") {
        let colors: Vec<String> = colors
            .iter()
            .map(|color| words.name("colors", color))
            .collect();
        let name = words.name("attributes", "colors");
        lines.push(format!("{name}: {}", words.list(&colors)));
    }
    lines.join("\n")
}
