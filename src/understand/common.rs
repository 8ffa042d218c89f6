//! Words that carry a language and little else.

use super::features::folded;
use super::language::LanguageTable;
use super::words::{self, tokens};
use crate::domain::Language;

/// Natural logarithm of the share that an everyday word has at least in what is written.
const EVERYDAY: f32 = -13.8;

/// Whether a word is one of those that every text of a language is full of.
#[must_use]
pub fn is_common_word(word: &str, language: Language) -> bool {
    let word = folded(word);
    let words = words::of(language);
    let joins = words.purpose.iter().flat_map(|phrase| &phrase.0);
    words.common.iter().any(|marker| folded(marker) == word)
        || joins.into_iter().any(|other| *other == word)
}

/// Whether a word, with its accents, is among those that are often written in a language: at least once in a million.
#[must_use]
pub fn is_everyday_word(word: &str, language: Language) -> bool {
    let share = LanguageTable::builtin().share(&word.to_lowercase(), language);
    share.is_some_and(|share| share >= EVERYDAY)
}

/// Whether a text of some length is rather written in this language than in another of the tables.
#[must_use]
pub fn reads_as(text: &str, language: Language) -> bool {
    let tokens = tokens(text);
    let count = |markers: &[String]| {
        let markers: Vec<String> = markers.iter().map(|marker| folded(marker)).collect();
        let known = tokens.iter().filter(|token| markers.contains(&token.text));
        known.count()
    };
    let own = count(&words::of(language).common);
    words::all().all(|other| count(&other.common) <= own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_words_are_known_with_and_without_accents() {
        assert!(is_common_word("With", Language::EN) && is_common_word("für", Language::DE));
        assert!(is_common_word("cuanto", Language::ES));
        assert!(!is_common_word("Noce", Language::EN));
    }

    #[test]
    fn everyday_words_are_those_of_their_language() {
        assert!(
            is_everyday_word("Perché", Language::IT) && is_everyday_word("kitchen", Language::EN)
        );
        assert!(!is_everyday_word("perché", Language::EN));
        assert!(!is_everyday_word("machne", Language::EN) && !is_everyday_word("", Language::EN));
        let polish: Language = "pl".parse().unwrap();
        assert!(!is_everyday_word("the", polish));
    }

    #[test]
    fn a_text_reads_as_its_own_language() {
        let english =
            "Takes capsules. For those who want cappuccino every morning with nothing to learn.";
        let italian =
            "Per chi vuole il cappuccino ogni mattina e non ha voglia di imparare niente.";
        assert!(reads_as(english, Language::EN) && !reads_as(english, Language::PT));
        assert!(reads_as(italian, Language::IT) && !reads_as(italian, Language::DE));
    }
}
