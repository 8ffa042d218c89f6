//! A run as lines that a person reads.

use super::results::{CaseResult, Results, Share};

/// A table of kinds and languages, the measures that are no shares of passed cases, the gates, then every case that
/// failed and why.
#[must_use]
pub fn lines(results: &Results) -> Vec<String> {
    let time = results.milliseconds.map_or(String::new(), |time| {
        format!(" ({:.1} s)", time as f64 / 1000.0)
    });
    let variant = results
        .variant
        .as_deref()
        .map_or(String::new(), |name| format!(", {name}"));
    let mut lines = vec![
        format!(
            "{} with {}{variant}{time}",
            results.suites.join(", "),
            results.model
        ),
        format!(
            "{:<14}{:>7}{:>8}{:>8}  {:<16}{:>10}",
            "kind", "cases", "passed", "rate", "95 % interval", "threshold"
        ),
    ];
    for kind in &results.kinds {
        let threshold = match kind.threshold {
            Some(threshold) if kind.reached => format!("{threshold:.3}"),
            Some(threshold) => format!("{threshold:.3} missed"),
            None => "-".to_owned(),
        };
        lines.push(row(
            results,
            kind.kind.name(),
            "all",
            kind,
            kind.all,
            &threshold,
        ));
        for (language, share) in &kind.languages {
            let slice = format!("language={language}");
            lines.push(row(
                results,
                &format!("  {language}"),
                &slice,
                kind,
                *share,
                "",
            ));
        }
        let others = results.figures.iter().filter(|figure| {
            figure.kind == kind.kind && figure.slice == "all" && figure.metric != "pass_rate"
        });
        for figure in others {
            let interval = figure.interval.map_or(String::new(), shown);
            let value = if figure.metric.ends_with("_ms") {
                format!("{:.0}", figure.value)
            } else {
                format!("{:.3}", figure.value)
            };
            lines.push(
                format!("    {:<26}{value:>7}  {interval}", figure.metric)
                    .trim_end()
                    .to_owned(),
            );
        }
    }
    for gate in &results.gates {
        let word = if gate.held { "held" } else { "MISSED" };
        lines.push(format!("gate {word}: {}: {}", gate.name, gate.found));
    }
    let flaky = results.flaky();
    if !flaky.is_empty() {
        lines.push(String::new());
        lines.push("not the same in every repeat".to_owned());
        lines.extend(
            flaky
                .iter()
                .map(|(case, passed)| format!("  {case}: passed {passed} of {}", results.repeats)),
        );
    }
    let skipped = results.cases.iter().filter(|case| case.skipped).count();
    if skipped > 0 {
        lines.push(format!("{skipped} cases were skipped"));
    }
    for case in results
        .cases
        .iter()
        .filter(|case| !case.passed && !case.skipped)
    {
        lines.extend(failure(case));
    }
    lines
}

fn failure(case: &CaseResult) -> Vec<String> {
    let language = case
        .language
        .map_or(String::new(), |code| format!(" [{code}]"));
    let mut lines = vec![
        String::new(),
        format!("{}{language}: {}", case.kind.name(), case.case),
    ];
    lines.extend(case.faults.iter().map(|fault| format!("  {fault}")));
    lines
}

fn row(
    results: &Results,
    name: &str,
    slice: &str,
    kind: &super::results::KindReport,
    share: Share,
    threshold: &str,
) -> String {
    let interval = results
        .figure(kind.kind, "pass_rate", slice)
        .and_then(|figure| figure.interval)
        .map_or(String::new(), shown);
    let Share {
        cases,
        passed,
        rate,
    } = share;
    let line = format!("{name:<14}{cases:>7}{passed:>8}{rate:>8.3}  {interval:<16}{threshold:>10}");
    line.trim_end().to_owned()
}

fn shown([from, to]: [f64; 2]) -> String {
    format!("[{from:.3}, {to:.3}]")
}
