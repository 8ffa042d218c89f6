//! How often values of each size came.

use std::fmt::Write as _;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 190.0;
/// Room at the left for counts, at the top for names of marks, below for the scale.
const LEFT: f64 = 34.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 22.0;
/// About as many bars as a narrow page can show apart.
const BARS: f64 = 24.0;

/// Counts of values by size.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// How much a bar spans.
    pub step: f64,
    /// One count a bar, from 0 upwards; the last one holds everything above, too.
    pub counts: Vec<usize>,
    /// Whether there is something above.
    pub open: bool,
}

impl Histogram {
    /// Counts values of at least 0, in bars of a round width. The longest hundredth may fall into the last bar, so
    /// that one straggler does not press all others together; none when there are no values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = *sorted.last()?;
        let most = sorted[(sorted.len() * 99).div_ceil(100).saturating_sub(1)];
        let step = round_step(most.max(1.0) / BARS);
        let bars = (most / step).floor() as usize + 1;
        let mut counts = vec![0; bars];
        for value in &sorted {
            counts[((value / step).floor() as usize).min(bars - 1)] += 1;
        }
        Some(Self {
            step,
            counts,
            open: last >= bars as f64 * step,
        })
    }
}

/// The next larger of 1, 2 and 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Draws it, with lines at `marks`, each with its name.
pub fn histogram(histogram: &Histogram, unit: &str, marks: &[(&str, f64)]) -> String {
    let Histogram { step, counts, open } = histogram;
    let end = counts.len() as f64 * step;
    let x = |value: f64| LEFT + (WIDTH - LEFT - 12.0) * (value / end).clamp(0.0, 1.0);
    let floor = HEIGHT - BOTTOM;
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let y = |count: usize| floor - (floor - TOP) * count as f64 / most as f64;
    let mut svg = format!(
        "<svg class=\"chart\" role=\"img\" aria-label=\"latency histogram\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\
         <line class=\"axis\" x1=\"{LEFT}\" y1=\"{floor}\" x2=\"{}\" y2=\"{floor}\"/>\
         <text x=\"{}\" y=\"{TOP}\" dy=\"4\" text-anchor=\"end\">{most}</text>\
         <text x=\"{}\" y=\"{floor}\" text-anchor=\"end\">0</text>",
        x(end),
        LEFT - 6.0,
        LEFT - 6.0,
    );
    for (place, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (from, to) = (x(place as f64 * step), x((place + 1) as f64 * step));
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{count}</title></rect>",
            y(*count),
            (to - from - 1.0).max(1.0),
            floor - y(*count)
        );
    }
    for part in 0..=4_u32 {
        let value = end * f64::from(part) / 4.0;
        let more = if part == 4 && *open { "+" } else { "" };
        let anchor = if part == 4 { "end" } else { "middle" };
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}{more}{}</text>",
            if part == 4 { WIDTH - 2.0 } else { x(value) },
            HEIGHT - 6.0,
            short(value),
            if part == 4 {
                format!(" {unit}")
            } else {
                String::new()
            },
        );
    }
    for (place, (name, value)) in marks.iter().enumerate() {
        // Names of marks that are near each other stand one below the other.
        let line = 10.0 + 12.0 * (place % 2) as f64;
        let right = x(*value) > WIDTH * 0.7;
        let _ = write!(
            svg,
            "<line class=\"mark\" x1=\"{0:.1}\" y1=\"{line}\" x2=\"{0:.1}\" y2=\"{floor}\"/>\
             <text x=\"{1:.1}\" y=\"{line}\" dy=\"4\" text-anchor=\"{2}\">{name} {3} {unit}</text>",
            x(*value),
            if right {
                x(*value) - 4.0
            } else {
                x(*value) + 4.0
            },
            if right { "end" } else { "start" },
            short(*value)
        );
    }
    svg + "</svg>"
}

fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_a_round_width_and_hold_every_value() {
        let mut values: Vec<f64> = (0..200).map(f64::from).collect();
        values.push(90_000.0);
        let counted = Histogram::of(&values).unwrap();
        assert_eq!((counted.step, counted.open), (10.0, true));
        assert_eq!(counted.counts.iter().sum::<usize>(), 201);
        assert_eq!(counted.counts[0], 10);
        assert!(counted.counts.len() <= 25);
        assert_eq!(Histogram::of(&[]), None);
        let one = Histogram::of(&[0.0]).unwrap();
        assert_eq!((one.counts, one.open), (vec![1], false));
    }

    #[test]
    fn a_drawing_has_a_bar_for_every_size_that_came() {
        let counted = Histogram::of(&[1.0, 1.5, 90.0]).unwrap();
        let svg = histogram(&counted, "ms", &[("half", 1.5)]);
        assert_eq!(svg.matches("class=\"bar\"").count(), 2);
        assert!(svg.contains("half 1.5 ms"), "{svg}");
    }
}
