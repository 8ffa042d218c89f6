//! Which language a message is in, and whether it says enough to leave the conversation's language.
//!
//! Lingua decides among the configured languages it knows, helped by words that only one of them writes
//! (chat abbreviations, greetings, articles); whatlang reports languages outside the configured ones.

use std::collections::HashMap;

use lingua::{LanguageDetector, LanguageDetectorBuilder};

use super::words::{self, fold_word};
use crate::domain::{Language, LanguageGuess};

/// How much one marker word counts against lingua's verdict, in units of log probability.
const MARKER: f32 = 1.6;
/// Lingua is surer than it says: its log probabilities are stretched by this.
const SHARPNESS: f32 = 2.0;
/// How much likelier a message is in its conversation's language, in units of log probability.
const HABIT: f32 = 1.5;
/// Below this probability, after the habit, a conversation's language is kept.
const CLEAR: f32 = 0.6;
/// Characters that are looked at.
const LONGEST_TEXT: usize = 1_000;

/// Detects languages among those that are configured.
pub struct Languages {
    configured: Vec<Language>,
    detector: Option<LanguageDetector>,
    markers: HashMap<String, Vec<(usize, f32)>>,
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
        let known: Vec<lingua::Language> = configured
            .iter()
            .filter_map(|language| lingua_language(*language))
            .collect();
        let detector =
            (known.len() > 1).then(|| LanguageDetectorBuilder::from_languages(&known).build());
        Self {
            markers: markers(&configured),
            configured,
            detector,
        }
    }

    /// Reads the language models, so that the first message does not wait for them.
    pub fn warm(&self) {
        for language in &self.configured {
            let sample = words::of(*language).markers.join(" ");
            let _ = self.detect(&sample, None);
        }
    }

    /// The language of a message. With the conversation's language given, a message that says too
    /// little keeps it; without, the best guess among the configured ones or a language outside them.
    #[must_use]
    pub fn detect(&self, text: &str, previous: Option<Language>) -> LanguageGuess {
        let text: String = text.chars().take(LONGEST_TEXT).collect();
        let words = spoken_words(&text);
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
        if let Some((language, confidence)) = self.foreign(&text, &words) {
            return LanguageGuess {
                language,
                confidence,
                kept: false,
            };
        }
        let mut shares = self.shares(&words);
        let Some(previous) = previous else {
            return best(&self.configured, &shares).map_or(kept(0.2), |(language, confidence)| {
                LanguageGuess {
                    language,
                    confidence,
                    kept: false,
                }
            });
        };
        if let Some(place) = self
            .configured
            .iter()
            .position(|language| *language == previous)
        {
            shares[place] *= HABIT.exp();
            let total: f32 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= total);
        }
        match best(&self.configured, &shares) {
            Some((language, confidence)) if language == previous => LanguageGuess {
                language,
                confidence,
                kept: says_little(&text, &words),
            },
            Some((language, confidence)) if confidence >= CLEAR && !says_little(&text, &words) => {
                LanguageGuess {
                    language,
                    confidence,
                    kept: false,
                }
            }
            _ => kept(0.6),
        }
    }

    /// Probability of each configured language.
    fn shares(&self, words: &[String]) -> Vec<f32> {
        let mut levels = vec![(1.0 / self.configured.len() as f32).ln(); self.configured.len()];
        if let Some(detector) = &self.detector {
            for (language, value) in detector.compute_language_confidence_values(words.join(" ")) {
                if let Some(place) = self
                    .configured
                    .iter()
                    .position(|code| lingua_language(*code) == Some(language))
                {
                    levels[place] = SHARPNESS * (value as f32).max(1e-4).ln();
                }
            }
        }
        for word in words {
            for (place, weight) in self.markers.get(&word.to_lowercase()).into_iter().flatten() {
                levels[*place] += weight;
            }
        }
        super::linear::softmax(&mut levels);
        levels
    }

    /// A language outside the configured ones, when script or wording leave no doubt.
    fn foreign(&self, text: &str, words: &[String]) -> Option<(Language, f32)> {
        let letters = text.chars().filter(|letter| letter.is_alphabetic()).count();
        let latin = text.chars().filter(|letter| is_latin(*letter)).count();
        let info = whatlang::detect(&words.join(" "))?;
        let language = iso_code(info.lang())?;
        if self.configured.contains(&language) {
            return None;
        }
        if latin * 2 < letters {
            return Some((language, info.confidence().max(0.7) as f32));
        }
        let native = words
            .iter()
            .filter(|word| self.markers.contains_key(&word.to_lowercase()))
            .count();
        let clear = info.is_reliable()
            && info.confidence() > 0.9
            && words.len() >= 5
            && native * 4 <= words.len();
        clear.then_some((language, info.confidence() as f32))
    }
}

fn best(languages: &[Language], shares: &[f32]) -> Option<(Language, f32)> {
    let ranked = languages.iter().copied().zip(shares.iter().copied());
    ranked.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// Marker words with the languages they speak for; a word of several languages speaks for each a little.
fn markers(configured: &[Language]) -> HashMap<String, Vec<(usize, f32)>> {
    let mut markers: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, language) in configured.iter().enumerate() {
        for word in &words::of(*language).markers {
            for form in [word.to_lowercase(), fold_word(word)] {
                let places = markers.entry(form).or_default();
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
    }
    markers
        .into_iter()
        .map(|(word, places)| {
            let weight = if places.len() == 1 {
                MARKER
            } else {
                MARKER * 0.5
            };
            (
                word,
                places.into_iter().map(|place| (place, weight)).collect(),
            )
        })
        .collect()
}

/// The words of a text without addresses, mentions, numbers and symbols.
fn spoken_words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .filter(|chunk| {
            !chunk.contains("://")
                && !chunk.contains('@')
                && !chunk.starts_with('#')
                && !chunk.starts_with("www.")
        })
        .flat_map(|chunk| {
            chunk.split(|letter: char| !(letter.is_alphabetic() || letter == '\'' || letter == '’'))
        })
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty() && !words::is_international(word))
        .map(str::to_owned)
        .collect()
}

/// One word, or nothing but names, does not change a conversation's language.
fn says_little(text: &str, words: &[String]) -> bool {
    let real = words.iter().filter(|word| word.chars().count() > 1).count();
    let named = |word: &String| word.chars().next().is_some_and(char::is_uppercase);
    let shouted = text.chars().all(|letter| !letter.is_lowercase());
    real < 2 || (!shouted && words.iter().all(named))
}

fn is_latin(letter: char) -> bool {
    letter.is_alphabetic() && matches!(letter, '\u{0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

fn lingua_language(language: Language) -> Option<lingua::Language> {
    lingua::Language::all()
        .into_iter()
        .find(|known| known.iso_code_639_1().to_string() == language.code())
}

fn iso_code(lang: whatlang::Lang) -> Option<Language> {
    ISO_CODES
        .iter()
        .find(|(long, _)| *long == lang.code())?
        .1
        .parse()
        .ok()
}

/// whatlang's three-letter codes beside their ISO 639-1 codes.
const ISO_CODES: &[(&str, &str)] = &[
    ("epo", "eo"),
    ("eng", "en"),
    ("rus", "ru"),
    ("cmn", "zh"),
    ("spa", "es"),
    ("por", "pt"),
    ("ita", "it"),
    ("ben", "bn"),
    ("fra", "fr"),
    ("deu", "de"),
    ("ukr", "uk"),
    ("kat", "ka"),
    ("ara", "ar"),
    ("hin", "hi"),
    ("jpn", "ja"),
    ("heb", "he"),
    ("yid", "yi"),
    ("pol", "pl"),
    ("amh", "am"),
    ("jav", "jv"),
    ("kor", "ko"),
    ("nob", "nb"),
    ("dan", "da"),
    ("swe", "sv"),
    ("fin", "fi"),
    ("tur", "tr"),
    ("nld", "nl"),
    ("hun", "hu"),
    ("ces", "cs"),
    ("ell", "el"),
    ("bul", "bg"),
    ("bel", "be"),
    ("mar", "mr"),
    ("kan", "kn"),
    ("ron", "ro"),
    ("slv", "sl"),
    ("hrv", "hr"),
    ("srp", "sr"),
    ("mkd", "mk"),
    ("lit", "lt"),
    ("lav", "lv"),
    ("est", "et"),
    ("tam", "ta"),
    ("vie", "vi"),
    ("urd", "ur"),
    ("tha", "th"),
    ("guj", "gu"),
    ("uzb", "uz"),
    ("pan", "pa"),
    ("aze", "az"),
    ("ind", "id"),
    ("tel", "te"),
    ("pes", "fa"),
    ("mal", "ml"),
    ("ori", "or"),
    ("mya", "my"),
    ("nep", "ne"),
    ("sin", "si"),
    ("khm", "km"),
    ("tuk", "tk"),
    ("aka", "ak"),
    ("zul", "zu"),
    ("sna", "sn"),
    ("afr", "af"),
    ("lat", "la"),
    ("slk", "sk"),
    ("cat", "ca"),
    ("tgl", "tl"),
    ("hye", "hy"),
    ("cym", "cy"),
];

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
    fn every_code_of_whatlang_is_known() {
        for lang in whatlang::Lang::all() {
            assert!(iso_code(*lang).is_some(), "{}", lang.code());
        }
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
