//! The Berkeley Function Calling Leaderboard: questions with the functions to choose from, and possible answers.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value, json};

use super::{ImportFault, Imported, Source, Wishes, said};
use crate::eval::case::{Case, Function, ToolCallCase, Words};
use crate::eval::matcher::{ExpectedCall, Matcher};

/// Marks that the leaderboard's checker overlooks in texts, as it overlooks case.
const OVERLOOKED: &str = " ,./-_*^";
/// Names of rules of our matchers; an object with one of them alone would be read as the rule.
const RULES: [&str; 5] = ["equal", "one_of", "range", "regex", "ignore"];

/// Reads questions, with the files of answers that belong to them. Questions of `irrelevance` need none: there
/// nothing must be called.
///
/// # Errors
/// When a file cannot be read.
pub fn bfcl(sources: &[Source], wishes: &Wishes) -> Result<Imported, ImportFault> {
    let mut imported = Imported::default();
    let (mut questions, mut answers) = (Vec::new(), HashMap::new());
    for source in sources {
        for (line, fields) in source.json_lines()? {
            let place = source.at(line);
            let Some(id) = fields.get("id").and_then(Value::as_str) else {
                return Err(source.fault(Some(line), "there is no `id`; is this a file of BFCL?"));
            };
            if fields.contains_key("question") {
                questions.push((place, id.to_owned(), fields));
            } else if let Some(truth) = fields.get("ground_truth") {
                answers.insert(id.to_owned(), (place, truth.clone()));
            } else {
                let message = "there is neither `question` nor `ground_truth`";
                return Err(source.fault(Some(line), message));
            }
        }
    }
    for (place, id, fields) in questions {
        let answer = answers.remove(&id).map(|(_, answer)| answer);
        match case(&id, &fields, answer.as_ref(), wishes, &place, &mut imported) {
            Ok(mut case) => {
                case.id = imported.unique(&id);
                imported.cases.push(Case::ToolCall(case));
            }
            Err(why) => imported.refuse("question", why, &place),
        }
    }
    let mut lonely: Vec<(String, String)> = answers
        .into_iter()
        .map(|(id, (place, _))| (place, id))
        .collect();
    lonely.sort();
    for (place, _) in lonely {
        imported.refuse(
            "answer without a question",
            "give the file of questions too",
            &place,
        );
    }
    Ok(imported)
}

fn case(
    id: &str,
    fields: &Map<String, Value>,
    answer: Option<&Value>,
    wishes: &Wishes,
    place: &str,
    imported: &mut Imported,
) -> Result<ToolCallCase, String> {
    let rounds = fields.get("question").and_then(Value::as_array);
    let messages = match rounds.map(Vec::as_slice) {
        Some([Value::Array(messages)]) => messages.clone(),
        Some([_, _, ..]) => {
            return Err("several rounds with calls in between are not taken over".to_owned());
        }
        _ => return Err("`question` is no list of messages".to_owned()),
    };
    let mut said = said(&messages, place, imported)?;
    let say = said.pop().unwrap_or_default();
    let functions = fields.get("function").and_then(Value::as_array);
    let functions = functions.map(Vec::as_slice).unwrap_or_default();
    let functions: Result<Vec<Function>, String> = functions.iter().map(function).collect();
    let functions = functions?;
    if functions.is_empty() {
        return Err("it has no functions to choose from".to_owned());
    }
    let tools = match answer {
        Some(answer) => calls(answer)?,
        None if id.contains("irrelevance") => Vec::new(),
        None => return Err("there is no answer to it; give the file of answers too".to_owned()),
    };
    Ok(ToolCallCase {
        id: String::new(),
        language: wishes.language,
        phone: None,
        before: said.into_iter().map(Words::One).collect(),
        say: Words::One(say),
        tools,
        functions,
        tags: vec![
            id.rsplit_once('_')
                .map_or(id, |(group, _)| group)
                .to_owned(),
        ],
    })
}

/// Names of functions may not have dots with most providers; the leaderboard does the same.
fn plain(name: &str) -> String {
    name.replace('.', "_")
}

fn function(function: &Value) -> Result<Function, String> {
    let of = |name: &str| function.get(name).and_then(Value::as_str);
    let name = of("name").ok_or("a function has no `name`")?;
    let parameters = function.get("parameters").cloned().unwrap_or(json!({}));
    Ok(Function {
        name: plain(name),
        description: of("description").unwrap_or_default().to_owned(),
        parameters: schema(parameters),
    })
}

/// Python's names of types, as JSON Schema has them.
fn schema(value: Value) -> Value {
    let Value::Object(mut fields) = value else {
        return value;
    };
    let named = fields.get("type").and_then(Value::as_str);
    match named.map(str::to_lowercase).as_deref() {
        Some("dict" | "hashmap" | "object") => fields.insert("type".to_owned(), json!("object")),
        Some("float" | "double" | "number" | "long") => {
            fields.insert("type".to_owned(), json!("number"))
        }
        Some("tuple" | "list" | "array" | "arraylist") => {
            fields.insert("type".to_owned(), json!("array"))
        }
        Some("bool" | "boolean") => fields.insert("type".to_owned(), json!("boolean")),
        Some("int" | "integer" | "short" | "byte") => {
            fields.insert("type".to_owned(), json!("integer"))
        }
        Some("str" | "string" | "char") => fields.insert("type".to_owned(), json!("string")),
        Some("any") => fields.remove("type"),
        Some(_) | None => None,
    };
    // Said by `required` already, and no keyword.
    fields.remove("optional");
    for name in ["properties", "items", "additionalProperties"] {
        let Some(inner) = fields.get_mut(name) else {
            continue;
        };
        *inner = match (name, inner.take()) {
            ("properties", Value::Object(properties)) => Value::Object(
                properties
                    .into_iter()
                    .map(|(name, value)| (name, schema(value)))
                    .collect(),
            ),
            (_, inner) => schema(inner),
        };
    }
    Value::Object(fields)
}

fn calls(answer: &Value) -> Result<Vec<ExpectedCall>, String> {
    let wrong = || "`ground_truth` is no list of calls".to_owned();
    let mut calls = Vec::new();
    for call in answer.as_array().ok_or_else(wrong)? {
        for (name, arguments) in call.as_object().ok_or_else(wrong)? {
            let arguments = arguments.as_object().ok_or_else(wrong)?;
            let arguments: Option<BTreeMap<String, Matcher>> = arguments
                .iter()
                .map(|(name, values)| {
                    let matcher = Matcher::new(one_of(values.as_array()?));
                    Some((name.clone(), matcher))
                })
                .collect();
            calls.push(ExpectedCall {
                name: plain(name),
                arguments: arguments.ok_or_else(wrong)?,
            });
        }
    }
    Ok(calls)
}

/// Possible values; an empty text among them says that the argument may be left out.
fn one_of(values: &[Value]) -> Value {
    let missing = values.iter().any(|value| value == "");
    let mut found: Vec<Value> = values
        .iter()
        .filter(|value| *value != "")
        .map(possible)
        .collect();
    if missing {
        // A text that is left empty is as good as none.
        found.extend([json!(""), Value::Null]);
    }
    match (found.pop(), found.is_empty()) {
        (Some(only), true) => only,
        (Some(last), false) => {
            found.push(last);
            json!({ "one_of": found })
        }
        (None, _) => json!({"ignore": true}),
    }
}

/// A possible value. In objects the leaderboard lists possible values again; inside of lists of texts it does not.
fn possible(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({ "regex": loose(text) }),
        Value::Array(values) => values.iter().map(possible).collect(),
        Value::Object(fields) => {
            let fields: Map<String, Value> = fields
                .iter()
                .map(|(name, values)| {
                    let values = match values {
                        Value::Array(values) => one_of(values),
                        other @ Value::Null
                        | other @ Value::Bool(_)
                        | other @ Value::Number(_)
                        | other @ Value::String(_)
                        | other @ Value::Object(_) => possible(other),
                    };
                    (name.clone(), values)
                })
                .collect();
            let alone =
                fields.len() == 1 && fields.keys().all(|name| RULES.contains(&name.as_str()));
            let object = Value::Object(fields);
            if alone {
                json!({ "equal": object })
            } else {
                object
            }
        }
        other @ Value::Null | other @ Value::Bool(_) | other @ Value::Number(_) => other.clone(),
    }
}

/// A text in any case and with any marks between its words.
fn loose(text: &str) -> String {
    let marks = format!("[{}]*", regex::escape(OVERLOOKED));
    let words = text
        .split(|character| OVERLOOKED.contains(character))
        .filter(|word| !word.is_empty())
        .map(|word| regex::escape(word).replace(['\'', '"'], "['\"]"));
    let words: Vec<String> = words.collect();
    format!("(?i)^{marks}{}{marks}$", words.join(&marks))
}
