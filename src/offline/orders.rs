//! Orders, and what a colleague must do about them.

use minijinja::context;
use serde_json::{Value, json};

use super::errand::{Called, Errand, Part};
use super::{choice, cues, has_subject};
use crate::domain::{OrderStatus, Speaker};
use crate::prompts::Words;
use crate::tools::{OrderAnswer, OrderView, TicketAnswer};

/// Where an order is, or what is missing to tell.
pub fn status(errand: &mut Errand<'_>) -> Option<Part> {
    let number = number(errand)
        .or_else(|| talked_of(errand))
        .unwrap_or_default();
    status_of(errand, &number)
}

/// Where the order with this number is; an empty number asks for the latest of a known phone.
pub fn status_of(errand: &mut Errand<'_>, number: &str) -> Option<Part> {
    let email = errand
        .asked
        .triage
        .entities
        .emails
        .first()
        .cloned()
        .or_else(|| written_email(errand));
    let mut arguments = json!({});
    if let Value::Object(map) = &mut arguments {
        if !number.is_empty() {
            map.insert("order_number".to_owned(), json!(number));
        }
        if let Some(email) = &email {
            map.insert("email".to_owned(), json!(email));
        }
    }
    let answer = match errand.call::<OrderAnswer>("get_order_status", arguments) {
        Called::Missing => return None,
        Called::Done(answer) => answer,
        Called::Refused => return errand.hand_off("out_of_reach"),
    };
    let words = errand.words;
    if answer.verified {
        let shown = match only_open(&answer.orders) {
            _ if !number.is_empty() => answer.orders.as_slice(),
            Some(order) => std::slice::from_ref(order),
            None => &answer.orders[..answer.orders.len().min(2)],
        };
        let texts: Vec<String> = shown.iter().map(|order| sentence(order, words)).collect();
        return Some(Part::text(texts.join("\n\n")));
    }
    if number.is_empty() {
        return Some(Part::text(words.plain("ask_order_number")).awaiting("order_number"));
    }
    if email.is_none() {
        let text = words.say("ask_order_email", context! { number });
        return Some(Part::text(text).awaiting(format!("order_email:{number}")));
    }
    let part = Part::text(words.plain("order_unproved"));
    Some(part.awaiting(format!("order_email:{number}")))
}

/// A ticket for a colleague; what is missing is asked for.
pub fn ticket(errand: &mut Errand<'_>, subject: &str, phrase: &str) -> Option<Part> {
    let mut number = number(errand);
    if subject == "subject_change" {
        number = number.or_else(|| talked_of(errand));
        if number.is_none() && errand.facts.phone_verified {
            number = match errand.call::<OrderAnswer>("get_order_status", json!({})) {
                Called::Missing => return None,
                Called::Done(answer) => {
                    only_open(&answer.orders).map(|order| order.number.0.clone())
                }
                Called::Refused => None,
            };
        }
    }
    let ticket = match open(errand, subject, number.as_deref()) {
        Called::Missing => return None,
        Called::Done(answer) => answer,
        Called::Refused => return errand.hand_off("out_of_reach"),
    };
    let words = errand.words;
    let mut text = words.say(phrase, context! { ticket => short(&ticket) });
    let next = match (subject, &number) {
        ("subject_damaged", None) => Some("need_order_and_photo"),
        ("subject_damaged", Some(_)) => Some("need_photo"),
        ("subject_complaint", _) | (_, Some(_)) => None,
        (_, None) => Some("ask_order_for_ticket"),
    };
    if let Some(next) = next {
        text = format!("{text} {}", words.plain(next));
    }
    let part = Part::text(text);
    Some(match (number, next) {
        (None, _) => part.awaiting(format!("ticket_order:{subject}")),
        (Some(_), Some("need_photo")) => part.awaiting("photo"),
        (Some(_), Some(_) | None) => part,
    })
}

/// The order number that a ticket waited for.
pub fn add_order_to_ticket(errand: &mut Errand<'_>, subject: &str) -> Option<Part> {
    let number = number(errand);
    match open(errand, subject, number.as_deref()) {
        Called::Missing => None,
        Called::Done(answer) => {
            let text = errand
                .words
                .say("ticket_noted", context! { ticket => short(&answer) });
            Some(Part::text(text))
        }
        Called::Refused => errand.hand_off("out_of_reach"),
    }
}

/// A number that stands alone is the order number when one was asked for.
pub fn bare_number(text: &str) -> Option<String> {
    let digits = text
        .trim()
        .trim_start_matches('#')
        .trim_end_matches(['.', '!', '?']);
    let plausible =
        (4..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plausible.then(|| digits.to_owned())
}

/// Words of a message that only says that the number is not at hand.
const LACKING_WORDS: usize = 9;
/// Intents that such a message is taken for, and the score from which any other is sure.
const LACKING_INTENTS: [&str; 6] = [
    "decline",
    "privacy",
    "human",
    "order_status",
    "confirm",
    "invoice",
];
const SURE: f32 = 0.7;

/// Whether a message says that the number which was asked for is not at hand.
pub fn lacks_number(errand: &Errand<'_>) -> bool {
    let (text, intent) = (&errand.asked.text, &errand.asked.triage.intent);
    let words = text.split_whitespace().count();
    let about_number =
        !intent.in_scope || intent.score < SURE || LACKING_INTENTS.contains(&intent.name.as_str());
    let short = (2..=LACKING_WORDS).contains(&words) && !text.contains('?');
    about_number && short && !has_subject(errand.asked) && cues::lacking(text)
}

/// Where the number stands, and who helps without it.
pub fn number_lacking(errand: &Errand<'_>) -> Part {
    let mut part = Part::text(errand.words.plain("order_number_lacking")).awaiting("person");
    part.answer.choices.push(choice(errand.words, "person"));
    part
}

fn number(errand: &Errand<'_>) -> Option<String> {
    errand
        .asked
        .triage
        .entities
        .orders
        .first()
        .map(|order| order.0.clone())
        .or_else(|| bare_number(&errand.asked.text))
}

/// An e-mail that the customer wrote earlier in this conversation.
fn written_email(errand: &Errand<'_>) -> Option<String> {
    let language = errand.words.language();
    errand
        .facts
        .history
        .customer_texts()
        .take(6)
        .find_map(|text| {
            crate::understand::entities(text, language)
                .emails
                .into_iter()
                .next()
        })
}

/// Whether the agent's last message told of one order.
pub fn just_told(errand: &Errand<'_>) -> bool {
    let history = &errand.facts.history;
    let last = history
        .entries
        .iter()
        .rev()
        .find(|entry| entry.speaker != Speaker::Customer);
    history.awaiting().is_none()
        && last.is_some_and(|entry| named_in(errand, &entry.text).is_some())
}

/// The order that this conversation is about: the last one that either side named.
fn talked_of(errand: &Errand<'_>) -> Option<String> {
    errand
        .facts
        .history
        .entries
        .iter()
        .rev()
        .take(12)
        .find_map(|entry| named_in(errand, &entry.text))
}

/// The one order that a text names.
fn named_in(errand: &Errand<'_>, text: &str) -> Option<String> {
    match crate::understand::entities(text, errand.words.language())
        .orders
        .as_slice()
    {
        [order] => Some(order.0.clone()),
        _ => None,
    }
}

/// The order that is still on its way, when there is exactly one.
fn only_open(orders: &[OrderView]) -> Option<&OrderView> {
    let mut open = orders.iter().filter(|order| is_open(order.status));
    open.next().filter(|_| open.next().is_none())
}

fn is_open(status: OrderStatus) -> bool {
    !matches!(
        status,
        OrderStatus::Delivered | OrderStatus::Cancelled | OrderStatus::Refunded
    )
}

fn open(errand: &mut Errand<'_>, subject: &str, number: Option<&str>) -> Called<TicketAnswer> {
    let mut arguments = json!({
        "subject": errand.words.plain(subject),
        "summary": errand.note(),
    });
    if let (Value::Object(map), Some(number)) = (&mut arguments, number) {
        map.insert("order_number".to_owned(), json!(number));
    }
    errand.call("open_ticket", arguments)
}

/// The end of a ticket's id, enough to name it on the phone.
fn short(ticket: &TicketAnswer) -> String {
    let id = ticket.ticket.as_str();
    id.get(id.len().saturating_sub(6)..)
        .unwrap_or(id)
        .to_uppercase()
}

fn sentence(order: &OrderView, words: Words<'_>) -> String {
    let mut sentences = vec![words.say(
        &format!("order_{}", order.status.name()),
        context! { number => order.number.as_str() },
    )];
    if let (Some(carrier), Some(tracking)) = (&order.carrier, &order.tracking) {
        sentences.push(words.say("order_carrier", context! { carrier, tracking }));
    }
    let coming = is_open(order.status);
    if let Some(date) = order.expected_on.as_deref().filter(|_| coming) {
        sentences.push(words.say("order_expected", context! { date => day(date, words) }));
    }
    if !order.items.is_empty() {
        sentences.push(words.say(
            "order_items",
            context! { items => words.list(&order.items) },
        ));
    }
    sentences.join(" ")
}

/// `2026-11-21` as the customer writes it.
fn day(date: &str, words: Words<'_>) -> String {
    let Ok(date) = date.parse::<jiff::civil::Date>() else {
        return date.to_owned();
    };
    words.say(
        &format!("months.{}", date.month()),
        context! { day => date.day() },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_an_order_only_when_it_looks_like_one() {
        let table = [
            ("10432", Some("10432")),
            (" #10432! ", Some("10432")),
            ("123", None),
            ("12345678901", None),
            ("10432 please", None),
            ("10.432", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(bare_number(text).as_deref(), expected, "{text}");
        }
    }
}
