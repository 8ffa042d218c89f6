//! Stand-ins for what differs from run to run and for what names a person.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock};

use regex::{Captures, Regex};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::domain::mask_cards;

/// What is replaced, tried in this order where several begin at the same place. A stand-in that somebody wrote is
/// replaced like the rest, so that nothing written can be taken for one of ours, and hiding twice changes nothing.
/// Word ends are those of ASCII: the others are slow to look for.
const FORMS: &[(&str, &str)] = &[
    (
        "written",
        r"<(?:shop|key|email|id|time|date|account|phone)-[0-9]{1,6}>",
    ),
    (
        "key",
        r"(?-u:\b)(?:(?:sk|pk|rk)[-_]|whsec_|gh[op]_|xox[abp]-|AKIA|EAA)[-_A-Za-z0-9]{16,}|(?-u:\b)eyJ[-_A-Za-z0-9]{8,}\.[-_A-Za-z0-9]{8,}\.[-_A-Za-z0-9]{8,}",
    ),
    (
        "email",
        r"[\p{L}0-9][\p{L}0-9._%+-]*@[\p{L}0-9-]+(?:\.[\p{L}0-9-]+)*\.\p{L}{2,}",
    ),
    (
        "id",
        r"(?-u:\b)(?:ct|cv|tn|in|ob|tk|at)_[0-9a-f]{32}(?-u:\b)|(?-u:\b)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?-u:\b)|(?-u:\b)[0-9a-f]{32}(?-u:\b)",
    ),
    (
        "time",
        r"(?-u:\b)[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2}|(?-u:\b))",
    ),
    ("day", r"(?-u:\b)[0-9]{4}-[0-9]{2}-[0-9]{2}(?-u:\b)"),
    // Looks like a telephone number and is none.
    (
        "date",
        r"(?-u:\b)[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{4}|[0-9]{2})(?-u:\b)",
    ),
    (
        "account",
        r"(?-u:\b)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,4})?(?-u:\b)",
    ),
    (
        "phone",
        r"(?:\+|(?-u:\b)00)[0-9][0-9 ().\-/\u{a0}]{5,18}[0-9](?-u:\b)|(?:\(0[0-9]{1,4}\)|(?-u:\b)0[0-9]{1,4})[ /.\-\u{a0}]*[0-9][0-9 /.\-\u{a0}]{3,14}[0-9](?-u:\b)|(?-u:\b)[0-9]{3,4}[ .\-/\u{a0}][0-9]{2,7}(?:[ .\-/\u{a0}][0-9]{2,4})*(?-u:\b)|(?-u:\b)[0-9]{9,15}(?-u:\b)",
    ),
];
/// A number with fewer digits is no telephone number unless a plus or a zero marks it.
const PHONE_DIGITS: usize = 9;
const MARKED_PHONE_DIGITS: usize = 7;
/// Ids that the offline model finds its results by; they are the same in every run.
const OFFLINE_CALL: &str = "offline-";

static STAND_IN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(FORMS[0].1).ok());
/// Scores of what was understood, as prompts write them: they differ in the last digit between processors.
static SCORE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\(-?[01](?:\.[0-9]{1,2})?\)").ok());

/// What must never be in a cassette beside what is told by its form: our own address and secrets.
pub struct Scrubber {
    /// Our address, then the secrets.
    exact: Vec<String>,
    pattern: Option<Arc<Regex>>,
}

impl Scrubber {
    /// A scrubber that knows the address that links of this run begin with, and the configuration's secrets.
    #[must_use]
    pub fn new(public_url: &str, secrets: &[SecretString]) -> Self {
        let secrets = secrets
            .iter()
            .map(|secret| secret.expose_secret().to_owned());
        let exact: Vec<String> = std::iter::once(public_url.trim_end_matches('/').to_owned())
            .chain(secrets)
            .collect();
        let pattern = pattern(&exact, &[]);
        Self { exact, pattern }
    }

    /// Stand-ins for one request. `fresh` are further values that differ from run to run, such as the number of
    /// an order that was paid in it.
    #[must_use]
    pub(super) fn stand_ins(&self, fresh: &[String]) -> StandIns {
        let again = (!fresh.is_empty()).then(|| pattern(&self.exact, fresh));
        StandIns {
            pattern: again.unwrap_or_else(|| self.pattern.clone()),
            fresh: fresh.to_vec(),
            numbers: HashMap::new(),
            values: HashMap::new(),
            calls: HashMap::new(),
        }
    }
}

/// Nothing is shown of the secrets.
impl std::fmt::Debug for Scrubber {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Scrubber").finish_non_exhaustive()
    }
}

fn pattern(exact: &[String], fresh: &[String]) -> Option<Arc<Regex>> {
    let any = |values: &[String]| {
        let mut values: Vec<&String> = values.iter().filter(|value| value.len() > 2).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        let escaped: Vec<String> = values.iter().map(|value| regex::escape(value)).collect();
        escaped.join("|")
    };
    let (shop, secrets) = exact.split_at(exact.len().min(1));
    let mut groups = Vec::new();
    for (name, alternatives) in [("shop", any(shop)), ("secret", any(secrets))] {
        if !alternatives.is_empty() {
            groups.push(format!("(?<{name}>{alternatives})"));
        }
    }
    let numbers = any(fresh);
    if !numbers.is_empty() {
        groups.push(format!(r"(?<fresh>(?-u:\b)(?:{numbers})(?-u:\b))"));
    }
    let forms = FORMS
        .iter()
        .map(|(name, form)| format!("(?<{name}>{form})"));
    groups.extend(forms);
    Regex::new(&groups.join("|")).ok().map(Arc::new)
}

/// The stand-ins of one request and its reply.
pub(super) struct StandIns {
    /// Shared, because every copy of a pattern begins to learn anew.
    pattern: Option<Arc<Regex>>,
    fresh: Vec<String>,
    /// How many there are of each kind, and the stand-in of each value, as far as spelling does not matter.
    numbers: HashMap<&'static str, HashMap<String, usize>>,
    /// The value of each stand-in, as it was spelled first.
    values: HashMap<String, String>,
    calls: HashMap<String, usize>,
}

impl StandIns {
    /// The text with stand-ins.
    pub(super) fn hide(&mut self, text: &str) -> String {
        let Some(pattern) = self.pattern.clone() else {
            return String::new();
        };
        let masked = mask_cards(text).text;
        // Days are made from now only where something of this run is told.
        let days = self.fresh.iter().any(|fresh| text.contains(fresh.as_str()));
        let hidden = pattern.replace_all(&masked, |captures: &Captures<'_>| {
            let whole = &captures[0];
            match kind(captures, days) {
                Some(kind) => self.stand_in(kind, whole),
                None => whole.to_owned(),
            }
        });
        hidden.into_owned()
    }

    /// A prompt of the shop with stand-ins: without the scores that it tells, too.
    pub(super) fn hide_prompt(&mut self, text: &str) -> String {
        let hidden = self.hide(text);
        match SCORE.as_ref() {
            Some(score) => score.replace_all(&hidden, "(<score>)").into_owned(),
            None => hidden,
        }
    }

    /// Every text in a value with stand-ins, and every number that is a telephone number.
    pub(super) fn hide_value(&mut self, value: &Value) -> Value {
        changed(value, &mut |text| self.hide(text))
    }

    /// The number of a call instead of the id that a provider gave it.
    pub(super) fn hide_call(&mut self, id: &str) -> String {
        if id.starts_with(OFFLINE_CALL) {
            return id.to_owned();
        }
        let next = self.calls.len() + 1;
        format!("call{:05}", self.calls.entry(id.to_owned()).or_insert(next))
    }

    /// The text with the values of the request at hand. A stand-in that the request has no value for stays.
    pub(super) fn show(&self, text: &str) -> String {
        let Some(pattern) = STAND_IN.as_ref() else {
            return text.to_owned();
        };
        let value = |captures: &Captures<'_>| {
            let known = self.values.get(&captures[0]);
            known.map_or_else(|| captures[0].to_owned(), Clone::clone)
        };
        pattern.replace_all(text, value).into_owned()
    }

    /// Every text in a value with the values of the request at hand.
    pub(super) fn show_value(&self, value: &Value) -> Value {
        changed(value, &mut |text| self.show(text))
    }

    /// A call's id that no other call of the request has.
    pub(super) fn show_call(&self, id: &str) -> String {
        let taken: HashSet<&str> = self.calls.keys().map(String::as_str).collect();
        let mut id = id.to_owned();
        while taken.contains(id.as_str()) {
            id.push('x');
        }
        id
    }

    fn stand_in(&mut self, kind: &'static str, value: &str) -> String {
        let known = self.numbers.entry(kind).or_default();
        let next = known.len() + 1;
        let number = *known.entry(spelled(kind, value)).or_insert(next);
        let stand_in = format!("<{kind}-{number}>");
        self.values
            .entry(stand_in.clone())
            .or_insert_with(|| value.to_owned());
        stand_in
    }
}

/// A value with every text in it changed. A number is a text where that changes it.
fn changed(value: &Value, change: &mut impl FnMut(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Number(number) => {
            let text = number.to_string();
            let other = change(&text);
            if other == text {
                value.clone()
            } else {
                Value::String(other)
            }
        }
        Value::Array(values) => values.iter().map(|value| changed(value, change)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (change(name), changed(value, change)))
            .collect(),
        Value::Null | Value::Bool(_) => value.clone(),
    }
}

/// What was found, by the name of its stand-in; none when it stays.
fn kind(captures: &Captures<'_>, days: bool) -> Option<&'static str> {
    let found = |name: &str| captures.name(name).is_some();
    let whole = &captures[0];
    if found("written") {
        let kinds = [
            "shop", "key", "email", "id", "time", "date", "account", "phone",
        ];
        return kinds
            .into_iter()
            .find(|kind| whole[1..].starts_with(&format!("{kind}-")));
    }
    if found("day") {
        return days.then_some("date");
    }
    if found("phone") {
        let digits = whole.bytes().filter(u8::is_ascii_digit).count();
        let marked = whole.starts_with(['+', '0', '(']);
        let least = if marked {
            MARKED_PHONE_DIGITS
        } else {
            PHONE_DIGITS
        };
        return (least..=15 + usize::from(marked) * 2)
            .contains(&digits)
            .then_some("phone");
    }
    let kinds = [
        ("shop", "shop"),
        ("secret", "key"),
        ("fresh", "id"),
        ("key", "key"),
        ("email", "email"),
        ("id", "id"),
        ("time", "time"),
        ("account", "account"),
    ];
    kinds
        .into_iter()
        .find_map(|(name, kind)| found(name).then_some(kind))
}

/// The value without what does not matter in its spelling.
fn spelled(kind: &str, value: &str) -> String {
    if value.starts_with('<') {
        return value.to_owned();
    }
    match kind {
        "email" => value.to_lowercase(),
        "phone" => {
            let digits: String = value.chars().filter(char::is_ascii_digit).collect();
            digits.strip_prefix("00").unwrap_or(&digits).to_owned()
        }
        "account" => value.chars().filter(|letter| *letter != ' ').collect(),
        _ => value.to_owned(),
    }
}
