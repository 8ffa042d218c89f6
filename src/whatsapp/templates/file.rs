//! A template's file as it is written.

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) name: String,
    pub(super) language: String,
    pub(super) category: String,
    pub(super) components: Vec<Component>,
    #[serde(default)]
    pub(super) parameters: Vec<Parameter>,
}

/// A part of the template, in Meta's shape without its examples.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "UPPERCASE", deny_unknown_fields)]
pub(super) enum Component {
    Header {
        #[serde(default = "text_format")]
        format: String,
        #[serde(default)]
        text: String,
    },
    Body {
        text: String,
    },
    Footer {
        text: String,
    },
    Buttons {
        buttons: Vec<Button>,
    },
}

fn text_format() -> String {
    "TEXT".to_owned()
}

/// A button, in Meta's shape.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub(super) enum Button {
    QuickReply { text: String },
    Url { text: String, url: String },
    PhoneNumber { text: String, phone_number: String },
    CopyCode {},
    Catalog { text: String },
}

/// A blank: its name or number, what fills it and an example.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parameter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) r#type: Kind,
    pub(super) example: String,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    #[default]
    Text,
    #[serde(alias = "currency")]
    Currency,
    #[serde(alias = "date_time")]
    DateTime,
    #[serde(alias = "url_suffix")]
    UrlSuffix,
}

/// The names in `{{…}}`, in order.
pub(super) fn blanks(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            break;
        };
        names.push(name.trim().to_owned());
        rest = behind;
    }
    names
}

/// The text with each blank filled.
pub(super) fn filled(text: &str, fill: impl Fn(&str) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, behind)) = after.split_once("}}") else {
            break;
        };
        out.push_str(before);
        out.push_str(&fill(name.trim()));
        rest = behind;
    }
    out.push_str(rest);
    out
}
