//! Line charts as inline SVG: what changes over time, with the band in which it may lie.

use std::fmt::Write as _;

use mainstay_formula::Unit;

use super::chart::{Tone, round_step};
use super::escaped;

/// Lines over one pair of axes, both from 0.
pub(crate) struct Lines {
    /// What stands under the axis: `months from now`.
    pub(crate) along: &'static str,
    /// What the values count.
    pub(crate) unit: Unit,
    /// The lines, at most as many as there are tones.
    pub(crate) lines: Vec<Line>,
}

/// One line.
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<(f64, f64)>,
    /// Where the values may lie, low and high for each point; empty where that is not known.
    pub(crate) band: Vec<(f64, f64)>,
    pub(crate) tone: Tone,
}

/// Sizes in the units of the drawing.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 34.0;

impl Lines {
    /// The drawing. `title` is what a screen reader says.
    pub(crate) fn svg(&self, title: &str) -> String {
        let (x_to, y_to) = self.reach();
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">");
        self.draw_axes(&mut svg, x_to, y_to);
        let at = |x: f64, y: f64| {
            (
                LEFT + x / x_to * (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - (y / y_to).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM),
            )
        };
        for line in &self.lines {
            draw_band(&mut svg, line, at);
        }
        for line in &self.lines {
            let path = path(line.points.iter().map(|(x, y)| at(*x, *y)));
            let _ = write!(
                svg,
                "<path class=\"line {}\" d=\"{path}\"><title>{}</title></path>",
                line.tone.class(),
                escaped(&line.label)
            );
        }
        self.draw_legend(&mut svg);
        svg.push_str("</svg>");
        svg
    }

    /// How far the axes go.
    fn reach(&self) -> (f64, f64) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let x = points().map(|(x, _)| *x).fold(0.0, f64::max);
        let bands = self.lines.iter().flat_map(|line| &line.band).map(|(_, high)| *high);
        let y = points().map(|(_, y)| *y).chain(bands).fold(0.0, f64::max);
        let step = round_step(y);
        (if x > 0.0 { x } else { 1.0 }, (y / step).ceil().max(1.0) * step)
    }

    fn draw_axes(&self, svg: &mut String, x_to: f64, y_to: f64) {
        let step = round_step(y_to);
        let floor = HEIGHT - BOTTOM;
        for index in 0..=(y_to / step).round() as usize {
            let value = index as f64 * step;
            let y = floor - value / y_to * (floor - TOP);
            let class = if index == 0 { "zero" } else { "grid" };
            let _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"label\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 8.0,
                y + 4.0,
                escaped(&short(self.unit, value))
            );
        }
        let step = round_step(x_to);
        for index in 0..=(x_to / step).floor() as usize {
            let value = index as f64 * step;
            let x = LEFT + value / x_to * (WIDTH - LEFT - RIGHT);
            let _ = write!(
                svg,
                "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                floor + 15.0,
                Unit::Count.show(value)
            );
        }
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 3.0,
            escaped(self.along)
        );
    }

    fn draw_legend(&self, svg: &mut String) {
        let each = (WIDTH - LEFT - RIGHT) / self.lines.len().max(1) as f64;
        for (index, line) in self.lines.iter().enumerate() {
            let x = LEFT + index as f64 * each;
            let _ = write!(
                svg,
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"6\" width=\"14\" height=\"4\" rx=\"2\"/>\
                 <text class=\"key\" x=\"{:.1}\" y=\"12\">{}</text>",
                line.tone.class(),
                x + 19.0,
                escaped(&line.label)
            );
        }
    }
}

/// A value beside an axis: money and bytes with their sign, without the time that they are for.
fn short(unit: Unit, value: f64) -> String {
    match unit {
        Unit::DollarsPerMonth | Unit::DollarsPerDay | Unit::DollarsPerYear | Unit::DollarsPerHour => {
            Unit::Dollars.show(value)
        }
        Unit::TokensPerDay | Unit::PerDay | Unit::Tokens => Unit::Count.show(value),
        other => other.show(value),
    }
}

fn path(points: impl Iterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (index, (x, y)) in points.enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
    }
    path
}

fn draw_band(svg: &mut String, line: &Line, at: impl Fn(f64, f64) -> (f64, f64)) {
    if line.band.is_empty() {
        return;
    }
    let xs = || line.points.iter().map(|(x, _)| *x);
    let upper = xs().zip(&line.band).map(|(x, (_, high))| at(x, *high));
    let lower = xs().zip(&line.band).map(|(x, (low, _))| at(x, *low));
    let outline: Vec<(f64, f64)> = upper.chain(lower.collect::<Vec<_>>().into_iter().rev()).collect();
    let _ = write!(svg, "<path class=\"band {}\" d=\"{}Z\"/>", line.tone.class(), path(outline.into_iter()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_bands_are_drawn_over_axes_that_reach_them() {
        let line = Line {
            label: "API <cost>".to_owned(),
            points: vec![(0.0, 10.0), (12.0, 40.0)],
            band: vec![(5.0, 15.0), (30.0, 90.0)],
            tone: Tone::Main,
        };
        let lines = Lines { along: "months", unit: Unit::DollarsPerMonth, lines: vec![line] };
        assert_eq!(lines.reach(), (12.0, 100.0));
        let svg = lines.svg("Cost");
        assert!(svg.contains("API &lt;cost&gt;") && svg.contains(">$100<"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 2);
    }
}
