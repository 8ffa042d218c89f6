//! The conversation as a model reads it.

use std::fmt::Write as _;

use minijinja::context;

use super::{Settings, TurnInput};
use crate::domain::{HistoryEntry, InboundContent, Passage, ProductId, Referral, Speaker};
use crate::ports::{ModelMessage, ToolDefinition, TurnFacts};
use crate::prompts::{PromptError, Prompts};
use crate::tools::{Caller, Registry};

/// More characters of a quoted message are not repeated: the conversation has it whole.
const QUOTED: usize = 600;

/// System prompt, what was said before, and the customer's words.
pub fn messages(
    prompts: &Prompts,
    settings: &Settings,
    input: &TurnInput,
    facts: &TurnFacts,
) -> Result<Vec<ModelMessage>, PromptError> {
    let mut messages = vec![ModelMessage::System(system(
        prompts, settings, input, facts,
    )?)];
    for entry in &input.history.entries {
        if entry.text.is_empty() {
            continue;
        }
        messages.push(match entry.speaker {
            Speaker::Customer => ModelMessage::User(entry.text.clone()),
            Speaker::Agent | Speaker::Human => ModelMessage::Assistant {
                text: entry.text.clone(),
                calls: Vec::new(),
            },
        });
    }
    messages.push(ModelMessage::User(facts.text.clone()));
    Ok(messages)
}

fn system(
    prompts: &Prompts,
    settings: &Settings,
    input: &TurnInput,
    facts: &TurnFacts,
) -> Result<String, PromptError> {
    let triage = facts.requests.first().map(|request| &request.triage);
    let shown: Vec<&str> = facts
        .history
        .last_products()
        .iter()
        .map(|id| id.as_str())
        .collect();
    prompts.agent(context! {
        shop => settings.shop.as_str(),
        about => settings.about.as_str(),
        language => facts.language.code(),
        language_name => prompts.words(crate::domain::Language::EN).name("languages", facts.language.code()),
        intent => triage.map_or("-", |triage| triage.intent.decided()),
        intent_score => triage.map_or(0.0, |triage| (triage.intent.score * 100.0).round() / 100.0),
        sentiment => triage.map_or("neutral", |triage| triage.sentiment.label.name()),
        polarity => triage.map_or(0.0, |triage| (triage.sentiment.polarity * 100.0).round() / 100.0),
        phone_verified => facts.phone_verified,
        products_shown => shown.join(", "),
        ad => input.referral.as_ref().map(ad),
        quoted => input.reference.quoted.as_ref().map(quoted),
        product => input.reference.product.as_ref().map(ProductId::as_str),
        files => files(input),
        passages => facts.passages.iter().map(passage).collect::<Vec<_>>(),
    })
}

/// The advertisement that led here, in its own words.
fn ad(referral: &Referral) -> String {
    let parts = [&referral.headline, &referral.body];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(": ")
}

/// The message that the customer quotes, on one line, with the products it shows.
fn quoted(entry: &HistoryEntry) -> minijinja::Value {
    let words: Vec<&str> = entry.text.split_whitespace().collect();
    let mut text: String = words.join(" ").chars().take(QUOTED).collect();
    if !entry.products.is_empty() {
        let products: Vec<&str> = entry.products.iter().map(ProductId::as_str).collect();
        let _ = write!(text, " [products in it, in order: {}]", products.join(", "));
    }
    let whose = match entry.speaker {
        Speaker::Customer => "their own",
        Speaker::Agent | Speaker::Human => "ours",
    };
    context! { whose => whose, text => text }
}

/// What came beside the words.
fn files(input: &TurnInput) -> String {
    let kinds: Vec<&str> = input
        .messages
        .iter()
        .filter_map(|content| {
            if let InboundContent::Media(media) = content
                && media.transcript.is_some()
            {
                return Some("voice note, written down by machine");
            }
            content.kind().filter(|_| !content.is_silent())
        })
        .collect();
    kinds.join(", ")
}

fn passage(passage: &Passage) -> minijinja::Value {
    context! {
        document => passage.document.as_str(),
        kind => passage.kind.name(),
        language => passage.language.code(),
        title => passage.title.as_str(),
        headings => passage.headings.join(" > "),
        text => passage.text.as_str(),
    }
}

/// The tools of a conversation as a model sees them.
pub fn tools(registry: &Registry) -> Vec<ToolDefinition> {
    registry
        .specs(Caller::Conversation)
        .map(|spec| ToolDefinition {
            name: spec.name.to_owned(),
            description: spec.description.to_string(),
            input_schema: spec.input_schema.clone(),
        })
        .collect()
}
