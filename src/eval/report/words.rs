//! What every report says in the same words.

use crate::eval::compare::{Comparison, ComparisonVerdict};
use crate::eval::rates::pass_rate;
use crate::eval::results::{CaseResult, Results};

/// The end of a run in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// Whether nothing is to be done.
    pub good: bool,
    /// What there is to say first.
    pub title: String,
}

/// Says how a run ended.
pub fn headline(results: &Results, comparison: Option<&Comparison>) -> Headline {
    let demands = results.gates.len()
        + results
            .kinds
            .iter()
            .filter(|kind| kind.threshold.is_some())
            .count();
    let missed = results.missed().len();
    let regressed = comparison.is_some_and(|one| one.verdict == ComparisonVerdict::Regressed);
    let mut parts = Vec::new();
    if results.partial {
        parts.push("The run broke off before its end".to_owned());
    }
    if missed > 0 {
        parts.push(format!(
            "{missed} of {} missed",
            plural(demands, "threshold or gate", "thresholds and gates")
        ));
    }
    if regressed {
        parts.push("regressed against the baseline".to_owned());
    }
    let good = parts.is_empty() && results.passed;
    if good && demands > 0 {
        parts.push(format!(
            "{} held",
            plural(demands, "threshold or gate", "thresholds and gates")
        ));
    }
    if parts.is_empty() {
        let ran = counted(results);
        let passed = ran.iter().filter(|case| case.passed).count();
        parts.push(format!(
            "{passed} of {} passed",
            plural(ran.len(), "case", "cases")
        ));
    }
    Headline {
        good,
        title: parts.join("; "),
    }
}

/// The cases that count.
pub fn counted(results: &Results) -> Vec<&CaseResult> {
    results.cases.iter().filter(|case| !case.skipped).collect()
}

/// The cases that failed.
pub fn failed(results: &Results) -> impl Iterator<Item = &CaseResult> {
    let cases = results.cases.iter();
    cases.filter(|case| !case.passed && !case.skipped)
}

/// The run's name among others.
pub fn name(results: &Results) -> String {
    match &results.variant {
        Some(variant) => format!("{}, {variant}", results.model),
        None => results.model.clone(),
    }
}

/// The share of all cases that passed, with its interval; none where nothing ran.
pub fn overall(results: &Results) -> Option<(f64, [f64; 2])> {
    let cases = counted(results);
    (!cases.is_empty()).then(|| pass_rate(&cases))
}

/// `1 case`, `2 cases`.
pub fn plural(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A share as `92.1 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// An interval of shares as `88.0–95.4`.
pub fn between([from, to]: [f64; 2]) -> String {
    format!("{:.1}–{:.1}", 100.0 * from, 100.0 * to)
}

/// A difference of shares in points: `+1.2`.
pub fn points(difference: f64) -> String {
    format!("{:+.1}", 100.0 * difference)
}

/// A measure's value: milliseconds whole, everything else with three places.
pub fn value(metric: &str, value: f64) -> String {
    if metric.ends_with("_ms") {
        format!("{value:.0} ms")
    } else {
        format!("{value:.3}")
    }
}

/// Milliseconds as a person says them.
pub fn time(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..120_000 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        _ => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds % 60_000 / 1000
        ),
    }
}

/// A number with its thousands apart.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// At most so many characters, with a mark where more were.
pub fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}

/// Text without characters that only machines read; line ends and tabs stay.
pub fn printable(text: &str) -> String {
    text.replace("\r\n", "\n")
        .chars()
        .map(|letter| match letter {
            '\n' | '\t' => letter,
            '\u{FFFE}' | '\u{FFFF}' => '\u{FFFD}',
            _ if letter.is_control() => '\u{FFFD}',
            _ => letter,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{comparison, results};
    use super::*;

    #[test]
    fn the_verdict_comes_first_and_says_what_is_wrong() {
        let bad = results();
        let found = headline(&bad, Some(&comparison()));
        assert!(!found.good);
        assert_eq!(
            found.title,
            "2 of 3 thresholds and gates missed; regressed against the baseline"
        );
        let mut good = bad;
        good.passed = true;
        good.gates.iter_mut().for_each(|gate| gate.held = true);
        good.kinds.iter_mut().for_each(|kind| kind.reached = true);
        let found = headline(&good, None);
        assert_eq!(
            (found.good, found.title.as_str()),
            (true, "3 thresholds and gates held")
        );
        good.partial = true;
        assert!(!headline(&good, None).good);
        good.partial = false;
        good.gates.clear();
        good.kinds.iter_mut().for_each(|kind| kind.threshold = None);
        assert_eq!(headline(&good, None).title, "4 of 10 cases passed");
    }

    #[test]
    fn numbers_and_texts_are_written_for_people() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(12), "12");
        assert_eq!(
            [time(999), time(1500), time(125_000)],
            ["999 ms", "1.5 s", "2 min 5 s"]
        );
        assert_eq!(shortened("àèìòù", 3), "àè…");
        assert_eq!(printable("a\u{0}b\r\n\u{1b}c🙂"), "a\u{FFFD}b\n\u{FFFD}c🙂");
        assert_eq!(
            (points(-0.02), percent(0.5)),
            ("-2.0".to_owned(), "50.0 %".to_owned())
        );
    }
}
