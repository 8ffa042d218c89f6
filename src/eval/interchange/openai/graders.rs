//! Graders: string checks are taken over, others refused by name.

use serde_json::{Map, Value};

use super::super::{Imported, render};
use super::checked;
use crate::eval::case::Expect;

const OPERATIONS: [&str; 4] = ["eq", "ne", "like", "ilike"];

/// A string check of the model's words.
#[derive(Debug)]
pub struct Grader {
    operation: String,
    /// A template over the item.
    reference: String,
}

impl Grader {
    /// Adds to what is expected of an item.
    pub fn hold(&self, item: &Map<String, Value>, expect: &mut Expect) -> Result<(), String> {
        let known = Map::from_iter([("item".to_owned(), Value::Object(item.clone()))]);
        let reference = render(&self.reference, &known)?;
        if reference.is_empty() {
            return Err(format!("the reference `{}` is empty", self.reference));
        }
        checked(&self.operation, &reference, expect);
        Ok(())
    }
}

/// Reads an evaluation with `testing_criteria`, a list of graders, or one. The error says that none is left.
pub fn read(graders: &Value, imported: &mut Imported) -> Result<Vec<Grader>, String> {
    let all: Vec<&Value> = match graders.get("testing_criteria").unwrap_or(graders) {
        Value::Array(several) => several.iter().collect(),
        one @ Value::Null
        | one @ Value::Bool(_)
        | one @ Value::Number(_)
        | one @ Value::String(_)
        | one @ Value::Object(_) => vec![one],
    };
    let mut found = Vec::new();
    for grader in all {
        one(grader, imported, &mut found);
    }
    if found.is_empty() {
        let names: Vec<String> = imported
            .refused
            .drain(..)
            .map(|refused| refused.what)
            .collect();
        return Err(format!(
            "none of the graders is taken over ({}); only `string_check` of {{{{sample.output_text}}}} is",
            names.join(", ")
        ));
    }
    Ok(found)
}

fn one(grader: &Value, imported: &mut Imported, found: &mut Vec<Grader>) {
    let of = |name: &str| grader.get(name).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (of("type"), of("name"));
    let mut refuse = |what: String, why: &str| {
        let place = if name.is_empty() { "graders" } else { name };
        imported.refuse(what, why, place);
    };
    match kind {
        "string_check" => {
            let (operation, reference) = (of("operation"), of("reference"));
            if !OPERATIONS.contains(&operation) {
                return refuse(
                    format!("grader `string_check` with the operation `{operation}`"),
                    "write eq, ne, like or ilike",
                );
            }
            let words: String = of("input").split_whitespace().collect();
            if words != "{{sample.output_text}}" || reference.contains("sample.") {
                return refuse(
                    "grader `string_check` of something else than {{sample.output_text}}"
                        .to_owned(),
                    "only the model's words are checked, against the item's",
                );
            }
            found.push(Grader {
                operation: operation.to_owned(),
                reference: reference.to_owned(),
            });
        }
        "multi" => {
            if grader.get("calculate_output").is_some() {
                refuse(
                    "`calculate_output` of a grader `multi`".to_owned(),
                    "each of its graders must hold instead",
                );
            }
            let inner: Vec<&Value> = match grader.get("graders") {
                Some(Value::Object(named)) => named.values().collect(),
                Some(Value::Array(several)) => several.iter().collect(),
                _ => Vec::new(),
            };
            for grader in inner {
                one(grader, imported, found);
            }
        }
        "score_model" | "label_model" => refuse(
            format!("grader `{kind}`"),
            "a model would judge it; write words that must or must not be there",
        ),
        "text_similarity" => refuse(
            format!("grader `{kind}`"),
            "a distance in words; write the words that must be there",
        ),
        "python" => refuse(format!("grader `{kind}`"), "code is not run"),
        other => refuse(format!("grader `{other}`"), "it is not known here"),
    }
}
