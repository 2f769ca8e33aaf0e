//! Tornado charts as inline SVG: how far a result moves when one input goes from one end of its range to the other.

use std::fmt::Write as _;

use mainstay_formula::{Swing, Unit};

use super::escaped;

/// The swings of a result, the widest first.
pub(crate) struct Swings<'a> {
    /// The result where nothing is moved.
    pub(crate) base: f64,
    /// What the result counts.
    pub(crate) unit: Unit,
    /// The swings.
    pub(crate) swings: &'a [Swing],
}

/// Sizes in the units of the drawing.
const WIDTH: f64 = 560.0;
const LABELS: f64 = 200.0;
const ROW: f64 = 26.0;
const BAR: f64 = 12.0;
const FOOT: f64 = 20.0;

impl Swings<'_> {
    /// The drawing. `title` is what a screen reader says.
    pub(crate) fn svg(&self, title: &str) -> String {
        let ends = || self.swings.iter().flat_map(|swing| [swing.at_low, swing.at_high]);
        let (from, to) = (ends().fold(self.base, f64::min), ends().fold(self.base, f64::max));
        let x = |value: f64| {
            LABELS + (value - from) / (to - from).max(f64::MIN_POSITIVE) * (WIDTH - LABELS - 8.0)
        };
        let height = self.swings.len() as f64 * ROW + FOOT;
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">");
        for (index, swing) in self.swings.iter().enumerate() {
            let middle = index as f64 * ROW + ROW / 2.0;
            let (low, high) = (x(swing.at_low.min(swing.at_high)), x(swing.at_low.max(swing.at_high)));
            let meaning = format!(
                "{}: {} to {}",
                swing.input,
                self.unit.show(swing.at_low),
                self.unit.show(swing.at_high)
            );
            let _ = write!(
                svg,
                "<text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
                 <rect class=\"main\" x=\"{low:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{BAR}\" rx=\"2\">\
                 <title>{}</title></rect>",
                LABELS - 8.0,
                middle + 4.0,
                escaped(&swing.input),
                middle - BAR / 2.0,
                (high - low).max(1.0),
                escaped(&meaning)
            );
        }
        let base = x(self.base);
        let floor = height - FOOT;
        let _ = write!(
            svg,
            "<line class=\"zero\" x1=\"{base:.1}\" y1=\"0\" x2=\"{base:.1}\" y2=\"{floor:.1}\"/>\
             <text class=\"label\" x=\"{:.1}\" y=\"{y:.1}\">{}</text>\
             <text class=\"label\" x=\"{WIDTH}\" y=\"{y:.1}\">{}</text>",
            LABELS + 60.0,
            escaped(&self.unit.show(from)),
            escaped(&self.unit.show(to)),
            y = floor + 15.0,
        );
        svg.push_str("</svg>");
        svg
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swing_reaches_from_one_result_to_the_other() {
        let swing = Swing { input: "users".to_owned(), from: 1.0, to: 3.0, at_low: 10.0, at_high: 30.0 };
        let swings = Swings { base: 20.0, unit: Unit::Count, swings: &[swing] };
        let svg = swings.svg("Machines");
        assert!(svg.contains("x=\"200.0\"") && svg.contains("width=\"352.0\""), "{svg}");
    }
}
