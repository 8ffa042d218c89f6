//! Looking for products.

use minijinja::context;
use serde_json::{Value, json};

use super::errand::{Called, Errand, Part};
use super::naming::{meant, only_called};
use super::{answers, cues, follow_up, has_subject, last_words, matching, reasons};
use crate::domain::{Entities, Money, PriceRange};
use crate::tools::{CatalogAnswer, ProductView};
use crate::understand::entities;

/// Products in one answer.
const SHOWN: usize = 3;
/// A message that completes an earlier wish has so few words, and the wish so few characters.
const COMPLETING_WORDS: usize = 3;
const COMPLETED: usize = 90;
/// Products among which the nearest are looked for.
const NEAR: usize = 10;

/// Two or three products that fit, and one question that narrows.
pub fn search(errand: &mut Errand<'_>) -> Option<Part> {
    if let Some(part) = matching::fitting(errand) {
        return part;
    }
    let mut wish = errand.asked.triage.entities.clone();
    wish.price = follow_up::price(errand);
    let category = match follow_up::category(errand, &wish) {
        Called::Missing => return None,
        Called::Done(category) => Some(category),
        Called::Refused => None,
    };
    // "Which grind for an espresso machine?" asks for no machine.
    let text = &errand.asked.text;
    let only_asks = errand.asked.triage.intent.is("product_question")
        && !cues::having(text)
        && !cues::selling(text);
    if category.is_none()
        && (wish.categories.is_empty() || only_asks)
        && wish.price.is_none()
        && let Some(part) = answers::closer_than_products(errand)
    {
        return Some(part);
    }
    let query = query(errand, &wish);
    let within = category.as_deref();
    let mut opening = None;
    let mut products = match find(errand, &query, within, wish.price, true) {
        Called::Missing => return None,
        Called::Done(answer) => answer.products,
        Called::Refused => Vec::new(),
    };
    if products.is_empty() {
        products = match find(errand, &query, within, wish.price, false) {
            Called::Missing => return None,
            Called::Done(answer) => answer.products,
            Called::Refused => Vec::new(),
        };
        opening = Some(errand.words.plain("found_out_of_stock"));
    }
    if products.is_empty()
        && let Some(range) = wish.price
    {
        products = match find(errand, &without_price(&query, &wish), within, None, true) {
            Called::Missing => return None,
            Called::Done(answer) => nearest(answer.products, range),
            Called::Refused => Vec::new(),
        };
        opening = over_price(errand, range, products.first());
    }
    if products.is_empty()
        && let Some(category) = within
    {
        products = match of_category(errand, category) {
            Called::Missing => return None,
            Called::Done(found) => match wish.price {
                Some(range) => nearest(found, range),
                None => found,
            },
            Called::Refused => Vec::new(),
        };
        opening = Some(errand.words.plain("found_nearest"));
    }
    if products.is_empty() {
        return not_sold(errand);
    }
    products = with_features(products, &wish);
    if let Some(product) = meant(errand, &products).or_else(|| only_called(errand, &products)) {
        products = vec![product];
    }
    Some(shown(errand, products, &wish, opening))
}

/// Products that have what is wished for sure, when any has.
fn with_features(products: Vec<ProductView>, wish: &Entities) -> Vec<ProductView> {
    let has_all = |product: &&ProductView| {
        let mut asked = wish.features.iter().filter(|(_, value)| value != "?");
        asked.all(|(key, value)| reasons::has(product, key, value))
    };
    let having: Vec<ProductView> = products.iter().filter(has_all).cloned().collect();
    if having.is_empty() { products } else { having }
}

/// What the shop sells instead.
pub fn not_sold(errand: &mut Errand<'_>) -> Option<Part> {
    let categories = match errand.call::<CatalogAnswer>("search_catalog", json!({ "limit": 1 })) {
        Called::Missing => return None,
        Called::Done(answer) => answer.categories,
        Called::Refused => Vec::new(),
    };
    let names: Vec<String> = categories
        .iter()
        .take(5)
        .map(|category| errand.words.name("categories", category))
        .collect();
    let text = errand.words.say(
        "not_sold",
        context! { categories => errand.words.list(&names) },
    );
    Some(Part::text(text))
}

/// Some of the products as a list with reasons, and a question or an offer.
pub fn shown(
    errand: &Errand<'_>,
    mut products: Vec<ProductView>,
    wish: &Entities,
    opening: Option<String>,
) -> Part {
    products.truncate(SHOWN);
    let words = errand.words;
    let key = if products.len() == 1 {
        "found_one"
    } else {
        "found_many"
    };
    let mut lines = vec![opening.unwrap_or_else(|| words.plain(key))];
    let mut part = Part::default();
    for (number, product) in (1..).zip(&products) {
        let cheapest = || {
            let mut others = products.iter().filter(|other| other.id != product.id);
            let least = others.all(|other| product.price.minor < other.price.minor);
            (least && products.len() > 1).then(|| words.plain("reason_cheapest"))
        };
        let reason = reasons::reason(product, wish, words).or_else(cheapest);
        lines.push(match &reason {
            Some(reason) => format!(
                "{number}. {} – {}: {reason}",
                product.title,
                product.price.display(words.spoken())
            ),
            None => format!(
                "{number}. {} – {}",
                product.title,
                product.price.display(words.spoken())
            ),
        });
        part.answer.products.push(product.card(reason));
    }
    if let [only] = products.as_slice() {
        lines.push(words.plain("offer_link"));
        part.awaiting = Some(format!("basket:{}x1", only.id));
    } else {
        lines.push(words.plain(narrowing(&products, wish)));
        part.awaiting = Some("choose".to_owned());
    }
    part.answer.text = lines.join("\n");
    part
}

/// One question that narrows, by what was found.
fn narrowing(products: &[ProductView], wish: &Entities) -> &'static str {
    let said = |key: &str| wish.features.iter().any(|(name, _)| name == key);
    let all = |categories: &[&str]| {
        products
            .iter()
            .all(|product| categories.contains(&product.category.as_str()))
    };
    let milks = |kind: fn(&str) -> bool| {
        products.iter().any(|product| {
            product
                .attributes
                .get("milk")
                .is_some_and(|values| values.iter().any(|value| kind(value)))
        })
    };
    if all(&["espresso_machine"])
        && !said("milk")
        && milks(|milk| milk == "automatic")
        && milks(|milk| milk != "automatic")
    {
        "narrow_machine"
    } else if all(&["grinder"]) && !said("grind") {
        "narrow_grinder"
    } else if all(&["coffee_beans", "ground_coffee", "capsules"]) {
        "narrow_coffee"
    } else {
        "narrow_other"
    }
}

/// A follow-up such as "and under 200?" looks for the same thing again.
fn query(errand: &Errand<'_>, wish: &Entities) -> String {
    let text = errand.asked.text.chars().take(200).collect::<String>();
    let before = last_words(errand.facts, "product_search");
    if has_subject(errand.asked) {
        return match before {
            Some(before) if completes(errand, before) => format!("{before} {text}"),
            Some(_) | None => text,
        };
    }
    match before {
        Some(before) if wish.price.is_some() => {
            format!("{} {text}", before.chars().take(90).collect::<String>())
        }
        Some(_) | None => text,
    }
}

/// Whether a message only says the kind of what was looked for before: "decaf?" and then "beans".
fn completes(errand: &Errand<'_>, before: &str) -> bool {
    let asked = errand.asked;
    let earlier = entities(before, errand.words.language());
    let wish = &asked.triage.entities;
    asked.text.split_whitespace().count() <= COMPLETING_WORDS
        && before.chars().count() <= COMPLETED
        && !errand.facts.history.last_list().is_empty()
        && earlier.categories.is_empty()
        && !earlier.features.is_empty()
        && !wish.categories.is_empty()
        && wish.features.is_empty()
}

fn find(
    errand: &mut Errand<'_>,
    query: &str,
    category: Option<&str>,
    price: Option<PriceRange>,
    in_stock: bool,
) -> Called<CatalogAnswer> {
    let mut arguments = json!({ "query": query, "in_stock": in_stock, "limit": SHOWN });
    if let (Value::Object(arguments), Some(category)) = (&mut arguments, category) {
        arguments.insert("category".to_owned(), json!(category));
    }
    if let Value::Object(arguments) = &mut arguments {
        let mut bound = |key: &str, minor: Option<i64>| {
            if let Some(minor) = minor {
                arguments.insert(key.to_owned(), json!(major(minor)));
            }
        };
        bound("min_price", price.and_then(|range| range.min));
        bound("max_price", price.and_then(|range| range.max));
    }
    errand.call("search_catalog", arguments)
}

/// What the shop has of a category.
fn of_category(errand: &mut Errand<'_>, category: &str) -> Called<Vec<ProductView>> {
    let arguments = json!({ "category": category, "in_stock": true, "limit": NEAR });
    match errand.call::<CatalogAnswer>("search_catalog", arguments) {
        Called::Missing => Called::Missing,
        Called::Done(answer) => Called::Done(answer.products),
        Called::Refused => Called::Refused,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "amounts a customer writes are small"
)]
fn major(minor: i64) -> f64 {
    minor as f64 / 100.0
}

/// The same wish in words that carry no price.
fn without_price(query: &str, wish: &Entities) -> String {
    let kept: Vec<&str> = query
        .split_whitespace()
        .filter(|word| !word.chars().any(|c| c.is_ascii_digit()))
        .collect();
    if kept.is_empty() {
        wish.categories.join(" ")
    } else {
        kept.join(" ")
    }
}

/// Prices are the catalog's, whoever asks: the product that an attempt is about, with its price.
pub fn at_its_price(errand: &mut Errand<'_>) -> Option<Part> {
    let attack = Part::text(errand.words.plain("attack"));
    let wish = errand.asked.triage.entities.clone();
    let query: String = without_price(&errand.asked.text, &wish)
        .chars()
        .take(200)
        .collect();
    let arguments = json!({ "query": query, "in_stock": true, "limit": SHOWN });
    let products = match errand.call::<CatalogAnswer>("search_catalog", arguments) {
        Called::Missing => return None,
        Called::Done(answer) => answer.products,
        Called::Refused => Vec::new(),
    };
    let Some(product) = products
        .first()
        .filter(|_| has_subject(errand.asked) || meant(errand, &products).is_some())
    else {
        return Some(attack);
    };
    let product = meant(errand, &products).unwrap_or_else(|| product.clone());
    let price = product.price.display(errand.words.spoken());
    let title = product.title.as_str();
    let stock = reasons::stock(&product, errand.words);
    let price = errand
        .words
        .say("price_is", context! { title, price, stock });
    let mut part = attack.then(Part::text(format!(
        "{price}\n{}",
        errand.words.plain("offer_link")
    )));
    part.answer.products.push(product.card(None));
    Some(part.awaiting(format!("basket:{}x1", product.id)))
}

/// Products by how far their price is from a range.
fn nearest(mut products: Vec<ProductView>, range: PriceRange) -> Vec<ProductView> {
    products.sort_by_key(|product| {
        let price = product.price.minor;
        let above = range.max.map_or(0, |max| price - max);
        let below = range.min.map_or(0, |min| min - price);
        above.max(below).max(0)
    });
    products
}

fn over_price(
    errand: &Errand<'_>,
    range: PriceRange,
    first: Option<&ProductView>,
) -> Option<String> {
    let max = Money::new(range.max.or(range.min)?, first?.price.currency);
    Some(errand.words.say(
        "found_over_price",
        context! { max => max.display(errand.words.spoken()) },
    ))
}
