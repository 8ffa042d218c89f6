//! OpenAI's evaluations: data sets and run exports of the hosted service, and the lines of `openai/evals`.

mod graders;

use serde_json::{Map, Value};

use self::graders::Grader;
use super::{ImportFault, Imported, Source, Wishes, pattern, said, text};
use crate::eval::case::Expect;

/// Fields that are the customer's message where none is named, the likeliest first.
const MESSAGES: [&str; 10] = [
    "input",
    "messages",
    "question",
    "prompt",
    "query",
    "message",
    "user_input",
    "user_message",
    "user",
    "text",
];
/// Fields that are the right answer.
const IDEALS: [&str; 9] = [
    "ideal",
    "ground_truth",
    "expected",
    "expected_output",
    "reference",
    "reference_answer",
    "target",
    "correct_answer",
    "answer",
];

/// Reads lines of `{"item": …}` with or without `sample`, of `{"input": …, "ideal": …}`, or the output items of a
/// run, with the graders that were given, else with the right answers of the lines.
///
/// # Errors
/// When the file or the graders cannot be read.
pub fn openai(source: &Source, wishes: &Wishes) -> Result<Imported, ImportFault> {
    let mut imported = Imported::default();
    let graders = match &wishes.graders {
        Some(graders) => {
            Some(graders::read(graders, &mut imported).map_err(|why| source.fault(None, why))?)
        }
        None => None,
    };
    let lines = match exported(source) {
        Some(items) => items,
        None => source.json_lines()?,
    };
    for (line, fields) in lines {
        let place = source.at(line);
        if let Err(why) = item(&fields, graders.as_deref(), wishes, &place, &mut imported) {
            imported.refuse("item", why, &place);
        }
    }
    Ok(imported)
}

/// The items of one JSON document: a page of a list (`data`), or an array.
fn exported(source: &Source) -> Option<Vec<(usize, Map<String, Value>)>> {
    let whole: Value = serde_json::from_str(source.text).ok()?;
    let items = match &whole {
        Value::Array(items) => items,
        whole @ Value::Null
        | whole @ Value::Bool(_)
        | whole @ Value::Number(_)
        | whole @ Value::String(_)
        | whole @ Value::Object(_) => whole.get("data")?.as_array()?,
    };
    let items = items.iter().filter_map(Value::as_object);
    Some(items.map(|item| (0, item.clone())).collect())
}

fn item(
    fields: &Map<String, Value>,
    graders: Option<&[Grader]>,
    wishes: &Wishes,
    place: &str,
    imported: &mut Imported,
) -> Result<(), String> {
    let inner = fields.get("item").or_else(|| fields.get("datasource_item"));
    let item = inner.and_then(Value::as_object).unwrap_or(fields);
    let message = message(item, fields, wishes)?;
    let said = match &message {
        Value::Array(messages) => said(messages, place, imported)?,
        one @ Value::Null
        | one @ Value::Bool(_)
        | one @ Value::Number(_)
        | one @ Value::String(_)
        | one @ Value::Object(_) => vec![text(one).ok_or("the customer's message is no text")?],
    };
    if said.iter().any(|message| message.trim().is_empty()) {
        return Err("the customer's message is empty".to_owned());
    }
    let mut expect = Expect::default();
    match graders {
        Some(graders) => {
            for grader in graders {
                grader.hold(item, &mut expect)?;
            }
        }
        None => ideal(item, &mut expect)?,
    }
    let ids = ["id", "datasource_item_id", "name"];
    let id = ids.iter().find_map(|name| {
        let found = item.get(*name).or_else(|| fields.get(*name));
        found.and_then(text)
    });
    let name = id.unwrap_or_else(|| said.last().cloned().unwrap_or_default());
    imported.converse(&name, said, expect, wishes);
    Ok(())
}

/// The field that was named, else the likeliest one, else the only text that is not the right answer, else what the
/// model was asked.
fn message(
    item: &Map<String, Value>,
    line: &Map<String, Value>,
    wishes: &Wishes,
) -> Result<Value, String> {
    if let Some(name) = &wishes.variable {
        let found = item.get(name).cloned();
        return found.ok_or_else(|| format!("it has no field `{name}`; name one with --var"));
    }
    let usable = |value: &&Value| value.is_string() || value.is_array();
    if let Some(found) = MESSAGES
        .iter()
        .find_map(|name| item.get(*name).filter(usable))
    {
        return Ok(found.clone());
    }
    let other = |name: &str| ["id", "name", "sample"].contains(&name) || IDEALS.contains(&name);
    let mut texts = item
        .iter()
        .filter(|(name, value)| value.is_string() && !other(name));
    if let (Some((_, only)), None) = (texts.next(), texts.next()) {
        return Ok(only.clone());
    }
    if let Some(asked @ Value::Array(_)) = line.get("sample").and_then(|sample| sample.get("input"))
    {
        return Ok(asked.clone());
    }
    let names: Vec<&str> = item.keys().map(String::as_str).collect();
    Err(format!(
        "which of its fields ({}) is the customer's message? Name it with --var",
        names.join(", ")
    ))
}

/// Without graders the answer must hold the right answer, or one of several, in any case.
fn ideal(item: &Map<String, Value>, expect: &mut Expect) -> Result<(), String> {
    let found = IDEALS
        .iter()
        .find_map(|name| item.get(*name).filter(|value| !value.is_null()));
    let ideals: Vec<String> = match found {
        Some(Value::Array(several)) => several.iter().filter_map(text).collect(),
        Some(one) => text(one).into_iter().collect(),
        None => {
            return Err(format!(
                "it has no right answer ({}); give the evaluation's graders with --graders",
                IDEALS.join(", ")
            ));
        }
    };
    let ideals: Vec<String> = ideals
        .into_iter()
        .filter(|ideal| !ideal.trim().is_empty())
        .collect();
    match ideals.as_slice() {
        [] => return Err("its right answer is no text".to_owned()),
        [one] => expect.contains.push(one.clone()),
        _ => expect.contains_any = ideals,
    }
    Ok(())
}

/// What a string check holds the answer against.
fn checked(operation: &str, reference: &str, expect: &mut Expect) {
    match operation {
        "eq" => expect.matches.push(pattern::exactly(reference)),
        "ne" => expect.not_matches.push(pattern::exactly(reference)),
        "like" => expect.matches.push(pattern::holds(reference)),
        _ => expect.contains.push(reference.to_owned()),
    }
}
