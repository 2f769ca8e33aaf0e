//! Bar charts as inline SVG.

use std::fmt::Write as _;

use mainstay_evals::Estimate;

use super::escaped;
use crate::terminal::grouped;

/// Horizontal bars over one axis.
pub(crate) struct Chart {
    bars: Vec<Bar>,
    axis: Axis,
}

/// One bar: its label, its value, and where it may be known, the bounds of its interval.
pub(crate) struct Bar {
    label: String,
    value: f64,
    bounds: Option<(f64, f64)>,
    shown: String,
    tone: Tone,
}

/// How a bar is coloured.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Main,
    Soft,
    Good,
    Bad,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Soft => "soft",
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

impl Bar {
    /// A measure between 0 and 1.
    pub(crate) fn share(label: &str, estimate: Estimate, tone: Tone) -> Self {
        let shown = format!("{:.3}", estimate.mean);
        Self {
            label: label.to_owned(),
            value: estimate.mean,
            bounds: Some((estimate.low, estimate.high)),
            shown,
            tone,
        }
    }

    /// The difference of two measures.
    pub(crate) fn difference(label: &str, estimate: Estimate, tone: Tone) -> Self {
        Self { shown: format!("{:+.3}", estimate.mean), ..Self::share(label, estimate, tone) }
    }

    /// A number of things.
    pub(crate) fn count(label: &str, count: u64, tone: Tone) -> Self {
        Self { label: label.to_owned(), value: count as f64, bounds: None, shown: grouped(count), tone }
    }

    /// A time.
    pub(crate) fn milliseconds(label: &str, value: f64, tone: Tone) -> Self {
        Self { label: label.to_owned(), value, bounds: None, shown: format!("{value:.1}"), tone }
    }
}

struct Axis {
    from: f64,
    to: f64,
    step: f64,
}

/// Sizes in the units of the drawing.
const WIDTH: f64 = 560.0;
const LABELS: f64 = 150.0;
const VALUES: f64 = 56.0;
const ROW: f64 = 26.0;
const BAR: f64 = 12.0;
const FOOT: f64 = 22.0;
const LONGEST_LABEL: usize = 22;

impl Chart {
    /// Of values from 0 to 1.
    pub(crate) fn shares(bars: Vec<Bar>) -> Self {
        Self { bars, axis: Axis { from: 0.0, to: 1.0, step: 0.25 } }
    }

    /// Of values from 0 to as much as there is.
    pub(crate) fn from_zero(bars: Vec<Bar>) -> Self {
        let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let step = round_step(most);
        Self { bars, axis: Axis { from: 0.0, to: (most / step).ceil().max(1.0) * step, step } }
    }

    /// Of numbers of things: no line of the axis is between two of them.
    pub(crate) fn counts(bars: Vec<Bar>) -> Self {
        let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        let step = round_step(most).max(1.0);
        Self { bars, axis: Axis { from: 0.0, to: (most / step).ceil().max(1.0) * step, step } }
    }

    /// Of values on either side of 0.
    pub(crate) fn around_zero(bars: Vec<Bar>) -> Self {
        let reach = bars.iter().flat_map(|bar| {
            let (low, high) = bar.bounds.unwrap_or((bar.value, bar.value));
            [low.abs(), high.abs()]
        });
        let most = reach.fold(0.0, f64::max);
        let step = round_step(most * 2.0);
        let to = (most / step).ceil().max(1.0) * step;
        Self { bars, axis: Axis { from: -to, to, step } }
    }

    /// The drawing. `title` is what a screen reader says.
    pub(crate) fn svg(&self, title: &str) -> String {
        let height = self.bars.len() as f64 * ROW + FOOT;
        let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">");
        self.draw_axis(&mut svg, height);
        for (index, bar) in self.bars.iter().enumerate() {
            self.draw_bar(&mut svg, bar, index as f64 * ROW + ROW / 2.0);
        }
        svg.push_str("</svg>");
        svg
    }

    fn x(&self, value: f64) -> f64 {
        let Axis { from, to, .. } = self.axis;
        let share = ((value - from) / (to - from)).clamp(0.0, 1.0);
        LABELS + share * (WIDTH - LABELS - VALUES)
    }

    fn draw_axis(&self, svg: &mut String, height: f64) {
        let Axis { from, to, step } = self.axis;
        let bottom = height - FOOT;
        let count = ((to - from) / step).round() as usize;
        for index in 0..=count {
            let value = from + index as f64 * step;
            // -0.0 and what rounding leaves beside 0.
            let value = if value.abs() < step / 2.0 { 0.0 } else { value };
            let x = self.x(value);
            let class = if value == 0.0 { "zero" } else { "grid" };
            let _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{bottom:.1}\"/>\
                 <text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
                bottom + 15.0,
                tick(value, step),
            );
        }
    }

    fn draw_bar(&self, svg: &mut String, bar: &Bar, middle: f64) {
        let (zero, end) = (self.x(0.0), self.x(bar.value));
        let (left, width) = (zero.min(end), (end - zero).abs());
        let top = middle - BAR / 2.0;
        let (text_y, class) = (middle + 4.0, bar.tone.class());
        let _ = write!(
            svg,
            "<text class=\"label\" x=\"{:.1}\" y=\"{text_y:.1}\">{}</text>\
             <rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR}\" rx=\"2\">\
             <title>{}</title></rect>",
            LABELS - 8.0,
            escaped(&shortened(&bar.label)),
            escaped(&format!("{}: {}", bar.label, bar.shown)),
        );
        if let Some((low, high)) = bar.bounds {
            let (low, high) = (self.x(low), self.x(high));
            let (above, below) = (middle - 4.0, middle + 4.0);
            let _ = write!(
                svg,
                "<path class=\"whisker\" d=\"M{low:.1} {middle:.1}H{high:.1}M{low:.1} {above:.1}V{below:.1}M{high:.1} \
                 {above:.1}V{below:.1}\"/>"
            );
        }
        let _ = write!(
            svg,
            "<text class=\"value\" x=\"{WIDTH}\" y=\"{text_y:.1}\">{}</text>",
            escaped(&bar.shown)
        );
    }
}

/// A step of 1, 2 or 5 times a power of ten that cuts a length into about five.
pub(super) fn round_step(length: f64) -> f64 {
    if !length.is_finite() || length <= 0.0 {
        return 0.1;
    }
    let rough = length / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power)
}

/// The number at a line of the axis, with as many digits as the step needs.
fn tick(value: f64, step: f64) -> String {
    let digits = if step >= 1.0 { 0 } else { (-step.log10()).ceil().max(0.0) as usize };
    // A quarter needs one more than its size says.
    let digits = if (step * 10f64.powi(digits as i32)).fract() > 1e-9 { digits + 1 } else { digits };
    format!("{value:.digits$}")
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LONGEST_LABEL {
        return label.to_owned();
    }
    label.chars().take(LONGEST_LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(mean: f64, low: f64, high: f64) -> Estimate {
        Estimate { mean, low, high }
    }

    #[test]
    fn bars_are_as_long_as_their_values_on_either_side_of_zero() {
        let bars = vec![
            Bar::difference("up", estimate(0.2, 0.1, 0.3), Tone::Good),
            Bar::difference("down", estimate(-0.1, -0.2, 0.0), Tone::Bad),
        ];
        let chart = Chart::around_zero(bars);
        let (zero, up, down) = (chart.x(0.0), chart.x(0.2), chart.x(-0.1));
        assert!(((up - zero) - 2.0 * (zero - down)).abs() < 1e-9);
        let svg = chart.svg("Difference");
        assert!(svg.contains(&format!("x=\"{down:.1}\"")) && svg.contains(">+0.200<"), "{svg}");
    }

    #[test]
    fn axes_have_round_numbers_and_reach_the_largest_value() {
        for (most, step) in [(0.0, 0.1), (0.03, 0.01), (7.0, 2.0), (1234.0, 500.0)] {
            assert!((round_step(most) - step).abs() < step / 100.0, "{most}: {}", round_step(most));
        }
        let chart = Chart::from_zero(vec![Bar::milliseconds("a", 7.3, Tone::Main)]);
        assert_eq!(chart.axis.to, 8.0);
        assert_eq!(
            (tick(0.25, 0.25), tick(0.02, 0.02), tick(500.0, 500.0)),
            ("0.25".into(), "0.02".into(), "500".into())
        );
    }

    #[test]
    fn labels_are_text() {
        let svg = Chart::shares(vec![Bar::share("<b>\"x\"", estimate(0.5, 0.4, 0.6), Tone::Main)]).svg("t");
        assert!(svg.contains("&lt;b&gt;&quot;x&quot;") && !svg.contains("<b>"), "{svg}");
    }
}
