//! The word tables of the six languages, and how their phrases are found in a text.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;

mod slips;

use super::features::folded;
use crate::domain::Language;
use slips::nearly;

/// Words that mean the same everywhere, or nothing: no evidence of any language.
const INTERNATIONAL: &[&str] = &[
    "ok",
    "okay",
    "okey",
    "okk",
    "k",
    "hm",
    "hmm",
    "mm",
    "ah",
    "oh",
    "eh",
    "uh",
    "wow",
    "lol",
    "haha",
    "hahaha",
    "jaja",
    "xd",
    "whatsapp",
    "email",
    "mail",
    "e-mail",
    "wifi",
    "espresso",
    "cappuccino",
    "moka",
    "paypal",
    "iban",
    "visa",
    "mastercard",
    "dhl",
    "ups",
    "gls",
    "brt",
    "bottega",
    "aurora",
    "classic",
    "napoli",
    "link",
    "pdf",
    "faq",
    "x",
    "pro",
    "mini",
    "super",
    "vs",
    "versus",
    "stop",
    "top",
    "euro",
    "eur",
    "decaf",
    "bio",
    "app",
    "sms",
    "online",
];

/// The tables of one language.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    /// Words that every text of the language is full of.
    pub(super) common: Vec<String>,
    /// Greetings and thanks, which many write in a language that is not theirs.
    pub(super) courtesy: Vec<String>,
    pub(super) order: Phrases,
    pub(super) postcode: Phrases,
    /// How a question begins that goes on from what was said before it.
    pub(super) continues: Phrases,
    pub(super) joins: Phrases,
    pub(super) in_stock: Phrases,
    pub(super) purpose: Phrases,
    pub(super) price: PriceWords,
    pub(super) pick: PickWords,
    pub(super) comparison: ComparisonWords,
    pub(super) colors: BTreeMap<String, Phrases>,
    pub(super) categories: BTreeMap<String, Phrases>,
    pub(super) features: BTreeMap<String, Phrases>,
    pub(super) tone: ToneWords,
    pub(super) reference: Phrases,
    pub(super) dates: DateWords,
}

/// Words around prices.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PriceWords {
    pub(super) under: Phrases,
    pub(super) over: Phrases,
    pub(super) about: Phrases,
    pub(super) between: Vec<(Phrase, Phrase)>,
    pub(super) under_after: Phrases,
    pub(super) over_after: Phrases,
    pub(super) about_after: Phrases,
    pub(super) fillers: Phrases,
    pub(super) currency: Phrases,
}

/// Words around quantities and "the second one".
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PickWords {
    pub(super) take: Phrases,
    pub(super) firm: Phrases,
    pub(super) of: Phrases,
    pub(super) pieces: Phrases,
    pub(super) one: Phrases,
    pub(super) pair: Phrases,
    pub(super) articles: Phrases,
    pub(super) last: Phrases,
    pub(super) not_things: Phrases,
    pub(super) ordinals: BTreeMap<String, Phrases>,
    pub(super) numbers: BTreeMap<String, u32>,
}

/// Words that compare prices.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ComparisonWords {
    pub(super) cheapest: Phrases,
    pub(super) dearest: Phrases,
}

/// Words of days.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DateWords {
    /// Names of days near today, by their distance from it.
    pub(super) near: BTreeMap<String, Phrases>,
    /// Monday first.
    pub(super) weekdays: Vec<Phrases>,
    /// January first.
    pub(super) months: Vec<Phrases>,
    pub(super) last: Phrases,
    pub(super) next: Phrases,
    pub(super) days: Phrases,
    pub(super) weeks: Phrases,
    pub(super) months_long: Phrases,
    /// "in" three days.
    pub(super) ahead: Phrases,
    /// "ago", before the number.
    pub(super) ago_before: Phrases,
    /// "ago", after the unit.
    pub(super) ago_after: Phrases,
    /// What may stand between a day and its month.
    pub(super) links: Phrases,
}

/// Words that colour a sentiment.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToneWords {
    pub(super) negations: Phrases,
    pub(super) harsh: Phrases,
    pub(super) glad: Phrases,
    pub(super) again: Phrases,
    pub(super) polite: Phrases,
    /// Never meant as it is said.
    pub(super) sarcastic: Phrases,
    /// Praise that is none beside a complaint.
    pub(super) ironic: Phrases,
    pub(super) waited: Phrases,
}

/// A phrase as the words it is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub(super) struct Phrase(pub(super) Vec<String>);

impl From<String> for Phrase {
    fn from(text: String) -> Self {
        Self(tokens(&text).into_iter().map(|token| token.text).collect())
    }
}

impl Phrase {
    /// Whether it stands at this place.
    pub(super) fn stands_at(&self, tokens: &[Token], place: usize) -> bool {
        let window = tokens.get(place..place + self.0.len());
        window.is_some_and(|window| {
            window
                .iter()
                .zip(&self.0)
                .all(|(token, word)| token.text == *word)
        })
    }

    /// As [`Phrase::stands_at`], forgiving a slip or two in long words.
    pub(super) fn nearly_stands_at(&self, tokens: &[Token], place: usize) -> bool {
        let window = tokens.get(place..place + self.0.len());
        window.is_some_and(|window| {
            window
                .iter()
                .zip(&self.0)
                .all(|(token, word)| nearly(&token.text, word))
        })
    }
}

/// Alternatives that mean the same.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "Vec<Phrase>")]
pub(super) struct Phrases(Vec<Phrase>);

impl From<Vec<Phrase>> for Phrases {
    /// The longest first, so that the first that fits is the one that says most.
    fn from(mut phrases: Vec<Phrase>) -> Self {
        phrases.retain(|phrase| !phrase.0.is_empty());
        phrases.sort_by_key(|phrase| std::cmp::Reverse(phrase.0.len()));
        Self(phrases)
    }
}

impl Phrases {
    /// The phrases, longest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Phrase> {
        self.0.iter()
    }

    /// Length in words of the longest phrase that starts here.
    pub(super) fn starts_at(&self, tokens: &[Token], place: usize) -> Option<usize> {
        self.0
            .iter()
            .find(|phrase| phrase.stands_at(tokens, place))
            .map(|phrase| phrase.0.len())
    }

    /// Length in words of the longest phrase that ends just before this place.
    pub(super) fn ends_before(&self, tokens: &[Token], place: usize) -> Option<usize> {
        let fits = |phrase: &&Phrase| {
            place
                .checked_sub(phrase.0.len())
                .is_some_and(|start| phrase.stands_at(tokens, start))
        };
        self.0.iter().find(fits).map(|phrase| phrase.0.len())
    }

    /// Whether any phrase stands anywhere.
    pub(super) fn occur_in(&self, tokens: &[Token]) -> bool {
        (0..tokens.len()).any(|place| self.starts_at(tokens, place).is_some())
    }
}

/// A word, a number or a symbol of a text, folded to lower case without accents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    /// Whether white space or the text's beginning stands before it.
    pub(super) apart: bool,
    /// Its first byte in the text that it was read from.
    pub(super) start: usize,
    /// The byte after it.
    pub(super) end: usize,
}

impl Token {
    /// Whether it starts with a digit.
    pub(super) fn is_number(&self) -> bool {
        self.text
            .starts_with(|letter: char| letter.is_ascii_digit())
    }

    /// Whether it is made of letters.
    pub(super) fn is_word(&self) -> bool {
        self.text.starts_with(char::is_alphabetic)
    }
}

/// Splits a text: runs of letters, numbers with their separators, and every other visible character alone.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let placed = placed(text);
    let letters: Vec<char> = placed.iter().map(|(letter, _)| *letter).collect();
    let mut found: Vec<Token> = Vec::new();
    let mut place = 0;
    let mut apart = true;
    while let Some(letter) = letters.get(place) {
        if letter.is_whitespace() || letter.is_control() {
            apart = true;
            place += 1;
            continue;
        }
        let end = token_end(&letters, place);
        // An apostrophe binds nothing that a table would look for.
        if !matches!(letter, '\'') {
            found.push(Token {
                text: letters[place..end].iter().collect(),
                apart,
                start: placed[place].1.start,
                end: placed[end - 1].1.end,
            });
        }
        apart = false;
        place = end;
    }
    found
}

/// The letters of the folded text, each with the bytes it comes from; an accent belongs to the letter before it.
fn placed(text: &str) -> Vec<(char, Range<usize>)> {
    let mut placed: Vec<(char, Range<usize>)> = Vec::with_capacity(text.len());
    for (start, letter) in text.char_indices() {
        let end = start + letter.len_utf8();
        if letter.is_ascii() {
            placed.push((letter.to_ascii_lowercase(), start..end));
            continue;
        }
        let mut buffer = [0; 4];
        let before = placed.len();
        for folded in folded(letter.encode_utf8(&mut buffer)).chars() {
            placed.push((folded, start..end));
        }
        if placed.len() == before
            && let Some((_, last)) = placed.last_mut()
        {
            last.end = end;
        }
    }
    placed
}

fn token_end(letters: &[char], start: usize) -> usize {
    let run = |from: usize, of: fn(&char) -> bool| {
        from + letters[from..]
            .iter()
            .take_while(|letter| of(letter))
            .count()
    };
    if letters[start].is_ascii_digit() {
        let mut end = run(start, char::is_ascii_digit);
        while matches!(letters.get(end), Some('.' | ','))
            && letters.get(end + 1).is_some_and(char::is_ascii_digit)
        {
            end = run(end + 1, char::is_ascii_digit);
        }
        end
    } else if letters[start].is_alphabetic() {
        run(start, |letter| letter.is_alphabetic())
    } else {
        start + 1
    }
}

/// The tables of a language; those of English for a language that has none.
pub(super) fn of(language: Language) -> &'static Words {
    let known = TABLES.iter().find(|(code, _)| *code == language);
    known
        .or_else(|| TABLES.first())
        .map_or(&NOTHING, |(_, words)| words)
}

/// All tables with their languages.
pub(super) fn all() -> impl Iterator<Item = &'static Words> {
    TABLES.iter().map(|(_, words)| words)
}

/// A word as the tables compare it.
pub(super) fn fold_word(word: &str) -> String {
    folded(word)
}

/// Whether a word says nothing about its language.
pub(super) fn is_international(word: &str) -> bool {
    INTERNATIONAL.contains(&folded(word).as_str())
}

/// Whether a word greets or thanks in any of the languages.
pub(super) fn is_courteous(word: &str) -> bool {
    static COURTESY: LazyLock<HashSet<String>> = LazyLock::new(|| {
        all()
            .flat_map(|words| &words.courtesy)
            .map(|word| folded(word))
            .collect()
    });
    COURTESY.contains(&folded(word))
}

static NOTHING: LazyLock<Words> = LazyLock::new(Words::default);

static TABLES: LazyLock<Vec<(Language, Words)>> = LazyLock::new(|| {
    SOURCES
        .iter()
        .filter_map(|(language, source)| Some((*language, toml::from_str(source).ok()?)))
        .collect()
});

const SOURCES: [(Language, &str); 6] = [
    (Language::EN, include_str!("words/en.toml")),
    (Language::IT, include_str!("words/it.toml")),
    (Language::ES, include_str!("words/es.toml")),
    (Language::PT, include_str!("words/pt.toml")),
    (Language::DE, include_str!("words/de.toml")),
    (Language::FR, include_str!("words/fr.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_read() {
        for (language, source) in SOURCES {
            toml::from_str::<Words>(source).unwrap_or_else(|error| panic!("{language}: {error}"));
        }
        assert_eq!(TABLES.len(), SOURCES.len());
    }

    #[test]
    fn every_table_names_the_same_categories() {
        let english: Vec<&String> = of(Language::EN).categories.keys().collect();
        for words in all() {
            assert_eq!(english, words.categories.keys().collect::<Vec<_>>());
        }
    }
}
