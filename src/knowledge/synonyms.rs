//! `synonyms.yaml`: what customers say against what the shop's texts say. The file is optional.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_saphyr::Spanned;

use super::files::Files;
use super::yaml::{ByLanguage, line, yaml_fault};
use super::{Notes, vocabulary};
use crate::domain::Language;
use crate::understand::folded;

const FILE: &str = "synonyms.yaml";
/// A word that loses an ending keeps so many letters.
const SHORTEST_ROOT: usize = 4;

/// Words and phrases that mean the same, by language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synonyms {
    languages: BTreeMap<Language, Groups>,
}

/// The groups of one language.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Groups {
    /// Phrases in lower case without accents.
    groups: Vec<Vec<String>>,
    /// The group of a phrase, by the roots of its words.
    places: HashMap<Vec<String>, usize>,
    /// Words of the longest phrase.
    longest: usize,
}

impl Synonyms {
    /// Words and phrases to search for beside the query's own, in lower case and without accents: the other members
    /// of each group of which the query has one. The longest phrase counts where several begin or overlap, and plain
    /// endings do not matter.
    #[must_use]
    pub fn expand(&self, query: &str, language: Language) -> Vec<String> {
        let Some(known) = self.languages.get(&language) else {
            return Vec::new();
        };
        let roots = roots(query, language);
        let has = |phrase: &str| {
            let phrase = self::roots(phrase, language);
            roots.windows(phrase.len()).any(|window| *window == *phrase)
        };
        let mut added: Vec<String> = Vec::new();
        let mut used: HashSet<usize> = HashSet::new();
        let mut place = 0;
        while place < roots.len() {
            let found = (1..=known.longest).rev().find_map(|length| {
                let phrase = roots.get(place..place + length)?;
                Some((length, *known.places.get(phrase)?))
            });
            let Some((length, group)) = found else {
                place += 1;
                continue;
            };
            place += length;
            if used.insert(group) {
                let others = known.groups.get(group).into_iter().flatten();
                added.extend(others.filter(|phrase| !has(phrase)).cloned());
            }
        }
        added
    }

    /// How many groups there are, in all languages.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.languages
            .values()
            .map(|known| known.groups.len())
            .sum()
    }
}

/// Reads the file; nothing when there is none.
pub(super) fn read(files: &Files, notes: &mut Notes) -> Synonyms {
    if !files.has(FILE) {
        return Synonyms::default();
    }
    files
        .text(FILE, notes)
        .map(|text| parsed(&text, notes))
        .unwrap_or_default()
}

type Listed = ByLanguage<Vec<Spanned<Vec<Spanned<String>>>>>;

fn parsed(text: &str, notes: &mut Notes) -> Synonyms {
    let entries = match serde_saphyr::from_str::<Listed>(text) {
        Ok(ByLanguage(entries)) => entries,
        Err(error) => {
            notes.faults.push(yaml_fault(FILE, &error));
            return Synonyms::default();
        }
    };
    let mut synonyms = Synonyms::default();
    for (code, groups) in entries {
        match vocabulary::language(&code.value) {
            Ok(language) => {
                let read = read_groups(language, &groups, notes);
                synonyms.languages.insert(language, read);
            }
            Err(message) => notes.fault(FILE, line(&code), message),
        }
    }
    synonyms
}

fn read_groups(
    language: Language,
    groups: &[Spanned<Vec<Spanned<String>>>],
    notes: &mut Notes,
) -> Groups {
    let mut known = Groups::default();
    // Where each phrase was first.
    let mut lines: HashMap<Vec<String>, usize> = HashMap::new();
    for group in groups {
        if group.value.len() < 2 {
            let message = "a group needs two words or phrases that mean the same; add one or remove the group";
            notes.fault(FILE, line(group), message);
            continue;
        }
        let number = known.groups.len();
        let mut phrases: Vec<String> = Vec::new();
        for written in &group.value {
            let words = words(&written.value);
            let roots = roots(&written.value, language);
            if roots.is_empty() {
                let message = "the entry has no letters or digits; write a word or remove it";
                notes.fault(FILE, line(written), message);
                continue;
            }
            let phrase = words.join(" ");
            let text = written.value.trim();
            match known.places.get(&roots) {
                Some(other) if *other != number => {
                    let first = lines.get(&roots).copied().unwrap_or(1);
                    let message = format!(
                        "`{text}` is in the group on line {first} already (endings do not count); keep it in one group only"
                    );
                    notes.fault(FILE, line(written), message);
                    continue;
                }
                Some(_) if phrases.contains(&phrase) => {
                    let message = format!("`{text}` is in this group already; remove one");
                    notes.warning(FILE, line(written), message);
                    continue;
                }
                Some(_) | None => {}
            }
            known.longest = known.longest.max(roots.len());
            lines.entry(roots.clone()).or_insert_with(|| line(written));
            known.places.insert(roots, number);
            phrases.push(phrase);
        }
        known.groups.push(phrases);
    }
    known
}

fn words(text: &str) -> Vec<String> {
    folded(text)
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

fn roots(text: &str, language: Language) -> Vec<String> {
    let words = words(text).into_iter();
    words.map(|word| root(word, language)).collect()
}

/// A folded word without the endings that its plural or its singular has.
fn root(mut word: String, language: Language) -> String {
    let endings: &[&str] = match language {
        Language::EN => &["s"],
        Language::IT => &["a", "e", "i", "o", "h"],
        Language::ES | Language::PT => &["s", "e"],
        Language::DE => &["er", "e", "n", "s"],
        Language::FR => &["s", "x", "e"],
        _ => &[],
    };
    let mut letters = word.chars().count();
    while let Some(ending) = endings.iter().find(|ending| {
        word.ends_with(*ending) && letters >= SHORTEST_ROOT + ending.len() && !word.ends_with("ss")
    }) {
        letters -= ending.len();
        word.truncate(word.len() - ending.len());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Currency;
    use crate::knowledge::{self, KnowledgeSource};

    fn read_text(text: &str) -> (Synonyms, Vec<String>, Vec<String>) {
        let mut notes = Notes::default();
        let synonyms = parsed(text, &mut notes);
        let shown = |faults: &[knowledge::Fault]| faults.iter().map(ToString::to_string).collect();
        let (faults, warnings) = (shown(&notes.faults), shown(&notes.warnings));
        (synonyms, faults, warnings)
    }

    fn small() -> Synonyms {
        let (synonyms, faults, warnings) = read_text(
            "it:\n  - [macinacaffè, Macinino, macina caffè]\n  - [buono, codice sconto]\n  - [sconto, offerta]\n\
             de:\n  - [Mühle, Kaffeemühle]\n",
        );
        assert!(faults.is_empty() && warnings.is_empty(), "{faults:?}");
        synonyms
    }

    #[test]
    fn the_other_words_of_a_group_are_added() {
        let synonyms = small();
        let expand = |query| synonyms.expand(query, Language::IT);
        assert_eq!(expand("un MACINACAFFE'?"), ["macinino", "macina caffe"]);
        assert_eq!(expand("due macinini"), ["macinacaffe", "macina caffe"]);
        assert_eq!(expand("macina caffè o macinino"), ["macinacaffe"]);
        assert!(expand("una moka").is_empty() && expand("").is_empty());
        assert!(synonyms.expand("macinino", Language::EN).is_empty());
        assert_eq!(synonyms.expand("Mühlen", Language::DE), ["kaffeemuhle"]);
        assert_eq!(synonyms.groups(), 4);
    }

    #[test]
    fn plain_endings_do_not_matter() {
        for (language, one, other) in [
            (Language::EN, "voucher", "vouchers"),
            (Language::IT, "macinino", "macinini"),
            (Language::IT, "moka", "moke"),
            (Language::ES, "cupón", "cupones"),
            (Language::ES, "clase", "clases"),
            (Language::PT, "fatura", "faturas"),
            (Language::DE, "Gutschein", "Gutscheine"),
            (Language::DE, "Preis", "Preise"),
            (Language::DE, "Mühle", "Mühlen"),
        ] {
            let same = roots(one, language) == roots(other, language);
            assert_eq!(same, one != "moka", "{one} {other}");
        }
        assert_eq!(roots("glass bus", Language::EN), ["glass", "bus"]);
    }

    #[test]
    fn the_longest_phrase_counts() {
        let synonyms = small();
        assert_eq!(synonyms.expand("il codice sconto", Language::IT), ["buono"]);
        assert_eq!(synonyms.expand("lo sconto", Language::IT), ["offerta"]);
        assert_eq!(
            synonyms.expand("sconto con codice sconto", Language::IT),
            ["offerta", "buono"]
        );
    }

    #[test]
    fn faults_have_their_lines() {
        let (_, faults, warnings) = read_text(
            "en:\n  - [mill, grinder]\n  - [voucher]\n  - [Mills, '?']\n  - [coupon, Coupon, code]\nxx:\n  - [a, b]\n",
        );
        assert_eq!(
            faults,
            [
                "synonyms.yaml:3: a group needs two words or phrases that mean the same; add one or remove the group",
                "synonyms.yaml:4: `Mills` is in the group on line 2 already (endings do not count); keep it in one group only",
                "synonyms.yaml:4: the entry has no letters or digits; write a word or remove it",
                "synonyms.yaml:6: `xx` is not a language; use a two-letter ISO 639-1 code such as `it`",
            ]
        );
        assert_eq!(
            warnings,
            ["synonyms.yaml:5: `Coupon` is in this group already; remove one"]
        );
        for broken in [
            "en: [a, b]\n",
            "en:\n  - [a\n",
            "- a\n",
            "en:\n - [1, b]\n - {a: b}\n",
        ] {
            let (_, faults, _) = read_text(broken);
            assert_eq!(faults.len(), 1, "{broken}: {faults:?}");
        }
    }

    #[test]
    fn the_demo_shop_has_words_for_every_language() {
        let knowledge = knowledge::load(&KnowledgeSource::Embedded, Currency::EUR).unwrap();
        for (language, query, meant) in [
            (Language::EN, "is there a guarantee", "warranty"),
            (Language::EN, "postage to Italy", "shipping"),
            (Language::EN, "I have a voucher", "discount code"),
            (Language::IT, "avete lo scontrino?", "fattura"),
            (Language::IT, "un mulino elettrico", "macinacaffe"),
            (Language::ES, "tengo un cupón", "codigo de descuento"),
            (Language::ES, "el repuesto", "recambio"),
            (Language::PT, "quero a nota fiscal", "fatura"),
            (Language::PT, "rastreio do pedido", "encomenda"),
            (Language::DE, "Habt ihr Gutscheine?", "rabattcode"),
            (Language::DE, "Gewährleistung", "garantie"),
        ] {
            let added = knowledge.synonyms.expand(query, language);
            assert!(added.iter().any(|word| word == meant), "{query}: {added:?}");
        }
        for known in knowledge.synonyms.languages.values() {
            assert!(known.groups.len() >= 30);
        }
        assert_eq!(knowledge.synonyms.languages.len(), 5);
    }
}
