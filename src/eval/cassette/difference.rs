//! A request without a recording against the recording that is nearest to it. Pure.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use super::request::{Asked, Message};

/// More characters of a line are not shown.
const LINE: usize = 240;
/// More lines of a difference are not shown.
const LINES: usize = 60;

/// A call that had no recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingRecording {
    /// The case.
    pub case: String,
    /// The request's hash.
    pub hash: String,
    /// How the request differs from the nearest one that is recorded, a line each: `-` was recorded, `+` is asked
    /// now. None when nothing is recorded, or when many others are missing, too.
    pub nearest: Option<Vec<String>>,
}

impl MissingRecording {
    /// What a person reads.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let short: String = self.hash.chars().take(12).collect();
        let mut lines = vec![format!(
            "no recording of the case {}, request {short}",
            self.case
        )];
        if let Some(nearest) = &self.nearest {
            lines.extend(nearest.iter().map(|line| format!("  {line}")));
        }
        lines
    }
}

/// The difference to the nearest of the recorded requests, each with its case; the first of several that are
/// equally near.
pub(super) fn nearest(asked: &Asked, recorded: &[(String, Asked)]) -> Option<Vec<String>> {
    let wanted = parts(asked);
    let counted = counted(&wanted);
    let (case, best) = recorded
        .iter()
        .min_by_key(|(_, recorded)| distance(&counted, &parts(recorded)))?;
    let mut lines = vec![format!("nearest recording: case {case}")];
    lines.extend(difference(best, asked));
    if lines.len() > LINES {
        let more = lines.len() - LINES;
        lines.truncate(LINES);
        lines.push(format!("… {more} lines more"));
    }
    Some(lines)
}

/// A request as lines.
fn parts(asked: &Asked) -> Vec<String> {
    let mut parts = Vec::new();
    for message in &asked.messages {
        parts.push(message.title());
        parts.extend(message.lines().lines().map(str::to_owned));
    }
    let tools = asked.tools.iter();
    parts.extend(tools.map(|tool| format!("{} {}", tool.name, tool.hash)));
    parts
}

fn counted(lines: &[String]) -> HashMap<&str, i64> {
    let mut counts = HashMap::new();
    for line in lines {
        *counts.entry(line.as_str()).or_insert(0) += 1;
    }
    counts
}

/// Lines that one has and the other has not.
fn distance(wanted: &HashMap<&str, i64>, recorded: &[String]) -> u64 {
    let mut left = wanted.clone();
    for line in recorded {
        *left.entry(line.as_str()).or_insert(0) -= 1;
    }
    left.values().map(|count| count.unsigned_abs()).sum()
}

/// Which messages and tools differ, and how.
fn difference(recorded: &Asked, asked: &Asked) -> Vec<String> {
    let mut lines = Vec::new();
    let most = recorded.messages.len().max(asked.messages.len());
    for place in 0..most {
        let number = place + 1;
        match (recorded.messages.get(place), asked.messages.get(place)) {
            (Some(before), Some(now)) if before == now => {}
            (Some(before), Some(now)) => {
                lines.push(changed(number, before, now));
                lines.extend(changes(&before.lines(), &now.lines()));
            }
            (Some(before), None) => {
                lines.push(format!(
                    "message {number} ({}) is not asked now:",
                    before.title()
                ));
                lines.extend(changes(&before.lines(), ""));
            }
            (None, Some(now)) => {
                lines.push(format!(
                    "message {number} ({}) is not recorded:",
                    now.title()
                ));
                lines.extend(changes("", &now.lines()));
            }
            (None, None) => {}
        }
    }
    lines.extend(tools(recorded, asked));
    if recorded.max_output_tokens != asked.max_output_tokens {
        lines.push(format!(
            "max_output_tokens was {}, is {}",
            recorded.max_output_tokens, asked.max_output_tokens
        ));
    }
    lines
}

fn changed(number: usize, before: &Message, now: &Message) -> String {
    let (before, now) = (before.title(), now.title());
    if before == now {
        format!("message {number} ({now}) differs:")
    } else {
        format!("message {number} was {before}, is {now}:")
    }
}

/// Lines that were and lines that are.
fn changes(before: &str, now: &str) -> Vec<String> {
    let changed = TextDiff::from_lines(before, now);
    changed
        .iter_all_changes()
        .filter_map(|change| {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => return None,
            };
            let line = change.value().trim_end();
            let shown: String = line.chars().take(LINE).collect();
            let rest = if shown.len() < line.len() { "…" } else { "" };
            (!line.is_empty()).then(|| format!("{sign} {shown}{rest}"))
        })
        .collect()
}

fn tools(recorded: &Asked, asked: &Asked) -> Vec<String> {
    let named = |asked: &Asked| -> BTreeMap<String, String> {
        let tools = asked.tools.iter();
        tools
            .map(|tool| (tool.name.clone(), tool.hash.clone()))
            .collect()
    };
    let (before, now) = (named(recorded), named(asked));
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let mut lines: Vec<String> = gone
        .map(|name| format!("the tool {name} is gone"))
        .collect();
    for (name, hash) in &now {
        match before.get(name) {
            None => lines.push(format!("the tool {name} is new")),
            Some(before) if before != hash => lines.push(format!(
                "the tool {name} differs: its description or its schema was changed"
            )),
            Some(_) => {}
        }
    }
    if lines.is_empty() && recorded.tools != asked.tools {
        lines.push("the tools are in another order".to_owned());
    }
    lines
}
