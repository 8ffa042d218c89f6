//! What the YAML files of the knowledge share: entries by language, with lines, and faults.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

use super::Fault;

/// A fault of YAML, in one line.
pub(super) fn yaml_fault(path: &str, error: &serde_saphyr::Error) -> Fault {
    let line = error.location().map_or(1, |location| location.line());
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    let text = text.strip_prefix("error: ").unwrap_or(text);
    // The line is named before the message already.
    let text = match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(text),
        None => text,
    };
    let advice = if text == "expected string scalar" {
        "put the text in quotes"
    } else {
        "correct it here"
    };
    let message = format!("the YAML cannot be used: {text}; {advice}");
    Fault::new(path, usize::try_from(line).unwrap_or(1), message)
}

/// The line of a value, counted from 1.
pub(super) fn line<T>(found: &Spanned<T>) -> usize {
    usize::try_from(found.referenced.line()).unwrap_or(1)
}

/// Each language with what stands below it, in the file's order and with lines.
pub(super) struct ByLanguage<T>(pub(super) Vec<(Spanned<String>, T)>);

impl<T> Default for ByLanguage<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByLanguage<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = ByLanguage<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list for each language")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByLanguage<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(ByLanguage(entries))
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}
