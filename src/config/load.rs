//! Reads the configuration and reports every fault at once.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::draft::{Draft, Origin, OriginKind};
use super::schema::{Schema, dotted, pointer_of};
use super::{Config, checks};

/// Something wrong in the configuration. Never carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ConfigFault {
    /// Where it was written: `sportello.toml:12`, a variable's name or a flag's.
    pub origin: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl ConfigFault {
    pub(super) fn new(origin: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            origin: origin.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.origin, self.message)
    }
}

/// A key that was given on the command line.
#[derive(Debug, Clone, Copy)]
pub struct Flag<'a> {
    /// As it was written: `--listen`.
    pub name: &'a str,
    /// The key it sets: `server.listen`.
    pub key: &'a str,
    /// The value as text.
    pub value: &'a str,
}

/// The configuration: defaults, then the file, then the environment, then flags. Without a file it is the demo's.
///
/// # Errors
/// Every fault that was found, ordered by where it was written.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[Flag<'_>],
) -> Result<Config, Vec<ConfigFault>> {
    let schema = Schema::new();
    let mut draft = Draft::new();
    if let Some(path) = file {
        draft.read_file(path);
    }
    for (name, value) in environment {
        draft.read_variable(&name, &value, &schema);
    }
    for flag in flags {
        let text = flag.name.to_owned();
        draft.set(
            flag.key,
            flag.value,
            &schema,
            Origin {
                text,
                kind: OriginKind::Flag,
            },
        );
    }
    if file.is_none() {
        draft.values.entry("demo").or_insert(Value::Bool(true));
    }
    let mut faults = std::mem::take(&mut draft.faults);
    let (config, wrong) = typed(&schema, &draft, &mut faults);
    let config = config.map(|config| tidied(config, &draft, file));
    if let Some(config) = config.as_ref().filter(|_| !draft.broken) {
        for finding in checks::check(config, &draft) {
            let blurred = finding.keys.iter().any(|key| wrong.contains(*key));
            let origin = finding
                .keys
                .iter()
                .find_map(|key| draft.origin(&pointer_of(key)));
            if !blurred {
                let origin = origin.map_or("the defaults", |origin| origin.text.as_str());
                faults.push(ConfigFault::new(origin, finding.message));
            }
        }
    }
    faults.sort_by_cached_key(|fault| order(&fault.origin, &fault.message));
    faults.dedup();
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

/// The configuration of all values that fit, and the keys of those that do not.
fn typed(
    schema: &Schema,
    draft: &Draft,
    faults: &mut Vec<ConfigFault>,
) -> (Option<Config>, BTreeSet<String>) {
    let mut wrong = BTreeSet::new();
    for difference in schema.differences(draft) {
        let origin = draft
            .origin(&difference.pointer)
            .map(|origin| origin.text.as_str());
        faults.push(ConfigFault::new(
            origin.unwrap_or("the defaults"),
            difference.message,
        ));
        wrong.insert(top_key(&difference.pointer));
    }
    let mut fitting = Map::new();
    for (section, value) in &draft.values {
        let Some(keys) = value.as_object() else {
            if !wrong.contains(section) {
                fitting.insert(section.clone(), value.clone());
            }
            continue;
        };
        let mut table = Map::new();
        for (name, value) in keys {
            let key = format!("{section}.{name}");
            if wrong.contains(&key) || wrong.contains(section) {
                continue;
            }
            match serde_json::from_value::<Config>(json!({ section: { name: value } })) {
                Ok(_) => {
                    table.insert(name.clone(), value.clone());
                }
                Err(error) => {
                    let origin = draft
                        .origin(&pointer_of(&key))
                        .map(|origin| origin.text.as_str());
                    faults.push(ConfigFault::new(
                        origin.unwrap_or("the defaults"),
                        refusal(&key, &error),
                    ));
                    wrong.insert(key);
                }
            }
        }
        fitting.insert(section.clone(), Value::Object(table));
    }
    fitting.retain(|section, _| {
        schema
            .keys()
            .iter()
            .any(|key| key.split('.').next() == Some(section))
    });
    (serde_json::from_value(Value::Object(fitting)).ok(), wrong)
}

/// Why a value of the right type was refused. A secret's text is never repeated.
fn refusal(key: &str, error: &serde_json::Error) -> String {
    let secret = ["secret", "token", "key", "password", "numbers"]
        .iter()
        .any(|word| key.contains(word));
    if secret {
        format!("`{key}` cannot be used")
    } else {
        format!("`{key}` cannot be used: {error}")
    }
}

/// Addresses without a slash at the end, and the knowledge folder as seen from the file that names it.
fn tidied(mut config: Config, draft: &Draft, file: Option<&Path>) -> Config {
    let trim = |address: &mut String| address.truncate(address.trim_end_matches('/').len());
    let optional = [
        &mut config.server.public_url,
        &mut config.llm.base_url,
        &mut config.embedding.base_url,
        &mut config.retrieval.reranker.url,
    ];
    optional.into_iter().flatten().for_each(trim);
    trim(&mut config.whatsapp.graph_url);
    trim(&mut config.payments.stripe_url);
    let from_file = |pointer: &str| {
        let written = draft.origin(pointer);
        written.is_some_and(|origin| origin.kind == OriginKind::File)
    };
    let paths = [
        ("/knowledge/path", &mut config.knowledge.path),
        ("/agent/texts", &mut config.agent.texts),
        ("/whatsapp/templates", &mut config.whatsapp.templates),
    ];
    for (pointer, path) in paths {
        let folder = file.and_then(Path::parent).filter(|_| from_file(pointer));
        if let (Some(folder), Some(path)) = (folder, path) {
            *path = folder.join(&path);
        }
    }
    config
}

/// `whatsapp.numbers` for a pointer into one of the numbers, `retrieval.reranker` for one into its table.
fn top_key(pointer: &str) -> String {
    let parts: Vec<&str> = pointer.split('/').skip(1).take(2).collect();
    dotted(&format!("/{}", parts.join("/")))
}

/// Sorts `file:9` before `file:10`.
fn order(origin: &str, message: &str) -> (String, usize, String) {
    let (name, line) = origin.rsplit_once(':').unwrap_or((origin, ""));
    (
        name.to_owned(),
        line.parse().unwrap_or(0),
        message.to_owned(),
    )
}
