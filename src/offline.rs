//! The offline model: answers from knowledge and rules, without a key and without a network.
//!
//! It implements the same port as a remote model. It reads the turn's facts instead of the prompt,
//! calls the same tools, and is deterministic: the same facts and results give the same reply. For each
//! request in a message an errand runs from its beginning at every step; a call whose result is not
//! there yet stops it, and the next step goes further.

mod answers;
mod buying;
mod catalog;
mod cues;
mod details;
mod errand;
mod follow_up;
mod matching;
mod naming;
mod orders;
mod products;
mod reasons;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use minijinja::context;

use crate::domain::{Answer, Choice};
use crate::ports::{ChatModel, ModelError, ModelReply, ModelRequest, Request, TurnFacts};
use crate::prompts::{Prompts, Words};
use crate::understand::gives_orders;

use errand::{Called, Errand, Part};

/// The name in logs and traces.
pub const ID: &str = "offline";

/// Below this score a message is outside the shop's business for sure; up to the classifier's threshold
/// it is merely unclear.
const SURELY_OUTSIDE: f32 = 0.12;

/// The offline model.
pub struct OfflineModel {
    prompts: Arc<Prompts>,
    shop: String,
}

impl OfflineModel {
    /// A model that speaks for a shop.
    #[must_use]
    pub fn new(prompts: Arc<Prompts>, shop: String) -> Self {
        Self { prompts, shop }
    }
}

#[async_trait]
impl ChatModel for OfflineModel {
    fn id(&self) -> &str {
        ID
    }

    async fn complete(&self, request: &ModelRequest) -> Result<ModelReply, ModelError> {
        let facts = &request.facts;
        let words = self.prompts.words(facts.language);
        let mut parts = Vec::new();
        let mut calls = Vec::new();
        for (number, asked) in facts.requests.iter().enumerate() {
            let mut errand = Errand::new(number, request, asked, words, &self.shop);
            let part = run(&mut errand);
            calls.append(&mut errand.calls);
            parts.extend(part);
        }
        if !calls.is_empty() {
            return Ok(ModelReply {
                calls,
                ..ModelReply::default()
            });
        }
        Ok(joined(parts, words))
    }
}

/// One message out of several parts: texts in order, the first cards, link and question win.
fn joined(parts: Vec<Part>, words: Words<'_>) -> ModelReply {
    let mut answer = Answer::default();
    let mut awaiting = None;
    let mut texts = Vec::new();
    for part in parts {
        texts.push(part.answer.text);
        if answer.products.is_empty() {
            answer.products = part.answer.products;
        }
        answer.payment = answer.payment.or(part.answer.payment);
        if answer.choices.is_empty() {
            answer.choices = part.answer.choices;
        }
        answer.sources.extend(part.answer.sources);
        awaiting = awaiting.or(part.awaiting);
    }
    answer.text = texts.join("\n\n");
    if answer.text.is_empty() {
        answer.text = words.plain("clarify");
        awaiting = Some("clarify".to_owned());
    }
    ModelReply {
        text: answer.text.clone(),
        awaiting,
        answer: Some(answer),
        ..ModelReply::default()
    }
}

/// Runs the errand that a request asks for. None while results are missing.
fn run(errand: &mut Errand<'_>) -> Option<Part> {
    if let Some(part) = guarded(errand) {
        return part;
    }
    if let Some(part) = awaited(errand) {
        return part;
    }
    by_intent(errand)
}

fn by_intent(errand: &mut Errand<'_>) -> Option<Part> {
    if let Some(part) = follow_up::overruling(errand) {
        return part;
    }
    let intent = &errand.asked.triage.intent;
    if !intent.in_scope {
        return outside(errand);
    }
    match intent.name.as_str() {
        "greeting" => Some(Part::text(errand.words.plain("greeting"))),
        "thanks" => Some(Part::text(errand.words.plain("welcome"))),
        "bot_identity" => Some(answers::identity(errand)),
        "confirm" => confirm(errand),
        "decline" => Some(Part::text(errand.words.plain("declined"))),
        "human" => Some(clarify(errand.words)),
        "product_search" => catalog::search(errand),
        "product_question" => products::question(errand),
        "product_comparison" => products::comparison(errand),
        "buy" => buying::buy(errand),
        "order_status" => orders::status(errand),
        "order_change" => orders::ticket(errand, "subject_change", "ticket_noted"),
        "damaged_item" => orders::ticket(errand, "subject_damaged", "ticket_damaged"),
        "complaint" => orders::ticket(errand, "subject_complaint", "complaint"),
        _ => answers::from_texts(errand),
    }
}

/// What comes before any intent: card numbers and attempts to give orders.
fn guarded(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let text = errand.asked.text.to_lowercase();
    if errand.is_first() && errand.facts.text.contains("[card ") {
        return Some(carded(errand));
    }
    if !gives_orders(&text) {
        return None;
    }
    let entities = &errand.asked.triage.entities;
    let about_money = entities.comparison.is_some()
        || entities.price.is_some()
        || errand.asked.triage.intent.is("buy");
    if about_money {
        return Some(catalog::at_its_price(errand));
    }
    Some(Some(Part::text(errand.words.plain("no_instructions"))))
}

/// A warning about the card number, and what the rest of the message asks.
fn carded(errand: &mut Errand<'_>) -> Option<Part> {
    let mut part = Part::text(errand.words.plain("card"));
    let asked = errand.asked;
    let intent = &asked.triage.intent;
    let asks_nothing = !asked.text.contains('?') && asked.triage.entities.orders.is_empty();
    let pays = asks_nothing
        || !intent.in_scope
        || ["payment_info", "buy", "confirm"].contains(&intent.name.as_str());
    if pays && let Some(basket) = buying::pending_basket(errand.facts) {
        return buying::link(errand, &basket).map(|link| part.then(link));
    }
    let asks = intent.in_scope && !intent.is("confirm") && !asked.text.contains("[card ");
    if asks && (!pays || asked.text.contains('?')) {
        return by_intent(errand).map(|answer| part.then(answer));
    }
    part.answer.choices.push(choice(errand.words, "products"));
    Some(part)
}

/// The answer to a question that the agent asked last.
fn awaited(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    let awaiting = errand.facts.history.awaiting()?.to_owned();
    let entities = &errand.asked.triage.entities;
    let (kind, detail) = awaiting.split_once(':').unwrap_or((awaiting.as_str(), ""));
    match kind {
        "order_number"
            if !entities.orders.is_empty() || orders::bare_number(&errand.asked.text).is_some() =>
        {
            Some(orders::status(errand))
        }
        // The address is read again from the conversation when the number is there.
        "order_number" if !entities.emails.is_empty() => Some(Some(
            Part::text(errand.words.plain("ask_order_number")).awaiting("order_number"),
        )),
        "order_email" if !entities.emails.is_empty() => Some(orders::status_of(errand, detail)),
        "order_email" if orders::bare_number(&errand.asked.text).is_some() => {
            Some(orders::status(errand))
        }
        "ticket_order"
            if !entities.orders.is_empty() || orders::bare_number(&errand.asked.text).is_some() =>
        {
            Some(orders::add_order_to_ticket(errand, detail))
        }
        "order_number" | "order_email" | "ticket_order" if orders::lacks_number(errand) => {
            Some(Some(orders::number_lacking(errand)))
        }
        "ticket_order" if cues::bought(&errand.asked.text) => Some(Some(
            Part::text(errand.words.plain("ask_order_for_ticket")).awaiting(awaiting.as_str()),
        )),
        _ => None,
    }
}

/// `ok` after an offer takes it up.
fn confirm(errand: &mut Errand<'_>) -> Option<Part> {
    if let Some(basket) = buying::pending_basket(errand.facts) {
        return buying::link(errand, &basket);
    }
    match errand.facts.history.awaiting() {
        Some("person") => errand.hand_off("requested"),
        Some("choose") => Some(Part::text(errand.words.plain("which_product")).awaiting("choose")),
        _ => Some(Part::text(errand.words.plain("confirmed"))),
    }
}

/// A message that no intent covers: an answer from the shop's texts where one is close, a word on what
/// the shop sells, or a question.
fn outside(errand: &mut Errand<'_>) -> Option<Part> {
    let intent = &errand.asked.triage.intent;
    let entities = &errand.asked.triage.entities;
    let about_products =
        ["product_search", "product_question", "buy"].contains(&intent.name.as_str());
    if !entities.orders.is_empty() {
        return orders::status(errand);
    }
    if let Some(part) = compared(errand) {
        return part;
    }
    // An address alone is about an order.
    if !entities.emails.is_empty() {
        let ask = Part::text(errand.words.plain("ask_order_number"));
        return Some(ask.awaiting("order_number"));
    }
    if !entities.categories.is_empty() && about_products {
        return catalog::search(errand);
    }
    if naming::names_a_product(errand) {
        return products::question(errand);
    }
    if let Some(part) = answers::close_text(errand) {
        return Some(part);
    }
    if about_products {
        return match naming::referred_by_name(errand) {
            Called::Missing => None,
            Called::Done(true) => products::question(errand),
            Called::Done(false) | Called::Refused => catalog::not_sold(errand),
        };
    }
    if cues::selling(&errand.asked.text) || cues::having(&errand.asked.text) {
        return catalog::not_sold(errand);
    }
    if intent.score < SURELY_OUTSIDE && !follow_up::says_nothing(errand) {
        return Some(Part::text(
            errand.words.say("scope", context! { shop => errand.shop }),
        ));
    }
    Some(clarify(errand.words))
}

/// Two names of the catalog, or a name beside a word that compares, are about products for sure.
fn compared(errand: &mut Errand<'_>) -> Option<Option<Part>> {
    if naming::names(errand) > 1 {
        return Some(products::comparison(errand));
    }
    if !cues::comparing(&errand.asked.text) {
        return None;
    }
    match naming::referred_by_name(errand) {
        Called::Missing => Some(None),
        Called::Done(true) => Some(products::comparison(errand)),
        Called::Done(false) | Called::Refused => None,
    }
}

fn clarify(words: Words<'_>) -> Part {
    let mut part = Part::text(words.plain("clarify")).awaiting("clarify");
    part.answer.choices = ["products", "order", "person"]
        .map(|id| choice(words, id))
        .into();
    part
}

fn choice(words: Words<'_>, id: &str) -> Choice {
    Choice {
        id: id.to_owned(),
        title: words.plain(&format!("choice_{id}")),
    }
}

/// What a follow-up inherits: the customer's last words with this intent.
fn last_words<'f>(facts: &'f TurnFacts, intent: &str) -> Option<&'f str> {
    facts
        .history
        .entries
        .iter()
        .rev()
        .find(|entry| entry.intent.as_deref() == Some(intent))
        .map(|entry| entry.text.as_str())
}

/// Whether a request says something of its own about what it looks for.
fn has_subject(request: &Request) -> bool {
    let entities = &request.triage.entities;
    let says = |(_, value): &(String, String)| value != "?";
    !entities.categories.is_empty() || entities.features.iter().any(says)
}
