//! A summary for a pull request. Whatever a customer or a model wrote stands in code, where a forge neither reads
//! HTML nor calls the people that are named.

use std::collections::BTreeSet;

use super::words::{
    between, counted, failed, headline, name, overall, percent, plural, points, printable,
    shortened, thousands, time,
};
use crate::domain::Language;
use crate::eval::case::Kind;
use crate::eval::compare::{Comparison, ComparisonVerdict};
use crate::eval::results::{CaseResult, KindReport, Results};

/// Failures that are shown, and cases of any other list.
const SHOWN: usize = 20;
/// Characters of a failure: twenty of them fit into a comment of 65,536 characters.
const FAILURE: usize = 1500;
/// Characters of a name.
const NAME: usize = 120;

/// A summary of runs, the first of which is the main one.
#[must_use]
pub fn markdown(runs: &[Results], comparison: Option<&Comparison>) -> String {
    let Some(main) = runs.first() else {
        return String::new();
    };
    let mut out = Vec::new();
    verdict(main, comparison, &mut out);
    kinds(main, &mut out);
    languages(main, &mut out);
    gates(main, &mut out);
    if let Some(comparison) = comparison {
        compared(comparison, &mut out);
    }
    flaky(main, &mut out);
    if runs.len() > 1 {
        side_by_side(runs, &mut out);
    }
    failures(main, &mut out);
    out.join("\n") + "\n"
}

fn verdict(main: &Results, comparison: Option<&Comparison>, out: &mut Vec<String>) {
    let headline = headline(main, comparison);
    let mark = if headline.good { "✅" } else { "❌" };
    out.push(format!("### {mark} {}", headline.title));
    out.push(String::new());
    let ran = counted(main);
    let passed = ran.iter().filter(|case| case.passed).count();
    let mut parts = vec![format!(
        "{} with {}: {passed} of {} passed",
        main.suites
            .iter()
            .map(|suite| code(suite))
            .collect::<Vec<_>>()
            .join(", "),
        code(&name(main)),
        plural(ran.len(), "case", "cases"),
    )];
    if let Some((rate, interval)) = overall(main) {
        parts.push(format!("{} [{}]", percent(rate), between(interval)));
    }
    let skipped = main.cases.len() - ran.len();
    if skipped > 0 {
        parts.push(format!("{skipped} skipped"));
    }
    parts.extend(main.milliseconds.map(time));
    if main.tokens != [0, 0] {
        parts.push(format!(
            "{} tokens in, {} out",
            thousands(main.tokens[0]),
            thousands(main.tokens[1])
        ));
    }
    parts.extend(main.cost.map(|cost| format!("cost {cost:.4}")));
    out.push(parts.join(" · "));
    out.push(String::new());
    let missed = main.kinds.iter().filter(|kind| !kind.reached);
    let mut missed: Vec<String> = missed
        .map(|kind| {
            format!(
                "- **{}**: {}, below the threshold of {}",
                kind.kind.name(),
                percent(kind.all.rate),
                percent(kind.threshold.unwrap_or_default())
            )
        })
        .collect();
    let gates = main.gates.iter().filter(|gate| !gate.held);
    missed.extend(
        gates.map(|gate| format!("- gate {}: found {}", code(&gate.name), code(&gate.found))),
    );
    if !missed.is_empty() {
        out.append(&mut missed);
        out.push(String::new());
    }
}

fn kinds(main: &Results, out: &mut Vec<String>) {
    if main.kinds.is_empty() {
        return;
    }
    out.push("| kind | passed | rate | 95 % interval | threshold | |".to_owned());
    out.push("|:--|--:|--:|:-:|--:|:--|".to_owned());
    for kind in &main.kinds {
        let interval = interval(main, kind.kind, "all");
        let (threshold, word) = match kind.threshold {
            Some(threshold) if kind.reached => (percent(threshold), "held"),
            Some(threshold) => (percent(threshold), "**missed**"),
            None => (String::new(), ""),
        };
        out.push(format!(
            "| {} | {}/{} | {} | {interval} | {threshold} | {word} |",
            kind.kind.name(),
            kind.all.passed,
            kind.all.cases,
            percent(kind.all.rate),
        ));
    }
    out.push(String::new());
}

fn interval(run: &Results, kind: Kind, slice: &str) -> String {
    let figure = run.figure(kind, "pass_rate", slice);
    let interval = figure.and_then(|figure| figure.interval);
    interval.map_or(String::new(), between)
}

fn languages(main: &Results, out: &mut Vec<String>) {
    let all: BTreeSet<Language> = main
        .kinds
        .iter()
        .flat_map(|kind| kind.languages.keys().copied())
        .collect();
    if all.is_empty() {
        return;
    }
    out.push("**By language** (rate, 95 % interval)".to_owned());
    out.push(String::new());
    let heads = all.iter().map(|language| format!(" {language} |"));
    out.push(format!("| kind |{}", heads.collect::<String>()));
    out.push(format!("|:--|{}", "--:|".repeat(all.len())));
    for kind in main.kinds.iter().filter(|kind| !kind.languages.is_empty()) {
        let cell = |language: &Language| of_language(main, kind, *language);
        let cells = all.iter().map(cell).collect::<String>();
        out.push(format!("| {} |{cells}", kind.kind.name()));
    }
    out.push(String::new());
}

fn of_language(main: &Results, kind: &KindReport, language: Language) -> String {
    kind.languages
        .get(&language)
        .map_or(" |".to_owned(), |share| {
            let interval = interval(main, kind.kind, &format!("language={language}"));
            format!(" {:.1} <sub>{interval}</sub> |", 100.0 * share.rate)
        })
}

fn gates(main: &Results, out: &mut Vec<String>) {
    if main.gates.is_empty() {
        return;
    }
    let held = main.gates.iter().filter(|gate| gate.held).count();
    let lines = main.gates.iter().map(|gate| {
        let word = if gate.held { "held" } else { "**missed**" };
        format!("- {word}: {}: {}", code(&gate.name), code(&gate.found))
    });
    let title = format!(
        "{held} of {} held",
        plural(main.gates.len(), "gate", "gates")
    );
    folded(&title, lines.collect(), out);
}

fn compared(comparison: &Comparison, out: &mut Vec<String>) {
    let word = match comparison.verdict {
        ComparisonVerdict::Improved => "improved",
        ComparisonVerdict::Regressed => "**regressed**",
        ComparisonVerdict::NoEvidence => "no evidence of a difference",
    };
    out.push(format!(
        "**Against the baseline** {}: {word}",
        code(&comparison.base)
    ));
    out.push(String::new());
    out.push("| slice | cases | before | now | points | 95 % interval | p | verdict |".to_owned());
    out.push("|:--|--:|--:|--:|--:|:-:|--:|:--|".to_owned());
    let telling = comparison
        .slices
        .iter()
        .enumerate()
        .filter(|(place, slice)| *place == 0 || slice.verdict != ComparisonVerdict::NoEvidence);
    for (_, slice) in telling {
        let needed = slice.needed.map_or(String::new(), |needed| {
            format!(" ({} cases would tell)", thousands(needed as u64))
        });
        out.push(format!(
            "| {} | {} | {} | {} | {} | {} to {} | {:.4} | {}{needed} |",
            cell(&slice.name),
            slice.cases,
            percent(slice.base.value),
            percent(slice.candidate.value),
            points(slice.difference),
            points(slice.interval[0]),
            points(slice.interval[1]),
            slice.p_adjusted,
            slice.verdict.name(),
        ));
    }
    out.push(String::new());
    listed("passed before, fail now", &comparison.flips.lost, out);
    listed("failed before, pass now", &comparison.flips.won, out);
}

fn listed(what: &str, cases: &[String], out: &mut Vec<String>) {
    if cases.is_empty() {
        return;
    }
    let mut lines: Vec<String> = cases
        .iter()
        .take(SHOWN)
        .map(|case| format!("- {}", code(case)))
        .collect();
    if cases.len() > SHOWN {
        lines.push(format!("- and {} more", cases.len() - SHOWN));
    }
    let title = format!("{} {what}", plural(cases.len(), "case", "cases"));
    folded(&title, lines, out);
}

fn flaky(main: &Results, out: &mut Vec<String>) {
    let flaky: Vec<String> = main
        .flaky()
        .into_iter()
        .map(|(case, passed)| format!("{case} (passed {passed} of {})", main.repeats))
        .collect();
    listed("not the same in every repeat", &flaky, out);
}

fn side_by_side(runs: &[Results], out: &mut Vec<String>) {
    out.push("**Side by side** (rate, 95 % interval)".to_owned());
    out.push(String::new());
    let heads = runs.iter().map(|run| format!(" {} |", cell(&name(run))));
    out.push(format!("| |{}", heads.collect::<String>()));
    out.push(format!("|:--|{}", "--:|".repeat(runs.len())));
    let all = runs.iter().map(|run| {
        overall(run).map_or(" |".to_owned(), |(rate, interval)| {
            format!(" {:.1} <sub>{}</sub> |", 100.0 * rate, between(interval))
        })
    });
    out.push(format!("| **all** |{}", all.collect::<String>()));
    let kinds: BTreeSet<Kind> = runs
        .iter()
        .flat_map(|run| run.kinds.iter().map(|kind| kind.kind))
        .collect();
    for kind in kinds {
        let cells = runs.iter().map(|run| {
            let found = run.kinds.iter().find(|one| one.kind == kind);
            found.map_or(" |".to_owned(), |one| {
                let interval = interval(run, kind, "all");
                format!(" {:.1} <sub>{interval}</sub> |", 100.0 * one.all.rate)
            })
        });
        out.push(format!("| {} |{}", kind.name(), cells.collect::<String>()));
    }
    out.push(String::new());
}

fn failures(main: &Results, out: &mut Vec<String>) {
    let all: Vec<&CaseResult> = failed(main).collect();
    if all.is_empty() {
        return;
    }
    let title = if all.len() > SHOWN {
        format!("The first {SHOWN} of {} failures", all.len())
    } else {
        plural(all.len(), "failure", "failures")
    };
    let mut lines = Vec::new();
    for case in all.iter().take(SHOWN) {
        lines.push(code(&case.title()));
        lines.push(String::new());
        lines.push(block(&account(case)));
        lines.push(String::new());
    }
    folded(&title, lines, out);
}

fn account(case: &CaseResult) -> String {
    let mut lines = case.faults.clone();
    lines.extend(case.said.iter().map(|text| format!("customer: {text}")));
    for turn in case.observed.turns() {
        lines.extend(turn.customer.iter().map(|text| format!("customer: {text}")));
        if let Some(answer) = turn.outcome.answer() {
            lines.push(format!("agent: {}", answer.text));
        }
    }
    shortened(&lines.join("\n"), FAILURE)
}

fn folded(title: &str, lines: Vec<String>, out: &mut Vec<String>) {
    out.push(format!("<details><summary>{title}</summary>"));
    out.push(String::new());
    out.extend(lines);
    if out.last().is_some_and(|line| !line.is_empty()) {
        out.push(String::new());
    }
    out.push("</details>".to_owned());
    out.push(String::new());
}

/// A text as code on one line.
fn code(text: &str) -> String {
    let text = shortened(&printable(text).replace(['\n', '\t'], " "), NAME);
    let fence = "`".repeat(ticks(&text) + 1);
    // A tick at an end needs a space, which is not shown.
    let edge = text.starts_with('`') || text.ends_with('`') || text.trim().is_empty();
    let space = if edge { " " } else { "" };
    format!("{fence}{space}{text}{space}{fence}")
}

/// The same in a cell, which a bar would end even in code.
fn cell(text: &str) -> String {
    code(&text.replace('|', "¦"))
}

/// A text as a block of code.
fn block(text: &str) -> String {
    let text = printable(text);
    let fence = "`".repeat(ticks(&text).max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

/// The longest run of ticks.
fn ticks(text: &str) -> usize {
    let runs = text.split(|letter| letter != '`').map(str::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::super::samples::{HOSTILE, comparison, results};
    use super::*;

    #[test]
    fn it_begins_with_the_verdict() {
        let run = results();
        let text = markdown(std::slice::from_ref(&run), Some(&comparison()));
        assert!(text.starts_with(
            "### ❌ 2 of 3 thresholds and gates missed; regressed against the baseline\n"
        ));
        assert!(text.contains("- **intent**: 50.0 %, below the threshold of 90.0 %"));
        assert!(
            text.contains("| intent | 1/2 | 50.0 % | 9.5–90.5 | 90.0 % | **missed** |"),
            "{text}"
        );
        assert!(text.contains("5 cases passed before, fail now"));
        assert!(text.contains("(passed 1 of 2)"));
        assert!(!text.contains("Side by side"));
        let mut good = run;
        good.passed = true;
        good.gates.clear();
        good.cases.retain(|case| case.passed);
        good.kinds.iter_mut().for_each(|kind| kind.reached = true);
        let text = markdown(&[good], None);
        assert!(
            text.starts_with("### ✅ 2 thresholds and gates held"),
            "{text}"
        );
        assert!(!text.contains("failure"));
    }

    #[test]
    fn what_customers_write_is_only_ever_code() {
        let mut run = results();
        run.cases[1].case.push_str("```\n</details> @someone `|` ");
        let text = markdown(&[run.clone(), run], Some(&comparison()));
        let mut fold = 0;
        let mut in_code = false;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => in_code = true,
                Event::End(TagEnd::CodeBlock) => in_code = false,
                Event::Text(text) if !in_code => {
                    assert!(!text.contains("alert") && !text.contains('@'), "{text}");
                }
                Event::Html(html) | Event::InlineHtml(html) => {
                    fold += html.matches("<details>").count();
                    fold -= html.matches("</details>").count();
                    assert!(!html.contains("script"), "{html}");
                }
                Event::Start(_)
                | Event::End(_)
                | Event::Text(_)
                | Event::Code(_)
                | Event::InlineMath(_)
                | Event::DisplayMath(_)
                | Event::FootnoteReference(_)
                | Event::SoftBreak
                | Event::HardBreak
                | Event::Rule
                | Event::TaskListMarker(_) => {}
            }
        }
        assert_eq!(fold, 0);
        assert!(text.contains("Side by side"));
        assert!(
            text.contains(&printable(HOSTILE).replace('\n', " ")),
            "{text}"
        );
    }

    #[test]
    fn a_great_many_failures_still_fit_into_a_comment() {
        let mut run = results();
        let case = run.cases[1].clone();
        for place in 0..500 {
            let mut another = case.clone();
            another.case = format!("{place} {}", "long ".repeat(2000));
            another.faults = vec!["x".repeat(5000)];
            run.cases.push(another);
        }
        let text = markdown(&[run], None);
        assert!(text.contains("The first 20 of 506 failures"));
        assert!(text.chars().count() < 65_000, "{}", text.len());
    }
}
