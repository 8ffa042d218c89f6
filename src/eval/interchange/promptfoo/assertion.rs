//! Assertions of promptfoo: those that a text alone decides.

use regex::Regex;
use serde_json::{Map, Value};

use super::super::{pattern, render, text};
use crate::eval::case::Expect;

/// A name and why it is not taken over.
type Refused = (String, String);

/// Types that CSV files may name, without `not-`.
pub const TYPES: [&str; 52] = [
    "answer-relevance",
    "bleu",
    "classifier",
    "contains",
    "contains-all",
    "contains-any",
    "contains-html",
    "contains-json",
    "contains-sql",
    "contains-xml",
    "context-faithfulness",
    "context-recall",
    "context-relevance",
    "conversation-relevance",
    "cost",
    "equals",
    "factuality",
    "finish-reason",
    "g-eval",
    "gleu",
    "guardrails",
    "icontains",
    "icontains-all",
    "icontains-any",
    "is-html",
    "is-json",
    "is-refusal",
    "is-sql",
    "is-valid-function-call",
    "is-valid-openai-function-call",
    "is-valid-openai-tools-call",
    "is-xml",
    "javascript",
    "latency",
    "levenshtein",
    "llm-rubric",
    "meteor",
    "model-graded-closedqa",
    "model-graded-factuality",
    "moderation",
    "perplexity",
    "perplexity-score",
    "pi",
    "python",
    "regex",
    "rouge-n",
    "ruby",
    "similar",
    "starts-with",
    "tool-call-f1",
    "webhook",
    "word-count",
];

/// Adds an assertion to what is expected.
pub fn take(
    assertion: &Value,
    vars: &Map<String, Value>,
    expect: &mut Expect,
) -> Result<(), Refused> {
    let Some(full) = assertion.get("type").and_then(Value::as_str) else {
        return Err((
            "assertion without `type`".to_owned(),
            "write its type".to_owned(),
        ));
    };
    let name = format!("assertion `{full}`");
    let refuse = |why: &str| Err((name.clone(), why.to_owned()));
    let (not, kind) = match full.strip_prefix("not-") {
        Some(kind) => (true, kind),
        None => (false, full),
    };
    if let Some(why) = foreign(kind) {
        return refuse(why);
    }
    changed(assertion, &name)?;
    let several = kind.ends_with("-any") || kind.ends_with("-all");
    let values =
        values(assertion.get("value"), several, vars).map_err(|why| (name.clone(), why))?;
    let one = values.first().map(String::as_str).unwrap_or_default();
    let mut hold = |pattern: String| {
        let list = if not {
            &mut expect.not_matches
        } else {
            &mut expect.matches
        };
        list.push(pattern);
    };
    match kind {
        "equals" => hold(pattern::exactly(one)),
        "starts-with" => hold(pattern::begins(one)),
        "contains" => hold(pattern::holds(one)),
        "regex" => match Regex::new(one) {
            Ok(_) => hold(one.to_owned()),
            Err(_) => {
                return Err((
                    format!("{name} `{one}`"),
                    "this expression is not read here (no look-around, no back-references); write it another way"
                        .to_owned(),
                ));
            }
        },
        "contains-any" => hold(pattern::any(&values)),
        "icontains" if not => expect.not_contains.push(one.to_owned()),
        "icontains" => expect.contains.push(one.to_owned()),
        "icontains-any" if not => expect.not_contains.extend(values),
        "icontains-any" if expect.contains_any.is_empty() => expect.contains_any = values,
        "icontains-any" => hold(pattern::loose(&pattern::any(&values))),
        // Not all of several is not the same as none of them.
        "contains-all" | "icontains-all" if not && values.len() > 1 => {
            return refuse("at least one of several must be missing; write which");
        }
        "contains-all" => values.iter().for_each(|value| hold(pattern::holds(value))),
        "icontains-all" if not => expect.not_contains.extend(values),
        "icontains-all" => expect.contains.extend(values),
        _ => return refuse("it is not known here"),
    }
    Ok(())
}

/// Whether an assertion judges the answer itself, and decides something.
fn changed(assertion: &Value, name: &str) -> Result<(), Refused> {
    for changed in ["transform", "contextTransform", "script"] {
        if assertion.get(changed).is_some() {
            let why = "it judges a changed answer; write it on the answer itself";
            return Err((format!("{name} with `{changed}`"), why.to_owned()));
        }
    }
    if assertion.get("weight").and_then(Value::as_f64) == Some(0.0) {
        return Err((
            format!("{name} with weight 0"),
            "it decides nothing".to_owned(),
        ));
    }
    Ok(())
}

/// Why a type cannot be decided by a text alone.
fn foreign(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "llm-rubric"
        | "model-graded-closedqa"
        | "model-graded-factuality"
        | "factuality"
        | "g-eval"
        | "answer-relevance"
        | "context-faithfulness"
        | "context-recall"
        | "context-relevance"
        | "conversation-relevance"
        | "select-best"
        | "max-score"
        | "pi"
        | "search-rubric"
        | "agent-rubric"
        | "similar"
        | "moderation"
        | "guardrails"
        | "classifier"
        | "is-refusal"
        | "human" => {
            "a model would judge it; write words that must or must not be there, or expected effects"
        }
        "javascript" | "python" | "ruby" | "webhook" => {
            "code is not run; write what it checks as an expectation"
        }
        "latency" | "cost" | "perplexity" | "perplexity-score" => {
            "a figure of the run; `eval run` measures it, and a gate can hold it"
        }
        "levenshtein" | "bleu" | "gleu" | "meteor" | "rouge-n" | "word-count" => {
            "a distance in words; write the words that must be there"
        }
        "is-json" | "contains-json" | "is-sql" | "contains-sql" | "is-xml" | "contains-xml"
        | "is-html" | "contains-html" | "finish-reason" => {
            "the agent writes to customers in plain words, never in such a format"
        }
        "is-valid-function-call"
        | "is-valid-openai-function-call"
        | "is-valid-openai-tools-call"
        | "tool-call-f1" => "write the expected calls as a `tool_call` case",
        "assert-set" => "a share of a set is not taken over; write which must hold",
        _ if kind.starts_with("trajectory:") => "write the expected tools under `expect.tools`",
        _ => return None,
    })
}

/// What is compared with; for several, a list or a text with commas.
fn values(
    value: Option<&Value>,
    several: bool,
    vars: &Map<String, Value>,
) -> Result<Vec<String>, String> {
    let found: Vec<String> = match value {
        Some(Value::Array(values)) if several => {
            let texts: Option<Vec<String>> = values.iter().map(text).collect();
            texts.ok_or("its values are not all texts")?
        }
        Some(value) => {
            let one = text(value).ok_or("its value is no text")?;
            if several { commas(&one) } else { vec![one] }
        }
        None => return Err("it has no value".to_owned()),
    };
    if found.is_empty() || found.iter().any(String::is_empty) {
        return Err("its value is empty".to_owned());
    }
    if found.iter().any(|value| value.starts_with("file://")) {
        return Err("its value is in a file; write it here".to_owned());
    }
    found.iter().map(|value| render(value, vars)).collect()
}

/// The parts between commas; in quotes a comma is text.
fn commas(list: &str) -> Vec<String> {
    let (mut parts, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for character in list.chars() {
        match character {
            '"' => quoted = !quoted,
            ',' if !quoted => parts.push(std::mem::take(&mut part)),
            other => part.push(other),
        }
    }
    parts.push(part);
    let trimmed = parts.iter().map(|part| part.trim().to_owned());
    trimmed.filter(|part| !part.is_empty()).collect()
}
