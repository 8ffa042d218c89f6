//! Values as they were written, before they are a configuration, each with where it comes from.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ConfigFault;
use super::schema::Schema;

/// What a file, the environment and flags say, the later over the earlier.
pub(super) struct Draft {
    /// The values: sections of keys.
    pub(super) values: Map<String, Value>,
    /// What could not be read at all.
    pub(super) faults: Vec<ConfigFault>,
    /// Whether the whole file could not be read, so that what is missing means nothing.
    pub(super) broken: bool,
    /// JSON pointers with where the value was written.
    origins: BTreeMap<String, Origin>,
}

/// Where a value was written.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// `sportello.toml:12`, the variable's name or the flag's.
    pub(super) text: String,
    /// Which of them.
    pub(super) kind: OriginKind,
}

/// The kinds of places where a value can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OriginKind {
    /// The file.
    File,
    /// An environment variable.
    Variable,
    /// A flag on the command line.
    Flag,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            values: Map::new(),
            faults: Vec::new(),
            broken: false,
            origins: BTreeMap::new(),
        }
    }

    /// Where the value, or else the nearest table around it, or the first value in it, was written.
    pub(super) fn origin(&self, pointer: &str) -> Option<&Origin> {
        let mut around = Some(pointer);
        while let Some(place) = around {
            if let Some(origin) = self.origins.get(place) {
                return Some(origin);
            }
            around = place.rsplit_once('/').map(|(table, _)| table);
        }
        let below = format!("{pointer}/");
        let first = self.origins.range(below.clone()..).next();
        first
            .filter(|(place, _)| place.starts_with(&below))
            .map(|(_, origin)| origin)
    }

    /// The value of a dotted key such as `llm.model`, when it was written.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.values.get(parts.next()?)?;
        parts.try_fold(first, |table, part| table.get(part))
    }

    /// Takes in a TOML file.
    pub(super) fn read_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.broken = true;
                self.faults.push(ConfigFault::new(
                    name,
                    format!("the file cannot be read: {error}"),
                ));
                return;
            }
        };
        let text = match std::str::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) => {
                self.broken = true;
                let line = Lines(&bytes).of(error.valid_up_to());
                let message =
                    "the text is not valid UTF-8 here; save the file with the encoding UTF-8";
                self.faults
                    .push(ConfigFault::new(format!("{name}:{line}"), message));
                return;
            }
        };
        let lines = Lines(&bytes);
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let line = lines.of(error.span().map_or(0, |span| span.start));
            // Only the parser's own words: its full text quotes the line, which may hold a secret.
            let message = format!("this is not TOML: {}", error.message());
            self.faults
                .push(ConfigFault::new(format!("{name}:{line}"), message));
        }
        self.broken = !errors.is_empty();
        let mut reader = FileReader {
            name: &name,
            lines,
            draft: self,
        };
        let values = reader.table("", table.get_ref());
        self.values = values;
    }

    /// Takes in a variable such as `SPORTELLO_LLM__MODEL`. Others, and empty ones, are passed over.
    pub(super) fn read_variable(&mut self, name: &str, text: &str, schema: &Schema) {
        let Some(rest) = name.strip_prefix("SPORTELLO_") else {
            return;
        };
        if text.is_empty() {
            return;
        }
        let key = match (rest.split_once("__"), rest.strip_prefix('_')) {
            (Some((section, key)), _) if !section.is_empty() => {
                nested(&section.to_lowercase(), &key.to_lowercase(), schema)
            }
            (_, Some(key)) => key.trim_start_matches('_').to_lowercase(),
            (_, None) => return,
        };
        self.set(
            &key,
            text,
            schema,
            Origin {
                text: name.to_owned(),
                kind: OriginKind::Variable,
            },
        );
    }

    /// Sets a dotted key from text, read as the schema expects it.
    pub(super) fn set(&mut self, key: &str, text: &str, schema: &Schema, origin: Origin) {
        let parts: Vec<&str> = key.split('.').filter(|part| !part.is_empty()).collect();
        let pointer: String = parts.iter().map(|part| escaped(part)).collect();
        let value = schema.expected(&pointer).read(text);
        let Some((name, tables)) = parts.split_last() else {
            return;
        };
        let mut table = &mut self.values;
        for part in tables {
            let inner = table
                .entry(*part)
                .or_insert_with(|| Value::Object(Map::new()));
            match inner.as_object_mut() {
                Some(inner) => table = inner,
                // The file has a plain value where the table belongs; that is a fault of its own.
                None => return,
            }
        }
        table.insert((*name).to_owned(), value);
        let below = format!("{pointer}/");
        self.origins
            .retain(|written, _| !written.starts_with(&below));
        self.origins.insert(pointer, origin);
    }
}

/// The dotted key of a variable's section and the rest of its name, in which two underscores lead into a table.
fn nested(section: &str, rest: &str, schema: &Schema) -> String {
    if let Some((table, key)) = rest.split_once("__") {
        let pointer = format!("{}{}", escaped(section), escaped(table));
        if schema.expected(&pointer).is_table() {
            return format!("{section}.{table}.{key}");
        }
    }
    format!("{section}.{rest}")
}

/// A part of a JSON pointer with its slash.
pub(super) fn escaped(part: &str) -> String {
    format!("/{}", part.replace('~', "~0").replace('/', "~1"))
}

struct Lines<'a>(&'a [u8]);

impl Lines<'_> {
    fn of(&self, offset: usize) -> usize {
        1 + self
            .0
            .iter()
            .take(offset)
            .filter(|byte| **byte == b'\n')
            .count()
    }
}

struct FileReader<'a> {
    name: &'a str,
    lines: Lines<'a>,
    draft: &'a mut Draft,
}

impl FileReader<'_> {
    fn table(&mut self, pointer: &str, table: &DeTable<'_>) -> Map<String, Value> {
        let mut values = Map::new();
        for (key, value) in table {
            let name = key.get_ref();
            let pointer = format!("{pointer}{}", escaped(name));
            self.mark(&pointer, key.span().start);
            if let Some(value) = self.value(&pointer, value) {
                values.insert(name.to_string(), value);
            }
        }
        values
    }

    fn value(&mut self, pointer: &str, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        match value.get_ref() {
            DeValue::String(text) => Some(Value::from(text.as_ref())),
            DeValue::Boolean(truth) => Some(Value::from(*truth)),
            DeValue::Integer(number) => {
                let digits = number.as_str().replace('_', "");
                let number = i64::from_str_radix(&digits, number.radix()).ok();
                self.known(pointer, number.map(Value::from), "the number is too large")
            }
            DeValue::Float(number) => {
                let number = number.as_str().replace('_', "").parse::<f64>().ok();
                let number = number
                    .and_then(serde_json::Number::from_f64)
                    .map(Value::Number);
                self.known(pointer, number, "the number must be finite")
            }
            DeValue::Datetime(_) => {
                self.known(pointer, None, "a date stands here; put a text in quotes")
            }
            DeValue::Array(list) => {
                let values = list.iter().enumerate().filter_map(|(place, value)| {
                    let pointer = format!("{pointer}/{place}");
                    self.mark(&pointer, value.span().start);
                    self.value(&pointer, value)
                });
                Some(Value::Array(values.collect()))
            }
            DeValue::Table(table) => Some(Value::Object(self.table(pointer, table))),
        }
    }

    fn known(&mut self, pointer: &str, value: Option<Value>, message: &str) -> Option<Value> {
        if value.is_none() {
            let origin = self
                .draft
                .origin(pointer)
                .map(|origin| origin.text.clone())
                .unwrap_or_default();
            self.draft.faults.push(ConfigFault::new(origin, message));
        }
        value
    }

    fn mark(&mut self, pointer: &str, offset: usize) {
        let text = format!("{}:{}", self.name, self.lines.of(offset));
        self.draft.origins.insert(
            pointer.to_owned(),
            Origin {
                text,
                kind: OriginKind::File,
            },
        );
    }
}
