//! One page that is whole: no scripts, nothing from outside, and a policy of its own that allows neither.

mod baseline;
mod cases;
mod charts;
mod figures;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::words::{
    Headline, between, counted, failed, headline, name, overall, percent, plural, printable,
    thousands, time,
};
use crate::app::AppError;
use crate::eval::compare::Comparison;
use crate::eval::results::Results;

const PAGE: &str = include_str!("html/page.html");
const CASE: &str = include_str!("html/case.html");
const STYLE: &str = include_str!("html/page.css");

/// A number at the top.
#[derive(Serialize)]
struct Tile {
    name: &'static str,
    value: String,
    note: String,
}

/// One HTML page on runs, the first of which is the main one.
///
/// # Errors
/// When the template is broken.
pub fn html(runs: &[Results], comparison: Option<&Comparison>) -> Result<String, AppError> {
    let Some(main) = runs.first() else {
        return Ok(String::new());
    };
    let Headline { good, title } = headline(main, comparison);
    let failing = cases::failing(runs);
    let style = style(&failing);
    let values = context! {
        good,
        title,
        about => format!("{} with {}", main.suites.join(", "), name(main)),
        program => &main.sportello,
        partial => main.partial,
        missed => Serde(figures::missed(main)),
        tiles => Serde(tiles(main)),
        cards => Serde(figures::cards(main)),
        side => Serde((runs.len() > 1).then(|| figures::side_by_side(runs))),
        charts => Serde(charts::charts(main)),
        baseline => Serde(comparison.map(|one| baseline::baseline(one, &failing))),
        gates => Serde(&main.gates),
        flaky => main.flaky(),
        repeats => main.repeats,
        every => Serde(cases::every(main, &failing)),
        failing => Serde(&failing),
        policy => format!(
            "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
            STANDARD.encode(Sha256::digest(&style))
        ),
        style,
    };
    render(values).map_err(|error| AppError::Machine(format!("the report's page: {error}")))
}

fn render(values: minijinja::Value) -> Result<String, minijinja::Error> {
    let mut pages = Environment::new();
    pages.add_template("case.html", CASE)?;
    pages.add_template("page.html", PAGE)?;
    Ok(printable(&pages.get_template("page.html")?.render(values)?))
}

/// The style, with a rule for each language that cases can be filtered by.
fn style(failing: &cases::Failing) -> String {
    let mut style = STYLE.to_owned();
    for choice in failing.kinds.iter().chain(&failing.languages) {
        style.push_str(&format!(
            "body:has(#show-{0}:checked) .entry:not(.{0}) {{ display: none; }}\n",
            choice.class
        ));
    }
    style
}

fn tiles(main: &Results) -> Vec<Tile> {
    let ran = counted(main);
    let failures = failed(main).count();
    let mut tiles = Vec::new();
    let mut add = |name, value: String, note: String| tiles.push(Tile { name, value, note });
    if let Some((rate, interval)) = overall(main) {
        let note = format!("95 % interval {}", between(interval));
        add("passed", percent(rate), note);
    }
    let skipped = main.cases.len() - ran.len();
    let mut notes = Vec::new();
    if main.repeats > 1 {
        notes.push(format!("each up to {} times", main.repeats));
    }
    if skipped > 0 {
        notes.push(format!("{skipped} skipped"));
    }
    add(
        if main.repeats > 1 {
            "runs of cases"
        } else {
            "cases"
        },
        thousands(ran.len() as u64),
        notes.join(", "),
    );
    let flaky = main.flaky().len();
    let note = if flaky > 0 {
        plural(flaky, "flaky case", "flaky cases")
    } else {
        String::new()
    };
    add("failed", thousands(failures as u64), note);
    if let Some(milliseconds) = main.milliseconds {
        add("time", time(milliseconds), String::new());
    }
    let [read, written] = main.tokens;
    if read + written > 0 {
        let note = format!("{} in, {} out", thousands(read), thousands(written));
        add("tokens", thousands(read + written), note);
    }
    if let Some(cost) = main.cost {
        add("cost", format!("{cost:.4}"), String::new());
    }
    tiles
}

#[cfg(test)]
mod tests {
    use super::super::samples::{HOSTILE, comparison, results};
    use super::*;

    fn page() -> String {
        html(&[results()], Some(&comparison())).unwrap()
    }

    #[test]
    fn the_page_is_whole_and_needs_nothing_else() {
        let page = page();
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
        for outside in ["<script", "<link", "<img", "@import", "url(", "style=\""] {
            assert!(!page.contains(outside), "{outside}");
        }
        let style = page.split("<style>").nth(1).unwrap();
        let style = style.split("</style>").next().unwrap();
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(
            page.contains(&format!("sha256-{hash}").replace('/', "&#x2f;")),
            "{hash}"
        );
    }

    #[test]
    fn a_hostile_text_is_shown_and_nothing_more() {
        let page = page();
        assert!(page.contains(
            "&lt;script&gt;alert(1)&lt;&#x2f;script&gt; &amp; &quot;quoted&quot; ]]&gt; 🙂"
        ));
        assert!(!page.contains("onerror=alert(2)>") && !HOSTILE.is_empty());
        assert!(!page.contains(['\u{0}', '\u{1}']));
    }

    #[test]
    fn every_failing_case_is_told_with_its_reason_first() {
        let page = page();
        for told in [
            "expected refund, got greeting",
            "where is &lt;b&gt;my parcel",
            "A colleague will look into it.",
            "order_status",
            "faq-shipping",
            "get_order_status",
            "no such order",
            "You stand at a counter.",
            "the store is locked",
            "injection_suspected",
            "retrieval ndcg@10 [language=de] at least 0.6",
        ] {
            assert!(page.contains(told), "{told}");
        }
        for drawn in [
            "confusion matrix",
            "calibration curve",
            "latency histogram",
            "class=\"lane",
        ] {
            assert!(page.contains(drawn), "{drawn}");
        }
        let case = page.split("id=\"run-1-case-6\"").nth(1).unwrap();
        let place = |text: &str| case.find(text).unwrap();
        assert!(place("the outcome: expected answered") < place("Where is it?"));
        assert!(place("Where is it?") < place("get_order_status"));
        assert!(place("get_order_status") < place("A colleague will look"));
        assert!(place("A colleague will look") < place("You stand at a counter."));
    }

    #[test]
    fn several_runs_stand_side_by_side() {
        let mut other = results();
        other.variant = Some("no-faq".to_owned());
        other.cases.iter_mut().for_each(|case| case.passed = true);
        let page = html(&[results(), other], None).unwrap();
        assert!(page.contains("Models side by side") && page.contains("no-faq"));
        assert!(
            page.contains("passed 1 of 1"),
            "the other run passed the case"
        );
        assert!(!page.contains("id=\"baseline\""));
    }

    #[test]
    fn a_run_without_anything_is_still_a_page() {
        let about = crate::eval::About::default();
        let empty = Results::new(&[], about, Vec::new(), None);
        let page = html(&[empty], None).unwrap();
        assert!(page.contains("0 of 0 cases passed"), "{page}");
    }
}
