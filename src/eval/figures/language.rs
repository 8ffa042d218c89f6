//! Languages: which of six a text is in, without a conversation to lean on.

use super::bench::Bench;
use super::figure::{Figure, Target, Unit};
use super::sets::{FOLDERS, Row};
use super::{Drawing, LANGUAGES, Section, Table};
use crate::app::AppError;
use crate::domain::Language;
use crate::eval::draw::{calibration_curve, confusion_matrix};
use crate::eval::measures::{Confusion, calibration, calibration_error, share};
use crate::understand::Languages;

const TWEETS: Target = Target::new(97.9, 98.7);
const COMMANDS: Target = Target::new(96.7, 98.0);
const WORD_PAIRS: Target = Target::new(92.0, 94.0);

pub(super) fn measure(bench: &Bench) -> Result<Section, AppError> {
    let mut section = Section::new("Language");
    let languages = Languages::new(&LANGUAGES);
    let mut table = Table {
        title: "Accuracy by language".to_owned(),
        head: ["set"]
            .into_iter()
            .chain(LANGUAGES.iter().map(Language::code))
            .map(str::to_owned)
            .collect(),
        rows: Vec::new(),
    };
    let tweets =
        FOLDERS.map(|(folder, language)| (format!("sentiment/{folder}/val.jsonl"), language));
    let commands = [Language::EN, Language::IT, Language::DE]
        .map(|language| (format!("intent/xsid/{language}_valid.jsonl"), language));
    let sets = [
        ("tweets", labelled(bench, &tweets)?, Some(TWEETS)),
        ("commands", labelled(bench, &commands)?, Some(COMMANDS)),
        (
            "word pairs",
            bench.shared("language/word-pairs.jsonl")?,
            Some(WORD_PAIRS),
        ),
        (
            "single words",
            bench.shared("language/single-words.jsonl")?,
            None,
        ),
        ("sentences", bench.shared("language/sentences.jsonl")?, None),
        ("shop", bench.own("language_cases.jsonl")?, None),
    ];
    for (name, rows, target) in sets {
        if let Some(rows) = rows {
            (bench.say)(&format!("language: {name}"));
            set(
                name,
                &guesses(&languages, &rows),
                target,
                &mut section,
                &mut table,
            );
        }
    }
    section.tables.push(table);
    Ok(section)
}

/// Files of one language each; nothing when one is absent.
fn labelled(bench: &Bench, files: &[(String, Language)]) -> Result<Option<Vec<Row>>, AppError> {
    let mut all = Vec::new();
    for (file, language) in files {
        let Some(rows) = bench.shared(file)? else {
            return Ok(None);
        };
        all.extend(rows.into_iter().map(|row| Row {
            language: Some(*language),
            ..row
        }));
    }
    Ok(Some(all))
}

struct Guess {
    truth: Language,
    language: Language,
    confidence: f64,
}

impl Guess {
    fn right(&self) -> bool {
        self.truth == self.language
    }
}

fn guesses(languages: &Languages, rows: &[Row]) -> Vec<Guess> {
    let guesses = rows.iter().filter_map(|row| {
        let guess = languages.detect(&row.text, None);
        Some(Guess {
            truth: row.language?,
            language: guess.language,
            confidence: f64::from(guess.confidence),
        })
    });
    guesses.collect()
}

fn set(
    name: &str,
    guesses: &[Guess],
    target: Option<Target>,
    section: &mut Section,
    table: &mut Table,
) {
    let hits: Vec<bool> = guesses.iter().map(Guess::right).collect();
    section
        .figures
        .push(Figure::hits(format!("{name}: accuracy"), &hits).expecting(target));
    let scored: Vec<(f64, bool)> = guesses
        .iter()
        .map(|guess| (guess.confidence, guess.right()))
        .collect();
    let bins = calibration(&scored);
    section.figures.push(Figure::new(
        format!("{name}: ECE"),
        Unit::Error,
        calibration_error(&bins),
        guesses.len(),
    ));
    let by_language = LANGUAGES.iter().map(|language| {
        let of: Vec<bool> = guesses
            .iter()
            .filter(|guess| guess.truth == *language)
            .map(Guess::right)
            .collect();
        if of.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.1}", 100.0 * share(of))
        }
    });
    table.rows.push(
        std::iter::once(name.to_owned())
            .chain(by_language)
            .collect(),
    );
    let codes: Vec<&str> = LANGUAGES.iter().map(Language::code).collect();
    let pairs = guesses
        .iter()
        .map(|guess| (guess.truth.code(), guess.language.code()));
    section.drawings.push(Drawing {
        title: format!("{name}: written (rows) and guessed (columns)"),
        svg: confusion_matrix(&Confusion::of(&codes, pairs)),
    });
    section.drawings.push(Drawing {
        title: format!("{name}: share of right guesses over the confidence"),
        svg: calibration_curve(&bins),
    });
}
