//! Whether an answer says what it read. Pure string checks.

use std::collections::HashSet;

use super::observed::TurnSeen;
use crate::domain::{Answer, Language};

/// Shorter words say little.
const LETTERS: usize = 4;
/// So much of a sentence's words must stand in what it cites.
const SUPPORT: f64 = 0.6;

/// The share of an answer's claims that what was read supports, in [0, 1]; none when it claims nothing. A claim is a
/// source that is named (a passage of it was read, and a sentence of the answer says what stands there) or a
/// price that is written (it stands in a card, a result or a passage).
#[must_use]
pub fn grounded(turn: &TurnSeen) -> Option<f64> {
    let answer = turn.outcome.answer()?;
    let mut claims = Vec::new();
    for source in &answer.sources {
        let mut read: Vec<String> = turn
            .trace
            .passages
            .iter()
            .filter(|passage| passage.document == source.id)
            .map(|passage| passage.text.clone())
            .collect();
        let results = turn.trace.tools.iter().map(|tool| tool.result.to_string());
        read.extend(results.filter(|result| result.contains(source.id.as_str())));
        claims.push(read.iter().any(|text| supports(text, &answer.text)));
    }
    let known = known(turn, answer);
    claims.extend(
        prices(&answer.text)
            .iter()
            .map(|price| known.contains(price)),
    );
    let all = claims.len();
    let held = claims.into_iter().filter(|held| *held).count();
    (all > 0).then(|| held as f64 / all as f64)
}

fn words(text: &str) -> HashSet<String> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.chars().count() >= LETTERS)
        .map(str::to_lowercase)
        .collect()
}

fn supports(passage: &str, answer: &str) -> bool {
    let known = words(passage);
    answer.split(['.', '!', '?', '\n']).any(|sentence| {
        let said = words(sentence);
        let shared = said.intersection(&known).count();
        said.len() >= 2 && shared as f64 >= SUPPORT * said.len() as f64
    })
}

/// Every number that an amount could be read from.
fn known(turn: &TurnSeen, answer: &Answer) -> HashSet<i64> {
    let language = turn
        .trace
        .triage
        .as_ref()
        .map_or(Language::EN, |triage| triage.language.language);
    let mut texts: Vec<String> = turn.customer.clone();
    texts.extend(
        turn.trace
            .passages
            .iter()
            .map(|passage| passage.text.clone()),
    );
    for card in &answer.products {
        texts.push(card.price.display(language));
        texts.extend(card.reason.clone());
    }
    if let Some(payment) = &answer.payment {
        texts.push(payment.total.display(language));
    }
    let mut known: HashSet<i64> = texts.iter().flat_map(|text| prices(text)).collect();
    for tool in &turn.trace.tools {
        let result = tool.result.to_string();
        known.extend(prices(&result));
        minors(&tool.result, &mut known);
    }
    known
}

fn minors(value: &serde_json::Value, known: &mut HashSet<i64>) {
    match value {
        serde_json::Value::Object(map) => {
            known.extend(map.get("minor").and_then(serde_json::Value::as_i64));
            map.values().for_each(|value| minors(value, known));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| minors(value, known)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

/// Amounts beside a euro, dollar or pound sign, in hundredths.
fn prices(text: &str) -> Vec<i64> {
    let letters: Vec<char> = text.chars().collect();
    let sign = |letter: &char| matches!(letter, '€' | '$' | '£');
    let part = |letter: &char| letter.is_ascii_digit() || matches!(letter, '.' | ',');
    let gap = |letter: &char| matches!(letter, ' ' | '\u{a0}' | '\u{202f}');
    let mut found = Vec::new();
    for place in (0..letters.len()).filter(|place| sign(&letters[*place])) {
        let before: Vec<char> = letters[..place]
            .iter()
            .rev()
            .skip_while(|letter| gap(letter))
            .take_while(|letter| part(letter))
            .copied()
            .collect();
        let after: String = letters[place + 1..]
            .iter()
            .skip_while(|letter| gap(letter))
            .take_while(|letter| part(letter))
            .collect();
        let before: String = before.into_iter().rev().collect();
        found.extend([before, after].iter().filter_map(|text| amount(text)));
    }
    found
}

/// Reads an amount in hundredths, whatever its marks mean where it was written.
fn amount(text: &str) -> Option<i64> {
    let text = text.trim_matches(['.', ',']);
    let decimals = text
        .rfind(['.', ','])
        .filter(|place| text.len() - place == 3);
    let (whole, cents) = match decimals {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, "00"),
    };
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    let whole: i64 = whole.parse().ok()?;
    whole.checked_mul(100)?.checked_add(cents.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_every_notation() {
        assert_eq!(
            prices("149,00 €, €1,299.50 e 1.299,50\u{a0}€; 20 % off $5"),
            [14900, 129_950, 129_950, 500]
        );
        assert!(prices("call 0039 or €").is_empty());
    }

    #[test]
    fn a_sentence_must_say_what_stands_there() {
        let passage =
            "Opened boxes can be returned within 30 days of delivery, if nothing is missing.";
        assert!(supports(
            passage,
            "Yes. Opened boxes can be returned within 30 days."
        ));
        assert!(!supports(passage, "We ship to Malta for free."));
    }
}
