//! A run without what differs from run to run: identifiers and times. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::observed::Observed;
use super::results::CaseResult;

/// Our identifiers, short names of tickets, and moments.
const IDENTIFIER: &str = r"\b([a-z]{2,4})_([0-9a-f]{32})\b";
const MOMENT: &str = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z?";
/// Letters of a ticket's id that people read.
const SHORT: usize = 6;

/// What is replaced by what. The longest comes first: the end of an identifier is a number that people read.
type Known = BTreeMap<(Reverse<usize>, String), String>;

/// Puts stand-ins for identifiers and times, numbered in every case by when they appear first, so that two replays are
/// the same to the byte.
pub fn stabilise(cases: &mut [CaseResult]) {
    let (Ok(identifier), Ok(moment)) = (Regex::new(IDENTIFIER), Regex::new(MOMENT)) else {
        return;
    };
    for case in cases {
        let Ok(mut seen) = serde_json::to_value(&case.observed) else {
            continue;
        };
        let mut known = Known::new();
        if let Observed::Talked(talked) = &case.observed {
            for (number, order) in talked.orders.iter().enumerate() {
                known.insert(key(order), format!("ORDER-{}", number + 1));
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
}

fn key(text: &str) -> (Reverse<usize>, String) {
    (Reverse(text.len()), text.to_owned())
}

fn collect(value: &Value, identifier: &Regex, known: &mut Known) {
    match value {
        Value::String(text) => {
            for found in identifier.captures_iter(text) {
                let number = known.len() + 1;
                let short = found[2][found[2].len() - SHORT..].to_uppercase();
                known
                    .entry(key(&found[0]))
                    .or_insert_with(|| format!("{}_{number}", &found[1]));
                known
                    .entry(key(&short))
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

fn stood_in(text: &str, known: &Known, moment: &Regex) -> String {
    let mut text = text.to_owned();
    for ((_, found), stand_in) in known {
        if text.contains(found.as_str()) {
            text = text.replace(found.as_str(), stand_in);
        }
    }
    moment.replace_all(&text, "MOMENT").into_owned()
}

fn replace(value: &mut Value, known: &Known, moment: &Regex) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_identifier_is_replaced_whole_also_when_its_end_is_a_number() {
        let id = "in_01a2012283cf7591982a67cb62112233";
        let text = json!([format!("{id} is TICKET 112233 at 2026-11-22T10:00:00.123Z"), {"at": 5}]);
        let (identifier, moment) = (Regex::new(IDENTIFIER).unwrap(), Regex::new(MOMENT).unwrap());
        let mut known = Known::new();
        let mut seen = text;
        collect(&seen, &identifier, &mut known);
        replace(&mut seen, &known, &moment);
        assert_eq!(
            seen,
            json!(["in_1 is TICKET NUMBER-1 at MOMENT", {"at": 0}])
        );
    }
}
