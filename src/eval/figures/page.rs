//! The report as a page and as lines of text.

use minijinja::value::Serde;
use minijinja::{Environment, context};
use serde::Serialize;

use super::{Drawing, Figure, FigureReport, Section, Table, Verdict};
use crate::app::AppError;

const PAGE: &str = include_str!("page.html");
const HEAD: [&str; 7] = ["", "cases", "figure", "95 % interval", "floor", "goal", ""];

#[derive(Serialize)]
struct Part<'a> {
    title: &'a str,
    rows: Vec<[String; 7]>,
    tables: &'a [Table],
    drawings: &'a [Drawing],
}

impl FigureReport {
    /// The figures below their floor.
    pub fn missed(&self) -> impl Iterator<Item = &Figure> {
        self.of(Verdict::Missed)
    }

    /// One HTML page: no scripts and nothing from outside.
    ///
    /// # Errors
    /// When the template is broken.
    pub fn html(&self) -> Result<String, AppError> {
        let expected = self.figures().filter(|figure| figure.target.is_some());
        let parts: Vec<Part> = self.sections.iter().map(part).collect();
        let count = |verdict| self.of(verdict).count();
        let values = context! {
            head => HEAD,
            expected => expected.map(Figure::cells).collect::<Vec<_>>(),
            goal => count(Verdict::Goal),
            floor => count(Verdict::Floor),
            missed => count(Verdict::Missed),
            parts => Serde(parts),
        };
        Environment::new()
            .render_named_str("page.html", PAGE, values)
            .map_err(|error| AppError::Machine(format!("the report's page: {error}")))
    }

    /// The figures as a table of text, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let rows: Vec<[String; 7]> = self.figures().map(Figure::cells).collect();
        let widths: [usize; 7] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(HEAD[column].chars().count())
        });
        let mut lines = Vec::new();
        for section in &self.sections {
            let mut head = HEAD.map(str::to_owned);
            head[0].clone_from(&section.title);
            lines.push(line(&head, &widths));
            let cells = section.figures.iter().map(Figure::cells);
            lines.extend(cells.map(|cells| line(&cells, &widths)));
            lines.push(String::new());
        }
        let count = |verdict| self.of(verdict).count();
        lines.push(format!(
            "goal reached: {}, only the floor: {}, missed: {}",
            count(Verdict::Goal),
            count(Verdict::Floor),
            count(Verdict::Missed)
        ));
        lines
    }

    fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.sections.iter().flat_map(|section| &section.figures)
    }

    fn of(&self, verdict: Verdict) -> impl Iterator<Item = &Figure> {
        self.figures()
            .filter(move |figure| figure.verdict() == verdict)
    }
}

fn part(section: &Section) -> Part<'_> {
    Part {
        title: &section.title,
        rows: section.figures.iter().map(Figure::cells).collect(),
        tables: &section.tables,
        drawings: &section.drawings,
    }
}

fn line(cells: &[String; 7], widths: &[usize; 7]) -> String {
    let [name, numbers @ .., verdict] = cells;
    let mut line = format!("{name:<width$}", width = widths[0]);
    for (cell, width) in numbers.iter().zip(&widths[1..]) {
        line.push_str(&format!("  {cell:>width$}"));
    }
    format!("{line}  {verdict}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::{Target, Unit};
    use super::*;

    fn report() -> FigureReport {
        let figure = |name: &str, value| Figure::new(name, Unit::Percent, value, 10);
        let mut section = Section::new("Intent");
        section.figures = vec![
            figure("a<b", 91.0).expecting(Target::new(90.0, 93.0)),
            figure("long name", 5.0).expecting(Target::new(90.0, 93.0)),
            figure("open", 7.25),
        ];
        section.drawings.push(Drawing {
            title: "drawn".to_owned(),
            svg: "<svg></svg>".to_owned(),
        });
        FigureReport {
            sections: vec![section],
        }
    }

    #[test]
    fn the_text_marks_what_misses() {
        let lines = report().lines();
        assert_eq!(
            lines[1],
            "a<b           10    91.0                  90.0  93.0  floor"
        );
        assert!(lines[2].ends_with("MISSED"), "{lines:?}");
        assert_eq!(lines[3], "open          10     7.2");
        assert_eq!(lines[5], "goal reached: 0, only the floor: 1, missed: 1");
        let report = report();
        let missed: Vec<&str> = report.missed().map(|figure| figure.name.as_str()).collect();
        assert_eq!(missed, ["long name"]);
    }

    #[test]
    fn the_page_is_whole_and_needs_nothing_else() {
        let html = report().html().unwrap();
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(
            html.contains("<svg></svg>") && html.contains("a&lt;b"),
            "{html}"
        );
        for outside in ["<script", "<link", "src=", "http", "@import", "url("] {
            assert!(!html.contains(outside), "{outside}");
        }
    }
}
