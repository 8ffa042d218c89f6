//! `intents/<name>.yaml`: what customers say when they mean something.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::domain::Language;

use super::files::Files;
use super::yaml::{ByLanguage, line, yaml_fault};
use super::{IntentExamples, Notes, vocabulary};

/// The name under which everything stands that the shop does not deal with.
pub const OUT_OF_SCOPE: &str = "out_of_scope";

const FOLDER: &str = "intents";

/// An intent with fewer examples cannot be told from others.
const FEWEST_EXAMPLES: usize = 5;

/// Reads all intents, by name; the demo shop's when the folder has none of its own.
pub(super) fn read(files: &Files, notes: &mut Notes) -> Vec<IntentExamples> {
    if files.below(FOLDER).next().is_none() {
        notes.warning(
            FOLDER,
            1,
            "there are no intents; those of the demo shop are used",
        );
        return read_from(&Files::embedded(), notes);
    }
    read_from(files, notes)
}

fn read_from(files: &Files, notes: &mut Notes) -> Vec<IntentExamples> {
    let mut intents = Vec::new();
    let mut seen = Seen::default();
    let mut names = Vec::new();
    for (path, parts) in files.below(FOLDER) {
        let name = match parts.as_slice() {
            [file] => file.strip_suffix(".yaml"),
            _ => None,
        };
        let Some(name) = name else {
            notes.warning(
                path,
                1,
                "the file is not read; intents are at intents/<name>.yaml",
            );
            continue;
        };
        names.push(name);
        intents.extend(
            files
                .text(path, notes)
                .and_then(|text| intent(path, name, &text, &mut seen, notes)),
        );
    }
    if !names.contains(&OUT_OF_SCOPE) {
        let message = "the file is missing, so nothing shows what the shop does not deal with; write it like an intent";
        notes.warning("intents/out_of_scope.yaml", 1, message);
    }
    if names.iter().all(|name| *name == OUT_OF_SCOPE) {
        notes.fault(
            FOLDER,
            1,
            "there is no intent; write intents/<name>.yaml or remove the folder",
        );
    }
    intents.sort_by(|left: &IntentExamples, right| left.name.cmp(&right.name));
    intents
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IntentFile {
    name: Option<Spanned<String>>,
    description: Option<String>,
    examples: Option<ByLanguage<Vec<Spanned<String>>>>,
}

/// Where each example was first: language and folded text to intent, file and line.
#[derive(Default)]
struct Seen(HashMap<(Language, String), (String, String, usize)>);

fn intent(
    path: &str,
    name: &str,
    text: &str,
    seen: &mut Seen,
    notes: &mut Notes,
) -> Option<IntentExamples> {
    let file = match serde_saphyr::from_str::<IntentFile>(text) {
        Ok(file) => file,
        Err(error) => {
            notes.faults.push(yaml_fault(path, &error));
            return None;
        }
    };
    let before = notes.faults.len();
    let plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    if name.is_empty() || !name.chars().all(plain) {
        notes.fault(
            path,
            1,
            format!("`{name}` cannot name an intent; use lower-case letters, digits and `_`"),
        );
    }
    match &file.name {
        None => notes.fault(path, 1, format!("`name` is missing; add `name: {name}`")),
        Some(found) if found.value != name => {
            let message = format!(
                "`name` is `{}`, but the file says `{name}`; write `name: {name}` or rename the file",
                found.value
            );
            notes.fault(path, line(found), message);
        }
        Some(_) => {}
    }
    let description = file.description.unwrap_or_default().trim().to_owned();
    if description.is_empty() {
        notes.fault(
            path,
            1,
            "`description` is missing; say in a few English words what customers want",
        );
    }
    let entries = file.examples.map(|examples| examples.0).unwrap_or_default();
    let count: usize = entries.iter().map(|(_, examples)| examples.len()).sum();
    let examples = examples(path, name, entries, seen, notes);
    if count < FEWEST_EXAMPLES {
        let message = format!(
            "there are {count} examples; write at least {FEWEST_EXAMPLES} below `examples`, by language"
        );
        notes.fault(path, 1, message);
    }
    (notes.faults.len() == before).then(|| IntentExamples {
        name: name.to_owned(),
        description,
        examples,
    })
}

fn examples(
    path: &str,
    name: &str,
    entries: Vec<(Spanned<String>, Vec<Spanned<String>>)>,
    seen: &mut Seen,
    notes: &mut Notes,
) -> BTreeMap<Language, Vec<String>> {
    let mut by_language: BTreeMap<Language, Vec<String>> = BTreeMap::new();
    for (code, examples) in entries {
        let language = match vocabulary::language(&code.value) {
            Ok(language) => language,
            Err(message) => {
                notes.fault(path, line(&code), message);
                continue;
            }
        };
        for example in examples {
            let text = example.value.trim();
            if text.is_empty() {
                notes.fault(
                    path,
                    line(&example),
                    "the example is empty; write it or remove the line",
                );
                continue;
            }
            if is_new(path, name, language, &example, seen, notes) {
                by_language
                    .entry(language)
                    .or_default()
                    .push(text.to_owned());
            }
        }
    }
    by_language
}

/// Whether the example occurs for the first time; elsewhere it is a fault, in the same intent a warning.
fn is_new(
    path: &str,
    name: &str,
    language: Language,
    example: &Spanned<String>,
    seen: &mut Seen,
    notes: &mut Notes,
) -> bool {
    let words: Vec<&str> = example.value.split_whitespace().collect();
    let folded = words.join(" ").to_lowercase();
    let key = (language, folded);
    let Some((intent, first_path, first_line)) = seen.0.get(&key) else {
        seen.0
            .insert(key, (name.to_owned(), path.to_owned(), line(example)));
        return true;
    };
    let text = example.value.trim();
    if intent == name {
        notes.warning(
            path,
            line(example),
            format!("the example `{text}` is on line {first_line} already; remove one"),
        );
    } else {
        let message = format!(
            "the example `{text}` is in {first_path}:{first_line} already; keep it in one intent only"
        );
        notes.fault(path, line(example), message);
    }
    false
}
