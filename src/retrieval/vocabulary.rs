//! The words of an index, by which slips in a query are put right.

mod lexicon;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::char::is_combining_mark;

use crate::domain::Language;
use crate::understand::{folded, is_everyday_word};
use lexicon::{Lexicon, Near};

/// Shorter words are not kept.
const SHORTEST_KEPT: usize = 3;
/// Shorter words are never corrected.
const SHORTEST_CORRECTED: usize = 4;
/// From this length on, a word may have two slips.
const LONG: usize = 8;
/// Each half of a word that was written together.
const SHORTEST_HALF: usize = 4;
/// Two words that were one.
const SHORTEST_JOINED: usize = 6;
/// What is longer is no word.
const LONGEST: usize = 40;

/// The words of an index with their counts, by language: in lower case, without accents, of three letters or more.
///
/// Stored as a map from language to word to count; what makes looking up fast is made again on reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vocabulary {
    languages: BTreeMap<Language, Lexicon>,
}

impl Vocabulary {
    /// The words of texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, Language)>) -> Self {
        let mut languages: BTreeMap<Language, BTreeMap<String, u32>> = BTreeMap::new();
        for (text, language) in texts {
            let counts = languages.entry(language).or_default();
            for word in words(text) {
                if word.is_plain && (SHORTEST_KEPT..=LONGEST).contains(&word.letters) {
                    let count = counts.entry(word.folded).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        Self::from_counts(languages)
    }

    fn from_counts(languages: BTreeMap<Language, BTreeMap<String, u32>>) -> Self {
        let lexicons = languages
            .into_iter()
            .map(|(language, counts)| (language, Lexicon::of(counts)));
        Self {
            languages: lexicons.collect(),
        }
    }

    /// The query with its slips put right. A word that no text of the language has, and that is no everyday word of
    /// it, gives way to the nearest word of the texts; two words may become one, and one word two. Where the
    /// correction is in doubt it follows the word instead. Numbers, codes and addresses stay as they are.
    #[must_use]
    pub fn correct(&self, query: &str, language: Language) -> String {
        let Some(lexicon) = self.languages.get(&language) else {
            return query.to_owned();
        };
        let words = words(query);
        let present: HashSet<&str> = words.iter().map(|word| word.folded.as_str()).collect();
        let reader = Reader {
            vocabulary: self,
            lexicon,
            language,
        };
        let mut corrected = String::with_capacity(query.len());
        let (mut place, mut copied) = (0, 0);
        while let Some(word) = words.get(place) {
            let next = words.get(place + 1);
            let next = next.filter(|next| is_gap(query.get(word.end..next.start)));
            let joined = next.and_then(|next| Some((reader.joined(word, next)?, next.end, 2)));
            let found = joined.or_else(|| Some((reader.single(word)?, word.end, 1)));
            let Some((fix, end, taken)) = found else {
                place += 1;
                continue;
            };
            place += taken;
            let is_there = fix.text.split(' ').all(|part| present.contains(part));
            if fix.in_doubt && is_there {
                continue;
            }
            let kept = if fix.in_doubt { end } else { word.start };
            corrected.push_str(query.get(copied..kept).unwrap_or_default());
            if fix.in_doubt {
                corrected.push(' ');
            }
            corrected.push_str(&fix.text);
            copied = end;
        }
        corrected.push_str(query.get(copied..).unwrap_or_default());
        corrected
    }
}

impl Serialize for Vocabulary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.languages.iter())
    }
}

impl<'de> Deserialize<'de> for Vocabulary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from_counts)
    }
}

/// What to write for one word or two.
struct Fix {
    text: String,
    /// Whether the words stay, and this follows them.
    in_doubt: bool,
}

/// Reads words of a query in one language.
struct Reader<'a> {
    vocabulary: &'a Vocabulary,
    lexicon: &'a Lexicon,
    language: Language,
}

impl Reader<'_> {
    /// Two words that are one: "capu ccino".
    fn joined(&self, left: &Word<'_>, right: &Word<'_>) -> Option<Fix> {
        let letters = left.letters + right.letters;
        let halves = [left, right];
        let can_be = halves
            .iter()
            .all(|half| half.can_be_corrected() && half.letters >= SHORTEST_KEPT);
        if !can_be || !(SHORTEST_JOINED..=LONGEST).contains(&letters) {
            return None;
        }
        if halves.iter().all(|half| self.lexicon.knows(&half.folded)) {
            return None;
        }
        let mean_nothing = halves.iter().all(|half| self.is_strange(half));
        let together = format!("{}{}", left.folded, right.folded);
        if self.lexicon.knows(&together) {
            return Some(Fix {
                text: together,
                in_doubt: !mean_nothing,
            });
        }
        if !mean_nothing || letters < LONG {
            return None;
        }
        let near = self.lexicon.nearest(&together, 1).into_iter().next()?;
        Some(Fix {
            text: near.word.to_owned(),
            in_doubt: false,
        })
    }

    /// A word with one slip, two that were written together, or a long word with two slips.
    fn single(&self, word: &Word<'_>) -> Option<Fix> {
        let long_enough = (SHORTEST_CORRECTED..=LONGEST).contains(&word.letters);
        if !long_enough || !word.can_be_corrected() || !self.is_strange(word) {
            return None;
        }
        let near = self.lexicon.nearest(&word.folded, most_slips(word.letters));
        let nearest = near.first();
        if nearest.is_none_or(|best| best.distance > 1)
            && let Some((left, right)) = self.halves(&word.folded)
        {
            return Some(Fix {
                text: format!("{left} {right}"),
                // Languages that write compounds together do so rightly.
                in_doubt: true,
            });
        }
        Some(Fix {
            text: nearest?.word.to_owned(),
            in_doubt: self.is_in_doubt(word, &near),
        })
    }

    /// Whether neither the texts nor everyday language have the word.
    fn is_strange(&self, word: &Word<'_>) -> bool {
        !self.lexicon.knows(&word.folded)
            && !is_everyday_word(word.written, self.language)
            && !is_everyday_word(&word.folded, self.language)
    }

    /// Whether another word may be meant, or this one after all.
    fn is_in_doubt(&self, word: &Word<'_>, near: &[Near<'_>]) -> bool {
        let [best, others @ ..] = near else {
            return true;
        };
        let rival = others.first().is_some_and(|other| {
            other.distance == best.distance && other.count.saturating_mul(2) >= best.count
        });
        let elsewhere = self.vocabulary.languages.iter().any(|(language, lexicon)| {
            *language != self.language
                && (lexicon.knows(&word.folded) || is_everyday_word(word.written, *language))
        });
        let other_start = best.word.chars().next() != word.folded.chars().next();
        rival
            || elsewhere
            || differs_at_end_only(&word.folded, best.word)
            || word.letters == SHORTEST_CORRECTED
            || (best.distance > 1 && other_start)
    }

    /// The two known words of which a word is made; those whose rarer one is most frequent.
    fn halves<'w>(&self, word: &'w str) -> Option<(&'w str, &'w str)> {
        let halves = word.char_indices().filter_map(|(place, _)| {
            let (left, right) = word.split_at_checked(place)?;
            let long = |half: &str| half.chars().count() >= SHORTEST_HALF;
            if !long(left) || !long(right) {
                return None;
            }
            let count = self.lexicon.count(left)?.min(self.lexicon.count(right)?);
            Some((count, std::cmp::Reverse(place), (left, right)))
        });
        halves.max().map(|(_, _, halves)| halves)
    }
}

/// Whether all but the last letter is the same: rather a form of the word than a slip.
fn differs_at_end_only(word: &str, other: &str) -> bool {
    let shared = word.chars().zip(other.chars());
    let shared = shared.take_while(|(one, other)| one == other).count();
    word.chars().count().max(other.chars().count()) <= shared + 1
}

fn most_slips(letters: usize) -> usize {
    if letters < LONG { 1 } else { 2 }
}

/// Whether two words stand next to each other, as two halves of one would.
fn is_gap(between: Option<&str>) -> bool {
    matches!(between, Some(" " | "-" | "\u{a0}"))
}

/// A run of letters and digits in a text.
struct Word<'a> {
    written: &'a str,
    folded: String,
    /// Letters of the folded word.
    letters: usize,
    start: usize,
    end: usize,
    /// Whether it has letters only.
    is_plain: bool,
    /// Whether it is part of a code, an address or a number.
    is_in_code: bool,
}

impl Word<'_> {
    fn can_be_corrected(&self) -> bool {
        self.is_plain && !self.is_in_code
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut found = Vec::new();
    let mut chunk_start = 0;
    for chunk in text.split_inclusive(char::is_whitespace) {
        let is_in_code = is_code(chunk);
        let mut start: Option<usize> = None;
        let ends = chunk.char_indices().chain([(chunk.len(), ' ')]);
        for (place, letter) in ends {
            let inside = letter.is_alphanumeric() || (start.is_some() && is_combining_mark(letter));
            match start {
                None if inside => start = Some(place),
                Some(first) if !inside => {
                    found.extend(
                        chunk
                            .get(first..place)
                            .map(|written| word(written, chunk_start + first, is_in_code)),
                    );
                    start = None;
                }
                None | Some(_) => {}
            }
        }
        chunk_start += chunk.len();
    }
    found
}

fn word(written: &str, start: usize, is_in_code: bool) -> Word<'_> {
    let folded = if written.is_ascii() {
        written.to_ascii_lowercase()
    } else {
        folded(written)
    };
    Word {
        letters: folded.chars().count(),
        is_plain: folded.chars().all(char::is_alphabetic),
        folded,
        written,
        start,
        end: start + written.len(),
        is_in_code,
    }
}

/// Whether what stands between two spaces is a code, a number, an e-mail address or a web address.
fn is_code(chunk: &str) -> bool {
    if chunk.contains(|letter: char| letter.is_numeric() || matches!(letter, '@' | '_'))
        || chunk.contains("://")
    {
        return true;
    }
    let mut parts = chunk.split('.').map(|part| {
        let (first, last) = (part.chars().next(), part.chars().next_back());
        (
            first.is_some_and(char::is_alphanumeric),
            last.is_some_and(char::is_alphanumeric),
        )
    });
    let mut before = parts.next().is_some_and(|(_, ends)| ends);
    parts.any(|(starts, ends)| {
        let inner = before && starts;
        before = ends;
        inner
    })
}

#[cfg(test)]
mod tests;
