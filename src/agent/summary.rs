//! What a colleague reads when a conversation comes to the desk, written without a model.

use minijinja::context;

use crate::domain::{History, ToolTrace};
use crate::ports::Request;
use crate::prompts::Words;

/// At most so many characters of a message are quoted.
const QUOTE: usize = 280;

/// A summary a colleague can act on without reading back, in the shop's own language.
pub fn summary(
    words: Words<'_>,
    text: &str,
    requests: &[Request],
    history: &History,
    tools: &[ToolTrace],
) -> String {
    let first = requests.first().map(|request| &request.triage);
    let orders: Vec<&str> = requests
        .iter()
        .flat_map(|request| &request.triage.entities.orders)
        .map(|order| order.as_str())
        .collect();
    let products: Vec<&str> = history
        .last_products()
        .iter()
        .map(|id| id.as_str())
        .collect();
    let before = history
        .customer_texts()
        .find(|before| !before.is_empty())
        .unwrap_or_default();
    let tools: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    words.say(
        "summary",
        context! {
            language => first.map_or_else(String::new, |triage| {
                words.name("languages", triage.language.language.code())
            }),
            intent => first.map_or("-", |triage| triage.intent.decided()),
            sentiment => first.map_or("-", |triage| triage.sentiment.label.name()),
            text => quote(text),
            orders => orders.join(", "),
            products => products.join(", "),
            before => quote(before),
            tools => tools.join(", "),
        },
    )
}

/// The beginning of a text, on one line.
pub fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUOTE {
        return line;
    }
    line.chars().take(QUOTE).chain(['…']).collect()
}
