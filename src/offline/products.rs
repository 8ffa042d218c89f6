//! Questions about products that were shown or named.

use minijinja::context;
use serde_json::json;

use super::errand::{Called, Errand, Part};
use super::{catalog, reasons};
use crate::domain::{Comparison, Entities, Language, Money, ProductId};
use crate::tools::{CatalogAnswer, ProductAnswer, ProductView};
use crate::understand::entities;

/// Attributes that a comparison names, most telling first.
const COMPARED: [&str; 8] = [
    "power_w",
    "pressure_bar",
    "water_l",
    "cups",
    "width_cm",
    "weight_kg",
    "hopper_g",
    "noise_db",
];

/// What a message refers to.
pub enum Reference {
    /// Results are missing.
    Missing,
    /// These products, in the order named.
    Known(Vec<ProductView>),
    /// Nothing that can be told.
    Unknown,
}

/// The colour, stock, price or details of a product.
pub fn question(errand: &mut Errand<'_>) -> Option<Part> {
    let products = match referred(errand) {
        Reference::Missing => return None,
        Reference::Known(products) => products,
        Reference::Unknown => return unknown(errand),
    };
    let entities = errand.asked.triage.entities.clone();
    let Some(product) = pick(&products, entities.comparison) else {
        return unknown(errand);
    };
    let (text, known) = about(errand, product, &entities);
    let mut part = Part::text(text);
    part.answer.products.push(product.card(None));
    match known {
        Known::Open => {
            part.answer
                .choices
                .push(super::choice(errand.words, "person"));
            part.awaiting = Some("person".to_owned());
        }
        Known::Fits if product.stock > 0 => {
            let offer = errand.words.plain("offer_link");
            part.answer.text = format!("{}\n{offer}", part.answer.text);
            part.awaiting = Some(format!(
                "basket:{}x{}",
                product.id,
                entities.quantity.unwrap_or(1)
            ));
        }
        Known::Fits | Known::Lacks => {}
    }
    Some(part)
}

/// Two products side by side, or the cheaper of those shown.
pub fn comparison(errand: &mut Errand<'_>) -> Option<Part> {
    let products = match referred(errand) {
        Reference::Missing => return None,
        Reference::Known(products) => products,
        Reference::Unknown => return unknown(errand),
    };
    if let Some(comparison) = errand.asked.triage.entities.comparison
        && let Some(product) = pick(&products, Some(comparison))
    {
        return Some(extreme(errand, product, comparison));
    }
    let [one, other, ..] = products.as_slice() else {
        return match products.first() {
            Some(_) => question(errand),
            None => unknown(errand),
        };
    };
    Some(side_by_side(errand, one, other))
}

/// Which products a message means: named, counted, or the ones shown last.
pub fn referred(errand: &mut Errand<'_>) -> Reference {
    let list = errand.facts.history.last_list();
    let wanted = &errand.asked.triage.entities;
    let compares =
        wanted.comparison.is_some() || errand.asked.triage.intent.is("product_comparison");
    let shown = match super::buying::pending_basket(errand.facts) {
        _ if compares => list.to_vec(),
        Some(basket) => vec![basket.product],
        None => errand.facts.history.last_products().to_vec(),
    };
    let counted: Vec<ProductId> = wanted
        .ordinals
        .iter()
        .filter_map(|ordinal| counted(list, *ordinal))
        .cloned()
        .collect();
    if !counted.is_empty() {
        return fetch(errand, &counted);
    }
    match named(errand) {
        Called::Missing => return Reference::Missing,
        Called::Done(products) if !products.is_empty() => return Reference::Known(products),
        Called::Done(_) | Called::Refused => {}
    }
    if shown.is_empty() {
        return Reference::Unknown;
    }
    fetch(errand, &shown[..shown.len().min(5)])
}

fn counted(shown: &[ProductId], ordinal: i32) -> Option<&ProductId> {
    match usize::try_from(ordinal) {
        Ok(number) => shown.get(number.checked_sub(1)?),
        Err(_) => shown.last(),
    }
}

fn fetch(errand: &mut Errand<'_>, ids: &[ProductId]) -> Reference {
    let mut products = Vec::new();
    let mut missing = false;
    for id in ids {
        match errand.call::<ProductAnswer>("get_product", json!({ "id": id })) {
            Called::Missing => missing = true,
            Called::Done(answer) => products.push(answer.product),
            Called::Refused => {}
        }
    }
    if missing {
        Reference::Missing
    } else if products.is_empty() {
        Reference::Unknown
    } else {
        Reference::Known(products)
    }
}

/// Products whose own name stands in the message.
fn named(errand: &mut Errand<'_>) -> Called<Vec<ProductView>> {
    let query: String = errand.asked.text.chars().take(200).collect();
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
fn own_names(errand: &Errand<'_>, product: &ProductView, others: &[ProductView]) -> Vec<String> {
    let said = long_words(&errand.asked.text);
    long_words(&product.title)
        .into_iter()
        .filter(|word| said.contains(word) && is_name(word, errand.words.language(), others))
        .collect()
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
    said.categories.is_empty() && said.features.is_empty() && said.colors.is_empty() && common <= 2
}

/// The one product that is meant, when it can be told.
fn pick(products: &[ProductView], comparison: Option<Comparison>) -> Option<&ProductView> {
    match comparison {
        Some(Comparison::Cheapest) => products.iter().min_by_key(|product| product.price.minor),
        Some(Comparison::Dearest) => products.iter().max_by_key(|product| product.price.minor),
        None => match products {
            [only] => Some(only),
            _ => None,
        },
    }
}

/// The product that a purchase means.
pub fn chosen(products: &[ProductView], comparison: Option<Comparison>) -> Option<ProductView> {
    pick(products, comparison).cloned()
}

/// What the catalog says to a question.
enum Known {
    /// Nothing.
    Open,
    /// The product is as wished, or nothing was wished.
    Fits,
    /// It is not.
    Lacks,
}

fn about(errand: &Errand<'_>, product: &ProductView, asked: &Entities) -> (String, Known) {
    let words = errand.words;
    let (title, price) = (&product.title, &product.price_text);
    let stock = reasons::stock(product, words);
    if let Some(color) = asked.colors.first() {
        let colors = product
            .attributes
            .get("colors")
            .cloned()
            .unwrap_or_default();
        if colors.is_empty() {
            return (words.say("not_known", context! { title }), Known::Open);
        }
        let name = words.name("colors", color);
        if colors.contains(color) {
            return (
                words.say("color_yes", context! { title, color => name, price, stock }),
                Known::Fits,
            );
        }
        let names: Vec<String> = colors
            .iter()
            .map(|color| words.name("colors", color))
            .collect();
        return (
            words.say("color_no", context! { title, colors => words.list(&names) }),
            Known::Lacks,
        );
    }
    if let Some((key, value)) = asked.features.first() {
        let feature = words.name("attributes", key);
        return match product.attributes.get(key) {
            Some(values) if values.contains(value) => (
                words.say("feature_yes", context! { title, feature }),
                Known::Fits,
            ),
            Some(_) => (
                words.say("feature_no", context! { title, feature }),
                Known::Lacks,
            ),
            None => (words.say("not_known", context! { title }), Known::Open),
        };
    }
    if asked.in_stock {
        let key = if product.stock > 0 {
            "available_yes"
        } else {
            "available_no"
        };
        return (words.say(key, context! { title, price }), Known::Fits);
    }
    if product.description.is_empty() {
        return (
            words.say("price_is", context! { title, price, stock }),
            Known::Fits,
        );
    }
    let description = &product.description;
    (
        words.say("details", context! { title, price, stock, description }),
        Known::Fits,
    )
}

fn extreme(errand: &Errand<'_>, product: &ProductView, comparison: Comparison) -> Part {
    let key = match comparison {
        Comparison::Cheapest => "cheapest",
        Comparison::Dearest => "dearest",
    };
    let stock = reasons::stock(product, errand.words);
    let text = errand.words.say(
        key,
        context! { title => product.title.as_str(), price => product.price_text.as_str(), stock },
    );
    let mut part = Part::text(format!("{text}\n{}", errand.words.plain("offer_link")));
    part.answer.products.push(product.card(None));
    part.awaiting(format!("basket:{}x1", product.id))
}

fn side_by_side(errand: &Errand<'_>, one: &ProductView, other: &ProductView) -> Part {
    let words = errand.words;
    let (cheap, dear) = if one.price.minor <= other.price.minor {
        (one, other)
    } else {
        (other, one)
    };
    let difference = Money::new(dear.price.minor - cheap.price.minor, cheap.price.currency);
    let mut lines = vec![if difference.minor == 0 {
        words.say(
            "compare_same_price",
            context! { one => one.title.as_str(), other => other.title.as_str(), price => one.price_text.as_str() },
        )
    } else {
        words.say(
            "compare_price",
            context! {
                cheap => cheap.title.as_str(), dear => dear.title.as_str(),
                difference => difference.display(words.language()),
                cheap_price => cheap.price_text.as_str(), dear_price => dear.price_text.as_str(),
            },
        )
    }];
    for key in COMPARED {
        let value =
            |product: &ProductView| product.attributes.get(key).map(|values| values.join(", "));
        if let (Some(one), Some(other)) = (value(one), value(other))
            && one != other
        {
            let attribute = words.name("attributes", key);
            lines.push(words.say("compare_attribute", context! { attribute, one, other }));
        }
        if lines.len() > 3 {
            break;
        }
    }
    for product in [one, other] {
        if let Some(reason) = reasons::reason(product, &Entities::default(), words) {
            lines.push(format!("{}: {reason}", product.title));
        }
    }
    let mut part = Part::text(lines.join("\n")).awaiting("choose");
    part.answer.products = [one, other].map(|product| product.card(None)).into();
    part
}

/// A question about no product we know: look for one when the words say what, else ask.
fn unknown(errand: &mut Errand<'_>) -> Option<Part> {
    if super::has_subject(errand.asked) {
        return catalog::search(errand);
    }
    if let Some(part) = super::answers::close_text(errand) {
        return Some(part);
    }
    Some(Part::text(errand.words.plain("which_product")).awaiting("choose"))
}
