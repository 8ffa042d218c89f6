//! Drawings of the main run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::figures::{Row, title};
use crate::domain::Language;
use crate::eval::case::Kind;
use crate::eval::draw::{Histogram, calibration_curve, confusion_matrix, histogram};
use crate::eval::measures::{calibration, calibration_error};
use crate::eval::rates::{certainties, confusion, pass_rate};
use crate::eval::report::words::{counted, plural};
use crate::eval::results::{CaseResult, Results};

/// More classes than these make a wide drawing.
const WIDE: usize = 9;

/// Everything that is drawn.
#[derive(Serialize)]
pub struct Charts {
    languages: Vec<Row>,
    drawings: Vec<Drawing>,
}

/// A drawing with what it shows.
#[derive(Serialize)]
struct Drawing {
    title: String,
    note: String,
    svg: String,
    wide: bool,
}

/// Draws a run; none when there is nothing to draw.
pub fn charts(run: &Results) -> Option<Charts> {
    let cases = counted(run);
    let of = |kind: Kind| -> Vec<&CaseResult> {
        let same = cases.iter().filter(|case| case.kind == kind);
        same.copied().collect()
    };
    let mut drawings: Vec<Drawing> = latency(run, &cases).into_iter().collect();
    for kind in [Kind::Intent, Kind::Language] {
        drawings.extend(curve(run, kind, &of(kind)));
    }
    for kind in [Kind::Sentiment, Kind::Language, Kind::Intent] {
        drawings.extend(matrix(kind, &of(kind)));
    }
    let languages = languages(&cases);
    let nothing = languages.is_empty() && drawings.is_empty();
    (!nothing).then_some(Charts {
        languages,
        drawings,
    })
}

/// All kinds together, by language.
fn languages(cases: &[&CaseResult]) -> Vec<Row> {
    let mut parts: BTreeMap<Language, Vec<&CaseResult>> = BTreeMap::new();
    for case in cases {
        if let Some(language) = case.language {
            parts.entry(language).or_default().push(case);
        }
    }
    parts
        .into_iter()
        .map(|(language, part)| {
            let (rate, interval) = pass_rate(&part);
            Row::share(language.to_string(), part.len(), rate, Some(interval), None)
        })
        .collect()
}

fn latency(run: &Results, cases: &[&CaseResult]) -> Option<Drawing> {
    let mut times: Vec<u64> = cases
        .iter()
        .flat_map(|case| case.observed.turns())
        .map(|turn| turn.milliseconds)
        .filter(|time| *time > 0)
        .collect();
    times.sort_unstable();
    let values: Vec<f64> = times
        .iter()
        .map(|time| f64::from(u32::try_from(*time).unwrap_or(u32::MAX)))
        .collect();
    let counted = Histogram::of(&values)?;
    let at = |part: usize| values[(values.len() * part).div_ceil(100).saturating_sub(1)];
    let marks = [("half within", at(50)), ("95 % within", at(95))];
    let whole = run.milliseconds.map_or(String::new(), |time| {
        format!("; the run took {}", crate::eval::report::words::time(time))
    });
    Some(Drawing {
        title: "Latency of a turn".to_owned(),
        note: format!(
            "{} in bars of {} ms{whole}",
            plural(values.len(), "turn", "turns"),
            counted.step
        ),
        svg: histogram(&counted, "ms", &marks),
        wide: false,
    })
}

fn curve(run: &Results, kind: Kind, cases: &[&CaseResult]) -> Option<Drawing> {
    let guesses = certainties(kind, cases);
    if guesses.is_empty() {
        return None;
    }
    let bins = calibration(&guesses);
    let interval = run.figure(kind, "ece", "all").and_then(|one| one.interval);
    let interval = interval.map_or(String::new(), |[from, to]| {
        format!(" (95 % interval {from:.3}–{to:.3})")
    });
    Some(Drawing {
        title: format!("{}: calibration", title(kind)),
        note: format!(
            "Across: the score; up: how often it was right. Expected calibration error {:.3}{interval}, {}.",
            calibration_error(&bins),
            plural(guesses.len(), "guess", "guesses")
        ),
        svg: calibration_curve(&bins),
        wide: false,
    })
}

fn matrix(kind: Kind, cases: &[&CaseResult]) -> Option<Drawing> {
    let confusion = confusion(cases);
    if confusion.labels.is_empty() {
        return None;
    }
    let most = confusion.most_confused(1);
    let note = most
        .first()
        .map_or(String::new(), |(truth, guess, count, all)| {
            format!(" Most often wrong: {truth} taken for {guess}, {count} of {all}.")
        });
    Some(Drawing {
        title: format!("{}: what was taken for what", title(kind)),
        note: format!("Rows: the truth; columns: the guess.{note}"),
        svg: confusion_matrix(&confusion),
        wide: confusion.labels.len() > WIDE,
    })
}
