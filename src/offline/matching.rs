//! What goes with what: a grinder for a machine, capsules for a capsule machine, a gasket for a group.

use minijinja::context;
use serde_json::json;

use super::errand::{Called, Errand, Part};
use super::products::{self, Reference};
use super::{catalog, naming};
use crate::domain::Entities;
use crate::tools::{CatalogAnswer, ProductView};
use crate::understand::{entities, is_common_word};

/// Categories of what is added to a machine.
const BESIDE: [&str; 2] = ["accessory", "spare_part"];

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
        return match products.as_slice() {
            [only] => beside(errand, only),
            _ => together(errand, &products).map(Some),
        };
    };
    // A named product of the wanted category is not what the wanted one must fit.
    let other = products
        .iter()
        .find(|product| !wish.categories.contains(&product.category))?
        .clone();
    match of_category(errand, category, &other) {
        Called::Missing => Some(None),
        Called::Done(fitting) if !fitting.is_empty() => {
            Some(Some(beside_it(errand, fitting, &other)))
        }
        Called::Done(_) | Called::Refused => Some(Some(products::not_known(errand, &other))),
    }
}

/// What the catalog has to go with a product.
fn beside(errand: &mut Errand<'_>, product: &ProductView) -> Option<Option<Part>> {
    for category in BESIDE {
        match of_category(errand, category, product) {
            Called::Missing => return Some(None),
            Called::Done(fitting) if !fitting.is_empty() => {
                return Some(Some(beside_it(errand, fitting, product)));
            }
            Called::Done(_) | Called::Refused => {}
        }
    }
    None
}

fn beside_it(errand: &Errand<'_>, fitting: Vec<ProductView>, product: &ProductView) -> Part {
    let title = product.title.as_str();
    let opening = errand.words.say("found_fitting", context! { title });
    catalog::shown(errand, fitting, &Entities::default(), Some(opening))
}

/// Products of a category that go with another for sure.
fn of_category(
    errand: &mut Errand<'_>,
    category: &str,
    other: &ProductView,
) -> Called<Vec<ProductView>> {
    let arguments = json!({ "category": category, "in_stock": true, "limit": 10 });
    match errand.call::<CatalogAnswer>("search_catalog", arguments) {
        Called::Missing => Called::Missing,
        Called::Done(answer) => {
            let fits = |product: &ProductView| goes_with(product, other) == Some(true);
            Called::Done(answer.products.into_iter().filter(fits).collect())
        }
        Called::Refused => Called::Refused,
    }
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
        match naming::named(errand, &query) {
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
