//! What the configuration's schema expects at each place, and where values differ from it.

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use super::Config;
use super::draft::{Draft, OriginKind, escaped};
use crate::domain::nearest;

/// The JSON Schema of the configuration.
pub(super) struct Schema {
    root: Value,
    validator: Option<Validator>,
}

/// What a place expects.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Expected {
    text: bool,
    /// What a text must be when it has a form of its own, for example a language code.
    form: Option<String>,
    whole: bool,
    number: bool,
    boolean: bool,
    list: bool,
    table: bool,
    choices: Vec<String>,
}

/// A place with what is wrong there.
pub(super) struct Difference {
    /// JSON pointer.
    pub(super) pointer: String,
    /// What is wrong and what would be right.
    pub(super) message: String,
}

impl Schema {
    pub(super) fn new() -> Self {
        let root = schemars::schema_for!(Config).to_value();
        let validator = jsonschema::validator_for(&root).ok();
        Self { root, validator }
    }

    /// What the place expects; nothing when there is no such place.
    pub(super) fn expected(&self, pointer: &str) -> Expected {
        let mut expected = Expected::default();
        if let Some(schema) = self.at(pointer) {
            self.collect(schema, &mut expected);
        }
        expected
    }

    /// Every difference between the values and the schema.
    pub(super) fn differences(&self, draft: &Draft) -> Vec<Difference> {
        let values = Value::Object(draft.values.clone());
        let errors = self
            .validator
            .iter()
            .flat_map(|validator| validator.iter_errors(&values));
        let mut differences = Vec::new();
        for error in errors {
            let pointer = error.instance_path().to_string();
            if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
                for name in unexpected {
                    let place = format!("{pointer}{}", escaped(name));
                    let message = self.unknown_key(draft, &pointer, &place, name);
                    differences.push(Difference {
                        pointer: place,
                        message,
                    });
                }
            } else if let ValidationErrorKind::Required { property } = error.kind() {
                let name = property.as_str().unwrap_or_default();
                differences.push(Difference {
                    message: format!("the key `{name}` is missing; add it"),
                    pointer,
                });
            } else {
                let message = self.expected(&pointer).demand(&dotted(&pointer));
                differences.push(Difference { pointer, message });
            }
        }
        differences.extend(self.not_positive(draft));
        differences
    }

    /// All keys, dotted: `demo`, `llm.model`, `retrieval.reranker.url`.
    pub(super) fn keys(&self) -> Vec<String> {
        self.keys_below("")
    }

    fn keys_below(&self, table: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for name in self.names(table) {
            let pointer = format!("{table}{}", escaped(&name));
            if self.expected(&pointer).table {
                keys.extend(self.keys_below(&pointer));
            } else {
                keys.push(dotted(&pointer));
            }
        }
        keys
    }

    /// Whole numbers count things or time; none of them may be zero or less.
    fn not_positive(&self, draft: &Draft) -> Vec<Difference> {
        let low = |key: &String| {
            draft
                .value(key)
                .and_then(Value::as_i64)
                .is_some_and(|number| number < 1)
        };
        let keys = self.keys().into_iter().filter(low).filter_map(|key| {
            let pointer = pointer_of(&key);
            self.expected(&pointer).whole.then(|| Difference {
                message: self.expected(&pointer).demand(&key),
                pointer,
            })
        });
        keys.collect()
    }

    fn unknown_key(&self, draft: &Draft, table: &str, place: &str, name: &str) -> String {
        let shown = dotted(place);
        let names = self.names(table);
        let near = nearest(name, names.iter().map(String::as_str));
        let prefix = dotted(table);
        let suggested = near.map(|known| match prefix.as_str() {
            "" => known.to_owned(),
            prefix => format!("{prefix}.{known}"),
        });
        let elsewhere = || {
            self.keys()
                .into_iter()
                .find(|key| key.rsplit('.').next() == Some(name))
        };
        let from_variable = draft
            .origin(place)
            .is_some_and(|origin| origin.kind == OriginKind::Variable);
        match suggested.or_else(elsewhere) {
            Some(key) if from_variable => {
                format!("unknown key `{shown}`; did you mean {}?", variable_of(&key))
            }
            Some(key) => format!("unknown key `{shown}`; did you mean `{key}`?"),
            None => format!("unknown key `{shown}`; use one of {}", names.join(", ")),
        }
    }

    fn names(&self, pointer: &str) -> Vec<String> {
        let properties = self
            .at(pointer)
            .and_then(|schema| schema.get("properties"))
            .and_then(Value::as_object);
        properties
            .map(|properties| properties.keys().cloned().collect())
            .unwrap_or_default()
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        let mut schema = self.resolved(&self.root);
        for part in pointer.split('/').skip(1) {
            let inner = match part.parse::<usize>() {
                Ok(_) => schema.get("items"),
                Err(_) => schema
                    .get("properties")
                    .and_then(|properties| properties.get(part)),
            };
            schema = self.resolved(inner?);
        }
        Some(schema)
    }

    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let target = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|reference| reference.strip_prefix('#'));
        target
            .and_then(|pointer| self.root.pointer(pointer))
            .unwrap_or(schema)
    }

    fn collect(&self, schema: &Value, expected: &mut Expected) {
        let schema = self.resolved(schema);
        for keyword in ["anyOf", "oneOf", "allOf"] {
            for inner in schema
                .get(keyword)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                self.collect(inner, expected);
            }
        }
        let constant = schema.get("const").into_iter();
        let listed = schema
            .get("enum")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let choices: Vec<String> = constant
            .chain(listed)
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        if !choices.is_empty() {
            expected.choices.extend(choices);
            return;
        }
        let kinds: Vec<&str> = match schema.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
            Some(kind) => kind.as_str().into_iter().collect(),
            None => Vec::new(),
        };
        if schema.get("maxLength").is_some() {
            let description = schema.get("description").and_then(Value::as_str);
            expected.form = description.map(str::to_owned);
        }
        expected.text |= kinds.contains(&"string");
        expected.whole |= kinds.contains(&"integer");
        expected.number |= kinds.contains(&"number");
        expected.boolean |= kinds.contains(&"boolean");
        expected.list |= kinds.contains(&"array");
        expected.table |= kinds.contains(&"object");
    }
}

impl Expected {
    /// Whether keys of its own stand there.
    pub(super) fn is_table(&self) -> bool {
        self.table
    }

    /// A value from a variable or flag. Text that does not fit stays text, for the schema to complain about.
    pub(super) fn read(&self, text: &str) -> Value {
        let trimmed = text.trim();
        let as_json = |value: &Value| {
            (self.whole && value.is_i64())
                || (self.number && value.is_number())
                || (self.boolean && value.is_boolean())
        };
        if let Some(value) = serde_json::from_str::<Value>(&trimmed.to_lowercase())
            .ok()
            .filter(as_json)
        {
            return value;
        }
        if (self.list && trimmed.starts_with('[')) || (self.table && trimmed.starts_with('{')) {
            return serde_json::from_str(trimmed).unwrap_or_else(|_| Value::from(text));
        }
        if self.list && (!self.text || trimmed.contains(',')) {
            let items = trimmed
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            return items.map(Value::from).collect();
        }
        Value::from(text)
    }

    /// What must stand at a key. Never says what stands there: it may be a secret.
    fn demand(&self, key: &str) -> String {
        let mut kinds = Vec::new();
        if !self.choices.is_empty() {
            let choices: Vec<String> = self
                .choices
                .iter()
                .map(|choice| format!("\"{choice}\""))
                .collect();
            kinds.push(choices.join(" or "));
        }
        let form = self
            .form
            .as_ref()
            .map(|form| format!("a text in quotes: {form}"));
        let text = form.as_deref().unwrap_or("a text in quotes");
        let named = [
            (self.text, text),
            (self.whole, "a whole number of at least 1"),
            (self.number, "a number"),
            (self.boolean, "true or false"),
            (self.list, "a list"),
            (self.table, "a table of keys"),
        ];
        kinds.extend(
            named
                .into_iter()
                .filter(|(wanted, _)| *wanted)
                .map(|(_, name)| name.to_owned()),
        );
        format!("`{key}` must be {}", kinds.join(" or "))
    }
}

/// A JSON pointer as people write keys: `llm.model`, `shop.languages[1]`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.parse::<usize>().is_ok() {
            text.push_str(&format!("[{part}]"));
        } else {
            text.push_str(if text.is_empty() { "" } else { "." });
            text.push_str(&part);
        }
    }
    text
}

/// The JSON pointer of a dotted key.
pub(super) fn pointer_of(key: &str) -> String {
    key.split('.').map(escaped).collect()
}

fn variable_of(key: &str) -> String {
    let name = key.to_uppercase().replace('.', "__");
    let separator = if key.contains('.') { "" } else { "_" };
    format!("SPORTELLO_{separator}{name}")
}
