//! Which language a message is in, and whether it says enough to leave the conversation's language.
//!
//! Two opinions are added up: how often each word is written in each of six languages (`language.bin`), and lingua's
//! n-grams, which also know words that are in no list. Their sum, cooled, is a calibrated probability; in a
//! conversation it is weighed with the conversation's language. whatlang reports languages beyond the six.

use lingua::{LanguageDetector, LanguageDetectorBuilder};

mod codes;
mod spoken;
mod table;

use super::words;
use crate::domain::{Language, LanguageGuess};
use codes::iso_code;
use spoken::{Spoken, all_named, spoken};
pub use table::{LanguageTable, WordFrequency};

/// What lingua's log probability counts beside the sum of the words' log frequencies.
const LINGUA: f32 = 2.0;
/// The least probability that lingua's verdict is taken for.
const LINGUA_LEAST: f64 = 1e-5;
/// The sum of log probabilities is divided by this: neighbouring words are no independent witnesses. Calibrated on
/// word pairs, sentences, tweets and the shop's messages: the expected calibration error is at most 0.025 on each.
const TEMPERATURE: f32 = 2.5;
/// How much likelier a message is in its conversation's language, in units of log probability.
const HABIT: f32 = 1.5;
/// Below this probability, after the habit, a conversation's language is kept.
const CLEAR: f32 = 0.6;
/// Log frequency of words that everybody uses.
const COMMON: f32 = -8.0;
/// Characters that are looked at.
const LONGEST_TEXT: usize = 1_000;

/// Detects languages among those that are configured.
pub struct Languages {
    configured: Vec<Language>,
    /// Those of the configured ones that there are words of.
    known: Vec<Known>,
    detector: Option<LanguageDetector>,
    table: &'static LanguageTable,
}

/// A language that there are words of.
struct Known {
    language: Language,
    /// Its place in the table.
    column: usize,
    model: Option<lingua::Language>,
}

impl std::fmt::Debug for Languages {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Languages")
            .field("configured", &self.configured)
            .finish_non_exhaustive()
    }
}

impl Languages {
    /// A detector for these languages; without any it assumes English. The language models are read
    /// when they are first needed: call [`Languages::warm`] before the first message.
    #[must_use]
    pub fn new(configured: &[Language]) -> Self {
        let configured = if configured.is_empty() {
            vec![Language::EN]
        } else {
            configured.to_vec()
        };
        let known: Vec<Known> = configured
            .iter()
            .filter_map(|language| {
                Some(Known {
                    language: *language,
                    column: table::LANGUAGES
                        .iter()
                        .position(|known| known == language)?,
                    model: lingua_language(*language),
                })
            })
            .collect();
        let models: Vec<lingua::Language> = known.iter().filter_map(|known| known.model).collect();
        let detector =
            (models.len() > 1).then(|| LanguageDetectorBuilder::from_languages(&models).build());
        Self {
            configured,
            known,
            detector,
            table: LanguageTable::builtin(),
        }
    }

    /// Reads the language models, so that the first message does not wait for them.
    pub fn warm(&self) {
        for language in &self.configured {
            let sample = words::of(*language).courtesy.join(" ");
            let _ = self.detect(&sample, None);
        }
    }

    /// The language of a message. With the conversation's language given, a message that says too
    /// little keeps it; without, the best guess among the configured ones or a language outside them.
    #[must_use]
    pub fn detect(&self, text: &str, previous: Option<Language>) -> LanguageGuess {
        let text: String = text.chars().take(LONGEST_TEXT).collect();
        let words = spoken(&text);
        let home = previous
            .or_else(|| self.configured.first().copied())
            .unwrap_or(Language::EN);
        let kept = |confidence: f32| LanguageGuess {
            language: home,
            confidence,
            kept: previous.is_some(),
        };
        if words.is_empty() {
            return kept(if previous.is_some() { 0.9 } else { 0.2 });
        }
        if let Some((language, confidence)) = self.beyond(&text, &words) {
            return LanguageGuess {
                language,
                confidence,
                kept: false,
            };
        }
        let Some((language, confidence)) = self.best(&words, previous) else {
            return kept(0.2);
        };
        let little = previous.is_some() && says_little(&text, &words);
        if previous.is_none() || previous == Some(language) {
            return LanguageGuess {
                language,
                confidence,
                kept: little,
            };
        }
        if confidence >= CLEAR && !little {
            LanguageGuess {
                language,
                confidence,
                kept: false,
            }
        } else {
            kept(0.6)
        }
    }

    /// The most probable of the known languages, given the conversation's.
    fn best(&self, words: &[Spoken], previous: Option<Language>) -> Option<(Language, f32)> {
        let mut levels = self.levels(words);
        for (known, level) in self.known.iter().zip(&mut levels) {
            *level /= TEMPERATURE;
            if previous == Some(known.language) {
                *level += HABIT;
            }
        }
        super::linear::softmax(&mut levels);
        let ranked = self.known.iter().map(|known| known.language).zip(levels);
        ranked.reduce(|best, next| if next.1 > best.1 { next } else { best })
    }

    /// Log probability of each known language, up to a constant, not calibrated.
    fn levels(&self, words: &[Spoken]) -> Vec<f32> {
        let mut levels = vec![0.0; self.known.len()];
        for spoken in words {
            for frequencies in self.frequencies(&spoken.word) {
                for (known, level) in self.known.iter().zip(&mut levels) {
                    *level += spoken.weight * frequencies.get(known.column).copied().unwrap_or(0.0);
                }
            }
        }
        if let Some(detector) = &self.detector {
            let telling = words.iter().filter(|spoken| !spoken.courteous);
            let mut telling: Vec<&str> = telling.map(|spoken| spoken.word.as_str()).collect();
            if telling.is_empty() {
                telling = words.iter().map(|spoken| spoken.word.as_str()).collect();
            }
            for (language, value) in detector.compute_language_confidence_values(telling.join(" "))
            {
                let known = self.known.iter().zip(&mut levels);
                for (_, level) in known.filter(|(known, _)| known.model == Some(language)) {
                    *level += LINGUA * value.max(LINGUA_LEAST).ln() as f32;
                }
            }
        }
        levels
    }

    /// The log frequencies of a word, or of its parts around apostrophes when only these are known.
    fn frequencies(&self, word: &str) -> Vec<[f32; table::LANGUAGES.len()]> {
        let lower = word.to_lowercase().replace('’', "'");
        if let Some(whole) = self.table.look_up(&lower) {
            return vec![whole];
        }
        if !lower.contains('\'') {
            return Vec::new();
        }
        lower
            .split('\'')
            .filter_map(|part| self.table.look_up(part))
            .collect()
    }

    /// A language that there are no words of, when script or wording leave no doubt.
    fn beyond(&self, text: &str, words: &[Spoken]) -> Option<(Language, f32)> {
        let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
        let latin = text.chars().filter(|letter| is_latin(*letter)).count();
        let foreign_script = latin * 2 < letters;
        if !foreign_script && words.len() < 5 {
            return None;
        }
        let joined: Vec<&str> = words.iter().map(|spoken| spoken.word.as_str()).collect();
        let info = whatlang::detect(&joined.join(" "))?;
        let language = iso_code(info.lang())?;
        if self.known.iter().any(|known| known.language == language) {
            return None;
        }
        if foreign_script {
            return Some((language, info.confidence().max(0.7) as f32));
        }
        let native = words.iter().filter(|spoken| self.is_common(&spoken.word));
        let clear = info.is_reliable() && info.confidence() > 0.9;
        (clear && native.count() * 2 <= words.len()).then_some((language, info.confidence() as f32))
    }

    /// Whether a word is an everyday word of a known language.
    fn is_common(&self, word: &str) -> bool {
        self.frequencies(word).iter().any(|frequencies| {
            let common = |known: &Known| {
                frequencies
                    .get(known.column)
                    .is_some_and(|level| *level > COMMON)
            };
            self.known.iter().any(common)
        })
    }
}

/// One word, or nothing but names, does not change a conversation's language.
fn says_little(text: &str, words: &[Spoken]) -> bool {
    let long = |spoken: &&Spoken| spoken.word.chars().count() > 1;
    let shouted = text.chars().all(|letter| !letter.is_lowercase());
    words.iter().filter(long).count() < 2 || (!shouted && all_named(words))
}

fn is_latin(letter: char) -> bool {
    letter.is_alphabetic() && matches!(letter, '\u{0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

fn lingua_language(language: Language) -> Option<lingua::Language> {
    lingua::Language::all()
        .into_iter()
        .find(|known| known.iso_code_639_1().to_string() == language.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages() -> Languages {
        Languages::new(&[
            Language::EN,
            Language::IT,
            Language::ES,
            Language::PT,
            Language::DE,
            Language::FR,
        ])
    }

    #[test]
    fn a_message_that_says_too_little_keeps_the_conversations_language() {
        let languages = languages();
        for text in [
            "👍",
            "ok",
            "10432",
            "Marco Rossi",
            "no",
            "",
            "grazie",
            "bob@example.com",
            "https://example.com/wo-ist",
        ] {
            let guess = languages.detect(text, Some(Language::DE));
            assert!(
                guess.language == Language::DE && guess.kept,
                "{text}: {guess:?}"
            );
        }
    }

    #[test]
    fn a_clear_message_changes_it() {
        let guess = languages().detect("where is my order?", Some(Language::IT));
        assert!(guess.language == Language::EN && !guess.kept, "{guess:?}");
    }

    #[test]
    fn a_message_in_two_languages_is_in_that_of_its_request() {
        let languages = languages();
        for (text, language) in [
            ("Hello! dov'è il mio ordine? thanks", Language::IT),
            ("Ciao, where is my parcel? grazie", Language::EN),
            ("Guten Tag, ¿cuándo llega mi pedido?", Language::ES),
            ("Bonjour, wann kommt meine Bestellung an?", Language::DE),
            ("Obrigado! Where can I find the invoice?", Language::EN),
            ("Suche die Classic Napoli Coffee Machine", Language::DE),
            ("Avete The Perfect Cup of Coffee in italiano?", Language::IT),
            ("Je cherche le Black Steel Grinder", Language::FR),
            (
                "I am on holiday in Rome. Quando aprite domani?",
                Language::IT,
            ),
        ] {
            assert_eq!(languages.detect(text, None).language, language, "{text}");
        }
    }

    #[test]
    fn every_guess_is_a_probability() {
        let languages = languages();
        for text in [
            "ok",
            "hola",
            "\u{200b}\u{202e}",
            "a",
            "où est-ce",
            "מה שלומך",
        ] {
            for previous in [None, Some(Language::PT)] {
                let guess = languages.detect(text, previous);
                assert!((0.0..=1.0).contains(&guess.confidence), "{text}: {guess:?}");
            }
        }
    }

    #[test]
    fn other_scripts_and_languages_are_reported() {
        let languages = languages();
        assert_eq!(
            languages
                .detect("Привет, где мой заказ?", None)
                .language
                .code(),
            "ru"
        );
        assert_eq!(
            languages
                .detect("私の注文はどこですか", Some(Language::IT))
                .language
                .code(),
            "ja"
        );
        let dutch = "waar blijft mijn bestelling, ik wacht al twee weken";
        assert_eq!(languages.detect(dutch, None).language.code(), "nl");
    }

    #[test]
    fn one_language_or_none_is_enough() {
        assert_eq!(
            Languages::new(&[])
                .detect("hello there my friend", None)
                .language,
            Language::EN
        );
        assert_eq!(
            Languages::new(&[Language::IT])
                .detect("ciao a tutti", None)
                .language,
            Language::IT
        );
    }
}
