//! Prompts of promptfoo, of which only the user's messages concern us.

use serde_json::{Map, Value, json};

use super::super::{Imported, Source, render};

/// A prompt.
pub enum Prompt {
    /// A text that the user says.
    Text(String),
    /// Messages.
    Chat(Vec<Value>),
}

/// The first prompt that can be read. Others differ in how the agent is told, not in what the customer says.
pub fn first(prompts: &Value, source: &Source, imported: &mut Imported) -> Option<Prompt> {
    let place = source.name.display().to_string();
    let all: Vec<Value> = match prompts {
        Value::Array(all) => all.clone(),
        Value::Object(by_file) => by_file.keys().map(|name| json!(name)).collect(),
        one @ Value::Null
        | one @ Value::Bool(_)
        | one @ Value::Number(_)
        | one @ Value::String(_) => vec![one.clone()],
    };
    let mut found = None;
    for prompt in &all {
        let text = prompt.as_str().or_else(|| {
            let names = ["raw", "prompt", "id"];
            names.iter().find_map(|name| prompt.get(name)?.as_str())
        });
        let read = match text {
            Some(text) => read(text, source),
            None => Err("it is no text".to_owned()),
        };
        match read {
            Ok(prompt) if found.is_none() => found = Some(prompt),
            Ok(_) => imported.refuse(
                "further prompt",
                "the shop has its own prompts; the first says which words are the customer's",
                &place,
            ),
            Err(why) => {
                let name = text.unwrap_or("?").lines().next().unwrap_or_default();
                imported.refuse(format!("prompt `{name}`"), why, &place);
            }
        }
    }
    found
}

fn read(text: &str, source: &Source) -> Result<Prompt, String> {
    let ending = |of: &[&str]| {
        let ending = text.rsplit('.').next().unwrap_or_default();
        of.contains(&ending) && !text.contains(char::is_whitespace)
    };
    if ending(&["py", "js", "ts", "mjs", "cjs"]) {
        return Err("code is not run; write the prompt as a text".to_owned());
    }
    let path = text.strip_prefix("file://");
    let bare = ending(&["txt", "json", "yaml", "yml", "md", "j2"]).then_some(text);
    let content = match path.or(bare) {
        Some(path) => {
            let content = (source.beside)(path)?;
            // A file may hold several, between lines of three dashes.
            let first = content.split("\n---\n").next().unwrap_or_default();
            first.to_owned()
        }
        None => text.to_owned(),
    };
    Ok(match serde_json::from_str(&content) {
        Ok(Value::Array(messages)) => Prompt::Chat(messages),
        _ => match serde_saphyr::from_str(&content) {
            Ok(Value::Array(messages)) if messages.iter().all(|one| one.get("role").is_some()) => {
                Prompt::Chat(messages)
            }
            _ => Prompt::Text(content),
        },
    })
}

/// A message with its variables filled in.
pub fn filled(message: &Value, vars: &Map<String, Value>) -> Result<Value, String> {
    Ok(match message {
        Value::String(text) => json!(render(text, vars)?),
        Value::Array(parts) => {
            let parts: Result<Vec<Value>, String> =
                parts.iter().map(|part| filled(part, vars)).collect();
            Value::Array(parts?)
        }
        Value::Object(fields) => {
            let fields: Result<Map<String, Value>, String> = fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), filled(value, vars)?)))
                .collect();
            Value::Object(fields?)
        }
        other @ Value::Null | other @ Value::Bool(_) | other @ Value::Number(_) => other.clone(),
    })
}
