//! Reads what a chat endpoint answered; fields that providers leave out are forgiven.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::failure::Failure;
use super::found::{self, Found};
use crate::ports::{ModelMessage, ModelReply, ModelRequest, ToolCall};

/// The reply to a request.
///
/// # Errors
/// An unreadable failure for an answer that is empty, cut or no answer.
pub(super) fn read(answer: &Value, request: &ModelRequest) -> Result<ModelReply, Failure> {
    let choice = answer
        .pointer("/choices/0")
        .ok_or_else(|| no_choice(answer))?;
    let finish = choice["finish_reason"]
        .as_str()
        .ok_or_else(|| Failure::unreadable("the answer was cut: it has no finish_reason"))?;
    let message = &choice["message"];
    let mut words = found::without_thoughts(&content_of(message)).to_owned();
    let mut called = calls_of(message);
    if called.is_empty() {
        (words, called) = from_words(&words, request, finish)?;
    }
    if words.is_empty() && called.is_empty() {
        return Err(Failure::unreadable(format!(
            "the answer is empty ({})",
            reason(finish)
        )));
    }
    let tokens = |field: &str| answer["usage"][field].as_u64().unwrap_or(0);
    Ok(ModelReply {
        text: words,
        calls: with_unique_ids(called, request),
        input_tokens: tokens("prompt_tokens"),
        output_tokens: tokens("completion_tokens"),
        ..ModelReply::default()
    })
}

/// A call as it came: id, name, arguments.
type Called = (Option<String>, String, Value);

fn no_choice(answer: &Value) -> Failure {
    if answer["error"].is_object() {
        Failure::unavailable("an error inside a successful answer")
    } else {
        Failure::unreadable("the answer has no choices")
    }
}

/// The known reasons by name; anything else could be somebody's words.
fn reason(finish: &str) -> &'static str {
    match finish {
        "stop" => "stop",
        "length" => "length",
        "tool_calls" => "tool_calls",
        "content_filter" => "content_filter",
        _ => "other reason",
    }
}

/// Content is text, or a list of parts with text in them.
fn content_of(message: &Value) -> String {
    match &message["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

fn calls_of(message: &Value) -> Vec<Called> {
    let listed = message["tool_calls"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|call| {
            let function = &call["function"];
            let name = function["name"].as_str().filter(|name| !name.is_empty())?;
            let id = call["id"].as_str().map(str::to_owned);
            Some((
                id,
                name.to_owned(),
                found::arguments(&function["arguments"]),
            ))
        });
    listed.collect()
}

fn from_words(
    words: &str,
    request: &ModelRequest,
    finish: &str,
) -> Result<(String, Vec<Called>), Failure> {
    let known: Vec<&str> = request
        .tools
        .iter()
        .map(|tool| tool.name.as_str())
        .collect();
    match found::read(words, &known) {
        Found::Words(words) => Ok((words, Vec::new())),
        Found::Calls(_) if known.is_empty() => {
            Err(Failure::unreadable("a tool call where no tool was offered"))
        }
        Found::Calls(calls) => {
            let calls = calls
                .into_iter()
                .map(|(name, arguments)| (None, name, arguments));
            Ok((String::new(), calls.collect()))
        }
        // Without tools an object may be what was asked for.
        Found::Broken if known.is_empty() && found::parse(words).is_some() => {
            Ok((words.to_owned(), Vec::new()))
        }
        Found::Broken => Err(Failure::unreadable(format!(
            "half an object ({})",
            reason(finish)
        ))),
    }
}

/// Some endpoints number their calls anew in every answer, some leave the id out.
fn with_unique_ids(called: Vec<Called>, request: &ModelRequest) -> Vec<ToolCall> {
    let mut taken: HashSet<String> = request
        .messages
        .iter()
        .flat_map(|message| match message {
            ModelMessage::Assistant { calls, .. } => calls.as_slice(),
            ModelMessage::System(_) | ModelMessage::User(_) | ModelMessage::Tool { .. } => &[],
        })
        .map(|call| call.id.clone())
        .collect();
    let unique = |(id, name, arguments): Called| {
        let id = id
            .filter(|id| !id.is_empty() && !taken.contains(id))
            .unwrap_or_else(|| {
                loop {
                    let id = fresh_id();
                    if !taken.contains(&id) {
                        break id;
                    }
                }
            });
        taken.insert(id.clone());
        ToolCall {
            id,
            name,
            arguments,
        }
    };
    called.into_iter().map(unique).collect()
}

/// Nine letters and digits: the strictest endpoints take nothing else.
fn fresh_id() -> String {
    Uuid::new_v4()
        .simple()
        .to_string()
        .chars()
        .take(9)
        .collect()
}
