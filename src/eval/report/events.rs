//! Events for an OpenTelemetry collector: a line for each case and metric, as its `otlpjsonfile` receiver reads
//! them (<https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/>). What each says is
//! `gen_ai.evaluation.result` of the semantic conventions
//! (<https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md>).

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::words::{printable, shortened};
use crate::eval::observed::Observed;
use crate::eval::results::{CaseResult, Results};

const EVENT: &str = "gen_ai.evaluation.result";
/// Of the severities of a log record, the one for information.
const INFO: u32 = 9;
/// How long an explanation may be.
const EXPLANATION: usize = 1000;

/// Every case and metric of runs as a line of OTLP in JSON. Names of cases may be what customers wrote, so a case is
/// named by a hash; of a response no id is kept.
#[must_use]
pub fn events(runs: &[Results]) -> String {
    let mut lines = String::new();
    for run in runs {
        for case in run.cases.iter().filter(|case| !case.skipped) {
            for attributes in scored(case) {
                lines.push_str(&line(run, attributes).to_string());
                lines.push('\n');
            }
        }
    }
    lines
}

/// The attributes of a case's events: whether it passed, then its scores.
fn scored(case: &CaseResult) -> Vec<Vec<Value>> {
    let kind = case.kind.name();
    let about = about(case);
    let mut passed = vec![
        text("gen_ai.evaluation.name", &format!("{kind}.passed")),
        number(
            "gen_ai.evaluation.score.value",
            f64::from(u8::from(case.passed)),
        ),
        text(
            "gen_ai.evaluation.score.label",
            if case.passed { "pass" } else { "fail" },
        ),
    ];
    if !case.faults.is_empty() {
        let faults = shortened(&printable(&case.faults.join("; ")), EXPLANATION);
        passed.push(text("gen_ai.evaluation.explanation", &faults));
    }
    if let Observed::Failed { .. } = case.observed {
        // The conventions' word for an error that has no name.
        passed.push(text("error.type", "_OTHER"));
    }
    passed.extend(about.clone());
    let scores = case.scores.iter().map(|(metric, score)| {
        let mut attributes = vec![
            text("gen_ai.evaluation.name", &format!("{kind}.{metric}")),
            number("gen_ai.evaluation.score.value", *score),
        ];
        attributes.extend(about.clone());
        attributes
    });
    std::iter::once(passed).chain(scores).collect()
}

fn about(case: &CaseResult) -> Vec<Value> {
    let hash = hex::encode(Sha256::digest(case.title()));
    let mut about = vec![
        text("sportello.suite", &case.suite),
        text("sportello.kind", case.kind.name()),
        text("sportello.case", &hash[..16]),
        json!({"key": "sportello.repeat", "value": {"intValue": case.repeat.to_string()}}),
    ];
    about.extend(
        case.language
            .map(|language| text("sportello.language", language.code())),
    );
    about
}

fn line(run: &Results, mut attributes: Vec<Value>) -> Value {
    attributes.push(text("gen_ai.request.model", &run.model));
    attributes.extend(
        run.variant
            .iter()
            .map(|variant| text("sportello.variant", variant)),
    );
    let record = json!({
        // A run does not keep when it was: unknown.
        "timeUnixNano": "0",
        "severityNumber": INFO,
        "severityText": "INFO",
        "eventName": EVENT,
        "attributes": attributes,
    });
    json!({"resourceLogs": [{
        "resource": {"attributes": [
            text("service.name", "sportello"),
            text("service.version", &run.sportello),
        ]},
        "scopeLogs": [{"scope": {"name": "sportello.eval"}, "logRecords": [record]}],
    }]})
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: f64) -> Value {
    json!({"key": key, "value": {"doubleValue": value}})
}

#[cfg(test)]
mod tests {
    use super::super::samples::results;
    use super::*;

    fn of<'a>(record: &'a Value, key: &str) -> &'a Value {
        let attributes = record["attributes"].as_array().unwrap();
        let found = attributes.iter().find(|one| one["key"] == key);
        found.map_or(&Value::Null, |one| &one["value"])
    }

    #[test]
    fn every_case_and_metric_is_a_record() {
        let run = results();
        let lines = events(std::slice::from_ref(&run));
        let records: Vec<Value> = lines
            .lines()
            .map(|line| {
                let mut whole: Value = serde_json::from_str(line).unwrap();
                whole["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0].take()
            })
            .collect();
        let ran = run.cases.iter().filter(|case| !case.skipped);
        let scores: usize = ran.clone().map(|case| case.scores.len()).sum();
        assert_eq!(records.len(), ran.count() + scores);
        assert!(records.iter().all(|record| record["eventName"] == EVENT));
        let named = |name: &str| {
            let mut found = records
                .iter()
                .filter(|one| of(one, "gen_ai.evaluation.name")["stringValue"] == name);
            found.next().unwrap()
        };
        let failed = named("retrieval.passed");
        assert_eq!(
            of(failed, "gen_ai.evaluation.score.value")["doubleValue"],
            0.0
        );
        assert_eq!(
            of(failed, "gen_ai.evaluation.score.label")["stringValue"],
            "fail"
        );
        assert_eq!(
            of(failed, "gen_ai.evaluation.explanation")["stringValue"],
            "expected one of faq-shipping, got faq-invoice"
        );
        let score = named("retrieval.ndcg@10");
        assert_eq!(
            of(score, "gen_ai.evaluation.score.value")["doubleValue"],
            0.25
        );
        assert!(of(score, "gen_ai.evaluation.score.label").is_null());
        let broken = named("safety.passed");
        assert_eq!(of(broken, "error.type")["stringValue"], "_OTHER");
    }

    #[test]
    fn nothing_that_a_customer_wrote_is_in_it() {
        let lines = events(&[results()]);
        for said in ["alert(1)", "my parcel", "Where is it?", "ignore all"] {
            assert!(!lines.contains(said), "{said}");
        }
    }
}
