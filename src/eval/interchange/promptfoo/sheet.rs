//! Tests of promptfoo in CSV.

use serde_json::{Map, Value, json};

use super::super::{ImportFault, Imported, Source};
use super::Test;
use super::assertion::TYPES;

/// The tests, one a row.
pub fn tests(source: &Source, imported: &mut Imported) -> Result<Vec<Test>, ImportFault> {
    let text = source.text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let fault = |error: &csv::Error| {
        let line = error.position().map(csv::Position::line);
        let line = line.and_then(|line| usize::try_from(line).ok());
        source.fault(line, format!("this is no CSV that can be read: {error}"))
    };
    let names = reader.headers().map_err(|error| fault(&error))?.clone();
    let expects = |name: &str| name.trim().starts_with("__expected");
    if !names.iter().any(expects) {
        let message = "no column is named `__expected`; its first line names the columns";
        return Err(source.fault(Some(1), message));
    }
    let mut tests = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|error| fault(&error))?;
        let line = row.position().map_or(0, csv::Position::line);
        let place = source.at(usize::try_from(line).unwrap_or_default());
        let (mut vars, mut metadata) = (Map::new(), Map::new());
        let mut test = Map::new();
        let mut asserts = Vec::new();
        for (name, value) in names.iter().map(str::trim).zip(row.iter()) {
            let filled = !value.trim().is_empty();
            match name {
                _ if expects(name) => asserts.extend(filled.then(|| assertion(value))),
                "__description" if filled => {
                    test.insert("description".to_owned(), json!(value));
                }
                "__threshold" if filled => {
                    test.insert("threshold".to_owned(), json!(value));
                }
                "__prefix" | "__suffix" if filled => {
                    let name = name.trim_start_matches('_');
                    test.insert("options".to_owned(), json!({name: value}));
                }
                _ => match name.strip_prefix("__") {
                    None => {
                        vars.insert(name.to_owned(), json!(value));
                    }
                    Some(special) if filled => match special.strip_prefix("metadata:") {
                        Some(key) => {
                            metadata.insert(key.to_owned(), json!(value));
                        }
                        None => {
                            imported.refuse(format!("column `{name}`"), "it is left out", &place)
                        }
                    },
                    Some(_) => {}
                },
            }
        }
        test.insert("vars".to_owned(), Value::Object(vars));
        test.insert("metadata".to_owned(), Value::Object(metadata));
        test.insert("assert".to_owned(), Value::Array(asserts));
        tests.push((place, Value::Object(test)));
    }
    Ok(tests)
}

/// `contains:word`, `similar(0.8):text`, `fn:code`; else the very answer.
fn assertion(cell: &str) -> Value {
    let cell = cell.trim();
    for (prefix, kind) in [
        ("fn:", "javascript"),
        ("eval:", "javascript"),
        ("file://", "javascript"),
        ("grade:", "llm-rubric"),
    ] {
        if let Some(value) = cell.strip_prefix(prefix) {
            return json!({"type": kind, "value": value});
        }
    }
    let (head, value) = match cell.split_once(':') {
        Some((head, value)) => (head, Some(value.trim())),
        None => (cell, None),
    };
    let (name, number) = match head.strip_suffix(')').and_then(|head| head.split_once('(')) {
        Some((name, number)) => (name, Some(number)),
        None => (head, None),
    };
    let kind = name.strip_prefix("not-").unwrap_or(name);
    let numbered = number.is_none_or(|number| number.parse::<f64>().is_ok());
    if TYPES.contains(&kind) && numbered {
        return json!({"type": name, "value": value});
    }
    json!({"type": "equals", "value": cell})
}
