//! What goes with what: a grinder for a machine, capsules for a capsule machine, a gasket for a group.

use minijinja::context;
use serde_json::json;

use super::catalog;
use super::errand::{Called, Errand, Part};
use super::products::{self, Reference};
use crate::domain::Entities;
use crate::tools::{CatalogAnswer, ProductView};
use crate::understand::{entities, is_common_word};

/// Whether a message asks what goes with something.
pub fn asks_for_match(wish: &Entities) -> bool {
    wish.features.iter().any(|(key, _)| key == "compatible")
}

/// Products of the wanted category that go with the product that was named or shown; with no category,
/// whether two named products go together. Outer none when the message asks something else.
pub fn fitting(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let wish = errand.asked.triage.entities.clone();
    if !asks_for_match(&wish) {
        return None;
    }
    let products = match others(errand) {
        Reference::Missing => return Some(None),
        Reference::Known(products) => products,
        Reference::Unknown => return None,
    };
    let Some(category) = wish.categories.first() else {
        return together(errand, &products).map(Some);
    };
    // A named product of the wanted category is not what the wanted one must fit.
    let other = products
        .iter()
        .find(|product| !wish.categories.contains(&product.category))?
        .clone();
    let found = match errand.call::<CatalogAnswer>(
        "search_catalog",
        json!({ "category": category, "in_stock": true, "limit": 10 }),
    ) {
        Called::Missing => return Some(None),
        Called::Done(answer) => answer.products,
        Called::Refused => Vec::new(),
    };
    let fitting: Vec<ProductView> = found
        .into_iter()
        .filter(|product| goes_with(product, &other) == Some(true))
        .collect();
    if fitting.is_empty() {
        return Some(Some(products::not_known(errand, &other)));
    }
    let opening = errand
        .words
        .say("found_fitting", context! { title => other.title.as_str() });
    Some(Some(catalog::shown(
        errand,
        fitting,
        &Entities::default(),
        Some(opening),
    )))
}

/// The products that something must go with: named beside the wanted category, else the ones meant.
fn others(errand: &mut Errand<'_>) -> Reference {
    let language = errand.words.language();
    let names: Vec<&str> = errand
        .asked
        .text
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().count() >= 4 && !is_common_word(word, language))
        .filter(|word| entities(word, language).categories.is_empty())
        .collect();
    if !names.is_empty() {
        let query: String = names.join(" ").chars().take(200).collect();
        match products::named(errand, &query) {
            Called::Missing => return Reference::Missing,
            Called::Done(products) if !products.is_empty() => return Reference::Known(products),
            Called::Done(_) | Called::Refused => {}
        }
    }
    products::referred(errand)
}

/// Whether two products go together, when the catalog says.
fn together(errand: &Errand<'_>, products: &[ProductView]) -> Option<Part> {
    let [one, other, ..] = products else {
        return None;
    };
    let fits = goes_with(one, other).or_else(|| goes_with(other, one))?;
    let key = if fits { "fits_yes" } else { "fits_no" };
    let text = errand.words.say(
        key,
        context! { one => one.title.as_str(), other => other.title.as_str() },
    );
    let mut part = Part::text(text).awaiting("choose");
    part.answer.products = [one, other].map(|product| product.card(None)).into();
    Some(part)
}

/// Whether the catalog says that the first goes with the second: by name or category, else by the grind.
fn goes_with(product: &ProductView, other: &ProductView) -> Option<bool> {
    if let Some(names) = product.attributes.get("compatible") {
        let named = |name: &String| *name == other.id.0 || *name == other.category;
        return Some(names.iter().any(named));
    }
    let offered = product.attributes.get("grind")?;
    let needed = match other.attributes.get("grind") {
        Some(needed) => needed.clone(),
        None if other.category == "espresso_machine" => vec!["espresso".to_owned()],
        None => return None,
    };
    Some(needed.iter().any(|grind| offered.contains(grind)))
}
