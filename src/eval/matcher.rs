//! What an argument or a value must be.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a value must be: a value itself, or `{equal: X}`, `{one_of: [X, …]}`, `{range: [from, to]}` (both
/// included), `{regex: "…"}` (somewhere in a text), `{ignore: true}` (anything, or nothing). Inside of lists and
/// objects every value is a matcher again. With `null` in `one_of` an argument may also be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Matcher(Value);

/// A call that is expected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedCall {
    /// The tool.
    pub name: String,
    /// What each argument must be. One that is given and not listed is wrong; with `{ignore: true}` it may be left out.
    #[serde(default)]
    pub arguments: BTreeMap<String, Matcher>,
}

enum Rule<'a> {
    Equal(&'a Value),
    OneOf(&'a [Value]),
    Range(f64, f64),
    Regex(&'a str),
    Ignore,
}

impl Matcher {
    /// A matcher of this shape, as suites write it.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// What is wrong with how it is written.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        fault(&self.0)
    }

    /// Whether it takes anything, also nothing.
    #[must_use]
    pub fn ignores(&self) -> bool {
        matches!(rule(&self.0), Rule::Ignore)
    }

    /// Whether an argument may be left out: one of the right values is `null`.
    #[must_use]
    pub fn optional(&self) -> bool {
        absent(&self.0)
    }

    /// Whether a value fits.
    #[must_use]
    pub fn matches(&self, value: &Value) -> bool {
        matches(&self.0, value)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

fn rule(value: &Value) -> Rule<'_> {
    let Some((key, inner)) = value
        .as_object()
        .filter(|map| map.len() == 1)
        .and_then(|map| map.iter().next())
    else {
        return Rule::Equal(value);
    };
    match (key.as_str(), inner) {
        ("equal", inner) => Rule::Equal(inner),
        ("one_of", Value::Array(values)) => Rule::OneOf(values),
        ("range", Value::Array(ends)) => match ends.as_slice() {
            [from, to] => Rule::Range(
                from.as_f64().unwrap_or(f64::NAN),
                to.as_f64().unwrap_or(f64::NAN),
            ),
            _ => Rule::Equal(value),
        },
        ("regex", Value::String(pattern)) => Rule::Regex(pattern),
        ("ignore", Value::Bool(true)) => Rule::Ignore,
        _ => Rule::Equal(value),
    }
}

fn fault(value: &Value) -> Option<String> {
    match value {
        Value::Array(values) => return values.iter().find_map(fault),
        Value::Object(map) if map.len() != 1 => return map.values().find_map(fault),
        Value::Object(_) => {}
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    }
    match rule(value) {
        Rule::Regex(pattern) => Regex::new(pattern)
            .err()
            .map(|error| format!("the regex `{pattern}` is wrong: {error}")),
        Rule::Range(from, to) if from.is_nan() || to.is_nan() || from > to => {
            Some("a range is two numbers, the smaller first: {range: [1, 5]}".to_owned())
        }
        Rule::OneOf([]) => Some("`one_of` is empty; list what is right".to_owned()),
        Rule::OneOf(values) => values.iter().find_map(fault),
        Rule::Equal(inner) if std::ptr::eq(inner, value) => {
            let (key, inner) = value.as_object()?.iter().next()?;
            if ["one_of", "range", "regex", "ignore"].contains(&key.as_str()) {
                return Some(format!(
                    "`{key}` is not written like that; see {{one_of: [a, b]}}, {{range: [1, 5]}}, {{regex: \"…\"}}, \
                     {{ignore: true}}"
                ));
            }
            fault(inner)
        }
        Rule::Equal(_) | Rule::Range(..) | Rule::Ignore => None,
    }
}

fn matches(expected: &Value, found: &Value) -> bool {
    match rule(expected) {
        Rule::Ignore => true,
        Rule::OneOf(values) => values.iter().any(|value| matches(value, found)),
        Rule::Range(from, to) => found
            .as_f64()
            .is_some_and(|number| number >= from && number <= to),
        Rule::Regex(pattern) => Regex::new(pattern)
            .is_ok_and(|regex| found.as_str().is_some_and(|text| regex.is_match(text))),
        Rule::Equal(expected) => same(expected, found),
    }
}

/// Equal, with matchers inside. Numbers are compared by their value.
fn same(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| matches(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let listed = one.iter().all(|(key, expected)| match other.get(key) {
                Some(found) => matches(expected, found),
                None => absent(expected),
            });
            listed && other.keys().all(|key| one.contains_key(key))
        }
        (one, other) => one == other,
    }
}

/// Whether a value may be missing from an object.
fn absent(expected: &Value) -> bool {
    match rule(expected) {
        Rule::Ignore => true,
        Rule::OneOf(values) => values.contains(&Value::Null),
        Rule::Equal(_) | Rule::Range(..) | Rule::Regex(_) => false,
    }
}

/// Arguments of a call against what was expected: how many were right, how many were given, how many expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hits {
    /// Given and right.
    pub right: usize,
    /// Given, those that are ignored left out.
    pub given: usize,
    /// Expected, those that may be left out left out.
    pub expected: usize,
}

impl Hits {
    /// The harmonic mean of precision and recall; 1 where nothing was expected and nothing given.
    #[must_use]
    pub fn f1(self) -> f64 {
        if self.given + self.expected == 0 {
            return 1.0;
        }
        2.0 * self.right as f64 / (self.given + self.expected) as f64
    }

    fn exact(self) -> bool {
        self.right == self.given && self.right == self.expected
    }
}

impl ExpectedCall {
    /// Counts the right arguments of a call.
    #[must_use]
    pub fn hits(&self, arguments: &Map<String, Value>) -> Hits {
        let mut hits = Hits::default();
        for (name, expected) in &self.arguments {
            if expected.ignores() {
                continue;
            }
            let found = arguments.get(name);
            hits.expected += usize::from(found.is_some() || !expected.optional());
            if let Some(found) = found {
                hits.given += 1;
                hits.right += usize::from(expected.matches(found));
            }
        }
        let others = arguments
            .keys()
            .filter(|name| !self.arguments.contains_key(*name));
        hits.given += others.count();
        hits
    }

    /// Whether a call is this one.
    #[must_use]
    pub fn matches(&self, name: &str, arguments: &Value) -> bool {
        let none = Map::new();
        self.name == name && self.hits(arguments.as_object().unwrap_or(&none)).exact()
    }

    /// What is wrong with the arguments of a call of the same tool.
    #[must_use]
    pub fn faults(&self, arguments: &Map<String, Value>) -> Vec<String> {
        let tool = &self.name;
        let mut faults = Vec::new();
        for (name, expected) in self
            .arguments
            .iter()
            .filter(|(_, expected)| !expected.ignores())
        {
            match arguments.get(name) {
                Some(found) if expected.matches(found) => {}
                Some(found) => {
                    faults.push(format!("`{tool}`: {name} is {found}, expected {expected}"));
                }
                None if expected.optional() => {}
                None => faults.push(format!("`{tool}`: {name} is missing, expected {expected}")),
            }
        }
        let others = arguments
            .iter()
            .filter(|(name, _)| !self.arguments.contains_key(*name));
        faults.extend(
            others.map(|(name, found)| format!("`{tool}`: {name} is {found}, expected nothing")),
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fits(matcher: Value, value: &Value) -> bool {
        Matcher::new(matcher).matches(value)
    }

    #[test]
    fn every_matcher_takes_and_refuses() {
        assert!(fits(json!(300), &json!(300.0)) && !fits(json!(300), &json!("300")));
        assert!(fits(json!({"equal": {"one_of": 1}}), &json!({"one_of": 1})));
        assert!(
            fits(json!({"one_of": ["a", 2]}), &json!(2))
                && !fits(json!({"one_of": ["a"]}), &json!("b"))
        );
        assert!(
            fits(json!({"range": [1, 5]}), &json!(5))
                && !fits(json!({"range": [1, 5]}), &json!(5.1))
        );
        assert!(
            fits(json!({"regex": "(?i)CAP"}), &json!("un cappuccino"))
                && !fits(json!({"regex": "^a"}), &json!(7))
        );
        assert!(fits(json!({"ignore": true}), &json!(null)));
        let items =
            json!([{"product_id": {"regex": "moka"}, "quantity": 2, "note": {"ignore": true}}]);
        assert!(fits(
            items.clone(),
            &json!([{"product_id": "moka-4", "quantity": 2}])
        ));
        assert!(!fits(
            items.clone(),
            &json!([{"product_id": "moka-4", "quantity": 2, "amount": 1}])
        ));
        assert!(!fits(items, &json!([])));
    }

    #[test]
    fn wrong_matchers_are_told() {
        for wrong in [
            json!({"regex": "("}),
            json!({"range": [5, 1]}),
            json!({"range": 5}),
            json!({"one_of": "a"}),
            json!({"one_of": []}),
            json!([{"regex": "("}]),
        ] {
            assert!(Matcher::new(wrong.clone()).fault().is_some(), "{wrong}");
        }
        for right in [
            json!({"ignore": true}),
            json!({"max": 3}),
            json!([1, {"a": 1, "b": 2}]),
        ] {
            assert_eq!(Matcher::new(right.clone()).fault(), None, "{right}");
        }
    }

    #[test]
    fn one_of_takes_matchers_and_null_is_nothing() {
        let unit = || json!({"one_of": [{"regex": "(?i)^cm$"}, null]});
        assert!(fits(unit(), &json!("CM")) && !fits(unit(), &json!("inch")));
        assert!(fits(json!({"a": unit(), "b": 1}), &json!({"b": 1})));
        let call: ExpectedCall = serde_json::from_value(json!({
            "name": "area", "arguments": {"side": 3, "unit": unit()},
        }))
        .unwrap();
        for (arguments, right) in [
            (json!({"side": 3}), true),
            (json!({"side": 3, "unit": "cm"}), true),
            (json!({"side": 3, "unit": "inch"}), false),
            (json!({"unit": "cm"}), false),
        ] {
            assert_eq!(call.matches("area", &arguments), right, "{arguments}");
            let faults = call.faults(arguments.as_object().unwrap());
            assert_eq!(faults.is_empty(), right, "{faults:?}");
        }
        assert!(
            Matcher::new(json!({"one_of": [{"regex": "("}]}))
                .fault()
                .is_some()
        );
    }

    #[test]
    fn arguments_are_counted() {
        let call: ExpectedCall = serde_json::from_value(json!({
            "name": "search_catalog",
            "arguments": {"query": {"regex": "moka"}, "max_price": 30, "limit": {"ignore": true}},
        }))
        .unwrap();
        let hits = |arguments: Value| call.hits(arguments.as_object().unwrap());
        let all = hits(json!({"query": "una moka", "max_price": 30, "limit": 3}));
        assert_eq!((all.right, all.given, all.expected), (2, 3 - 1, 2));
        let half = hits(json!({"query": "moka", "in_stock": true}));
        assert_eq!((half.right, half.given, half.expected), (1, 2, 2));
        assert!((half.f1() - 0.5).abs() < 1e-9);
        assert!(call.matches("search_catalog", &json!({"query": "moka", "max_price": 30})));
        assert!(!call.matches("get_product", &json!({"query": "moka", "max_price": 30})));
        let faults = call.faults(
            json!({"query": "tea", "in_stock": true})
                .as_object()
                .unwrap(),
        );
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert!((Hits::default().f1() - 1.0).abs() < 1e-9);
    }
}
