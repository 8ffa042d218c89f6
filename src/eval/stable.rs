//! A run without what differs from run to run: identifiers and times. Pure.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::observed::Observed;
use super::results::Results;

/// Our identifiers, short names of tickets, and moments.
const IDENTIFIER: &str = r"\b([a-z]{2,4})_([0-9a-f]{32})\b";
const MOMENT: &str = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z?";
/// Letters of a ticket's id that people read.
const SHORT: usize = 6;

impl Results {
    /// The same run with stand-ins for identifiers and times, numbered in every case by when they appear first, so that
    /// two replays are the same to the byte.
    #[must_use]
    pub fn stable(mut self) -> Self {
        let (Ok(identifier), Ok(moment)) = (Regex::new(IDENTIFIER), Regex::new(MOMENT)) else {
            return self;
        };
        for case in &mut self.cases {
            let Ok(mut seen) = serde_json::to_value(&case.observed) else {
                continue;
            };
            let mut known = BTreeMap::new();
            if let Observed::Talked(talked) = &case.observed {
                for (number, order) in talked.orders.iter().enumerate() {
                    known.insert(order.clone(), format!("ORDER-{}", number + 1));
                }
            }
            collect(&seen, &identifier, &mut known);
            replace(&mut seen, &known, &moment);
            if let Ok(observed) = serde_json::from_value(seen) {
                case.observed = observed;
            }
            let said = case.prompt.iter_mut().map(|[_, text]| text);
            for text in case.faults.iter_mut().chain(said) {
                *text = stood_in(text, &known, &moment);
            }
        }
        self
    }
}

fn collect(value: &Value, identifier: &Regex, known: &mut BTreeMap<String, String>) {
    match value {
        Value::String(text) => {
            for found in identifier.captures_iter(text) {
                let number = known.len() + 1;
                let short = found[2][found[2].len() - SHORT..].to_uppercase();
                known
                    .entry(found[0].to_owned())
                    .or_insert_with(|| format!("{}_{number}", &found[1]));
                known
                    .entry(short)
                    .or_insert_with(|| format!("NUMBER-{number}"));
            }
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| collect(value, identifier, known)),
        Value::Object(map) => map
            .values()
            .for_each(|value| collect(value, identifier, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn stood_in(text: &str, known: &BTreeMap<String, String>, moment: &Regex) -> String {
    let mut text = text.to_owned();
    for (found, stand_in) in known {
        if text.contains(found.as_str()) {
            text = text.replace(found.as_str(), stand_in);
        }
    }
    moment.replace_all(&text, "MOMENT").into_owned()
}

fn replace(value: &mut Value, known: &BTreeMap<String, String>, moment: &Regex) {
    match value {
        Value::String(text) => *text = stood_in(text, known, moment),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| replace(value, known, moment)),
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                let time = name == "at"
                    || name == "milliseconds"
                    || name.ends_with("_at")
                    || name.ends_with("_since");
                if time && value.is_number() {
                    *value = 0.into();
                } else {
                    replace(value, known, moment);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
