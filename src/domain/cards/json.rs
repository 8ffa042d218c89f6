//! Card numbers in JSON, masked so that it stays JSON and its identifiers stay whole.

use std::borrow::Cow;

use serde_json::Value;

use super::{CODE, Masked, mask_cards};

/// Masks card numbers in JSON text and keeps it valid; text that is not JSON is masked as text.
///
/// Strings and numbers at any depth are masked, also in JSON inside a string. What stands under a key that
/// names a protocol value is left alone: keys that end in `id`, `ids`, `url`, `link`, `timestamp`, `time`
/// or `phone_number`, and `from`, `to`, `input`, `recipient`, `phone`, `user`, `payload`, `hash` and
/// `sha256`; a `phone` of more than 15 digits is none. Everything else counts as human text, so that an unknown kind of message is masked too.
/// Below a JSON text in a string (a form that someone filled in) no key is spared.
#[must_use]
pub fn mask_cards_in_json(raw: &str) -> Masked<'_> {
    let Ok(mut value) = serde_json::from_str::<Value>(raw) else {
        return mask_cards(raw);
    };
    let found = mask_cards_in_value(&mut value);
    Masked {
        text: if found == 0 {
            Cow::Borrowed(raw)
        } else {
            Cow::Owned(value.to_string())
        },
        found,
    }
}

/// Masks card numbers in a JSON value as [`mask_cards_in_json`] does; returns how many.
pub fn mask_cards_in_value(value: &mut Value) -> usize {
    mask(value, "", Keys::Protocol)
}

/// Who chose the keys: a protocol, whose identifiers are spared, or the maker of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    Protocol,
    Form,
}

fn mask(value: &mut Value, key: &str, keys: Keys) -> usize {
    match value {
        Value::Object(fields) => fields
            .iter_mut()
            .map(|(key, field)| mask(field, key, keys))
            .sum(),
        Value::Array(elements) => elements
            .iter_mut()
            .map(|element| mask(element, key, keys))
            .sum(),
        Value::String(text) => {
            let Some((masked, found)) = mask_text(text, key, keys) else {
                return 0;
            };
            *text = masked;
            found
        }
        Value::Number(number) if number.is_u64() => {
            let Some((masked, found)) = mask_text(&number.to_string(), key, keys) else {
                return 0;
            };
            *value = Value::String(masked);
            found
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// The masked text and how much was masked in it; nothing when it stays as it is.
fn mask_text(text: &str, key: &str, keys: Keys) -> Option<(String, usize)> {
    if keys == Keys::Protocol && is_protocol(key) && !too_long_for_a_phone(key, text) {
        return None;
    }
    if keys == Keys::Protocol
        && text.trim_start().starts_with(['{', '['])
        && let Ok(mut form) = serde_json::from_str::<Value>(text)
    {
        let found = mask(&mut form, "", Keys::Form);
        return (found > 0).then(|| (form.to_string(), found));
    }
    if names_a_code(key)
        && matches!(text.trim().len(), 3 | 4)
        && text.trim().bytes().all(|byte| byte.is_ascii_digit())
    {
        return Some((CODE.to_owned(), 1));
    }
    let masked = mask_cards(text);
    (masked.found > 0).then(|| (masked.text.into_owned(), masked.found))
}

fn is_protocol(key: &str) -> bool {
    const WHOLE: [&str; 9] = [
        "from",
        "to",
        "input",
        "recipient",
        "phone",
        "user",
        "payload",
        "hash",
        "sha256",
    ];
    const ENDINGS: [&str; 7] = [
        "id",
        "ids",
        "url",
        "link",
        "timestamp",
        "time",
        "phone_number",
    ];
    let key = key.to_ascii_lowercase();
    WHOLE.contains(&key.as_str()) || ENDINGS.iter().any(|ending| key.ends_with(ending))
}

/// E.164 ends at 15 digits: a longer number in the field of a phone, as in a contact's card, is none.
fn too_long_for_a_phone(key: &str, text: &str) -> bool {
    key.eq_ignore_ascii_case("phone") && text.bytes().filter(u8::is_ascii_digit).count() > 15
}

fn names_a_code(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["cvv", "cvc", "csc", "security_code", "codice_sicurezza"]
        .iter()
        .any(|word| key.contains(word))
}
