//! Files of other evaluation tools, as cases of ours. Texts in, cases out, and a list of everything that could not be
//! taken over.

mod bfcl;
mod openai;
mod promptfoo;
mod rasa;
mod tau;
mod trec;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::case::{Case, ConversationCase, Expect, Turn, Words};
use super::suite::SuiteFault;
use crate::domain::Language;

/// The objects of a file of lines, each with its line's number.
type Lines = Vec<(usize, Map<String, Value>)>;

pub use bfcl::bfcl;
pub use openai::openai;
pub use promptfoo::promptfoo;
pub use rasa::{mapping, rasa};
pub use tau::tau;
pub use trec::{Ranked, TrecFault, TrecFigures, TrecQrels, TrecRun};

/// Reads a file that another one names, relative to it. The error says why it cannot be read.
pub type Beside<'a> = dyn Fn(&str) -> Result<String, String> + 'a;

/// A file of another tool.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Its name, as faults tell it; the ending says what it is where a tool has several formats.
    pub name: &'a Path,
    /// What it holds.
    pub text: &'a str,
    /// Reads files that it names.
    pub beside: &'a Beside<'a>,
}

/// How to take cases over.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The language of the cases.
    pub language: Option<Language>,
    /// The variable or field that is the customer's message.
    pub variable: Option<String>,
    /// Their intents: the shop's.
    pub intents: BTreeMap<String, String>,
    /// Their actions: `handed_off`, `answered`, `silent`, `ignore`, or a tool of the shop.
    pub actions: BTreeMap<String, String>,
    /// The intents that the shop has; any when empty.
    pub known: BTreeSet<String>,
    /// The graders of the evaluation, as JSON.
    pub graders: Option<Value>,
    /// Whether to expect the calls of another shop's tools under their own names.
    pub tools: bool,
}

/// What was taken over.
#[derive(Debug, Default)]
pub struct Imported {
    /// The cases.
    pub cases: Vec<Case>,
    /// What was not taken over.
    pub refused: Vec<Refusal>,
    names: HashSet<String>,
}

/// Something that could not be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its name.
    pub what: String,
    /// Why, or what to do about it.
    pub why: String,
    /// File and line, or place in the file.
    pub place: String,
}

/// Why a file cannot be read at all.
pub type ImportFault = SuiteFault;

/// Places told of each kind of refusal.
const PLACES: usize = 3;
/// Messages of the shop's agent in other tools' conversations are not played back.
const AGENT_WRITES: &str = "the agent writes its own; its answer is what is tested";

impl Imported {
    /// Notes what is not taken over.
    fn refuse(&mut self, what: impl Into<String>, why: impl Into<String>, place: &str) {
        self.refused.push(Refusal {
            what: what.into(),
            why: why.into(),
            place: place.to_owned(),
        });
    }

    /// A name that no case had before.
    fn unique(&mut self, name: &str) -> String {
        let name = name.trim();
        let mut found = name.to_owned();
        let mut number = 2;
        while !self.names.insert(found.clone()) {
            found = format!("{name} ({number})");
            number += 1;
        }
        found
    }

    /// Adds a conversation of these messages; what is expected holds after the last.
    fn converse(&mut self, name: &str, said: Vec<String>, expect: Expect, wishes: &Wishes) {
        let mut turns: Vec<Turn> = said.into_iter().map(turn).collect();
        if let Some(last) = turns.last_mut() {
            last.expect = expect;
        }
        self.conversation(name, turns, Vec::new(), wishes);
    }

    /// Adds a conversation.
    fn conversation(&mut self, name: &str, turns: Vec<Turn>, tags: Vec<String>, wishes: &Wishes) {
        let id = self.unique(name);
        self.cases.push(Case::Conversation(ConversationCase {
            id,
            language: wishes.language,
            phone: None,
            turns,
            tags,
        }));
    }

    /// Adds what was taken over from another file.
    pub fn extend(&mut self, other: Self) {
        for mut case in other.cases {
            let id = match &mut case {
                Case::ToolCall(case) => Some(&mut case.id),
                Case::Conversation(case) => Some(&mut case.id),
                Case::Simulation(case) => Some(&mut case.id),
                Case::Intent(_)
                | Case::Sentiment(_)
                | Case::Language(_)
                | Case::Retrieval(_)
                | Case::Safety(_) => None,
            };
            if let Some(id) = id {
                *id = self.unique(id);
            }
            self.cases.push(case);
        }
        self.refused.extend(other.refused);
    }

    /// What was refused, each name with how often and where first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut groups: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
        for refused in &self.refused {
            let places = groups.entry((&refused.what, &refused.why)).or_default();
            places.push(&refused.place);
        }
        let told = |((what, why), places): ((&str, &str), Vec<&str>)| {
            let more = if places.len() > PLACES { ", …" } else { "" };
            let first = places[..places.len().min(PLACES)].join(", ");
            format!("{} × {what}: {why} ({first}{more})", places.len())
        };
        groups.into_iter().map(told).collect()
    }
}

/// A case as a line of a suite, without what it leaves open.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn line(case: &Case) -> Result<String, serde_json::Error> {
    let mut line = serde_json::to_value(case)?;
    if let Some(fields) = line.as_object_mut() {
        // That nothing is called is said by an empty list.
        fields.retain(|name, value| name == "tools" || filled(value));
        if let Some(Value::Array(turns)) = fields.get_mut("turns") {
            turns.iter_mut().for_each(shorten);
        }
        fields.get_mut("expect").map(shorten_fields);
    }
    serde_json::to_string(&line)
}

fn shorten(turn: &mut Value) {
    if let Some(expect) = turn.get_mut("expect") {
        shorten_fields(expect);
    }
    shorten_fields(turn);
}

fn shorten_fields(value: &mut Value) {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, value| filled(value) && !(name == "paid" && *value == false));
    }
}

fn filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// A turn in which something is said.
fn turn(said: String) -> Turn {
    Turn {
        say: Words::One(said),
        choice: None,
        paid: false,
        expect: Expect::default(),
    }
}

impl Source<'_> {
    fn fault(&self, line: Option<usize>, message: impl Into<String>) -> ImportFault {
        SuiteFault::new(self.name, line, message)
    }

    /// The place of a line, counted from 1; 0 where it is not known.
    fn at(&self, line: usize) -> String {
        match line {
            0 => self.name.display().to_string(),
            line => format!("{}:{line}", self.name.display()),
        }
    }

    fn ending(&self) -> String {
        let ending = self.name.extension().unwrap_or_default();
        ending.to_string_lossy().to_lowercase()
    }

    /// YAML, of which JSON is a part.
    fn yaml<T: serde::de::DeserializeOwned>(&self) -> Result<T, ImportFault> {
        serde_saphyr::from_str(self.text).map_err(|error| {
            let line = error
                .location()
                .and_then(|at| usize::try_from(at.line()).ok());
            let message = error.without_snippet().to_string();
            let first = message.lines().next().unwrap_or_default().to_owned();
            self.fault(line, format!("this is no YAML that can be read: {first}"))
        })
    }

    /// One JSON object a line, with its line.
    fn json_lines(&self) -> Result<Lines, ImportFault> {
        let lines = (1..).zip(self.text.lines());
        let filled = lines.filter(|(_, line)| !line.trim().is_empty());
        let read = |(number, line): (usize, &str)| match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => Ok((number, fields)),
            Ok(_) => Err(self.fault(Some(number), "this is no JSON object; write one a line")),
            Err(error) => Err(self.fault(Some(number), format!("this is no JSON: {error}"))),
        };
        filled.map(read).collect()
    }
}

/// A template with `{{name}}` filled in. The error names what is missing.
fn render(template: &str, known: &Map<String, Value>) -> Result<String, String> {
    if !template.contains("{{") && !template.contains("{%") {
        return Ok(template.to_owned());
    }
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    let rendered = environment.render_str(template, Serde(known));
    rendered.map_err(|error| format!("the template cannot be filled in: {error}"))
}

/// A scalar as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// What the customer says in messages of a chat model; messages of others are noted as refused.
fn said(messages: &[Value], place: &str, imported: &mut Imported) -> Result<Vec<String>, String> {
    let mut said = Vec::new();
    for message in messages {
        let role = message
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or_default();
        match role {
            "user" => said.push(content(message)?),
            "system" | "developer" => {
                imported.refuse(
                    "message of the system",
                    "the shop has its own prompts",
                    place,
                );
            }
            "assistant" => imported.refuse("message of the assistant", AGENT_WRITES, place),
            "tool" | "function" => imported.refuse(
                "message of a tool",
                "the shop's own tools are called",
                place,
            ),
            other => return Err(format!("a message has the role `{other}`; write user")),
        }
    }
    if said.is_empty() {
        return Err("no message is the user's; a case needs one".to_owned());
    }
    Ok(said)
}

/// The text of a message.
fn content(message: &Value) -> Result<String, String> {
    match message.get("content") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let texts: Option<Vec<&str>> = parts
                .iter()
                .map(|part| part.get("text").and_then(Value::as_str))
                .collect();
            texts.map(|texts| texts.join("\n")).ok_or_else(|| {
                "a message holds more than text (a picture, a sound); only texts are taken over"
                    .to_owned()
            })
        }
        Some(Value::Object(part)) => {
            let text = part.get("text").and_then(Value::as_str);
            text.map(str::to_owned)
                .ok_or_else(|| "a message has no text".to_owned())
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => {
            Err("a message has no `content`".to_owned())
        }
    }
}

/// Regular expressions for what other tools compare with case.
mod pattern {
    /// The whole answer is this.
    pub fn exactly(text: &str) -> String {
        format!(r"\A{}\z", regex::escape(text))
    }

    /// The answer begins with this.
    pub fn begins(text: &str) -> String {
        format!(r"\A{}", regex::escape(text))
    }

    /// This stands somewhere.
    pub fn holds(text: &str) -> String {
        regex::escape(text)
    }

    /// One of these stands somewhere.
    pub fn any(texts: &[String]) -> String {
        let escaped: Vec<String> = texts.iter().map(|text| regex::escape(text)).collect();
        format!("(?:{})", escaped.join("|"))
    }

    /// The same in any case.
    pub fn loose(pattern: &str) -> String {
        format!("(?i){pattern}")
    }
}

#[cfg(test)]
mod tests;
