//! The words of one language, found by what is left of them when letters are taken out: the symmetric deletions of
//! SymSpell (Wolf Garbe, 2012). Two words within so many slips have a deletion in common, so looking up takes
//! time by the word's length, whatever the number of words.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Letters are taken out of a word's beginning only, which keeps the table small and finds the same.
const BEGINNING: usize = 7;
/// Words of so many letters may be meant by one with two slips, shorter ones by one with one.
const SHORTEST_WITH_TWO: usize = 6;

/// Words with their counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Lexicon {
    /// Sorted.
    words: Vec<Box<str>>,
    counts: Vec<u32>,
    /// Where the entries of each bucket begin, with one place more than there are buckets.
    starts: Vec<u32>,
    /// Places of words, by the bucket of a deletion of theirs.
    entries: Vec<u32>,
}

/// A word near another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Near<'a> {
    pub(super) word: &'a str,
    /// Edits, two swapped neighbours counting as one.
    pub(super) distance: usize,
    pub(super) count: u32,
}

impl PartialEq for Lexicon {
    fn eq(&self, other: &Self) -> bool {
        // The rest follows from these.
        (&self.words, &self.counts) == (&other.words, &other.counts)
    }
}

impl Serialize for Lexicon {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.words.iter().zip(&self.counts))
    }
}

impl Lexicon {
    /// Folded words with their counts.
    pub(super) fn of(words: BTreeMap<String, u32>) -> Self {
        let mut lexicon = Self::default();
        let mut pairs: Vec<(u32, u32)> = Vec::with_capacity(words.len() * 20);
        for (place, (word, count)) in (0..).zip(words) {
            let letters: Vec<char> = word.chars().collect();
            let most = if letters.len() < SHORTEST_WITH_TWO {
                1
            } else {
                2
            };
            deletions(&letters, most, |hash| pairs.push((hash, place)));
            lexicon.words.push(word.into_boxed_str());
            lexicon.counts.push(count);
        }
        lexicon.fill(&pairs);
        lexicon
    }

    /// Sorts pairs of hash and word into buckets, by counting.
    fn fill(&mut self, pairs: &[(u32, u32)]) {
        let buckets = pairs.len().next_power_of_two();
        self.starts = vec![0; buckets + 1];
        self.entries = vec![0; pairs.len()];
        for (hash, _) in pairs {
            self.starts[bucket(*hash, buckets) + 1] += 1;
        }
        for place in 0..buckets {
            self.starts[place + 1] += self.starts[place];
        }
        let mut next = self.starts.clone();
        for (hash, word) in pairs {
            let place = &mut next[bucket(*hash, buckets)];
            self.entries[*place as usize] = *word;
            *place += 1;
        }
    }

    /// How often the texts have a folded word.
    pub(super) fn count(&self, word: &str) -> Option<u32> {
        let place = self
            .words
            .binary_search_by(|known| known.as_ref().cmp(word));
        self.counts.get(place.ok()?).copied()
    }

    /// Whether the texts have a folded word.
    pub(super) fn knows(&self, word: &str) -> bool {
        self.count(word).is_some()
    }

    /// The words at most so many slips away, one or two: nearest first, then frequent ones, then by the alphabet.
    pub(super) fn nearest(&self, word: &str, most: usize) -> Vec<Near<'_>> {
        let letters: Vec<char> = word.chars().collect();
        let mut places: Vec<u32> = Vec::new();
        deletions(&letters, most, |hash| places.extend(self.bucket_of(hash)));
        places.sort_unstable();
        places.dedup();
        let near = places.into_iter().filter_map(|place| {
            let known = self.words.get(place as usize)?;
            if known.chars().count().abs_diff(letters.len()) > most {
                return None;
            }
            let distance = strsim::osa_distance(word, known);
            (distance <= most).then_some(Near {
                word: known,
                distance,
                count: *self.counts.get(place as usize)?,
            })
        });
        let mut near: Vec<Near<'_>> = near.collect();
        near.sort_by_key(|near| (near.distance, Reverse(near.count), near.word));
        near
    }

    fn bucket_of(&self, hash: u32) -> &[u32] {
        let buckets = self.starts.len().saturating_sub(1);
        if buckets == 0 {
            return &[];
        }
        let bucket = bucket(hash, buckets);
        let start = self.starts[bucket] as usize;
        let end = self.starts[bucket + 1] as usize;
        self.entries.get(start..end).unwrap_or_default()
    }
}

/// Buckets are a power of two.
fn bucket(hash: u32, buckets: usize) -> usize {
    // The upper bits of the hash depend on every letter.
    (hash.wrapping_mul(0x9e37_79b1) ^ (hash >> 16)) as usize & (buckets - 1)
}

/// Hashes of a word's beginning, and of what is left of it without one letter or two.
fn deletions(letters: &[char], most: usize, mut found: impl FnMut(u32)) {
    let beginning = letters.get(..BEGINNING).unwrap_or(letters);
    found(hash_without(beginning, NONE, NONE));
    for first in 0..beginning.len() {
        found(hash_without(beginning, first, NONE));
        if most > 1 {
            for second in first + 1..beginning.len() {
                found(hash_without(beginning, first, second));
            }
        }
    }
}

/// The place of a letter that is not there.
const NONE: usize = BEGINNING;

/// FNV-1a over letters.
fn hash_without(letters: &[char], first: usize, second: usize) -> u32 {
    let mut state = 0x811c_9dc5_u32;
    for (place, letter) in letters.iter().enumerate() {
        if place != first && place != second {
            state = (state ^ u32::from(*letter)).wrapping_mul(0x0100_0193);
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon(words: &[(&str, u32)]) -> Lexicon {
        let words = words
            .iter()
            .map(|(word, count)| ((*word).to_owned(), *count));
        Lexicon::of(words.collect())
    }

    #[test]
    fn nearest_first_then_frequent_then_alphabetical() {
        let known = lexicon(&[
            ("mocha", 9),
            ("moka", 5),
            ("mora", 5),
            ("moda", 7),
            ("moto", 1),
        ]);
        let near = known.nearest("moja", 1);
        let words: Vec<&str> = near.iter().map(|near| near.word).collect();
        assert_eq!(words, ["moda", "moka", "mora"]);
        assert_eq!(known.nearest("omka", 1)[0].word, "moka");
        assert_eq!((known.count("moka"), known.count("mok")), (Some(5), None));
        assert!(lexicon(&[]).nearest("moka", 2).is_empty());
    }

    /// Nothing is missed that comparing with every word would find.
    #[test]
    fn finds_what_comparing_with_all_finds() {
        let letters = ['a', 'b', 'c'];
        let word = |mut number: usize, length: usize| -> String {
            let mut word = String::new();
            for _ in 0..length {
                word.push(letters[number % 3]);
                number /= 3;
            }
            word
        };
        let known: BTreeMap<String, u32> = (6..11)
            .flat_map(|length| (0..150).map(move |number| (number * 7919, length)))
            .map(|(number, length)| (word(number, length), 1))
            .collect();
        let lexicon = Lexicon::of(known.clone());
        for number in 0..400 {
            let asked = word(number * 104_729, 8 + number % 4);
            for most in [1, 2] {
                let mut found: Vec<&str> = lexicon
                    .nearest(&asked, most)
                    .iter()
                    .map(|near| near.word)
                    .collect();
                found.sort_unstable();
                let all: Vec<&str> = known
                    .keys()
                    .map(String::as_str)
                    .filter(|word| strsim::osa_distance(&asked, word) <= most)
                    .collect();
                assert_eq!(found, all, "{asked} {most}");
            }
        }
    }
}
