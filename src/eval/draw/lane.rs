//! A value with its interval on a track that is as wide as its place.

use std::fmt::Write as _;

use super::escaped;

/// Width of the drawing in its own units; the page stretches it.
const WIDTH: f64 = 1000.0;

/// What a track shows.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    /// The value.
    pub value: f64,
    /// From and to.
    pub interval: Option<[f64; 2]>,
    /// A value that means something: a threshold, or no difference.
    pub mark: Option<f64>,
    /// The ends of the track.
    pub range: [f64; 2],
    /// What it says: `good`, `bad` or `plain`.
    pub tone: &'a str,
    /// The same in words.
    pub label: &'a str,
}

/// Draws it. Strokes keep their width however far the page stretches the drawing.
pub fn lane(lane: &Lane) -> String {
    let [low, high] = lane.range;
    let x = |value: f64| WIDTH * ((value - low) / (high - low).max(1e-9)).clamp(0.0, 1.0);
    let mut svg = format!(
        "<svg class=\"lane {}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {WIDTH} 20\" preserveAspectRatio=\"none\">\
         <path class=\"track\" d=\"M0 10H{WIDTH}\"/>",
        escaped(lane.tone),
        escaped(lane.label)
    );
    if let Some([from, to]) = lane.interval {
        let _ = write!(
            svg,
            "<path class=\"span\" d=\"M{:.1} 10H{:.1}\"/>",
            x(from),
            x(to)
        );
    }
    if let Some(mark) = lane.mark {
        let _ = write!(svg, "<path class=\"mark\" d=\"M{:.1} 1V19\"/>", x(mark));
    }
    let _ = write!(
        svg,
        "<path class=\"point\" d=\"M{:.1} 10h.01\"/></svg>",
        x(lane.value)
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_between_the_ends_of_its_interval() {
        let drawn = lane(&Lane {
            value: 0.5,
            interval: Some([0.25, 1.5]),
            mark: Some(0.9),
            range: [0.0, 1.0],
            tone: "good",
            label: "a \"half\" <b>",
        });
        assert!(
            drawn.contains("class=\"span\" d=\"M250.0 10H1000.0\""),
            "{drawn}"
        );
        assert!(drawn.contains("class=\"point\" d=\"M500.0 10h.01\""));
        assert!(drawn.contains("class=\"mark\" d=\"M900.0 1V19\""));
        assert!(drawn.contains("aria-label=\"a &quot;half&quot; &lt;b&gt;\""));
        let bare = lane(&Lane {
            value: -1.0,
            interval: None,
            mark: None,
            range: [-1.0, 1.0],
            tone: "plain",
            label: "",
        });
        assert!(!bare.contains("span") && bare.contains("M0.0 10h.01"));
    }
}
