//! The words of a message that tell its language, and how much each of them tells.

use super::super::words;

/// What the first word of a request counts more than others: it is its verb or its question word, rarely a name.
const FIRST: f32 = 2.0;
/// What a word counts that is written like a name.
const NAMED: f32 = 0.5;
/// What a greeting or thanks counts beside a request.
const COURTEOUS: f32 = 0.25;
/// What words count in a sentence that asks, beside others that do not.
const ASKED: f32 = 2.0;

/// A word with its weight.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spoken {
    pub(super) word: String,
    pub(super) weight: f32,
    pub(super) courteous: bool,
    named: bool,
    sentence: usize,
}

/// The words of a text without addresses, mentions, numbers and symbols, and without words that mean the same in
/// every language. A message in two languages is in the one of its request: greetings and names count little, the
/// sentence that asks and the word it begins with count much.
pub(super) fn spoken(text: &str) -> Vec<Spoken> {
    let mut words = Vec::new();
    let mut asked = Vec::new();
    for (sentence, part) in plain(text)
        .split_inclusive(['.', '!', '?', '\n', ';'])
        .enumerate()
    {
        asked.push(part.ends_with('?'));
        words.extend(written_words(part).map(|word| Spoken {
            named: word.chars().next().is_some_and(char::is_uppercase),
            courteous: words::is_courteous(word),
            word: word.to_owned(),
            weight: 1.0,
            sentence,
        }));
    }
    words.retain(|spoken| !words::is_international(&spoken.word));
    weigh(&mut words, &asked);
    words
}

/// Whether all words are written like names.
pub(super) fn all_named(words: &[Spoken]) -> bool {
    words.iter().all(|spoken| spoken.named)
}

/// Runs of letters, with the apostrophes inside them.
pub(super) fn written_words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_alphabetic() || matches!(letter, '\'' | '’')))
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
}

/// The text without what is no language: addresses, mentions and tags.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        for chunk in line.split_whitespace() {
            let address = chunk.contains("://")
                || chunk.contains('@')
                || chunk.starts_with('#')
                || chunk.starts_with("www.");
            if !address {
                plain.push_str(chunk);
                plain.push(' ');
            }
        }
        plain.push('\n');
    }
    plain
}

fn weigh(words: &mut [Spoken], asked: &[bool]) {
    let only_courtesy = words.iter().all(|spoken| spoken.courteous);
    let all_named = all_named(words);
    let asks = |spoken: &Spoken| asked.get(spoken.sentence).copied().unwrap_or(false);
    let some_tell = words
        .iter()
        .any(|spoken| !spoken.courteous && !asks(spoken));
    let mut first = true;
    for spoken in words.iter_mut() {
        if spoken.courteous && !only_courtesy {
            spoken.weight *= COURTEOUS;
            continue;
        }
        if first {
            spoken.weight *= FIRST;
        } else if spoken.named && !all_named {
            spoken.weight *= NAMED;
        }
        first = false;
        if some_tell && asks(spoken) {
            spoken.weight *= ASKED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_international_words_say_nothing() {
        for text in [
            "ok",
            "https://example.com/wo-ist",
            "bob@example.com #hallo",
            "10432 👍",
            "",
        ] {
            assert!(spoken(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_request_weighs_more_than_greetings_and_names() {
        let words = spoken("Hello! Wo ist meine Bestellung? Ciao");
        let weights: Vec<f32> = words.iter().map(|spoken| spoken.weight).collect();
        assert_eq!(weights, [COURTEOUS, FIRST, 1.0, 1.0, NAMED, COURTEOUS]);
        assert!(all_named(&spoken("Marco Rossi")));
        assert_eq!(spoken("thanks")[0].weight, FIRST);
    }
}
