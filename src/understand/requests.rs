//! A message that asks for several things, cut into the things it asks for.

use super::words::{self, Phrase, tokens};
use crate::domain::Language;

/// Words that a request has at least.
const SHORTEST: usize = 3;
/// Words of a message that needs what was said before it; a longer one says itself what it is about.
const LONGEST_GOING_ON: usize = 7;

/// The requests of a message in their order; one item, the whole message, when it holds only one.
#[must_use]
pub fn requests(text: &str) -> Vec<String> {
    let chunks: Vec<&str> = text.split_whitespace().collect();
    let mut clauses: Vec<Clause> = vec![Clause::default()];
    let mut place = 0;
    while let Some(chunk) = chunks.get(place) {
        let joined = join_length(&chunks, place);
        let long_enough = clauses
            .last()
            .is_some_and(|clause| count_words(&clause.words) >= SHORTEST);
        let rest_long_enough =
            count_words(chunks.get(place + joined..).unwrap_or_default()) >= SHORTEST;
        if joined > 0 && long_enough && rest_long_enough {
            clauses.push(Clause {
                words: Vec::new(),
                joined_by: chunks[place..place + joined].to_vec(),
            });
            place += joined;
            continue;
        }
        if let Some(clause) = clauses.last_mut() {
            clause.words.push(chunk);
        }
        if ends_sentence(chunk) {
            clauses.push(Clause::default());
        }
        place += 1;
    }
    let requests: Vec<String> = merged(clauses)
        .iter()
        .map(|words| words.join(" "))
        .collect();
    if requests.len() > 1 {
        requests
    } else {
        vec![text.trim().to_owned()]
    }
}

/// Whether a message goes on from what was said before it and says little alone: "and in red?".
#[must_use]
pub fn goes_on(text: &str, language: Language) -> bool {
    let tokens = tokens(text);
    let said = tokens.iter().filter(|token| token.is_word()).count();
    let begins = words::of(language).continues.starts_at(&tokens, 0);
    said <= LONGEST_GOING_ON && begins.is_some_and(|length| length < tokens.len())
}

#[derive(Debug, Default)]
struct Clause<'a> {
    words: Vec<&'a str>,
    joined_by: Vec<&'a str>,
}

/// Clauses that say something; a shorter one belongs to the one before it, or after it when it is the first.
fn merged(clauses: Vec<Clause<'_>>) -> Vec<Vec<&str>> {
    let mut merged: Vec<Vec<&str>> = Vec::new();
    for clause in clauses
        .into_iter()
        .filter(|clause| !clause.words.is_empty())
    {
        let short = count_words(&clause.words) < SHORTEST;
        match merged.last_mut() {
            Some(last) if short || count_words(last) < SHORTEST => {
                last.extend(clause.joined_by);
                last.extend(clause.words);
            }
            _ => merged.push(clause.words),
        }
    }
    merged
}

/// Number of chunks that joining words take from here; none when nothing is joined here. A single joining
/// word counts only at the beginning of a clause: "spedite anche a Malta" is one request.
fn join_length(chunks: &[&str], place: usize) -> usize {
    let before = place.checked_sub(1).and_then(|before| chunks.get(before));
    let after_pause = before.is_some_and(|before| before.ends_with([',', ';', '.', '!', '?']));
    let fits = |phrase: &Phrase| {
        let mut taken = 0;
        let mut matched = 0;
        while matched < phrase.0.len() {
            let chunk = chunks.get(place + taken)?;
            let found: Vec<String> = tokens(chunk).into_iter().map(|token| token.text).collect();
            let word_count = found
                .iter()
                .filter(|word| word.starts_with(char::is_alphanumeric))
                .count();
            let expected = phrase.0.get(matched..matched + word_count)?;
            if word_count == 0
                || !found
                    .iter()
                    .zip(expected)
                    .all(|(found, expected)| found == expected)
            {
                return None;
            }
            matched += word_count;
            taken += 1;
        }
        (taken > 1 || after_pause).then_some(taken)
    };
    words::all()
        .flat_map(|words| words.joins.iter())
        .filter_map(fits)
        .max()
        .unwrap_or(0)
}

fn ends_sentence(chunk: &str) -> bool {
    let trimmed = chunk.trim_end_matches(['"', '»', ')', '\'']);
    let strong = trimmed.ends_with(['!', '?', '…']);
    // "n. 2" and "sig. Rossi" do not end a sentence.
    let dotted = trimmed.ends_with('.')
        && trimmed
            .chars()
            .filter(|letter| letter.is_alphanumeric())
            .count()
            > 3;
    strong || dotted
}

fn count_words(chunks: &[&str]) -> usize {
    chunks
        .iter()
        .filter(|chunk| chunk.chars().any(char::is_alphanumeric))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_in_one_message_are_two_requests() {
        for (text, first, second) in [
            (
                "my grinder arrived broken and also do you ship to Malta?",
                "my grinder arrived broken",
                "do you ship to Malta?",
            ),
            (
                "il macinino è arrivato rotto e anche spedite a Malta?",
                "il macinino è arrivato rotto",
                "spedite a Malta?",
            ),
            (
                "el molinillo llegó roto y también ¿enviáis a Malta ya?",
                "el molinillo llegó roto",
                "¿enviáis a Malta ya?",
            ),
            (
                "o moinho chegou partido e também enviam para Malta?",
                "o moinho chegou partido",
                "enviam para Malta?",
            ),
            (
                "meine Mühle kam kaputt an und außerdem: liefert ihr nach Malta?",
                "meine Mühle kam kaputt an",
                "liefert ihr nach Malta?",
            ),
            (
                "Where is my order 10432? I need an invoice too.",
                "Where is my order 10432?",
                "I need an invoice too.",
            ),
        ] {
            assert_eq!(requests(text), [first, second]);
        }
    }

    #[test]
    fn one_request_stays_whole() {
        for text in [
            "vorrei sapere se spedite anche a Malta",
            "ok",
            "",
            "Hi! how are you",
            "ciao, anche a me",
            "!!! ???",
        ] {
            assert_eq!(requests(text), [text]);
        }
    }
}
