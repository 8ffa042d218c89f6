//! Gates: what a measure must reach, or by how much it may drop against a baseline. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::Kind;
use super::rates::Measure;
use super::results::Results;

/// What a measure must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The kind of the cases.
    pub kind: Kind,
    /// The measure, as reports name it: `pass_rate`, `macro_f1`, `recall@5`, `ndcg@10`, `argument_f1` …
    pub metric: String,
    /// Which of the cases: `all` when left out, else one slice (`language=it`, `tag=typo`), or every slice of a sort
    /// (`language`, `tag`), each of which must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// At least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// At most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// At most so many hundredths below the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drop_at_most: Option<f64>,
}

/// A gate, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// What it demands.
    pub name: String,
    /// Whether it held.
    pub held: bool,
    /// What was found.
    pub found: String,
}

impl Gate {
    /// What is wrong with how it is written.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.at_least.is_none() && self.at_most.is_none() && self.drop_at_most.is_none() {
            return Some(format!(
                "the gate on {} demands nothing; add `at_least`, `at_most` or `drop_at_most`",
                self.metric
            ));
        }
        self.drop_at_most
            .filter(|drop| !(0.0..=100.0).contains(drop))
            .map(|drop| format!("`drop_at_most` is {drop}; write hundredths from 0 to 100"))
    }

    fn meant<'a>(&'a self, figures: &'a [Measure]) -> impl Iterator<Item = &'a Measure> {
        let slice = self.slice.as_deref().unwrap_or("all");
        figures.iter().filter(move |figure| {
            let sort = figure.slice.split_once('=').map(|(sort, _)| sort);
            figure.kind == self.kind
                && figure.metric == self.metric
                && (figure.slice == slice || sort == Some(slice))
        })
    }

    fn name(&self, slice: &str) -> String {
        let mut demands = Vec::new();
        demands.extend(self.at_least.map(|least| format!("at least {least}")));
        demands.extend(self.at_most.map(|most| format!("at most {most}")));
        demands.extend(
            self.drop_at_most
                .map(|drop| format!("drops by at most {drop} points")),
        );
        let slice = if slice == "all" {
            String::new()
        } else {
            format!(" [{slice}]")
        };
        format!(
            "{} {}{slice} {}",
            self.kind.name(),
            self.metric,
            demands.join(", ")
        )
    }

    fn judge(&self, figure: &Measure, baseline: Option<&Results>) -> GateResult {
        let mut held = self.at_least.is_none_or(|least| figure.value >= least)
            && self.at_most.is_none_or(|most| figure.value <= most);
        let mut found = format!("{:.3}", figure.value);
        if let (Some(drop), Some(baseline)) = (self.drop_at_most, baseline)
            && let Some(before) = baseline.figure(figure.kind, &figure.metric, &figure.slice)
        {
            // Rounded, so that a drop of exactly the limit holds.
            let lost = ((before.value - figure.value) * 1e6).round() / 1e4;
            held &= lost <= drop;
            found = format!("{found}, {:.3} before", before.value);
        }
        GateResult {
            name: self.name(&figure.slice),
            held,
            found,
        }
    }
}

/// Judges gates. One that no measure belongs to does not hold: it would never fail.
#[must_use]
pub fn judge(gates: &[&Gate], figures: &[Measure], baseline: Option<&Results>) -> Vec<GateResult> {
    let mut results = Vec::new();
    for gate in gates {
        let before = results.len();
        results.extend(
            gate.meant(figures)
                .map(|figure| gate.judge(figure, baseline)),
        );
        if results.len() == before {
            results.push(GateResult {
                name: gate.name(gate.slice.as_deref().unwrap_or("all")),
                held: false,
                found: "there is no such measure in this run".to_owned(),
            });
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(metric: &str, slice: &str, value: f64) -> Measure {
        Measure {
            kind: Kind::Intent,
            metric: metric.to_owned(),
            slice: slice.to_owned(),
            cases: 10,
            value,
            interval: None,
        }
    }

    fn gate(text: &str) -> Gate {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn gates_hold_over_every_slice_of_a_sort() {
        let figures = [
            figure("pass_rate", "all", 0.9),
            figure("pass_rate", "language=it", 0.95),
            figure("pass_rate", "language=de", 0.7),
        ];
        let every = gate(
            r#"{"kind": "intent", "metric": "pass_rate", "slice": "language", "at_least": 0.8}"#,
        );
        let judged = judge(&[&every], &figures, None);
        let held: Vec<bool> = judged.iter().map(|gate| gate.held).collect();
        assert_eq!(held, [true, false]);
        assert_eq!(
            judged[1].name,
            "intent pass_rate [language=de] at least 0.8"
        );
        let none = gate(r#"{"kind": "intent", "metric": "recall@5", "at_least": 0.8}"#);
        assert!(!judge(&[&none], &figures, None)[0].held);
        assert!(
            gate(r#"{"kind": "intent", "metric": "f1"}"#)
                .fault()
                .is_some()
        );
    }

    #[test]
    fn a_drop_is_measured_against_the_baseline() {
        let drop = gate(r#"{"kind": "intent", "metric": "f1", "drop_at_most": 2}"#);
        let mut baseline = Results::new(
            &[],
            super::super::results::About::default(),
            Vec::new(),
            None,
        );
        baseline.figures = vec![figure("f1", "all", 0.82)];
        let held = |value| judge(&[&drop], &[figure("f1", "all", value)], Some(&baseline))[0].held;
        assert!(held(0.80) && held(0.9) && !held(0.799));
        assert!(judge(&[&drop], &[figure("f1", "all", 0.1)], None)[0].held);
    }
}
