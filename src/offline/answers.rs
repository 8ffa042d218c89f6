//! Answers from the shop's own texts, and the agent about itself.

use minijinja::context;
use serde_json::json;

use super::errand::{Called, Errand, Part};
use super::{choice, orders};
use crate::domain::{PassageKind, Source};
use crate::tools::{PassageView, PoliciesAnswer};

/// At most so many characters of a passage are quoted.
const QUOTED: usize = 600;

/// At this cosine a text answers a message whose intent is not clear.
const CLOSE: f32 = 0.55;

/// The passage that answers a question, with its source.
pub fn from_texts(errand: &mut Errand<'_>) -> Option<Part> {
    let query: String = errand.asked.text.chars().take(280).collect();
    let passages = match errand
        .call::<PoliciesAnswer>("search_policies", json!({ "query": query, "limit": 1 }))
    {
        Called::Missing => return None,
        Called::Done(answer) => answer.passages,
        Called::Refused => Vec::new(),
    };
    if let Some(passage) = passages.first() {
        return Some(quoted(errand, passage));
    }
    if errand.asked.triage.intent.is("warranty_repair") {
        return orders::ticket(errand, "subject_repair", "ticket_noted");
    }
    let mut part = Part::text(errand.words.plain("no_answer")).awaiting("person");
    part.answer.choices.push(choice(errand.words, "person"));
    Some(part)
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

/// Words that ask for the agent's instructions or try to change them.
pub fn gives_orders(lower: &str) -> bool {
    [
        "system prompt",
        "your instructions",
        "tue istruzioni",
        "le istruzioni",
        "tus instrucciones",
        "las instrucciones",
        "as instruções",
        "tuas instruções",
        "deine anweisungen",
        "anweisungen und",
    ]
    .iter()
    .any(|phrase| lower.contains(phrase))
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
