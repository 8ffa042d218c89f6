//! The shop's own templates: files in Meta's shape with typed parameters, checked before anything is sent.

mod check;
mod file;
mod fill;
mod sync;

pub use sync::{GraphTemplates, SyncError, SyncReport, Synced};

use std::path::Path;

use rust_embed::RustEmbed;
use serde_json::{Value, json};

use crate::domain::{Language, TemplateCategory};

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Demo;

/// A template that has passed every check.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Its language as Meta writes it, for example `it` or `en_US`.
    pub language: String,
    /// What it is for.
    pub category: TemplateCategory,
    header: Option<HeaderText>,
    body: String,
    footer: Option<String>,
    buttons: Vec<TemplateAction>,
    parameters: Vec<ParameterSpec>,
}

/// What stands above the body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum HeaderText {
    /// Words.
    Text(String),
    /// A picture, film, document or place, by Meta's name of the format.
    Media(String),
}

/// A button of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplateAction {
    QuickReply { text: String },
    Url { text: String, url: String },
    PhoneNumber { text: String, phone: String },
    CopyCode,
    Catalog { text: String },
}

/// A blank.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ParameterSpec {
    name: String,
    kind: ParameterKind,
    example: String,
}

/// What fills a blank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParameterKind {
    Text,
    Currency,
    DateTime,
    UrlSuffix,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TemplateFault {
    /// The file and, where it is known, the line.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl std::fmt::Display for TemplateFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.place, self.message)
    }
}

/// Reads every template of a folder, or those of the demo shop.
///
/// # Errors
/// Every fault of every file at once.
pub fn load(folder: Option<&Path>) -> Result<Vec<Definition>, Vec<TemplateFault>> {
    let mut faults = Vec::new();
    let files = match folder {
        Some(folder) => on_disk(folder, &mut faults),
        None => Demo::iter()
            .filter(|name| name.ends_with(".toml"))
            .filter_map(|name| {
                let bytes = Demo::get(&name)?.data.into_owned();
                Some((name.into_owned(), bytes))
            })
            .collect(),
    };
    let definitions = check::all(files, &mut faults);
    if faults.is_empty() {
        Ok(definitions)
    } else {
        Err(faults)
    }
}

fn on_disk(folder: &Path, faults: &mut Vec<TemplateFault>) -> Vec<(String, Vec<u8>)> {
    let mut fault = |place: &Path, error: std::io::Error| {
        faults.push(TemplateFault {
            place: place.display().to_string(),
            message: format!("cannot be read: {error}"),
        });
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            fault(folder, error);
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.extension().is_none_or(|ending| ending != "toml") {
            continue;
        }
        match std::fs::read(&path) {
            Ok(bytes) => files.push((path.display().to_string(), bytes)),
            Err(error) => fault(&path, error),
        }
    }
    files.sort();
    files
}

/// The template with this name for a customer of this language: in it, else in the fallback.
#[must_use]
pub fn for_language<'a>(
    definitions: &'a [Definition],
    name: &str,
    language: Language,
    fallback: Language,
) -> Option<&'a Definition> {
    let spoken = |definition: &&Definition, wanted: Language| {
        definition.name == name && definition.language.parse::<Language>() == Ok(wanted)
    };
    [language, fallback]
        .into_iter()
        .find_map(|wanted| definitions.iter().find(|found| spoken(found, wanted)))
}

impl Definition {
    /// Whether blanks have names; otherwise they are numbered.
    fn named(&self) -> bool {
        self.texts()
            .flat_map(file::blanks)
            .any(|blank| blank.parse::<u32>().is_err())
    }

    fn texts(&self) -> impl Iterator<Item = &str> {
        let header = match &self.header {
            Some(HeaderText::Text(text)) => Some(text.as_str()),
            Some(HeaderText::Media(_)) | None => None,
        };
        header.into_iter().chain([self.body.as_str()])
    }

    fn spec(&self, name: &str) -> Option<&ParameterSpec> {
        self.parameters.iter().find(|spec| spec.name == name)
    }

    fn example(&self, name: &str) -> &str {
        self.spec(name).map_or("", |spec| spec.example.as_str())
    }

    /// The request that creates it: `{"name", "language", "category", "parameter_format", "components"}`.
    #[must_use]
    pub fn creation(&self) -> Value {
        json!({
            "name": self.name,
            "language": self.language,
            "category": self.category.name(),
            "parameter_format": if self.named() { "NAMED" } else { "POSITIONAL" },
            "components": self.components(),
        })
    }

    fn components(&self) -> Vec<Value> {
        let mut components = Vec::new();
        match &self.header {
            Some(HeaderText::Text(text)) => {
                let header = json!({ "type": "HEADER", "format": "TEXT", "text": text });
                components.push(self.exemplified(header, text, "header_text"));
            }
            Some(HeaderText::Media(format)) => {
                components.push(json!({ "type": "HEADER", "format": format }));
            }
            None => {}
        }
        let body = json!({ "type": "BODY", "text": self.body });
        components.push(self.exemplified(body, &self.body, "body_text"));
        if let Some(footer) = &self.footer {
            components.push(json!({ "type": "FOOTER", "text": footer }));
        }
        if !self.buttons.is_empty() {
            let buttons: Vec<Value> = self.buttons.iter().map(|one| self.button(one)).collect();
            components.push(json!({ "type": "BUTTONS", "buttons": buttons }));
        }
        components
    }

    fn exemplified(&self, mut component: Value, text: &str, key: &str) -> Value {
        let blanks = file::blanks(text);
        if blanks.is_empty() {
            return component;
        }
        component["example"] = if self.named() {
            let examples: Vec<Value> = blanks
                .iter()
                .map(|name| json!({ "param_name": name, "example": self.example(name) }))
                .collect();
            json!({ format!("{key}_named_params"): examples })
        } else {
            let examples: Vec<&str> = blanks.iter().map(|name| self.example(name)).collect();
            // Several sets of examples may be given for a body, one for a header.
            if key == "body_text" {
                json!({ key: [examples] })
            } else {
                json!({ key: examples })
            }
        };
        component
    }

    fn button(&self, button: &TemplateAction) -> Value {
        match button {
            TemplateAction::QuickReply { text } => json!({ "type": "QUICK_REPLY", "text": text }),
            TemplateAction::PhoneNumber { text, phone } => {
                json!({ "type": "PHONE_NUMBER", "text": text, "phone_number": phone })
            }
            TemplateAction::CopyCode => {
                let code = self.parameters.iter().find(|spec| spec.name == "code");
                json!({ "type": "COPY_CODE", "example": code.map_or("CODE", |spec| spec.example.as_str()) })
            }
            TemplateAction::Catalog { text } => json!({ "type": "CATALOG", "text": text }),
            TemplateAction::Url { text, url } => match file::blanks(url).first() {
                // Meta numbers the blank of a link even where the others have names.
                Some(blank) => {
                    let start = url.split("{{").next().unwrap_or_default();
                    json!({ "type": "URL", "text": text, "url": format!("{start}{{{{1}}}}"),
                            "example": [format!("{start}{}", self.example(blank))] })
                }
                None => json!({ "type": "URL", "text": text, "url": url }),
            },
        }
    }
}

#[cfg(test)]
mod tests;
