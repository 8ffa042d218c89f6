//! Rasa: `nlu.yml`, test stories, and end-to-end test cases.

mod stories;

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::{ImportFault, Imported, Source, Wishes};
use crate::eval::case::{Case, IntentCase};
use crate::understand::OUT_OF_SCOPE;

/// Names for what is in no intent, beside ours.
const OUTSIDE: [&str; 3] = ["nlu_fallback", "out_of_scope", "fallback"];

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    nlu: Vec<Spanned<Value>>,
    #[serde(default)]
    stories: Vec<Spanned<Value>>,
    #[serde(default)]
    test_cases: Vec<Spanned<Value>>,
}

/// Reads a file of Rasa: examples of intents, or stories.
///
/// # Errors
/// When the file cannot be read or has neither.
pub fn rasa(source: &Source, wishes: &Wishes) -> Result<Imported, ImportFault> {
    let mut imported = Imported::default();
    let whole: Value = source.yaml()?;
    let keys = whole.as_object().map(|whole| whole.keys());
    let mut known = false;
    for name in keys.into_iter().flatten() {
        match name.as_str() {
            "nlu" | "stories" | "test_cases" => known = true,
            "version" => {}
            _ => {
                let why = "it belongs to that bot; only nlu, stories and test_cases are read";
                let place = source.name.display().to_string();
                imported.refuse(format!("part `{name}`"), why, &place);
            }
        }
    }
    if !known {
        let message =
            "there is no `nlu`, `stories` or `test_cases`; give nlu.yml or test_stories.yml";
        return Err(source.fault(None, message));
    }
    let file: File = source.yaml()?;
    for entry in &file.nlu {
        let line = usize::try_from(entry.defined.line()).unwrap_or_default();
        examples(&entry.value, &source.at(line), wishes, &mut imported);
    }
    for story in file.stories.iter().chain(&file.test_cases) {
        let line = usize::try_from(story.defined.line()).unwrap_or_default();
        let place = source.at(line);
        if let Err((what, why)) = stories::story(&story.value, &place, wishes, &mut imported) {
            imported.refuse(what, why, &place);
        }
    }
    Ok(imported)
}

/// Reads which of their intents and actions are which of ours: `theirs: ours`, and under `actions` what follows.
///
/// # Errors
/// When the file is written otherwise.
pub fn mapping(source: &Source, wishes: &mut Wishes) -> Result<(), ImportFault> {
    let whole: Value = source.yaml()?;
    let Value::Object(whole) = whole else {
        return Err(source.fault(None, "write `their_intent: our_intent`, one a line"));
    };
    for (name, value) in whole {
        match (name.as_str(), value) {
            ("actions", Value::Object(actions)) => {
                for (theirs, ours) in actions {
                    let ours = ours.as_str().ok_or_else(|| {
                        let message = format!(
                            "`actions.{theirs}`: write handed_off, answered, silent, ignore or a tool"
                        );
                        source.fault(None, message)
                    })?;
                    wishes.actions.insert(theirs, ours.to_owned());
                }
            }
            (_, Value::String(ours)) => {
                wishes.intents.insert(name, ours);
            }
            _ => {
                let message = format!("`{name}` has no name beside it; write `{name}: our_intent`");
                return Err(source.fault(None, message));
            }
        }
    }
    Ok(())
}

fn examples(entry: &Value, place: &str, wishes: &Wishes, imported: &mut Imported) {
    let Some(theirs) = entry.get("intent").and_then(Value::as_str) else {
        let kinds = ["synonym", "lookup", "regex"];
        let kind = kinds.iter().find(|kind| entry.get(**kind).is_some());
        let what = match kind {
            Some(kind) => {
                let name = entry.get(*kind).and_then(Value::as_str).unwrap_or_default();
                format!("{kind} `{name}`")
            }
            None => "entry of `nlu` without `intent`".to_owned(),
        };
        imported.refuse(what, "it helps training; it is no case", place);
        return;
    };
    let texts = texts(entry);
    if texts.is_empty() {
        let what = format!("intent `{theirs}`");
        imported.refuse(what, "it has no examples", place);
        return;
    }
    let intent = match intent(theirs, wishes) {
        Ok(intent) => intent,
        Err(why) => {
            for _ in &texts {
                imported.refuse(format!("example of the intent `{theirs}`"), &why, place);
            }
            return;
        }
    };
    for text in texts {
        let plain = plain(&text, place, imported);
        if plain.starts_with('/') {
            let what = "example that names its intent (`/intent`)";
            imported.refuse(what, "no customer writes it", place);
            continue;
        }
        if !imported.names.insert(format!("{theirs}: {plain}")) {
            let what = format!("example of the intent `{theirs}` that is there twice");
            imported.refuse(what, "once is enough", place);
            continue;
        }
        imported.cases.push(Case::Intent(IntentCase {
            id: None,
            text: plain,
            language: wishes.language,
            intent: intent.clone(),
            tags: Vec::new(),
        }));
    }
}

/// The examples of an intent, which are a list, or a text with a line for each.
fn texts(entry: &Value) -> Vec<String> {
    let texts: Vec<String> = match entry.get("examples") {
        Some(Value::String(list)) => list
            .lines()
            .filter_map(|line| line.trim().strip_prefix('-'))
            .map(|line| line.trim().to_owned())
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(|example| example.as_str().or_else(|| example.get("text")?.as_str()))
            .map(|text| text.trim().trim_start_matches("- ").trim().to_owned())
            .collect(),
        _ => Vec::new(),
    };
    texts.into_iter().filter(|text| !text.is_empty()).collect()
}

/// The shop's name of an intent: as mapped, by its whole name or by what stands before the slash, else the same.
fn intent(theirs: &str, wishes: &Wishes) -> Result<String, String> {
    let group = theirs.split('/').next().unwrap_or(theirs);
    let mapped = wishes
        .intents
        .get(theirs)
        .or_else(|| wishes.intents.get(group));
    let ours = match mapped {
        Some(ours) => ours.as_str(),
        None if OUTSIDE.contains(&theirs) => OUT_OF_SCOPE,
        None => theirs,
    };
    if wishes.known.is_empty() || ours == OUT_OF_SCOPE || wishes.known.contains(ours) {
        return Ok(ours.to_owned());
    }
    Err(match mapped {
        Some(_) => format!("the shop has no intent `{ours}`; correct it in the file of --intents"),
        None => "the shop has no such intent; say which it is in a file of --intents".to_owned(),
    })
}

/// A text without the marks of its entities, which are refused by name.
fn plain(text: &str, place: &str, imported: &mut Imported) -> String {
    static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"\[([^\[\]]+)\](?:\(([^()]*)\)|(\{[^{}]*\})|\[((?:\s*\{[^{}]*\}\s*,?)+)\])"#)
            .ok()
    });
    let Some(mark) = MARK.as_ref() else {
        return text.to_owned();
    };
    for found in mark.captures_iter(text) {
        let simple = found.get(2).map(|name| name.as_str());
        let simple = simple.map(|name| name.split(':').next().unwrap_or(name).to_owned());
        let named = || {
            let object = found.get(3).or_else(|| found.get(4))?.as_str();
            let value: Value = serde_json::from_str(&format!("[{object}]")).ok()?;
            let name = value.get(0)?.get("entity")?.as_str()?;
            Some(name.to_owned())
        };
        let name = simple.or_else(named).unwrap_or_else(|| "?".to_owned());
        let why = "entities are not judged; the words stay";
        imported.refuse(format!("entity `{name}`"), why, place);
    }
    mark.replace_all(text, "$1").trim().to_owned()
}
