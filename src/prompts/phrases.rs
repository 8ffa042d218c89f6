//! The phrase files: one TOML file a language, the same keys in each.

use minijinja::Environment;

use super::PromptError;
use crate::domain::suggestion;

const FILES: [(&str, &str); 5] = [
    ("en", include_str!("../../prompts/phrases/en.toml")),
    ("it", include_str!("../../prompts/phrases/it.toml")),
    ("es", include_str!("../../prompts/phrases/es.toml")),
    ("pt", include_str!("../../prompts/phrases/pt.toml")),
    ("de", include_str!("../../prompts/phrases/de.toml")),
];

/// Adds every phrase as a template `<language>/<key>`; keys in a table as `<language>/<table>.<key>`.
pub fn add(environment: &mut Environment<'static>) -> Result<(), PromptError> {
    for (language, file) in FILES {
        for (key, text) in read(language, file)? {
            environment.add_template_owned(format!("{language}/{key}"), text)?;
        }
    }
    Ok(())
}

/// Puts phrases of a shop in the place of ours. Each is one that English has.
pub fn replace(
    environment: &mut Environment<'static>,
    language: &str,
    file: &str,
) -> Result<(), PromptError> {
    for (key, text) in read(language, file)? {
        let english = format!("en/{key}");
        if environment.get_template(&english).is_err() {
            let known = environment.templates();
            let meant = suggestion(&key, known.filter_map(|(name, _)| name.strip_prefix("en/")));
            return Err(PromptError(format!("there is no phrase `{key}`{meant}")));
        }
        let name = format!("{language}/{key}");
        super::replace(environment, &name, &english, &text)
            .map_err(|error| PromptError(format!("{key}: {}", error.0)))?;
    }
    Ok(())
}

fn read(language: &str, file: &str) -> Result<Vec<(String, String)>, PromptError> {
    let table: toml::Table = file
        .parse()
        .map_err(|error| PromptError(format!("phrases/{language}.toml: {error}")))?;
    let mut phrases = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::String(text) => phrases.push((key, text)),
            toml::Value::Table(names) => {
                for (name, text) in names {
                    let text = text.as_str().unwrap_or_default().to_owned();
                    phrases.push((format!("{key}.{name}"), text));
                }
            }
            toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_) => {
                return Err(PromptError(format!(
                    "phrases/{language}.toml: `{key}` is not text"
                )));
            }
        }
    }
    Ok(phrases)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use regex::Regex;

    use super::*;

    fn blanks(text: &str) -> BTreeSet<String> {
        let mut environment = Environment::new();
        environment.add_template("phrase", text).unwrap();
        environment
            .get_template("phrase")
            .unwrap()
            .undeclared_variables(false)
            .into_iter()
            .collect()
    }

    #[test]
    fn every_language_has_the_same_phrases_with_the_same_blanks() {
        let shape = |language: &str, file: &str| -> BTreeMap<String, BTreeSet<String>> {
            let phrases = read(language, file).unwrap();
            phrases
                .into_iter()
                .map(|(key, text)| (key, blanks(&text)))
                .collect()
        };
        let (english, file) = FILES[0];
        let expected = shape(english, file);
        for (language, file) in FILES {
            assert_eq!(shape(language, file), expected, "phrases/{language}.toml");
        }
    }

    /// Keys that the sources put together from a part that varies.
    const COMPOSED: [&str; 3] = ["choice_", "order_", "reason_"];

    #[test]
    fn what_the_program_says_and_what_is_written_is_the_same() {
        let sources = sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
        let (language, file) = FILES[0];
        let phrases = read(language, file).unwrap();
        let known: BTreeSet<&str> = phrases.iter().map(|(key, _)| key.as_str()).collect();
        for key in known.iter().filter(|key| !key.contains('.')) {
            let composed = COMPOSED.iter().any(|start| key.starts_with(start));
            let said = composed || sources.contains(&format!("\"{key}\""));
            assert!(said, "nothing says `{key}`");
        }
        let said = Regex::new(r#"\.(?:plain|say)\(\s*"([a-z_]+)""#).unwrap();
        for key in said
            .captures_iter(&sources)
            .map(|found| found[1].to_owned())
        {
            assert!(known.contains(key.as_str()), "`{key}` is not written");
        }
    }

    fn sources(folder: &Path) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                text += &sources(&path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                text += &std::fs::read_to_string(&path).unwrap();
            }
        }
        text
    }

    #[test]
    fn what_stands_on_a_button_fits_on_a_button() {
        for (language, file) in FILES {
            for (key, text) in read(language, file).unwrap() {
                if key.starts_with("choice_") || key == "link_label" {
                    assert!(text.chars().count() <= 20, "phrases/{language}.toml: {key}");
                }
            }
        }
    }
}
