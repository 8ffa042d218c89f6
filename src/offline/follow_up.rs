//! What a short message means after what was said before it, whatever intent was read in it alone.

use serde_json::json;

use super::errand::{Called, Errand, Part};
use super::{buying, catalog, cues, has_subject, naming, orders, products};
use crate::domain::{Entities, PassageKind, PriceRange};
use crate::tools::{ProductAnswer, has_feature};
use crate::understand::entities;

/// A message with more words says itself what it is about.
const SHORT: usize = 8;
/// A bare amount or quantity stands among so few words.
const BARE: usize = 5;
/// So many words say more than yes or no.
const NAMING: usize = 3;
/// A bare name of what is looked for stands among so few words.
const BARE_NAME: usize = 3;

/// Intents that a changed quantity, or a budget after a list, is often mistaken for.
const DOUBTFUL_QUANTITY: [&str; 9] = [
    "buy",
    "confirm",
    "order_change",
    "product_search",
    "product_question",
    "product_comparison",
    "discount",
    "payment_info",
    "decline",
];
const DOUBTFUL_REFINEMENT: [&str; 7] = [
    "discount",
    "payment_info",
    "shipping_info",
    "store_info",
    "bot_identity",
    "greeting",
    "privacy",
];
/// Intents that the price of a product is often mistaken for.
const DOUBTFUL_PRICE: [&str; 5] = [
    "shipping_info",
    "payment_info",
    "store_info",
    "discount",
    "invoice",
];
/// Intents that a product's or a category's bare name is often mistaken for.
const DOUBTFUL_NAME: [&str; 7] = [
    "bot_identity",
    "greeting",
    "thanks",
    "confirm",
    "decline",
    "store_info",
    "complaint",
];
/// Intents that the question whether there is something is often mistaken for.
const DOUBTFUL_STOCK: [&str; 8] = [
    "care_advice",
    "warranty_repair",
    "store_info",
    "payment_info",
    "shipping_info",
    "discount",
    "greeting",
    "bot_identity",
];
/// Below this score plain words overrule an intent.
const SURE: f32 = 0.7;
/// Below this score the question whether something is sold overrules it.
const LIKELY: f32 = 0.5;
/// At this cosine a product is what was asked for.
const SOLD: f32 = 0.3;
/// Intents that a question about the order at hand is often mistaken for.
const DOUBTFUL_CHANGE: [&str; 5] = [
    "shipping_info",
    "privacy",
    "payment_info",
    "store_info",
    "invoice",
];

/// What has arrived already and is not right is no question for the arrival.
const ABOUT_ARRIVED: [&str; 6] = [
    "damaged_item",
    "complaint",
    "return_refund",
    "warranty_repair",
    "order_change",
    "human",
];

/// The answer when what was said before, or a plain word, overrules the intent. Outer none when nothing does.
pub fn overruling(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    if let Some(quantity) = changed_quantity(errand)
        && let Some(basket) = buying::pending_basket(errand.facts)
    {
        return Some(buying::link(errand, &basket.of(quantity)));
    }
    if let Some(part) = order_at_hand(errand) {
        return Some(part);
    }
    if points(errand) {
        return Some(products::question(errand));
    }
    let intent = &errand.asked.triage.intent;
    let doubtful = !intent.in_scope || DOUBTFUL_REFINEMENT.contains(&intent.name.as_str());
    if intent.is("discount") && !cues::discount(&errand.asked.text) {
        return no_discount(errand);
    }
    if let Some(part) = plainly(errand) {
        return Some(part);
    }
    (doubtful && refines(errand)).then(|| catalog::search(errand))
}

/// Whether a message is about the products that it points at: "do you have this in black?", "yes, this one".
fn points(errand: &Errand<'_>) -> bool {
    let asked = errand.asked;
    let (intent, wish, text) = (&asked.triage.intent, &asked.triage.entities, &asked.text);
    let elsewhere =
        !wish.categories.is_empty() || !wish.orders.is_empty() || wish.comparison.is_some();
    let has = cues::having(text) || !wish.colors.is_empty();
    let takes = intent.is("confirm") && buying::pending_basket(errand.facts).is_none();
    let doubtful = !intent.in_scope
        || takes
        || intent.is("product_search")
        || (has && DOUBTFUL_STOCK.contains(&intent.name.as_str()));
    errand.facts.points && doubtful && !elsewhere
}

/// What plain words ask for, whatever intent was read: a price, a name, whether there is something.
fn plainly(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let asked = errand.asked;
    let (intent, wish, text) = (&asked.triage.intent, &asked.triage.entities, &asked.text);
    let is = |names: &[&str]| names.contains(&intent.name.as_str());
    let named = naming::names_a_product(errand);
    let counted = !wish.ordinals.is_empty() && !errand.facts.history.last_list().is_empty();
    if is(&DOUBTFUL_PRICE) && cues::price(text) && !cues::shipping(text) && (named || counted) {
        return Some(products::question(errand));
    }
    if intent.is("buy") && cues::bought(text) && !cues::taking(text) {
        let ask = Part::text(errand.words.plain("ask_order_number"));
        return Some(Some(ask.awaiting("order_number")));
    }
    if is(&DOUBTFUL_NAME) && intent.score < LIKELY && named {
        return Some(products::question(errand));
    }
    let says_more =
        text.split_whitespace().count() >= NAMING && !errand.facts.history.entries.is_empty();
    if is(&["decline", "confirm"]) && says_more && says_a_name(text) {
        match naming::referred_by_name(errand) {
            Called::Missing => return Some(None),
            Called::Done(true) => return Some(products::question(errand)),
            Called::Done(false) | Called::Refused => {}
        }
    }
    let category = !wish.categories.is_empty();
    if category && is(&DOUBTFUL_NAME) && short(text, BARE_NAME) {
        return Some(catalog::search(errand));
    }
    if category && is(&DOUBTFUL_STOCK) && intent.score < SURE && cues::having(text) {
        return Some(catalog::search(errand));
    }
    if cues::selling(text) && !has_subject(asked) {
        return sold(errand);
    }
    None
}

/// Whether a word inside the message is written like a name.
fn says_a_name(text: &str) -> bool {
    let mut words = text.split_whitespace().skip(1);
    words.any(|word| word.chars().next().is_some_and(char::is_uppercase))
}

/// Whether the shop sells what is in no category; none when the message is about something else for sure.
fn sold(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let intent = &errand.asked.triage.intent;
    let about_products = ["product_search", "product_question"]
        .iter()
        .any(|name| intent.is(name));
    let close = errand.facts.passages.iter().any(|passage| {
        let cosine = passage.ranking.dense_score.unwrap_or(0.0);
        passage.kind == PassageKind::Product && cosine >= SOLD
    });
    if close || (intent.in_scope && intent.score >= LIKELY && !about_products) {
        return None;
    }
    match naming::referred_by_name(errand) {
        Called::Missing => Some(None),
        Called::Done(true) => Some(products::question(errand)),
        Called::Done(false) | Called::Refused => Some(catalog::not_sold(errand)),
    }
}

/// Whether a short message only points at something without a name: no business at all, neither the
/// shop's nor another.
pub fn says_nothing(errand: &Errand<'_>) -> bool {
    let text = &errand.asked.text;
    short(text, BARE) && !text.contains('?') && cues::vague(text)
}

/// What a message asks that was taken for a question about discounts and speaks of none.
fn no_discount(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let asked = errand.asked;
    let wish = &asked.triage.entities;
    let shown = !errand.facts.history.last_list().is_empty();
    let known = shown || has_subject(asked);
    if wish.comparison.is_some() && known {
        return Some(products::comparison(errand));
    }
    if refines(errand) {
        return Some(catalog::search(errand));
    }
    if naming::names_a_product(errand) {
        return Some(products::question(errand));
    }
    if !cues::price(&asked.text) {
        return None;
    }
    if known {
        return Some(products::question(errand));
    }
    match naming::referred_by_name(errand) {
        Called::Missing => Some(None),
        Called::Done(true) => Some(products::question(errand)),
        Called::Done(false) | Called::Refused => None,
    }
}

/// Whether a message only narrows the list that was shown: a price or a feature and nothing else.
pub fn refines(errand: &Errand<'_>) -> bool {
    let wish = &errand.asked.triage.entities;
    let listed = !errand.facts.history.last_list().is_empty();
    let says = wish.features.iter().any(|(_, value)| value != "?");
    listed
        && short(&errand.asked.text, SHORT)
        && wish.categories.is_empty()
        && wish.ordinals.is_empty()
        && wish.orders.is_empty()
        && (says || price(errand).is_some())
}

/// The category of the list that a message narrows; refused when it does not narrow one.
pub fn category(errand: &mut Errand<'_>, wish: &Entities) -> Called<String> {
    if !refines(errand) {
        return Called::Refused;
    }
    let Some(first) = errand.facts.history.last_list().first() else {
        return Called::Refused;
    };
    match errand.call::<ProductAnswer>("get_product", json!({ "id": first })) {
        Called::Missing => Called::Missing,
        Called::Refused => Called::Refused,
        Called::Done(ProductAnswer { product, .. }) => {
            // What products of this kind cannot have is a wish for another kind.
            let unheard = |(key, value): &(String, String)| {
                has_feature(&product.attributes, key, value).is_none()
            };
            if !wish.features.is_empty() && wish.features.iter().all(unheard) {
                Called::Refused
            } else {
                Called::Done(product.category)
            }
        }
    }
}

/// The price that a message names; after a list a bare amount of money is a limit.
pub fn price(errand: &Errand<'_>) -> Option<PriceRange> {
    let asked = errand.asked;
    if asked.triage.entities.price.is_some() {
        return asked.triage.entities.price;
    }
    let listed = !errand.facts.history.last_list().is_empty();
    if !listed || !short(&asked.text, BARE) {
        return None;
    }
    let start = asked
        .text
        .find(|letter: char| letter.is_ascii_digit() || "€$£".contains(letter))?;
    let amount = asked.text.get(start..)?;
    let money = amount.contains(['€', '$', '£']) || amount.to_lowercase().contains("eur");
    let limit = format!("< {amount}");
    money.then(|| entities(&limit, errand.words.language()).price)?
}

/// The new number of pieces of what was offered or linked last.
fn changed_quantity(errand: &Errand<'_>) -> Option<u32> {
    let asked = errand.asked;
    let (intent, wish) = (&asked.triage.intent, &asked.triage.entities);
    let doubtful = !intent.in_scope || DOUBTFUL_QUANTITY.contains(&intent.name.as_str());
    let else_said = has_subject(asked)
        || !wish.ordinals.is_empty()
        || !wish.orders.is_empty()
        || !wish.emails.is_empty()
        || !wish.features.is_empty()
        || wish.price.is_some()
        || wish.comparison.is_some()
        || wish.in_stock;
    if !doubtful || else_said || asked.text.contains('?') || !short(&asked.text, BARE) {
        return None;
    }
    wish.quantity.or_else(|| {
        let last = asked
            .text
            .split(|letter: char| !letter.is_alphanumeric())
            .rfind(|word| !word.is_empty())?;
        entities(&format!("x {last}"), errand.words.language()).quantity
    })
}

/// A question about the order that the agent has just shown.
fn order_at_hand(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let asked = errand.asked;
    let (intent, wish) = (&asked.triage.intent, &asked.triage.entities);
    let own = wish.orders.is_empty() && wish.categories.is_empty() && short(&asked.text, SHORT);
    if !own || !orders::just_told(errand) {
        return None;
    }
    if cues::arriving(&asked.text) && !ABOUT_ARRIVED.contains(&intent.name.as_str()) {
        return Some(orders::status(errand));
    }
    let doubtful = !intent.in_scope || DOUBTFUL_CHANGE.contains(&intent.name.as_str());
    (doubtful && cues::changing(&asked.text))
        .then(|| orders::ticket(errand, "subject_change", "ticket_noted"))
}

fn short(text: &str, most: usize) -> bool {
    text.split_whitespace().count() <= most
}
