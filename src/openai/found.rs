//! Tool calls that a model wrote into its text instead of making them.

use serde_json::{Map, Value};

/// What a content is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Found {
    /// Words for the customer.
    Words(String),
    /// Calls: name and arguments, in order. Arguments that are not JSON stay a string.
    Calls(Vec<(String, Value)>),
    /// An attempt at a call, or half an object: nothing that a customer may see.
    Broken,
}

const LONGEST: usize = 64 * 1024;
const MOST_OBJECTS: usize = 200;
const NAME_KEYS: [&str; 4] = ["tool", "tool_name", "name", "function"];
const ARGUMENT_KEYS: [&str; 4] = ["arguments", "parameters", "args", "input"];

/// Reads a content. `known` names the tools that were offered.
pub(super) fn read(content: &str, known: &[&str]) -> Found {
    let content = without_thoughts(content);
    if content.len() > LONGEST {
        return Found::Broken;
    }
    let whole = unfenced(content);
    if let Some(Value::Object(object)) = parse(whole)
        && let Some(Value::String(answer)) = object.get("answer")
    {
        return Found::Words(answer.trim().to_owned());
    }
    let calls = calls_in(content, known);
    if !calls.is_empty() {
        return Found::Calls(calls);
    }
    let attempted = whole.starts_with(['{', '[']) && whole.contains('"')
        || content.contains("<tool_call>")
        || content.contains("[TOOL_CALLS]");
    if attempted {
        salvaged(content, known).map_or(Found::Broken, |call| Found::Calls(vec![call]))
    } else {
        Found::Words(content.to_owned())
    }
}

/// JSON text as written by a model: trailing commas and bare line breaks in strings are forgiven.
pub(super) fn parse(text: &str) -> Option<Value> {
    let text = text.trim();
    serde_json::from_str(text)
        .ok()
        .or_else(|| serde_json::from_str(&mended(text)).ok())
}

/// Arguments as an object where they can be read, else as written.
pub(super) fn arguments(written: &Value) -> Value {
    match written {
        Value::Null => Value::Object(Map::new()),
        Value::String(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Value::String(text) => parse(text)
            .filter(|value| !value.is_string())
            .map_or_else(|| written.clone(), |value| arguments(&value)),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => written.clone(),
    }
}

/// What follows the model's thinking; some templates leave out the tag that opens it.
pub(super) fn without_thoughts(content: &str) -> &str {
    let content = content.trim();
    match content.rfind("</think>") {
        Some(end) => content[end + "</think>".len()..].trim(),
        None if content.starts_with("<think>") => "",
        None => content,
    }
}

fn unfenced(content: &str) -> &str {
    content
        .strip_prefix("```")
        .and_then(|inner| inner.strip_suffix("```"))
        .map_or(content, |inner| {
            inner
                .trim_start_matches(|letter: char| letter.is_ascii_alphabetic())
                .trim()
        })
}

fn calls_in(content: &str, known: &[&str]) -> Vec<(String, Value)> {
    let mut calls = Vec::new();
    let mut at = 0;
    for _ in 0..MOST_OBJECTS {
        let Some(start) = content[at..].find('{').map(|offset| at + offset) else {
            break;
        };
        let call = balanced(&content[start..]).and_then(|span| {
            let Some(Value::Object(object)) = parse(span) else {
                return None;
            };
            as_call(&object, known).map(|call| (call, span.len()))
        });
        at = match call {
            Some((call, length)) => {
                calls.push(call);
                start + length
            }
            None => start + 1,
        };
    }
    calls
}

/// The object at the start of the text, up to its closing brace.
fn balanced(text: &str) -> Option<&str> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(&text[..=at]);
                }
            }
            _ => {}
        }
    }
    None
}

fn as_call(object: &Map<String, Value>, known: &[&str]) -> Option<(String, Value)> {
    if let Some(Value::Object(function)) = object.get("function") {
        return as_call(function, known);
    }
    let (key, name) = NAME_KEYS
        .iter()
        .find_map(|key| Some((*key, object.get(*key)?.as_str()?)))
        .filter(|(_, name)| !name.is_empty())?;
    let beside = |other: &str| other != key && other != "id" && other != "type";
    let written = ARGUMENT_KEYS
        .iter()
        .find_map(|key| Some((*key, object.get(*key)?)));
    if let Some((argument_key, written)) = written {
        let only = object
            .keys()
            .all(|other| !beside(other) || other == argument_key);
        return only.then(|| (name.to_owned(), arguments(written)));
    }
    // The arguments beside the name, or none at all: a call only when it names a tool we offered.
    let inline: Map<String, Value> = object
        .iter()
        .filter(|(other, _)| beside(other))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let call = known.contains(&name) && (key == "tool" || inline.is_empty());
    call.then(|| (name.to_owned(), Value::Object(inline)))
}

/// A call whose object cannot be read: the name of a known tool and the rest as written, so that the
/// model is told what was wrong with it.
fn salvaged(content: &str, known: &[&str]) -> Option<(String, Value)> {
    let name = NAME_KEYS.iter().find_map(|key| {
        let name = after_key(content, key)?
            .strip_prefix('"')?
            .split('"')
            .next()?;
        known.contains(&name).then_some(name)
    })?;
    let rest = ARGUMENT_KEYS
        .iter()
        .find_map(|key| after_key(content, key))
        .unwrap_or_default();
    let rest = rest.split("</tool_call>").next().unwrap_or_default();
    Some((
        name.to_owned(),
        Value::String(rest.trim_end_matches('`').trim().to_owned()),
    ))
}

fn after_key<'a>(content: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = content.split_once(&format!("\"{key}\""))?;
    rest.trim_start().strip_prefix(':').map(str::trim_start)
}

fn mended(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        if quoted {
            match character {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                other => out.push(other),
            }
            quoted = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        quoted = character == '"';
        let trailing = character == ',' && text[at + 1..].trim_start().starts_with(['}', ']']);
        if !trailing {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KNOWN: [&str; 2] = ["search_catalog", "hand_off_to_human"];

    fn call(content: &str) -> (String, Value) {
        let found = read(content, &KNOWN);
        let Found::Calls(calls) = &found else {
            panic!("{content}: {found:?}");
        };
        assert_eq!(calls.len(), 1, "{content}");
        calls[0].clone()
    }

    #[test]
    fn finds_a_call_in_every_dress() {
        let arguments = json!({"query": "moka {6} \"rossa\""});
        for content in [
            r#"{"tool": "search_catalog", "arguments": {"query": "moka {6} \"rossa\""}}"#,
            r#"{"name": "search_catalog", "parameters": {"query": "moka {6} \"rossa\"",},}"#,
            "Un attimo, guardo.\n```json\n{\"name\": \"search_catalog\", \"arguments\": {\"query\": \"moka {6} \\\"rossa\\\"\"}}\n```\nEcco!",
            "<tool_call>\n{\"name\": \"search_catalog\", \"arguments\": {\"query\": \"moka {6} \\\"rossa\\\"\"}}\n</tool_call>",
            "<think>a {\"tool\": would do</think>{\"tool\":\"search_catalog\",\"query\":\"moka {6} \\\"rossa\\\"\"}",
            r#"[TOOL_CALLS] [{"name": "search_catalog", "arguments": {"query": "moka {6} \"rossa\""}}]"#,
            r#"{"tool_calls": [{"id": "1", "type": "function", "function": {"name": "search_catalog", "arguments": "{\"query\": \"moka {6} \\\"rossa\\\"\"}"}}]}"#,
            r#"I use {curly} braces: {"tool": "search_catalog", "arguments": {"query": "moka {6} \"rossa\""}}"#,
        ] {
            assert_eq!(
                call(content),
                ("search_catalog".to_owned(), arguments.clone()),
                "{content}"
            );
        }
    }

    #[test]
    fn finds_several_calls_in_order() {
        let content =
            r#"{"tool":"search_catalog","arguments":{}} then {"tool":"hand_off_to_human"}"#;
        let none = json!({});
        let expected = [("search_catalog", &none), ("hand_off_to_human", &none)]
            .map(|(name, arguments)| (name.to_owned(), arguments.clone()));
        assert_eq!(read(content, &KNOWN), Found::Calls(expected.to_vec()));
    }

    #[test]
    fn keeps_unreadable_arguments_as_they_were_written() {
        assert_eq!(
            call(r#"{"tool": "search_catalog", "arguments": "query = moka"}"#).1,
            json!("query = moka")
        );
        assert_eq!(
            call(
                "<tool_call>{\"name\": \"search_catalog\", \"arguments\": {query: moka}</tool_call>"
            )
            .1,
            json!("{query: moka}")
        );
    }

    #[test]
    fn words_stay_words() {
        for content in [
            "La Moka costa 39,90 €.",
            "We have {two} sizes.",
            "It is called {\"name\": \"Moka\", \"price\": 3} inside.",
            "",
        ] {
            assert_eq!(read(content, &KNOWN), Found::Words(content.to_owned()));
        }
        assert_eq!(
            read("```json\n{\"answer\": \"Sì,\nce l'abbiamo.\"}\n```", &KNOWN),
            Found::Words("Sì,\nce l'abbiamo.".to_owned())
        );
        assert_eq!(
            read("<think>hm</think>\nHi", &KNOWN),
            Found::Words("Hi".to_owned())
        );
        assert_eq!(read("<think>hm", &KNOWN), Found::Words(String::new()));
    }

    #[test]
    fn half_an_object_is_never_words() {
        for content in [
            "{\"answer\": \"We ha",
            "{\"tool\": \"sear",
            "<tool_call>search</tool_call>",
            "{\"name\": \"Moka\", \"price\": 3}",
        ] {
            assert_eq!(read(content, &KNOWN), Found::Broken, "{content}");
        }
    }

    proptest! {
        #[test]
        fn reads_anything(content in "[{}\\[\\]\",:\\\\a-z <>/`\n]{0,200}") {
            let _ = read(&content, &KNOWN);
        }

        #[test]
        fn any_arguments_survive_any_prose(
            before in "[^{}\"<>\\[\\]`]{0,40}",
            after in "[^{}\"<>\\[\\]`]{0,40}",
            query in any::<String>(),
            limit in any::<i32>(),
        ) {
            let arguments = json!({"query": query, "limit": limit});
            let object = json!({"tool": "search_catalog", "arguments": arguments});
            prop_assert_eq!(
                read(&format!("{before}{object}{after}"), &KNOWN),
                Found::Calls(vec![("search_catalog".to_owned(), arguments)])
            );
        }

        #[test]
        fn mending_leaves_good_json_alone(text in any::<String>(), list in prop::collection::vec(any::<u8>(), 0..4)) {
            let value = json!({"a,}": text, "b": list, "c": {"d,]": [text, {}]}});
            let written = value.to_string();
            prop_assert_eq!(mended(&written), written.clone());
            let trailing = written.replace("}}", "},}");
            prop_assert!(trailing == written || parse(&trailing).is_some());
        }
    }
}
