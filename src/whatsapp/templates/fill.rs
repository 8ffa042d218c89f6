//! A template filled with values, checked before anything is sent.

use std::collections::BTreeMap;

use super::{Definition, HeaderText, ParameterKind, TemplateAction, file};
use crate::domain::{ButtonFilling, Filling, TemplateButton, TemplateMessage, TemplateValue};
use crate::whatsapp::message::limits::{BODY, COUPON, LINK, PARAMETER, length};

impl Definition {
    /// Fills the blanks by name or number; `header` is the link of a header's picture, film or document, and
    /// `code` what a button copies. Returns the message and the text that the customer reads.
    ///
    /// # Errors
    /// Every value that is missing, not asked for, of the wrong type or too long.
    pub fn fill(
        &self,
        values: &BTreeMap<String, Filling>,
    ) -> Result<(TemplateMessage, String), Vec<String>> {
        let mut faults = Vec::new();
        for name in values.keys() {
            let header = name == "header" && matches!(self.header, Some(HeaderText::Media(_)));
            if !header && self.spec(name).is_none() {
                faults.push(format!("`{name}` is no blank of `{}`", self.name));
            }
        }
        for spec in &self.parameters {
            match values.get(&spec.name) {
                None => faults.push(format!("`{}` is missing", spec.name)),
                Some(value) => faults.extend(fault(&spec.name, spec.kind, value)),
            }
        }
        let header = self.header(values, &mut faults);
        let text = self.text(values);
        if length(&text) > BODY + 2 * PARAMETER {
            faults.push("the filled text is too long".to_owned());
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let named = self.named();
        let value = |name: &String| TemplateValue {
            name: named.then(|| name.clone()),
            value: values.get(name).cloned().unwrap_or(Filling::Text {
                text: String::new(),
            }),
        };
        let mut body = Vec::new();
        for blank in file::blanks(&self.body) {
            // A blank that stands twice is one parameter.
            let repeated = body.iter().any(|(known, _)| *known == blank);
            if !repeated {
                let filled = value(&blank);
                body.push((blank, filled));
            }
        }
        if !named {
            body.sort_by_key(|(blank, _)| blank.parse::<u32>().unwrap_or(u32::MAX));
        }
        let message = TemplateMessage {
            name: self.name.clone(),
            language: self.language.clone(),
            header,
            body: body.into_iter().map(|(_, value)| value).collect(),
            buttons: self.filled_buttons(values),
        };
        Ok((message, text))
    }

    fn header(
        &self,
        values: &BTreeMap<String, Filling>,
        faults: &mut Vec<String>,
    ) -> Option<TemplateValue> {
        match self.header.as_ref()? {
            HeaderText::Text(text) => {
                let blank = file::blanks(text).into_iter().next()?;
                let value = values.get(&blank)?.clone();
                Some(TemplateValue {
                    name: self.named().then_some(blank),
                    value,
                })
            }
            HeaderText::Media(format) => {
                let value = values.get("header");
                let fits = match (format.as_str(), value) {
                    ("IMAGE", Some(Filling::Image { .. }))
                    | ("VIDEO", Some(Filling::Video { .. }))
                    | ("DOCUMENT", Some(Filling::Document { .. })) => true,
                    (_, _) => false,
                };
                if !fits {
                    faults.push(format!("`header` must be a link to its {format}"));
                }
                value.map(|value| TemplateValue {
                    name: None,
                    value: value.clone(),
                })
            }
        }
    }

    fn filled_buttons(&self, values: &BTreeMap<String, Filling>) -> Vec<TemplateButton> {
        let filled = |(index, button): (u8, &TemplateAction)| {
            let value = match button {
                TemplateAction::Url { url, .. } => {
                    let blank = file::blanks(url).into_iter().next()?;
                    let suffix = words(values.get(&blank)?).to_owned();
                    ButtonFilling::Url { suffix }
                }
                TemplateAction::CopyCode => ButtonFilling::Coupon {
                    code: words(values.get("code")?).to_owned(),
                },
                // What comes back is what the button says.
                TemplateAction::QuickReply { text } => ButtonFilling::Payload {
                    payload: text.clone(),
                },
                TemplateAction::PhoneNumber { .. } | TemplateAction::Catalog { .. } => return None,
            };
            Some(TemplateButton { index, value })
        };
        (0..).zip(&self.buttons).filter_map(filled).collect()
    }

    /// What the customer reads.
    fn text(&self, values: &BTreeMap<String, Filling>) -> String {
        let fill = |text: &str| {
            file::filled(text, |name| {
                values.get(name).map(words).unwrap_or_default().to_owned()
            })
        };
        let header = match &self.header {
            Some(HeaderText::Text(text)) => Some(format!("{}\n\n", fill(text))),
            Some(HeaderText::Media(_)) | None => None,
        };
        format!("{}{}", header.unwrap_or_default(), fill(&self.body))
    }
}

fn words(value: &Filling) -> &str {
    match value {
        Filling::Text { text } | Filling::Currency { text, .. } | Filling::DateTime { text } => {
            text
        }
        Filling::Image { link } | Filling::Video { link } | Filling::Document { link } => link,
    }
}

fn fault(name: &str, kind: ParameterKind, value: &Filling) -> Option<String> {
    let fits = match (kind, value) {
        (ParameterKind::Text | ParameterKind::UrlSuffix, Filling::Text { .. })
        | (ParameterKind::Currency, Filling::Currency { .. })
        | (ParameterKind::DateTime, Filling::DateTime { .. }) => true,
        (
            ParameterKind::Text
            | ParameterKind::UrlSuffix
            | ParameterKind::Currency
            | ParameterKind::DateTime,
            _,
        ) => false,
    };
    if !fits {
        return Some(format!("`{name}` must be {kind:?}"));
    }
    let words = words(value);
    let limit = match kind {
        ParameterKind::UrlSuffix if name == "code" => COUPON,
        ParameterKind::UrlSuffix => LINK,
        ParameterKind::Text | ParameterKind::Currency | ParameterKind::DateTime => PARAMETER,
    };
    if words.trim().is_empty() {
        Some(format!("`{name}` is empty"))
    } else if length(words) > limit {
        Some(format!("`{name}` is longer than {limit} characters"))
    } else if kind == ParameterKind::UrlSuffix && words.chars().any(char::is_whitespace) {
        Some(format!("`{name}` has a space in it"))
    } else {
        None
    }
}
