//! Every fault of every template at once, with file and line.

use std::collections::{BTreeSet, HashMap};

use super::file::{Button, Component, Kind, Written, blanks};
use super::{Definition, HeaderText, ParameterKind, ParameterSpec, TemplateAction, TemplateFault};
use crate::domain::{TemplateCategory, template_language};
use crate::whatsapp::message::limits::{BODY, FOOTER, HEADER, LINK, length};

/// Meta's limits on a template's own words.
const NAME: usize = 512;
const BUTTON: usize = 25;
const BUTTONS: usize = 10;

/// Reads and checks every file.
pub(super) fn all(
    files: Vec<(String, Vec<u8>)>,
    faults: &mut Vec<TemplateFault>,
) -> Vec<Definition> {
    let mut definitions: Vec<Definition> = Vec::new();
    let mut known: HashMap<(String, String), String> = HashMap::new();
    for (name, bytes) in files {
        let mut check = Check {
            file: &name,
            source: "",
            faults,
        };
        let Ok(source) = std::str::from_utf8(&bytes) else {
            check.fault("", "is not UTF-8; save it with that encoding");
            continue;
        };
        check.source = source;
        let Some(definition) = check.definition() else {
            continue;
        };
        let key = (definition.name.clone(), definition.language.clone());
        if let Some(other) = known.insert(key, name.clone()) {
            let message = format!("has the same name and language as {other}; keep one of them");
            check.fault("name", &message);
        }
        definitions.push(definition);
    }
    definitions
}

struct Check<'a> {
    file: &'a str,
    source: &'a str,
    faults: &'a mut Vec<TemplateFault>,
}

impl Check<'_> {
    /// The fault stands where the needle is first written.
    fn fault(&mut self, needle: &str, message: &str) {
        let line = self
            .source
            .find(needle)
            .filter(|_| !needle.is_empty())
            .map(|at| 1 + self.source[..at].matches('\n').count());
        self.faults.push(TemplateFault {
            place: line.map_or_else(
                || self.file.to_owned(),
                |line| format!("{}:{line}", self.file),
            ),
            message: message.to_owned(),
        });
    }

    fn definition(&mut self) -> Option<Definition> {
        let written: Written = match toml::from_str(self.source) {
            Ok(written) => written,
            Err(error) => {
                let line = error
                    .span()
                    .map(|span| 1 + self.source[..span.start].matches('\n').count());
                self.faults.push(TemplateFault {
                    place: line.map_or_else(
                        || self.file.to_owned(),
                        |line| format!("{}:{line}", self.file),
                    ),
                    message: error.message().to_owned(),
                });
                return None;
            }
        };
        let before = self.faults.len();
        self.heading(&written);
        let mut definition = Definition {
            category: TemplateCategory::from(written.category.clone()),
            language: template_language(&written.language),
            name: written.name,
            header: None,
            body: String::new(),
            footer: None,
            buttons: Vec::new(),
            parameters: Vec::new(),
        };
        for parameter in written.parameters {
            definition.parameters.push(ParameterSpec {
                name: parameter.name,
                kind: match parameter.r#type {
                    Kind::Text => ParameterKind::Text,
                    Kind::Currency => ParameterKind::Currency,
                    Kind::DateTime => ParameterKind::DateTime,
                    Kind::UrlSuffix => ParameterKind::UrlSuffix,
                },
                example: parameter.example,
            });
        }
        self.components(written.components, &mut definition);
        self.parameters(&definition);
        (self.faults.len() == before).then_some(definition)
    }

    fn heading(&mut self, written: &Written) {
        let allowed =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        if written.name.is_empty()
            || length(&written.name) > NAME
            || !written.name.chars().all(allowed)
        {
            self.fault("name", "`name` takes lower-case letters, digits and `_`");
        }
        let language = template_language(&written.language);
        let mut parts = language.split('_');
        let code = parts.next().unwrap_or_default();
        let plain = (2..=3).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_lowercase())
            && parts.all(|part| {
                !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            });
        if !plain {
            self.fault("language", "`language` is no code such as `it` or `en_US`");
        }
        if matches!(
            TemplateCategory::from(written.category.clone()),
            TemplateCategory::Other(_)
        ) {
            self.fault(
                "category",
                "`category` is utility, marketing or authentication",
            );
        }
    }

    fn components(&mut self, components: Vec<Component>, definition: &mut Definition) {
        let mut bodies = 0;
        for component in components {
            match component {
                Component::Header { format, text } if format == "TEXT" => {
                    self.words(&text, HEADER, "a header");
                    if blanks(&text).len() > 1 {
                        self.fault(&text, "a header has one blank at most");
                    }
                    definition.header = Some(HeaderText::Text(text));
                }
                Component::Header { format, .. } => {
                    if !["IMAGE", "VIDEO", "DOCUMENT", "LOCATION"].contains(&format.as_str()) {
                        self.fault(
                            "format",
                            "`format` is TEXT, IMAGE, VIDEO, DOCUMENT or LOCATION",
                        );
                    }
                    definition.header = Some(HeaderText::Media(format));
                }
                Component::Body { text } => {
                    bodies += 1;
                    self.words(&text, BODY, "a body");
                    self.surrounded(&text);
                    definition.body = text;
                }
                Component::Footer { text } => {
                    self.words(&text, FOOTER, "a footer");
                    if !blanks(&text).is_empty() {
                        self.fault(&text, "a footer has no blanks");
                    }
                    definition.footer = Some(text);
                }
                Component::Buttons { buttons } => {
                    if buttons.is_empty() || buttons.len() > BUTTONS {
                        self.fault("BUTTONS", "there are 1 to 10 buttons");
                    }
                    definition
                        .buttons
                        .extend(buttons.into_iter().map(|button| self.button(button)));
                }
            }
        }
        if bodies != 1 {
            self.fault(
                "components",
                "a template has exactly one component of type BODY",
            );
        }
    }

    fn words(&mut self, text: &str, limit: usize, what: &str) {
        if text.trim().is_empty() || length(text) > limit {
            let needle = text.lines().next().unwrap_or_default().to_owned();
            self.fault(&needle, &format!("{what} has 1 to {limit} characters"));
        }
    }

    /// Meta refuses blanks at the ends, and two without words between them.
    fn surrounded(&mut self, text: &str) {
        let trimmed = text.trim();
        let first = text.lines().next().unwrap_or_default().to_owned();
        if trimmed.starts_with("{{") || trimmed.ends_with("}}") {
            self.fault(&first, "a body neither begins nor ends with a blank");
        }
        if trimmed.replace(' ', "").contains("}}{{") {
            self.fault(&first, "two blanks need words between them");
        }
    }

    fn button(&mut self, button: Button) -> TemplateAction {
        let action = match button {
            Button::QuickReply { text } => TemplateAction::QuickReply { text },
            Button::Url { text, url } => TemplateAction::Url { text, url },
            Button::PhoneNumber { text, phone_number } => TemplateAction::PhoneNumber {
                text,
                phone: phone_number,
            },
            Button::CopyCode {} => TemplateAction::CopyCode,
            Button::Catalog { text } => TemplateAction::Catalog { text },
        };
        match &action {
            TemplateAction::QuickReply { text }
            | TemplateAction::PhoneNumber { text, .. }
            | TemplateAction::Catalog { text } => self.words(text, BUTTON, "a button"),
            TemplateAction::Url { text, url } => {
                self.words(text, BUTTON, "a button");
                let address = url.starts_with("https://") || url.starts_with("http://");
                let blank = blanks(url);
                let at_end = blank.is_empty() || url.trim_end().ends_with("}}");
                if !address || length(url) > LINK || blank.len() > 1 || !at_end {
                    self.fault(
                        url,
                        "a link begins with https:// and has one blank at most, at its end",
                    );
                }
            }
            TemplateAction::CopyCode => {}
        }
        action
    }

    /// Blanks and parameters are the same, all named or all numbered from 1.
    fn parameters(&mut self, definition: &Definition) {
        let mut used: BTreeSet<String> = BTreeSet::new();
        let mut suffixes: BTreeSet<String> = BTreeSet::new();
        for text in definition.texts() {
            used.extend(blanks(text));
        }
        for button in &definition.buttons {
            match button {
                TemplateAction::Url { url, .. } => suffixes.extend(blanks(url)),
                TemplateAction::CopyCode => {
                    suffixes.insert("code".to_owned());
                }
                TemplateAction::QuickReply { .. }
                | TemplateAction::PhoneNumber { .. }
                | TemplateAction::Catalog { .. } => {}
            }
        }
        let numbers: Vec<Option<usize>> = used.iter().map(|name| name.parse().ok()).collect();
        let numbered = numbers.iter().flatten().count();
        if numbered > 0 && numbered < used.len() {
            self.fault("{{", "blanks are all named or all numbered");
        } else if numbered > 0 && (1..=used.len()).any(|number| !used.contains(&number.to_string()))
        {
            self.fault("{{", "numbered blanks count from 1 without a gap");
        }
        let mut seen = BTreeSet::new();
        for spec in &definition.parameters {
            let quoted = format!("\"{}\"", spec.name);
            if !seen.insert(&spec.name) {
                self.fault(
                    &quoted,
                    &format!("the parameter `{}` is there twice", spec.name),
                );
            }
            if spec.example.trim().is_empty() {
                self.fault(
                    &quoted,
                    &format!("the parameter `{}` needs an example", spec.name),
                );
            }
            let in_text = used.contains(&spec.name);
            let in_link = suffixes.contains(&spec.name);
            if !in_text && !in_link {
                self.fault(&quoted, &format!("no blank is called `{}`", spec.name));
            } else if in_text && spec.kind == ParameterKind::UrlSuffix {
                let message = format!("`{}` is no end of a link; choose another type", spec.name);
                self.fault(&quoted, &message);
            }
        }
        for name in used.iter().chain(&suffixes) {
            if !definition.parameters.iter().any(|spec| spec.name == *name) {
                let message =
                    format!("the blank `{name}` needs an entry in [[parameters]] with an example");
                self.fault(name, &message);
            }
        }
    }
}
