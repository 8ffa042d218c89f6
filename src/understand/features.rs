//! Words and character n-grams of a text as sparse, weighted features.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Characters of a text that are looked at; a longer text says the same thing again.
const LONGEST_TEXT: usize = 2_000;

/// The features that occurred in the fitted examples, each with its inverse document frequency.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Vocabulary {
    /// Sorted hashes; a feature's number is its place here.
    pub(super) hashes: Vec<u32>,
    /// Weight of each feature.
    pub(super) rarity: Vec<f32>,
}

impl Vocabulary {
    /// The `largest` most widespread features that occur in at least `fewest` texts.
    pub(super) fn of<'a>(
        texts: impl Iterator<Item = &'a str>,
        fewest: u32,
        largest: usize,
    ) -> Self {
        let mut frequency: HashMap<u32, u32> = HashMap::new();
        let mut total = 0_u32;
        for text in texts {
            total += 1;
            for (hash, _) in counted(text) {
                *frequency.entry(hash).or_default() += 1;
            }
        }
        let mut known: Vec<(u32, u32)> = frequency
            .into_iter()
            .filter(|(_, count)| *count >= fewest)
            .collect();
        known.sort_unstable_by_key(|(hash, count)| (std::cmp::Reverse(*count), *hash));
        known.truncate(largest);
        known.sort_unstable();
        let rarity = |count: u32| (f64::from(total + 1) / f64::from(count + 1)).ln() as f32 + 1.0;
        Self {
            hashes: known.iter().map(|(hash, _)| *hash).collect(),
            rarity: known.iter().map(|(_, count)| rarity(*count)).collect(),
        }
    }

    /// Share of a text's words that are known, in [0, 1].
    pub(super) fn coverage(&self, text: &str) -> f32 {
        let words: Vec<u32> = counted(text)
            .into_iter()
            .map(|(hash, _)| hash)
            .filter(|hash| hash & 1 == 1)
            .collect();
        let known = words
            .iter()
            .filter(|hash| self.hashes.binary_search(hash).is_ok())
            .count();
        known as f32 / words.len().max(1) as f32
    }

    /// Number of features.
    pub(super) fn len(&self) -> usize {
        self.hashes.len()
    }

    /// The known features of a text, with a length of at most `scale`.
    pub(super) fn encode(&self, text: &str, scale: f32) -> Vec<(u32, f32)> {
        let mut features: Vec<(u32, f32)> = counted(text)
            .into_iter()
            .filter_map(|(hash, count)| {
                let place = self.hashes.binary_search(&hash).ok()?;
                let weight = (1.0 + (count as f32).ln()) * self.rarity.get(place)?;
                Some((u32::try_from(place).ok()?, weight))
            })
            .collect();
        // Words and n-grams get the same share of the length, however many n-grams a word has.
        let share = scale * std::f32::consts::FRAC_1_SQRT_2;
        for whole_words in [0, 1] {
            let block = |place: u32| {
                self.hashes
                    .get(place as usize)
                    .is_some_and(|hash| hash & 1 == whole_words)
            };
            let inside = features.iter().filter(|(place, _)| block(*place));
            let length = inside
                .map(|(_, weight)| weight * weight)
                .sum::<f32>()
                .sqrt();
            for (place, weight) in &mut features {
                if block(*place) {
                    *weight *= share / length;
                }
            }
        }
        features
    }
}

/// Lower case without accents; what a customer types in a hurry equals what a shop writes with care.
#[must_use]
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.nfkd().filter(|letter| !is_combining_mark(*letter)) {
        match letter {
            'ß' => folded.push_str("ss"),
            '’' | '‘' | '`' | '´' => folded.push('\''),
            other => folded.extend(other.to_lowercase()),
        }
    }
    folded
}

/// The hashed features of a text with their counts, in the order of their hashes.
fn counted(text: &str) -> Vec<(u32, u32)> {
    let mut hashes = Vec::with_capacity(256);
    let short: String = text.chars().take(LONGEST_TEXT).collect();
    let plain = folded(&short);
    collect(&plain, b'f', &mut hashes);
    let lower = short.to_lowercase();
    if lower != plain {
        collect(&lower, b'a', &mut hashes);
    }
    hashes.sort_unstable();
    let mut counts: Vec<(u32, u32)> = Vec::with_capacity(hashes.len());
    for hash in hashes {
        match counts.last_mut() {
            Some((last, count)) if *last == hash => *count += 1,
            _ => counts.push((hash, 1)),
        }
    }
    counts
}

fn collect(text: &str, kind: u8, hashes: &mut Vec<u32>) {
    let accented = kind == b'a';
    let mut previous: Option<String> = None;
    for token in tokens(text) {
        let is_word = token.chars().next().is_some_and(char::is_alphanumeric);
        // The second pass adds only what the first could not see.
        if accented && token.is_ascii() {
            previous = Some(token);
            continue;
        }
        if is_word {
            grams(&token, kind, hashes);
        }
        hashes.push(word_hash(kind, [token.as_str()].into_iter()));
        if let Some(before) = &previous {
            hashes.push(word_hash(
                kind,
                [before.as_str(), " ", token.as_str()].into_iter(),
            ));
        }
        previous = Some(token);
    }
}

/// Runs of letters or digits (digits all alike), and every other visible character alone.
fn tokens(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for letter in text.chars() {
        if letter.is_alphanumeric() {
            let letter = if letter.is_numeric() { '0' } else { letter };
            match found.last_mut() {
                Some(word) if open => word.push(letter),
                _ => found.push(letter.to_string()),
            }
            open = true;
        } else {
            if !letter.is_whitespace() && !letter.is_control() {
                found.push(letter.to_string());
            }
            open = false;
        }
    }
    found
}

fn grams(word: &str, kind: u8, hashes: &mut Vec<u32>) {
    let padded = format!("<{word}>");
    let ends: Vec<usize> = padded
        .char_indices()
        .map(|(place, _)| place)
        .chain([padded.len()])
        .collect();
    for length in 2..=4 {
        for window in ends.windows(length + 1) {
            if let (Some(from), Some(to)) = (window.first(), window.last())
                && let Some(gram) = padded.get(*from..*to)
            {
                hashes.push(gram_hash(kind, [gram].into_iter()));
            }
        }
    }
}

/// Hashes of words are odd and those of n-grams even, so that a feature tells its block.
fn word_hash<'a>(kind: u8, parts: impl Iterator<Item = &'a str>) -> u32 {
    hash(kind, parts) | 1
}

fn gram_hash<'a>(kind: u8, parts: impl Iterator<Item = &'a str>) -> u32 {
    hash(kind, parts) & !1
}

/// FNV-1a, folded to 32 bits: the same on every machine and in every release.
pub(super) fn hash<'a>(kind: u8, parts: impl Iterator<Item = &'a str>) -> u32 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut take = |byte: u8| {
        state ^= u64::from(byte);
        state = state.wrapping_mul(0x0100_0000_01b3);
    };
    take(kind);
    parts.flat_map(str::bytes).for_each(&mut take);
    (state ^ (state >> 32)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_and_case_do_not_matter_to_the_folded_half() {
        assert_eq!(folded("Può È già ÇÃO Straße"), "puo e gia cao strasse");
        let vocabulary = Vocabulary::of(["perche no"].into_iter(), 1, 1_000);
        assert_eq!(vocabulary.encode("Perché NO", 1.0).len(), vocabulary.len());
    }

    #[test]
    fn features_have_the_length_that_was_asked_for() {
        let vocabulary = Vocabulary::of(["where is my order", "my order"].into_iter(), 1, 1_000);
        let features = vocabulary.encode("is my order there??", 0.5);
        let length: f32 = features.iter().map(|(_, weight)| weight * weight).sum();
        assert!((length.sqrt() - 0.5).abs() < 1e-5);
        assert!(vocabulary.encode("", 1.0).is_empty());
    }
}
