//! Drawings as SVG without scripts; colours come from the page, so that they follow light and dark.

mod histogram;
mod lane;

use std::fmt::Write as _;

use super::measures::{Bin, Confusion};
pub use histogram::{Histogram, histogram};
pub use lane::{Lane, lane};

/// Side of a cell, in units of the drawing.
const CELL: usize = 26;
/// About the width of a letter of a label.
const LETTER: usize = 7;
/// Side of a curve's field, and the room at its left and below.
const FIELD: f64 = 200.0;
const EDGE: f64 = 34.0;

/// A drawing of what was taken for what: a row for each true class, shaded by its share.
pub fn confusion_matrix(confusion: &Confusion) -> String {
    let labels = &confusion.labels;
    let longest = labels.iter().map(|label| label.chars().count()).max();
    let room = longest.unwrap_or(0) * LETTER + 10;
    let side = room + labels.len() * CELL + 4;
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"confusion matrix\" viewBox=\"0 0 {side} {side}\" width=\"{side}\" height=\"{side}\">"
    );
    for (place, label) in labels.iter().enumerate() {
        let middle = room + place * CELL + CELL / 2;
        let label = escaped(label);
        let edge = room - 6;
        let _ = write!(
            svg,
            "<text x=\"{edge}\" y=\"{middle}\" dy=\"4\" text-anchor=\"end\">{label}</text>\
             <text transform=\"translate({middle} {edge}) rotate(-90)\" dy=\"4\">{label}</text>"
        );
    }
    for (row, counts) in confusion.counts.iter().enumerate() {
        let all: usize = counts.iter().sum();
        for (column, count) in counts.iter().enumerate() {
            cell(&mut svg, room, [row, column], *count, all);
        }
    }
    svg + "</svg>"
}

fn cell(svg: &mut String, room: usize, [row, column]: [usize; 2], count: usize, all: usize) {
    let (x, y) = (room + column * CELL, room + row * CELL);
    let share = count as f64 / all.max(1) as f64;
    let class = if row == column { "right" } else { "wrong" };
    let inner = CELL - 1;
    let _ = write!(
        svg,
        "<rect class=\"empty\" x=\"{x}\" y=\"{y}\" width=\"{inner}\" height=\"{inner}\"/>"
    );
    if count > 0 {
        let (middle, base) = (x + CELL / 2, y + CELL / 2);
        // A few cases must be seen too.
        let shade = 0.15 + 0.75 * share;
        let _ = write!(
            svg,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{inner}\" height=\"{inner}\" fill-opacity=\"{shade:.2}\"/>\
             <text class=\"count\" x=\"{middle}\" y=\"{base}\" dy=\"4\" text-anchor=\"middle\">{count}</text>"
        );
    }
}

/// A drawing of the share of hits over the score, beside the diagonal of perfect calibration; the larger a
/// dot, the more guesses it stands for.
pub fn calibration_curve(bins: &[Bin]) -> String {
    let whole = FIELD + EDGE + 10.0;
    let bottom = FIELD + 8.0;
    let x = |score: f64| EDGE + score * FIELD;
    let y = |right: f64| bottom - right * FIELD;
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"calibration curve\" viewBox=\"0 0 {whole} {whole}\" width=\"{whole}\" height=\"{whole}\">\
         <rect class=\"empty\" x=\"{EDGE}\" y=\"8\" width=\"{FIELD}\" height=\"{FIELD}\"/>\
         <line class=\"ideal\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
        x(0.0),
        y(0.0),
        x(1.0),
        y(1.0)
    );
    for tick in [0.0, 0.5, 1.0] {
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>\
             <text x=\"{}\" y=\"{}\" dy=\"4\" text-anchor=\"end\">{tick}</text>",
            x(tick),
            bottom + 16.0,
            EDGE - 6.0,
            y(tick)
        );
    }
    let points = bins
        .iter()
        .map(|bin| format!("{:.1},{:.1}", x(bin.score), y(bin.right)));
    let points = points.collect::<Vec<_>>().join(" ");
    let _ = write!(svg, "<polyline class=\"curve\" points=\"{points}\"/>");
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
    for bin in bins {
        let radius = 2.0 + 6.0 * (bin.count as f64 / most).sqrt();
        let _ = write!(
            svg,
            "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius:.1}\"/>",
            x(bin.score),
            y(bin.right)
        );
    }
    svg + "</svg>"
}

/// Text as it may stand in a drawing and in its attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_shows_every_class_and_every_count() {
        let confusion = Confusion::of(&["a<b", "c"], [("a<b", "a<b"), ("a<b", "c"), ("c", "c")]);
        let svg = confusion_matrix(&confusion);
        assert_eq!(svg.matches("a&lt;b").count(), 2);
        assert!(!svg.contains("a<b"));
        assert_eq!(svg.matches("class=\"right\"").count(), 2);
        assert_eq!(svg.matches("class=\"wrong\"").count(), 1);
        assert_eq!(svg.matches("class=\"empty\"").count(), 4);
    }

    #[test]
    fn a_curve_puts_its_dots_where_the_bins_are() {
        let bins = [Bin {
            count: 3,
            score: 0.5,
            right: 1.0,
        }];
        let svg = calibration_curve(&bins);
        assert!(svg.contains("cx=\"134.0\" cy=\"8.0\" r=\"8.0\""), "{svg}");
    }
}
