//! How often the words of six languages are written, as a small file that is part of the program.
//!
//! The numbers that ship (`language.bin`) come from the word frequencies of wordfreq 3.1.1 (Robyn Speer; data under
//! CC BY-SA 4.0, so this file is too), with a tenth of their weight given to words counted in the training tweets of
//! UMSAB (cardiffnlp/xlm-t, tweets under research terms) and in the shop's own examples. Words are kept as hashes;
//! no text is part of the file. [`LanguageTable::fit`] is deterministic.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::super::features::hash;
use crate::domain::Language;

/// The languages of the table in their order.
pub(super) const LANGUAGES: [Language; 6] = [
    Language::EN,
    Language::IT,
    Language::ES,
    Language::PT,
    Language::DE,
    Language::FR,
];
/// Words kept of each language.
const MOST_WORDS: usize = 25_000;
/// Share of the texts' own words beside the general frequencies.
const TEXTS_SHARE: f64 = 0.1;
/// Taken off each count in the texts, so that a word seen once counts for nothing and one seen twice for little.
const DISCOUNT: f64 = 0.7;
/// Natural logarithm of the frequency that a word has at least, in a language where it was never seen.
const RAREST: f32 = -17.7;
/// Natural logarithm of the highest frequency.
const MOST_FREQUENT: f32 = -2.0;
const MAGIC: &[u8; 5] = b"SPLT\x01";
const BUILTIN: &[u8] = include_bytes!("../language.bin");

/// A word and how often it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct WordFrequency {
    /// The word in lower case.
    pub word: String,
    /// The language it is a word of.
    pub language: Language,
    /// Share of this word in all that is written in the language, in [0, 1].
    pub frequency: f64,
}

/// Logarithms of word frequencies in the six languages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LanguageTable {
    /// Sorted.
    hashes: Vec<u32>,
    /// One byte for each language: 0 for never, else from [`RAREST`] to [`MOST_FREQUENT`].
    levels: Vec<[u8; LANGUAGES.len()]>,
}

impl LanguageTable {
    /// The table that is part of the program.
    pub(in crate::understand) fn builtin() -> &'static Self {
        static SHARED: LazyLock<LanguageTable> =
            LazyLock::new(|| LanguageTable::from_bytes(BUILTIN).unwrap_or_default());
        &SHARED
    }

    /// Counts: general word frequencies, and texts with their language. Languages beyond the six are left out.
    #[must_use]
    pub fn fit(frequencies: &[WordFrequency], texts: &[(String, Language)]) -> Self {
        let mut shares: BTreeMap<String, [f64; LANGUAGES.len()]> = BTreeMap::new();
        for known in frequencies {
            if let Some(column) = column(known.language) {
                shares.entry(known.word.clone()).or_default()[column] +=
                    known.frequency * (1.0 - TEXTS_SHARE);
            }
        }
        let mut counts: BTreeMap<String, [f64; LANGUAGES.len()]> = BTreeMap::new();
        let mut totals = [0.0_f64; LANGUAGES.len()];
        for (text, language) in texts {
            let Some(column) = column(*language) else {
                continue;
            };
            for word in super::spoken::written_words(text) {
                counts.entry(word.to_lowercase()).or_default()[column] += 1.0;
                totals[column] += 1.0;
            }
        }
        for (word, counts) in counts {
            for (column, count) in counts
                .into_iter()
                .enumerate()
                .filter(|(_, count)| *count > 1.0)
            {
                shares.entry(word.clone()).or_default()[column] +=
                    TEXTS_SHARE * (count - DISCOUNT) / totals[column];
            }
        }
        Self::of(&shares)
    }

    /// The table of the most frequent words of each language.
    fn of(shares: &BTreeMap<String, [f64; LANGUAGES.len()]>) -> Self {
        let mut rows: BTreeMap<u32, [u8; LANGUAGES.len()]> = BTreeMap::new();
        for column in 0..LANGUAGES.len() {
            let mut ranked: Vec<(&String, &[f64; LANGUAGES.len()])> = shares
                .iter()
                .filter(|(_, shares)| shares[column] > 0.0)
                .collect();
            ranked.sort_by(|one, other| {
                other.1[column]
                    .total_cmp(&one.1[column])
                    .then(one.0.cmp(other.0))
            });
            for (word, shares) in ranked.into_iter().take(MOST_WORDS) {
                rows.insert(word_hash(word), shares.map(level));
            }
        }
        Self {
            hashes: rows.keys().copied().collect(),
            levels: rows.into_values().collect(),
        }
    }

    /// The logarithm of a lower-case word's frequency in each language; none for a word that is in no list.
    pub(super) fn look_up(&self, word: &str) -> Option<[f32; LANGUAGES.len()]> {
        let place = self.hashes.binary_search(&word_hash(word)).ok()?;
        let step = (MOST_FREQUENT - RAREST) / 255.0;
        Some(
            self.levels
                .get(place)?
                .map(|level| RAREST + f32::from(level) * step),
        )
    }

    /// The logarithm of a lower-case word's frequency in one language; none when the table does not have it there.
    pub(in crate::understand) fn share(&self, word: &str, language: Language) -> Option<f32> {
        let share = *self.look_up(word)?.get(column(language)?)?;
        (share > RAREST).then_some(share)
    }

    /// The table as its file stores it: `SPLT` 1, the number of words as little-endian u32, and for each word the
    /// distance of its hash from the one before (seven bits a byte, the lowest first, the eighth bit says that more
    /// follow), a byte with a bit for each language that has the word, and a byte for the level in each of those.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend((self.hashes.len() as u32).to_le_bytes());
        let mut before = 0;
        for (hash, levels) in self.hashes.iter().zip(&self.levels) {
            let mut distance = hash - before;
            before = *hash;
            while distance >= 0x80 {
                bytes.push(distance as u8 | 0x80);
                distance >>= 7;
            }
            bytes.push(distance as u8);
            let present = levels
                .iter()
                .enumerate()
                .filter(|(_, level)| **level > 0)
                .fold(0_u8, |bits, (column, _)| bits | 1 << column);
            bytes.push(present);
            bytes.extend(levels.iter().filter(|level| **level > 0));
        }
        bytes
    }

    /// A table from [`LanguageTable::to_bytes`]; none when the bytes are not a whole table.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let mut rest = rest.iter().copied();
        let mut table = Self::default();
        let mut hash = 0_u32;
        for _ in 0..count {
            let mut distance = 0_u32;
            for shift in (0..35).step_by(7) {
                let byte = rest.next()?;
                distance |= u32::from(byte & 0x7f).checked_shl(shift)?;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            hash = hash.checked_add(distance)?;
            let present = rest.next()?;
            let mut levels = [0; LANGUAGES.len()];
            for (column, level) in levels.iter_mut().enumerate() {
                if present >> column & 1 == 1 {
                    *level = rest.next()?;
                }
            }
            table.hashes.push(hash);
            table.levels.push(levels);
        }
        (rest.next().is_none() && table.hashes.is_sorted()).then_some(table)
    }
}

fn column(language: Language) -> Option<usize> {
    LANGUAGES.iter().position(|known| *known == language)
}

fn word_hash(word: &str) -> u32 {
    hash(b'l', std::iter::once(word))
}

fn level(share: f64) -> u8 {
    if share <= 0.0 {
        return 0;
    }
    let part = (share.ln() as f32 - RAREST) / (MOST_FREQUENT - RAREST);
    (part * 255.0).round().clamp(1.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frequency(word: &str, language: Language, frequency: f64) -> WordFrequency {
        WordFrequency {
            word: word.to_owned(),
            language,
            frequency,
        }
    }

    #[test]
    fn frequent_words_are_known_and_survive_the_file() {
        let texts = vec![("nn va, nn va!".to_owned(), Language::IT); 20];
        let table = LanguageTable::fit(
            &[
                frequency("the", Language::EN, 0.05),
                frequency("die", Language::DE, 0.03),
                frequency("die", Language::EN, 1e-4),
            ],
            &texts,
        );
        let [english, .., german, _] = table.look_up("die").unwrap();
        assert!((german - 0.027_f32.ln()).abs() < 0.1 && english < german);
        assert!(table.look_up("nn").unwrap()[1] > -4.0);
        assert_eq!(table.look_up("parcel"), None);
        let bytes = table.to_bytes();
        assert_eq!(LanguageTable::from_bytes(&bytes), Some(table));
        for length in 0..bytes.len() {
            assert_eq!(LanguageTable::from_bytes(&bytes[..length]), None);
        }
    }

    #[test]
    fn the_table_that_ships_is_whole_and_small() {
        let table = LanguageTable::from_bytes(BUILTIN).unwrap();
        assert!(table.hashes.len() > 100_000 && BUILTIN.len() < 1_000_000);
    }
}
