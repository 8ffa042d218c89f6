//! An answer as one WhatsApp message, in the richest form that fits, never split into two.
//!
//! Limits are Meta's for Cloud API messages. Lengths are counted in UTF-16 units, which is never less than
//! the characters Meta counts, and text is shortened between graphemes, with an ellipsis.

mod words;

use std::collections::HashSet;

use serde_json::{Value, json};
use unicode_segmentation::UnicodeSegmentation;

use crate::domain::{Answer, Choice, PaymentButton, ProductCard};
use crate::ports::Outgoing;
use words::Words;

const TEXT: usize = 4096;
const BODY: usize = 1024;
const LIST_BODY: usize = 4096;
const BUTTONS: usize = 3;
const BUTTON_ID: usize = 256;
const BUTTON_TITLE: usize = 20;
const ROWS: usize = 10;
const ROW_ID: usize = 200;
const ROW_TITLE: usize = 24;
const ROW_DESCRIPTION: usize = 72;
const LINK: usize = 2000;

/// The request that sends a message: a payment link becomes a button that opens it, products a list, up to
/// three choices buttons and more of them a list, everything else text.
///
/// The recipient is a phone number (`to`) or a business-scoped user id (`recipient`). A tapped product comes
/// back as `product:<id>`, a tapped choice as its own id.
#[must_use]
pub fn body(message: &Outgoing) -> Value {
    let words = Words::of(message.language);
    let answer = &message.answer;
    let content = payment(answer, words)
        .or_else(|| products(message, words))
        .or_else(|| buttons(answer))
        .or_else(|| choices(answer, words))
        .unwrap_or_else(|| text(answer));
    let mut body = json!({ "messaging_product": "whatsapp", "recipient_type": "individual" });
    if is_user_id(&message.recipient) {
        body["recipient"] = json!(message.recipient);
    } else {
        body["to"] = json!(format!("+{}", message.recipient.trim_start_matches('+')));
    }
    body["biz_opaque_callback_data"] = json!(message.id);
    let (kind, content) = content;
    body["type"] = json!(kind);
    body[kind] = content;
    body
}

/// The type of a message and what stands under its name.
type Content = (&'static str, Value);

fn text(answer: &Answer) -> Content {
    let link = answer
        .payment
        .as_ref()
        .map(|payment| format!("\n\n{}", payment.url))
        .unwrap_or_default();
    let room = TEXT.saturating_sub(length(&link)).max(1);
    let body = format!("{}{link}", filled(&answer.text, room));
    let body = shorten(&body, TEXT);
    let mut text = json!({ "body": body });
    if body.contains("https://") || body.contains("http://") {
        text["preview_url"] = json!(true);
    }
    ("text", text)
}

fn payment(answer: &Answer, words: &Words) -> Option<Content> {
    let PaymentButton { label, url, .. } = answer.payment.as_ref()?;
    if length(url) > LINK || url.is_empty() {
        return None;
    }
    let label = if label.trim().is_empty() {
        words.pay
    } else {
        label
    };
    let action = json!({
        "name": "cta_url",
        "parameters": { "display_text": title(label, BUTTON_TITLE), "url": url },
    });
    Some(interactive("cta_url", filled(&answer.text, BODY), action))
}

fn buttons(answer: &Answer) -> Option<Content> {
    let choices = tappable(&answer.choices, BUTTON_ID);
    if choices.is_empty() || choices.len() > BUTTONS || length(&answer.text) > BODY {
        return None;
    }
    let mut titles = Titles::default();
    let buttons: Vec<Value> = choices
        .into_iter()
        .map(|choice| {
            let title = titles.unique(&choice.title, BUTTON_TITLE);
            json!({ "type": "reply", "reply": { "id": choice.id, "title": title } })
        })
        .collect();
    Some(interactive(
        "button",
        filled(&answer.text, BODY),
        json!({ "buttons": buttons }),
    ))
}

fn choices(answer: &Answer, words: &Words) -> Option<Content> {
    let rows = choice_rows(&answer.choices, ROWS, &mut Titles::default());
    if rows.is_empty() {
        return None;
    }
    let action = json!({ "button": words.choose, "sections": [{ "rows": rows }] });
    Some(interactive("list", filled(&answer.text, LIST_BODY), action))
}

/// Products as rows, choices as more rows below them while there is room.
fn products(message: &Outgoing, words: &Words) -> Option<Content> {
    let mut titles = Titles::default();
    let mut ids = HashSet::new();
    let rows: Vec<Value> = message
        .answer
        .products
        .iter()
        .map(|card| (format!("product:{}", card.id), card))
        .filter(|(id, _)| length(id) <= ROW_ID && ids.insert(id.clone()))
        .take(ROWS)
        .map(|(id, card)| {
            let name = if card.title.trim().is_empty() {
                card.id.as_str()
            } else {
                &card.title
            };
            let title = titles.unique(name, ROW_TITLE);
            json!({ "id": id, "title": title, "description": description(card, message, words) })
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let more = choice_rows(&message.answer.choices, ROWS - rows.len(), &mut titles);
    let sections = if more.is_empty() {
        json!([{ "rows": rows }])
    } else {
        json!([{ "title": words.products, "rows": rows }, { "title": words.more, "rows": more }])
    };
    let action = json!({ "button": words.show_products, "sections": sections });
    Some(interactive(
        "list",
        filled(&message.answer.text, LIST_BODY),
        action,
    ))
}

fn description(card: &ProductCard, message: &Outgoing, words: &Words) -> String {
    let mut description = format!(
        "{} · {}",
        card.price.display(message.language),
        words.stock(card.stock)
    );
    if let Some(reason) = card
        .reason
        .as_deref()
        .filter(|reason| !reason.trim().is_empty())
    {
        description.push_str(" · ");
        description.push_str(reason);
    }
    title(&description, ROW_DESCRIPTION)
}

fn choice_rows(choices: &[Choice], room: usize, titles: &mut Titles) -> Vec<Value> {
    tappable(choices, ROW_ID)
        .into_iter()
        .take(room)
        .map(|choice| json!({ "id": choice.id, "title": titles.unique(&choice.title, ROW_TITLE) }))
        .collect()
}

/// The choices that can come back whole: an id that fits, each once, and something to read on them.
fn tappable(choices: &[Choice], longest: usize) -> Vec<Choice> {
    let mut ids = HashSet::new();
    choices
        .iter()
        .map(|choice| {
            let id = choice.id.trim().to_owned();
            let title = if choice.title.trim().is_empty() {
                id.clone()
            } else {
                choice.title.clone()
            };
            Choice { id, title }
        })
        .filter(|choice| {
            !choice.id.is_empty() && length(&choice.id) <= longest && ids.insert(choice.id.clone())
        })
        .collect()
}

fn interactive(kind: &str, body: String, action: Value) -> Content {
    (
        "interactive",
        json!({ "type": kind, "body": { "text": body }, "action": action }),
    )
}

/// Titles given out so far: WhatsApp refuses two that are alike.
#[derive(Default)]
struct Titles(HashSet<String>);

impl Titles {
    fn unique(&mut self, text: &str, limit: usize) -> String {
        let plain = title(text, limit);
        if self.0.insert(plain.to_lowercase()) {
            return plain;
        }
        (2..)
            .map(|number| {
                let suffix = format!(" ({number})");
                format!("{}{suffix}", title(text, limit - length(&suffix)))
            })
            .find(|numbered| self.0.insert(numbered.to_lowercase()))
            .unwrap_or(plain)
    }
}

/// Text on one line; a price keeps its unbreakable space.
fn title(text: &str, limit: usize) -> String {
    let words = text.split(|character: char| character == ' ' || character.is_control());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    filled(&line, limit)
}

/// WhatsApp refuses an empty text.
fn filled(text: &str, limit: usize) -> String {
    if text.trim().is_empty() {
        "…".to_owned()
    } else {
        shorten(text, limit)
    }
}

fn shorten(text: &str, limit: usize) -> String {
    if length(text) <= limit {
        return text.to_owned();
    }
    let mut room = limit.saturating_sub(1);
    let kept: usize = text
        .graphemes(true)
        .take_while(|grapheme| match room.checked_sub(length(grapheme)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .map(str::len)
        .sum();
    format!("{}…", text[..kept].trim_end())
}

fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Whether an address is a business-scoped user id: `IT.1349…` or `IT.ENT.1349…`.
fn is_user_id(address: &str) -> bool {
    let Some((country, rest)) = address.split_once('.') else {
        return false;
    };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|byte| byte.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
