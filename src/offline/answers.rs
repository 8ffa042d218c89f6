//! Answers from the shop's own texts, and the agent about itself.

use minijinja::context;
use serde_json::json;

use super::errand::{Called, Errand, Part};
use super::{choice, naming, orders, products};
use crate::domain::{Passage, PassageKind, Source};
use crate::tools::{PassageView, PoliciesAnswer};
use crate::understand::gives_orders;

/// At most so many characters of a passage are quoted.
const QUOTED: usize = 600;

/// At this cosine a text answers a message whose intent is not clear.
const CLOSE: f32 = 0.36;

/// Passages among which the one that answers is looked for.
const CANDIDATES: usize = 3;

/// Intents whose subject the shop's texts cover, each with words of its own in the phrases.
const TOPICS: [&str; 9] = [
    "store_info",
    "shipping_info",
    "return_refund",
    "payment_info",
    "invoice",
    "privacy",
    "discount",
    "warranty_repair",
    "care_advice",
];

/// The one intent that a single text answers, whatever words are used for opening or closing.
const SINGLE_TOPIC: &str = "store_info";
/// Below this score the words of a message say less of where to look than its intent.
const WEAK: f32 = 0.4;
/// From this score on, an intent may say where to look.
const SURE: f32 = 0.5;
/// At this score a text is about a message that seemed to look for products, when no product is nearly as close.
const CLOSER: f32 = 0.45;
/// So much less close the products must be.
const MARGIN: f32 = 0.1;

/// The passage that answers a question, with its source.
pub fn from_texts(errand: &mut Errand<'_>) -> Option<Part> {
    let query: String = errand.asked.text.chars().take(200).collect();
    let found = &errand.asked.triage.intent;
    let topic = TOPICS
        .contains(&found.name.as_str())
        .then(|| format!("{query} {}", errand.words.name("topics", &found.name)));
    let alone = found.name == SINGLE_TOPIC && found.score >= SURE;
    let asked = match &topic {
        Some(topic) if alone => passages(errand, topic),
        Some(_) | None => passages(errand, &query),
    };
    let on_topic = match &topic {
        Some(topic) if !alone => passages(errand, topic),
        Some(_) | None => Called::Refused,
    };
    let sure = found.score >= SURE;
    let weak = |asked: &[PassageView]| asked.first().is_some_and(|first| is_weak(errand, first));
    let chosen = match (asked, on_topic) {
        (Called::Missing, _) | (_, Called::Missing) => return None,
        (Called::Done(asked), Called::Done(on_topic)) if sure && weak(&asked) => {
            on_topic.into_iter().chain(asked).next()
        }
        (Called::Done(asked), Called::Done(on_topic)) => agreed(asked, on_topic, sure),
        (Called::Done(only), Called::Refused) | (Called::Refused, Called::Done(only)) => {
            only.into_iter().next()
        }
        (Called::Refused, Called::Refused) => None,
    };
    if let Some(passage) = chosen {
        return Some(quoted(errand, &passage));
    }
    if naming::names_a_product(errand) {
        return products::question(errand);
    }
    if errand.asked.triage.intent.is("warranty_repair") {
        return orders::ticket(errand, "subject_repair", "ticket_noted");
    }
    let mut part = Part::text(errand.words.plain("no_answer")).awaiting("person");
    part.answer.choices.push(choice(errand.words, "person"));
    Some(part)
}

/// Whether the words of the message found a passage by little.
fn is_weak(errand: &Errand<'_>, found: &PassageView) -> bool {
    let known = &errand.facts.passages;
    let same = |passage: &&Passage| passage.document == found.document;
    known
        .iter()
        .find(same)
        .is_some_and(|passage| passage.score < WEAK)
}

/// The best of what the words found that what was understood of them finds too. Where the words alone
/// found nothing, or nothing on the topic of a sure intent, the best on the topic.
fn agreed(asked: Vec<PassageView>, on_topic: Vec<PassageView>, sure: bool) -> Option<PassageView> {
    let both = |passage: &&PassageView| {
        let same = |other: &PassageView| other.document == passage.document;
        !sure || on_topic.iter().any(same)
    };
    let agreed = asked.iter().find(both).cloned();
    agreed
        .or_else(|| on_topic.into_iter().next())
        .or_else(|| asked.into_iter().next())
}

fn passages(errand: &mut Errand<'_>, query: &str) -> Called<Vec<PassageView>> {
    let arguments = json!({ "query": query, "limit": CANDIDATES });
    match errand.call::<PoliciesAnswer>("search_policies", arguments) {
        Called::Missing => Called::Missing,
        Called::Done(answer) => Called::Done(answer.passages),
        Called::Refused => Called::Refused,
    }
}

/// A text that is so close to the message that its intent does not matter.
pub fn close_text(errand: &Errand<'_>) -> Option<Part> {
    let passage = errand
        .facts
        .passages
        .iter()
        .find(|passage| passage.kind != PassageKind::Product)?;
    let close = passage
        .ranking
        .dense_score
        .is_some_and(|cosine| cosine >= CLOSE);
    close.then(|| quoted(errand, &PassageView::from(passage)))
}

/// A text about a message that names no product, when it is found far better than any product.
pub fn closer_than_products(errand: &Errand<'_>) -> Option<Part> {
    let passages = &errand.facts.passages;
    let first = passages
        .first()
        .filter(|passage| passage.kind != PassageKind::Product)?;
    let products = passages
        .iter()
        .filter(|passage| passage.kind == PassageKind::Product)
        .map(|passage| passage.score)
        .fold(0.0, f32::max);
    let closer = first.score >= CLOSER && first.score >= products + MARGIN;
    closer.then(|| quoted(errand, &PassageView::from(first)))
}

/// Who is speaking; never how it is set up.
pub fn identity(errand: &Errand<'_>) -> Part {
    let text = errand.asked.text.to_lowercase();
    let key = if gives_orders(&text) || text.contains("prompt") {
        "no_instructions"
    } else {
        "identity"
    };
    Part::text(errand.words.say(key, context! { shop => errand.shop }))
}

fn quoted(errand: &Errand<'_>, passage: &PassageView) -> Part {
    let words = errand.words;
    let text = shortened(&passage.text);
    let body = if passage.language == words.language() {
        format!(
            "{text}\n\n{}",
            words.say("source", context! { title => passage.title.as_str() })
        )
    } else {
        let language = words.name("languages", passage.language.code());
        words.say("other_language", context! { language, text })
    };
    let mut part = Part::text(body);
    if passage.language != words.language() {
        part.answer.choices.push(choice(words, "person"));
        part.awaiting = Some("person".to_owned());
    }
    part.answer.sources.push(Source {
        id: passage.document.clone(),
        title: passage.title.clone(),
    });
    part
}

/// Whole sentences up to the limit.
fn shortened(text: &str) -> String {
    if text.chars().count() <= QUOTED {
        return text.to_owned();
    }
    let cut: String = text.chars().take(QUOTED).collect();
    match cut.rfind(['.', '!', '?', '\n']) {
        Some(end) if end > QUOTED / 2 => cut[..=end].trim_end().to_owned(),
        Some(_) | None => format!("{}…", cut.trim_end()),
    }
}
