//! An answer as one WhatsApp message, in the richest form that fits, never split into two.

mod template;
mod words;

use std::collections::HashSet;

use serde_json::Value;

use super::message::limits::{self, length, shorten, title};
use super::message::{
    Content, FormError, Interactive, ListRow, ListSection, Message, ProductSection, Sku,
};
use crate::domain::{Answer, Choice, PaymentButton, ProductCard};
use crate::ports::Outgoing;
use words::Words;

/// What the shop has beside the answer itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Style {
    /// The catalog at Meta whose products have our ids.
    pub catalog_id: Option<String>,
    /// Where pages with whole texts are; a token follows.
    pub pages: Option<String>,
}

/// The request that sends a message, without a catalog and without pages.
#[must_use]
pub fn body(message: &Outgoing) -> Value {
    styled(message, &Style::default())
}

/// The request that sends a message: a payment link becomes a button that opens it, products what the
/// catalog shows or a list, up to three choices buttons and more of them a list, everything else text. A
/// text that is too long for its form ends in the link of the page that has it whole.
///
/// The recipient is a phone number (`to`) or a business-scoped user id (`recipient`). A tapped product of a
/// list comes back as `product:<id>`, a tapped choice as its own id.
#[must_use]
pub fn styled(message: &Outgoing, style: &Style) -> Value {
    let rendering = Rendering {
        answer: &message.answer,
        words: Words::of(message.language),
        message,
        style,
    };
    let made = Message::new(&message.recipient, rendering.content());
    let made = made.clone().carrying(message.id.as_str()).unwrap_or(made);
    serde_json::to_value(made).unwrap_or_default()
}

struct Rendering<'a> {
    message: &'a Outgoing,
    answer: &'a Answer,
    words: &'static Words,
    style: &'a Style,
}

impl Rendering<'_> {
    fn content(&self) -> Content {
        if let Some(template) = &self.answer.template
            && let Ok(template) = template::content(template)
        {
            return template;
        }
        self.payment()
            .or_else(|| self.catalog())
            .or_else(|| self.products())
            .or_else(|| self.buttons())
            .or_else(|| self.choices())
            .map_or_else(|| self.text(), Content::from)
    }

    fn text(&self) -> Content {
        let link = self
            .answer
            .payment
            .as_ref()
            .map(|payment| format!("\n\n{}", payment.url))
            .unwrap_or_default();
        let room = limits::TEXT.saturating_sub(length(&link)).max(1);
        Content::text(&format!("{}{link}", self.words_within(room)))
    }

    /// The answer's text, or its beginning and where the whole is.
    fn words_within(&self, limit: usize) -> String {
        let text = &self.answer.text;
        let page = self.answer.page.as_ref().zip(self.style.pages.as_ref());
        if length(text) > limit
            && let Some((token, pages)) = page
        {
            let link = format!("\n\n{}: {pages}{token}", self.words.whole_text);
            if let Some(room) = limit.checked_sub(length(&link)).filter(|room| *room > 1) {
                return format!("{}{link}", shorten(text, room));
            }
        }
        limits::filled(text, limit)
    }

    fn payment(&self) -> Option<Interactive> {
        let PaymentButton { label, url, .. } = self.answer.payment.as_ref()?;
        let label = if label.trim().is_empty() {
            self.words.pay
        } else {
            label
        };
        made(Interactive::cta_url(
            &self.words_within(limits::BODY),
            label,
            url,
        ))
    }

    /// Products as the catalog shows them. It has no room for choices, and its body is shorter than a list's.
    fn catalog(&self) -> Option<Interactive> {
        let catalog = self.style.catalog_id.as_deref()?;
        let mut known = HashSet::new();
        let skus: Vec<Sku> = self
            .answer
            .products
            .iter()
            .filter(|card| known.insert(&card.id))
            .take(limits::PRODUCTS)
            .map(|card| Sku {
                product_retailer_id: card.id.as_str().to_owned(),
            })
            .collect();
        if !self.answer.choices.is_empty() || length(&self.answer.text) > limits::BODY {
            return None;
        }
        if let [only] = skus.as_slice() {
            let product = &only.product_retailer_id;
            return made(Interactive::product(&self.answer.text, catalog, product));
        }
        let section = ProductSection {
            title: self.words.products.to_owned(),
            product_items: skus,
        };
        let body = self.words_within(limits::BODY);
        made(Interactive::product_list(
            self.words.products,
            &body,
            catalog,
            vec![section],
        ))
    }

    fn buttons(&self) -> Option<Interactive> {
        let choices = tappable(&self.answer.choices, limits::BUTTON_ID);
        if length(&self.answer.text) > limits::BODY {
            return None;
        }
        let buttons = choices
            .iter()
            .map(|choice| (choice.id.as_str(), choice.title.as_str()));
        made(Interactive::buttons(&self.answer.text, buttons))
    }

    fn choices(&self) -> Option<Interactive> {
        let rows = choice_rows(&self.answer.choices, limits::ROWS);
        let body = self.words_within(limits::LIST_BODY);
        let section = ListSection { title: None, rows };
        made(Interactive::list(&body, self.words.choose, vec![section]))
    }

    /// Products as rows, choices as more rows below them while there is room.
    fn products(&self) -> Option<Interactive> {
        let mut ids = HashSet::new();
        let rows: Vec<ListRow> = self
            .answer
            .products
            .iter()
            .map(|card| (format!("product:{}", card.id), card))
            .filter(|(id, _)| length(id) <= limits::ROW_ID && ids.insert(id.clone()))
            .take(limits::ROWS)
            .map(|(id, card)| {
                let named = !card.title.trim().is_empty();
                let title = if named {
                    card.title.as_str()
                } else {
                    card.id.as_str()
                };
                ListRow {
                    id,
                    title: title.to_owned(),
                    description: Some(self.description(card)),
                }
            })
            .collect();
        if rows.is_empty() {
            return None;
        }
        let mut more = choice_rows(&self.answer.choices, limits::ROWS - rows.len());
        more.retain(|row| !ids.contains(&row.id));
        let titled = |title: &str, rows| ListSection {
            title: Some(title.to_owned()),
            rows,
        };
        let sections = if more.is_empty() {
            vec![ListSection { title: None, rows }]
        } else {
            vec![
                titled(self.words.products, rows),
                titled(self.words.more, more),
            ]
        };
        let body = self.words_within(limits::LIST_BODY);
        made(Interactive::list(&body, self.words.show_products, sections))
    }

    fn description(&self, card: &ProductCard) -> String {
        let mut description = format!(
            "{} · {}",
            card.price.display(self.message.language),
            self.words.stock(card.stock)
        );
        if let Some(reason) = card
            .reason
            .as_deref()
            .filter(|reason| !reason.trim().is_empty())
        {
            description.push_str(" · ");
            description.push_str(reason);
        }
        title(&description, limits::ROW_DESCRIPTION)
    }
}

/// A form that fits; else the next one is tried.
fn made(form: Result<Interactive, FormError>) -> Option<Interactive> {
    form.ok()
}

fn choice_rows(choices: &[Choice], room: usize) -> Vec<ListRow> {
    tappable(choices, limits::ROW_ID)
        .into_iter()
        .take(room)
        .map(|choice| ListRow {
            id: choice.id,
            title: choice.title,
            description: None,
        })
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

#[cfg(test)]
mod tests;
