//! JUnit XML, as CI systems read it: a suite for every suite and kind, a test for every case and repeat, and one
//! for every threshold and gate.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::words::{between, name, percent, printable, shortened};
use crate::eval::observed::Observed;
use crate::eval::results::{CaseResult, KindReport, Results};

/// How long the line on a list of failures may be.
const MESSAGE: usize = 300;

type Out = Writer<Vec<u8>>;

/// Runs as JUnit XML. With several, the suites carry the names of the runs.
#[must_use]
pub fn junit(runs: &[Results]) -> String {
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    // A text in memory can always be written.
    let _ = whole(&mut out, runs);
    let mut text = String::from_utf8_lossy(&out.into_inner()).into_owned();
    text.push('\n');
    text
}

/// The cases of a suite that are of one kind.
struct Part<'a> {
    name: String,
    cases: Vec<&'a CaseResult>,
}

fn whole(out: &mut Out, runs: &[Results]) -> io::Result<()> {
    let parts: Vec<(&Results, Vec<Part>)> = runs
        .iter()
        .map(|run| (run, parts(run, runs.len() > 1)))
        .collect();
    let cases: Vec<&CaseResult> = runs.iter().flat_map(|run| &run.cases).collect();
    let demands: Vec<Vec<Demand>> = runs.iter().map(demands).collect();
    let missed = demands.iter().flatten().filter(|one| !one.held).count();
    let time: u64 = runs.iter().filter_map(|run| run.milliseconds).sum();
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let mut root = BytesStart::new("testsuites");
    root.push_attribute(("name", "sportello eval"));
    let count = demands.iter().map(Vec::len).sum();
    totals(&mut root, &cases, [count, missed], Some(time));
    out.write_event(Event::Start(root))?;
    for ((run, parts), demands) in parts.iter().zip(&demands) {
        for part in parts {
            suite(out, part)?;
        }
        demanded(out, run, demands, runs.len() > 1)?;
    }
    out.write_event(Event::End(BytesEnd::new("testsuites")))
}

fn parts(run: &Results, several: bool) -> Vec<Part<'_>> {
    let mut parts: Vec<Part> = Vec::new();
    let prefix = if several {
        format!("{}: ", name(run))
    } else {
        String::new()
    };
    for case in &run.cases {
        let name = format!("{prefix}{}.{}", case.suite, case.kind.name());
        match parts.iter_mut().find(|part| part.name == name) {
            Some(part) => part.cases.push(case),
            None => parts.push(Part {
                name,
                cases: vec![case],
            }),
        }
    }
    parts
}

fn totals(
    element: &mut BytesStart,
    cases: &[&CaseResult],
    [more, missed]: [usize; 2],
    time: Option<u64>,
) {
    let broken = |case: &&&CaseResult| matches!(case.observed, Observed::Failed { .. });
    let skipped = cases.iter().filter(|case| case.skipped).count();
    let errors = cases.iter().filter(broken).count();
    let failures = cases
        .iter()
        .filter(|case| !case.passed && !case.skipped && !broken(case));
    let failures = failures.count() + missed;
    let tests = cases.len() + more;
    for (key, count) in [
        ("tests", tests),
        ("failures", failures),
        ("errors", errors),
        ("skipped", skipped),
    ] {
        element.push_attribute((key, count.to_string().as_str()));
    }
    if let Some(time) = time.filter(|time| *time > 0) {
        element.push_attribute(("time", seconds(time).as_str()));
    }
}

fn suite(out: &mut Out, part: &Part) -> io::Result<()> {
    let mut element = BytesStart::new("testsuite");
    element.push_attribute(("name", attribute(&part.name).as_str()));
    let time = part.cases.iter().map(|case| milliseconds(case)).sum();
    totals(&mut element, &part.cases, [0, 0], Some(time));
    out.write_event(Event::Start(element))?;
    for case in &part.cases {
        test(out, case, &part.name)?;
    }
    out.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn test(out: &mut Out, case: &CaseResult, suite: &str) -> io::Result<()> {
    let mut name = case.case.clone();
    if let Some(language) = case.language {
        name = format!("[{language}] {name}");
    }
    if case.repeat > 0 {
        name = format!("{name} (repeat {})", case.repeat + 1);
    }
    let mut element = BytesStart::new("testcase");
    element.push_attribute(("classname", attribute(suite).as_str()));
    element.push_attribute(("name", attribute(&name).as_str()));
    let time = milliseconds(case);
    if time > 0 {
        element.push_attribute(("time", seconds(time).as_str()));
    }
    if case.passed && !case.skipped {
        return out.write_event(Event::Empty(element));
    }
    out.write_event(Event::Start(element))?;
    match &case.observed {
        Observed::Skipped { reason } => {
            let mut skipped = BytesStart::new("skipped");
            skipped.push_attribute(("message", attribute(reason).as_str()));
            out.write_event(Event::Empty(skipped))?;
        }
        Observed::Failed { reason } => {
            failure(out, "error", reason, case.kind.name(), &account(case))?;
        }
        Observed::Understood { .. }
        | Observed::Ranked { .. }
        | Observed::Talked(_)
        | Observed::Called { .. }
        | Observed::Unkept => {
            let message = case.faults.first().map_or("failed", String::as_str);
            failure(out, "failure", message, case.kind.name(), &account(case))?;
        }
    }
    out.write_event(Event::End(BytesEnd::new("testcase")))
}

fn failure(
    out: &mut Out,
    element: &str,
    message: &str,
    sort: &str,
    account: &str,
) -> io::Result<()> {
    let mut start = BytesStart::new(element);
    start.push_attribute(("message", attribute(&shortened(message, MESSAGE)).as_str()));
    start.push_attribute(("type", sort));
    out.write_event(Event::Start(start))?;
    out.write_event(Event::Text(BytesText::new(&printable(account))))?;
    out.write_event(Event::End(BytesEnd::new(element)))
}

/// Why it failed, and what was said.
fn account(case: &CaseResult) -> String {
    let mut lines = case.faults.clone();
    lines.extend(case.said.iter().map(|text| format!("customer: {text}")));
    for turn in case.observed.turns() {
        lines.extend(turn.customer.iter().map(|text| format!("customer: {text}")));
        for (tool, arguments) in turn.calls() {
            lines.push(format!("call: {tool} {arguments}"));
        }
        if let Some(answer) = turn.outcome.answer() {
            lines.push(format!("agent ({}): {}", turn.outcome.name(), answer.text));
        }
    }
    lines.join("\n")
}

/// A threshold or a gate.
struct Demand {
    name: String,
    held: bool,
    found: String,
}

fn demands(run: &Results) -> Vec<Demand> {
    let of_kind = |kind: &KindReport| {
        let threshold = kind.threshold?;
        let figure = run.figure(kind.kind, "pass_rate", "all");
        let interval = figure.and_then(|figure| figure.interval);
        let interval = interval.map_or(String::new(), |both| format!(" [{}]", between(both)));
        Some(Demand {
            name: format!("{} at least {}", kind.kind.name(), percent(threshold)),
            held: kind.reached,
            found: format!("{}{interval}", percent(kind.all.rate)),
        })
    };
    let gates = run.gates.iter().map(|gate| Demand {
        name: gate.name.clone(),
        held: gate.held,
        found: gate.found.clone(),
    });
    run.kinds.iter().filter_map(of_kind).chain(gates).collect()
}

fn demanded(out: &mut Out, run: &Results, demands: &[Demand], several: bool) -> io::Result<()> {
    if demands.is_empty() {
        return Ok(());
    }
    let title = if several {
        format!("{}: thresholds and gates", name(run))
    } else {
        "thresholds and gates".to_owned()
    };
    let missed = demands.iter().filter(|one| !one.held).count();
    let mut element = BytesStart::new("testsuite");
    element.push_attribute(("name", attribute(&title).as_str()));
    totals(&mut element, &[], [demands.len(), missed], None);
    out.write_event(Event::Start(element))?;
    for one in demands {
        let mut test = BytesStart::new("testcase");
        test.push_attribute(("classname", attribute(&title).as_str()));
        test.push_attribute(("name", attribute(&one.name).as_str()));
        if one.held {
            out.write_event(Event::Empty(test))?;
            continue;
        }
        out.write_event(Event::Start(test))?;
        let found = format!("found {}", one.found);
        failure(
            out,
            "failure",
            &found,
            "gate",
            &format!("{}: {found}", one.name),
        )?;
        out.write_event(Event::End(BytesEnd::new("testcase")))?;
    }
    out.write_event(Event::End(BytesEnd::new("testsuite")))
}

/// A text on one line: readers fold the lines of attributes anyway.
fn attribute(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

fn milliseconds(case: &CaseResult) -> u64 {
    case.observed
        .turns()
        .iter()
        .map(|turn| turn.milliseconds)
        .sum()
}

fn seconds(milliseconds: u64) -> String {
    format!("{:.3}", milliseconds as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use crate::eval::case::Kind;

    use super::super::samples::{HOSTILE, results};
    use super::*;

    /// Elements with their attributes, and the text of all failures.
    /// Elements with their attributes.
    type Elements = Vec<(String, Vec<(String, String)>)>;

    fn read(xml: &str) -> (Elements, String) {
        let mut reader = Reader::from_str(xml);
        let (mut elements, mut texts) = (Vec::new(), String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) | Event::Empty(start) => {
                    let attributes = start.attributes().map(|found| {
                        let found = found.unwrap();
                        let key = String::from_utf8(found.key.as_ref().to_vec()).unwrap();
                        let text = std::str::from_utf8(&found.value).unwrap().to_owned();
                        (
                            key,
                            quick_xml::escape::unescape(&text).unwrap().into_owned(),
                        )
                    });
                    let name = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
                    elements.push((name, attributes.collect()));
                }
                Event::Text(text) => texts.push_str(&text.decode().unwrap()),
                Event::GeneralRef(found) => {
                    let text = format!("&{};", found.decode().unwrap());
                    texts.push_str(&quick_xml::escape::unescape(&text).unwrap());
                }
                Event::Eof => return (elements, texts),
                Event::End(_) | Event::Decl(_) => {}
                other @ Event::CData(_)
                | other @ Event::Comment(_)
                | other @ Event::PI(_)
                | other @ Event::DocType(_) => panic!("{other:?}"),
            }
        }
    }

    fn of<'a>(element: &'a (String, Vec<(String, String)>), key: &str) -> &'a str {
        let found = element.1.iter().find(|(name, _)| name == key);
        found.map_or("", |(_, text)| text)
    }

    #[test]
    fn a_reader_finds_every_case_and_every_odd_character() {
        let run = results();
        let (elements, texts) = read(&junit(std::slice::from_ref(&run)));
        let named = |name: &str| {
            elements
                .iter()
                .filter(|one| one.0 == name)
                .collect::<Vec<_>>()
        };
        assert_eq!(named("testcase").len(), run.cases.len() + 3);
        let root = named("testsuites")[0];
        let totals = ["tests", "failures", "errors", "skipped"].map(|key| of(root, key));
        assert_eq!(totals, ["14", "7", "1", "1"]);
        assert_eq!(named("failure").len(), 7);
        assert_eq!(named("error").len(), 1);
        assert_eq!(named("skipped").len(), 1);
        let sum: usize = named("testsuite")
            .iter()
            .map(|suite| of(suite, "tests").parse::<usize>().unwrap())
            .sum();
        assert_eq!(sum, 14);
        let shown = printable(HOSTILE);
        assert!(shown.contains("]]>") && shown.contains('🙂') && shown.contains('\u{FFFD}'));
        assert!(texts.contains(&shown), "{texts}");
        let line = format!("[it] {}", shown.replace('\n', " "));
        assert!(
            named("testcase")
                .iter()
                .any(|case| of(case, "name") == line)
        );
        assert!(
            named("testcase")
                .iter()
                .any(|case| of(case, "name").ends_with("(repeat 2)"))
        );
        assert!(
            named("testcase")
                .iter()
                .any(|case| of(case, "time") == "0.412")
        );
    }

    #[test]
    fn several_runs_are_told_apart() {
        let mut other = results();
        other.model = "other".to_owned();
        let (elements, _) = read(&junit(&[results(), other]));
        let suites: Vec<&str> = elements
            .iter()
            .filter(|one| one.0 == "testsuite")
            .map(|one| of(one, "name"))
            .collect();
        assert!(suites.contains(&"offline: shop.intent"), "{suites:?}");
        assert!(suites.contains(&"other: shop.intent"), "{suites:?}");
    }

    #[test]
    fn a_kind_is_named_as_in_suites() {
        assert!(junit(&[results()]).contains(&format!("shop.{}", Kind::ToolCall.name())));
    }
}
