//! One measured number with what is expected of it.

use crate::eval::measures::{self, share};

/// A measured number.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// What it is of.
    pub name: String,
    /// The number, in its unit.
    pub value: f64,
    /// What the number counts.
    pub unit: Unit,
    /// How many cases it was measured on.
    pub cases: usize,
    /// A 95 % interval by the bootstrap, in the same unit.
    pub interval: Option<[f64; 2]>,
    /// What is expected, if anything is.
    pub target: Option<Target>,
}

/// What a number counts, and so whether more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Hundredths; more is better.
    Percent,
    /// An error in [0, 1]; less is better.
    Error,
    /// Milliseconds; less is better.
    Milliseconds,
    /// Megabytes of 1,000,000 bytes; less is better.
    Megabytes,
}

/// What is expected of a figure, in its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// What must be reached.
    pub floor: f64,
    /// What should be reached.
    pub goal: f64,
}

/// How a figure stands to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The goal is reached.
    Goal,
    /// The floor is reached.
    Floor,
    /// The floor is missed.
    Missed,
    /// Nothing was expected.
    Open,
}

impl Verdict {
    /// The word in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Goal => "goal",
            Self::Floor => "floor",
            Self::Missed => "MISSED",
            Self::Open => "",
        }
    }
}

impl Target {
    pub(super) const fn new(floor: f64, goal: f64) -> Self {
        Self { floor, goal }
    }
}

/// What is expected of the calibration of a score.
pub(super) const CALIBRATED: Target = Target::new(0.08, 0.04);

impl Figure {
    pub(super) fn new(name: impl Into<String>, unit: Unit, value: f64, cases: usize) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            cases,
            interval: None,
            target: None,
        }
    }

    /// The share of hits with its interval.
    pub(super) fn hits(name: impl Into<String>, hits: &[bool]) -> Self {
        Self::resampled(name, hits.len(), |places| {
            share(places.iter().map(|place| hits[*place]))
        })
    }

    /// A share in [0, 1] over cases, of which some are drawn again and again for its interval.
    pub(super) fn resampled(
        name: impl Into<String>,
        cases: usize,
        statistic: impl Fn(&[usize]) -> f64,
    ) -> Self {
        let all: Vec<usize> = (0..cases).collect();
        let value = 100.0 * statistic(&all);
        Self {
            interval: Some(measures::interval(cases, statistic).map(|end| 100.0 * end)),
            ..Self::new(name, Unit::Percent, value, cases)
        }
    }

    pub(super) fn expecting(mut self, target: impl Into<Option<Target>>) -> Self {
        self.target = target.into();
        self
    }

    /// How it stands to what is expected.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let Some(Target { floor, goal }) = self.target else {
            return Verdict::Open;
        };
        let reaches = |bound: f64| match self.unit {
            Unit::Percent => self.value >= bound,
            Unit::Error | Unit::Milliseconds | Unit::Megabytes => self.value <= bound,
        };
        match (reaches(goal), reaches(floor)) {
            (true, _) => Verdict::Goal,
            (false, true) => Verdict::Floor,
            (false, false) => Verdict::Missed,
        }
    }

    /// Name, cases, value, interval, floor, goal and verdict, as reports write them.
    #[must_use]
    pub fn cells(&self) -> [String; 7] {
        let write = |value: f64| self.unit.write(value);
        let bound = |of: fn(Target) -> f64| self.target.map(of).map_or(String::new(), write);
        let interval = self.interval.map(|ends| ends.map(write).join("–"));
        [
            self.name.clone(),
            self.cases.to_string(),
            write(self.value),
            interval.unwrap_or_default(),
            bound(|target| target.floor),
            bound(|target| target.goal),
            self.verdict().name().to_owned(),
        ]
    }
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Percent => format!("{value:.1}"),
            Self::Error => format!("{value:.3}"),
            Self::Milliseconds => format!("{value:.2} ms"),
            Self::Megabytes => format!("{value:.0} MB"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_depends_on_what_is_better() {
        let verdict = |unit, value, floor, goal| {
            let figure = Figure::new("f", unit, value, 1);
            figure.expecting(Target::new(floor, goal)).verdict()
        };
        assert_eq!(verdict(Unit::Percent, 86.0, 84.0, 86.0), Verdict::Goal);
        assert_eq!(verdict(Unit::Percent, 85.9, 84.0, 86.0), Verdict::Floor);
        assert_eq!(verdict(Unit::Percent, 83.9, 84.0, 86.0), Verdict::Missed);
        assert_eq!(verdict(Unit::Error, 0.05, 0.08, 0.04), Verdict::Floor);
        assert_eq!(verdict(Unit::Milliseconds, 5.1, 5.0, 2.0), Verdict::Missed);
        let open = Figure::new("f", Unit::Megabytes, 1.0, 1);
        assert_eq!(open.verdict(), Verdict::Open);
    }

    #[test]
    fn a_share_of_hits_is_written_in_percent() {
        let figure = Figure::hits("f", &[true, true, true, false]);
        let cells = figure.expecting(Target::new(60.0, 80.0)).cells();
        assert_eq!([&cells[0], &cells[1], &cells[2]], ["f", "4", "75.0"]);
        assert_eq!([&cells[4], &cells[5], &cells[6]], ["60.0", "80.0", "floor"]);
    }
}
