//! Questions about products that were shown or named.

use std::collections::HashSet;

use minijinja::context;
use serde_json::json;

use super::details::Known;
use super::errand::{Called, Errand, Part};
use super::naming::{named, own_names};
use super::{catalog, cues, details, follow_up, matching, reasons};
use crate::domain::{Comparison, Entities, ProductId, Speaker};
use crate::tools::{ProductAnswer, ProductView, has_feature};
use crate::understand::entities;

/// Products that one question is answered for.
const SHOWN: usize = 3;
/// A follow-up with more words says itself what it asks.
const FOLLOW_UP_WORDS: usize = 5;

/// What a message refers to.
pub enum Reference {
    /// Results are missing.
    Missing,
    /// These products, in the order named.
    Known(Vec<ProductView>),
    /// Nothing that can be told.
    Unknown,
}

/// The colour, stock, price, features or details of a product, or of all that were shown.
pub fn question(errand: &mut Errand<'_>) -> Option<Part> {
    if let Some(part) = matching::fitting(errand) {
        return part;
    }
    let wish = inherited(errand);
    let products = match referred(errand) {
        Reference::Missing => return None,
        Reference::Known(products) => products,
        Reference::Unknown => return unknown(errand),
    };
    if means_others(errand, &products, &wish) {
        return catalog::search(errand);
    }
    if let Some(part) = best(errand, &products).or_else(|| unmeasured(errand, &products)) {
        return Some(part);
    }
    let Some(product) = pick(&products, wish.comparison) else {
        return each(errand, &products, &wish).map_or_else(|| unknown(errand), Some);
    };
    let (text, known) = about(errand, product, &wish);
    let offers = match known {
        Known::Open => return Some(not_known(errand, product)),
        Known::Fits => product.stock > 0,
        Known::Lacks => false,
    };
    let mut part = Part::default();
    part.answer.products.push(product.card(None));
    if offers {
        part.answer.text = format!("{text}\n{}", errand.words.plain("offer_link"));
        part.awaiting = Some(format!(
            "basket:{}x{}",
            product.id,
            wish.quantity.unwrap_or(1)
        ));
    } else {
        part.answer.text = text;
    }
    Some(part)
}

/// The answer to "which is quieter?" about several.
fn best(errand: &Errand<'_>, products: &[ProductView]) -> Option<Part> {
    let text = &errand.asked.text;
    let which = products.len() > 1 && cues::showing(text);
    let key = cues::measure(text).filter(|_| which)?;
    details::best_of(errand, products, key)
}

/// That the catalog does not tell several products apart by the measure which is asked for.
fn unmeasured(errand: &Errand<'_>, products: &[ProductView]) -> Option<Part> {
    let key = cues::measure(&errand.asked.text).filter(|_| cues::showing(&errand.asked.text))?;
    let known = products
        .iter()
        .filter(|product| product.attributes.contains_key(key));
    if products.len() < 2 || known.count() > 1 {
        return None;
    }
    let titles: Vec<String> = products
        .iter()
        .map(|product| product.title.clone())
        .collect();
    let title = errand.words.list(&titles);
    let text = errand.words.say("not_known", context! { title });
    let mut part = Part::text(text).awaiting("person");
    part.answer
        .choices
        .push(super::choice(errand.words, "person"));
    Some(part)
}

/// What a short follow-up such as "and the second one?" asks, when it does not say: the same as before.
fn inherited(errand: &Errand<'_>) -> Entities {
    let mut wish = errand.asked.triage.entities.clone();
    let says = !wish.colors.is_empty()
        || !wish.features.is_empty()
        || wish.in_stock
        || wish.comparison.is_some()
        || wish.price.is_some()
        || cues::price(&errand.asked.text);
    if says || errand.asked.text.split_whitespace().count() > FOLLOW_UP_WORDS {
        return wish;
    }
    let before = errand
        .facts
        .history
        .entries
        .iter()
        .rev()
        .find(|entry| entry.speaker == Speaker::Customer);
    let asked = before.filter(|entry| {
        let intent = entry.intent.as_deref().unwrap_or_default();
        ["product_question", "product_comparison"].contains(&intent)
    });
    if let Some(entry) = asked {
        let before = entities(&entry.text, errand.words.language());
        (wish.colors, wish.features) = (before.colors, before.features);
    }
    wish
}

/// Whether a message is about other products than the ones that were shown: it names another category,
/// or something that none of them can have.
fn means_others(errand: &Errand<'_>, products: &[ProductView], wish: &Entities) -> bool {
    let asked = &errand.asked.triage.entities;
    let pointed = !asked.ordinals.is_empty()
        || products
            .iter()
            .any(|product| !own_names(errand, product, products).is_empty());
    if pointed {
        return false;
    }
    let other_category = !asked.categories.is_empty()
        && !products
            .iter()
            .any(|product| asked.categories.contains(&product.category));
    let foreign_feature = !asked.features.is_empty()
        && wish.features.iter().any(|(_, value)| value != "?")
        && products.iter().all(|product| {
            wish.features
                .iter()
                .all(|(key, value)| has_feature(&product.attributes, key, value).is_none())
        });
    other_category || foreign_feature
}

/// The same question about each of several products. None when it is no question that all can answer.
fn each(errand: &Errand<'_>, products: &[ProductView], wish: &Entities) -> Option<Part> {
    if wish.colors.is_empty() && wish.features.is_empty() && !wish.in_stock {
        return None;
    }
    let told: Vec<(&ProductView, String)> = products
        .iter()
        .take(SHOWN)
        .map(|product| (product, about(errand, product, wish)))
        .filter(|(_, (_, known))| !matches!(known, Known::Open))
        .map(|(product, (text, _))| (product, text))
        .collect();
    let Some((first, _)) = told.first() else {
        return products.first().map(|product| not_known(errand, product));
    };
    if told.len() == 1 && products.len() > 1 && wish.in_stock {
        return Some(Part::text(about(errand, first, wish).0));
    }
    let texts: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
    let mut part = Part::text(texts.join("\n")).awaiting("choose");
    part.answer.products = told.iter().map(|(product, _)| product.card(None)).collect();
    Some(part)
}

/// The catalog does not say; a colleague may.
pub fn not_known(errand: &Errand<'_>, product: &ProductView) -> Part {
    let title = product.title.as_str();
    let text = errand.words.say("not_known", context! { title });
    let mut part = Part::text(text).awaiting("person");
    part.answer.products.push(product.card(None));
    let person = super::choice(errand.words, "person");
    part.answer.choices.push(person);
    part
}

/// Two products side by side, or the cheaper of those shown.
pub fn comparison(errand: &mut Errand<'_>) -> Option<Part> {
    if let Some(part) = matching::fitting(errand) {
        return part;
    }
    let products = match referred(errand) {
        Reference::Missing => return None,
        Reference::Known(products) => products,
        Reference::Unknown => return unknown(errand),
    };
    let wish = errand.asked.triage.entities.clone();
    if means_others(errand, &products, &wish) {
        return catalog::search(errand);
    }
    if let Some(comparison) = wish.comparison
        && let Some(product) = pick(&products, Some(comparison))
    {
        return Some(details::extreme(errand, product, comparison));
    }
    if products.len() > 2
        && let Some(part) = best(errand, &products)
    {
        return Some(part);
    }
    if let Some(part) = unmeasured(errand, &products) {
        return Some(part);
    }
    let [one, other, ..] = products.as_slice() else {
        return match products.first() {
            Some(_) => question(errand),
            None => unknown(errand),
        };
    };
    Some(details::side_by_side(errand, one, other))
}

/// Which products a message means: named, counted, or the ones shown last.
pub fn referred(errand: &mut Errand<'_>) -> Reference {
    let list = errand.facts.history.last_list();
    let wanted = &errand.asked.triage.entities;
    // "The cheaper one" and "the difference" are about several.
    let compares =
        wanted.comparison.is_some() || errand.asked.triage.intent.is("product_comparison");
    let basket = super::buying::pending_basket(errand.facts).map(|basket| [basket.product]);
    let shown = match &basket {
        _ if compares && !matching::asks_for_match(wanted) => list,
        Some(offered) => offered,
        None => errand.facts.history.last_products(),
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
    let asked = errand.asked;
    match named(errand, &asked.text) {
        Called::Missing => return Reference::Missing,
        Called::Done(products) if !products.is_empty() => return Reference::Known(products),
        Called::Done(_) | Called::Refused => {}
    }
    if shown.is_empty() {
        return Reference::Unknown;
    }
    match fetch(errand, &shown[..shown.len().min(5)]) {
        Reference::Known(products) => Reference::Known(numbered(errand, products)),
        nothing @ (Reference::Missing | Reference::Unknown) => nothing,
    }
}

/// "The one for 6": the only one whose title has the number that the message has.
fn numbered(errand: &Errand<'_>, products: Vec<ProductView>) -> Vec<ProductView> {
    let numbers = |text: &str| -> HashSet<String> {
        text.split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit()))
            .map(str::to_owned)
            .collect()
    };
    let said = numbers(&errand.asked.text);
    let mut having = products
        .iter()
        .filter(|product| !numbers(&product.title).is_disjoint(&said));
    match (having.next(), having.next()) {
        (Some(only), None) if errand.asked.triage.entities.price.is_none() => vec![only.clone()],
        _ => products,
    }
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

/// The answer, and what the catalog knows.
fn about(errand: &Errand<'_>, product: &ProductView, asked: &Entities) -> (String, Known) {
    let words = errand.words;
    let (title, price) = (&product.title, product.price.display(words.spoken()));
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
        return match details::feature(product, key, value, words) {
            Some(told) => told,
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
    (details::whole(product, words), Known::Fits)
}

/// A question about no product we know: look for one when the words say what, else ask.
fn unknown(errand: &mut Errand<'_>) -> Option<Part> {
    if super::has_subject(errand.asked) || follow_up::price(errand).is_some() {
        return catalog::search(errand);
    }
    if let Some(part) = super::answers::close_text(errand) {
        return Some(part);
    }
    Some(Part::text(errand.words.plain("which_product")).awaiting("choose"))
}
