//! Facts that a running system's metrics say: the text that a metrics endpoint answers, and what is read from it.
//!
//! Counters and histograms are read from the start of the process, so a reading is an average over its life. To read a
//! stretch of time, take [`Samples::since`] an earlier answer of the same process.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// How a fact is read from metrics.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Reading {
    /// A percentile of a histogram over all its labels, in the histogram's unit times `scale` (1000 makes milliseconds of
    /// seconds). `q` is 0 to 1.
    Quantile {
        /// The histogram's name, without `_bucket`.
        histogram: &'static str,
        /// The percentile, 0 to 1.
        q: f64,
        /// What the value is multiplied with.
        scale: f64,
    },
    /// The mean of a histogram over all its labels, times `scale`.
    Mean {
        /// The histogram's name, without `_sum`.
        histogram: &'static str,
        /// What the value is multiplied with.
        scale: f64,
    },
    /// The largest value of a gauge over all its labels.
    Largest(Series),
    /// The sum of a series over all its labels.
    Sum(Series),
    /// One sum divided by another, times `scale`; nothing while the other is 0.
    Ratio {
        /// What is counted.
        of: Series,
        /// Among what.
        among: Series,
        /// What the value is multiplied with.
        scale: f64,
    },
}

/// A metric, or the part of it whose label has a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Series {
    /// The metric's name.
    pub name: &'static str,
    /// A label and its value; none for all.
    pub label: Option<(&'static str, &'static str)>,
}

impl Series {
    /// All of a metric.
    pub const fn all(name: &'static str) -> Self {
        Self { name, label: None }
    }

    /// The part of a metric whose label has this value.
    pub const fn with(name: &'static str, label: &'static str, value: &'static str) -> Self {
        Self { name, label: Some((label, value)) }
    }
}

/// What a metrics endpoint said.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Samples {
    series: BTreeMap<String, Vec<Sample>>,
}

#[derive(Clone, PartialEq, Debug)]
struct Sample {
    labels: Vec<(String, String)>,
    value: f64,
}

impl Samples {
    /// Reads the Prometheus text format. Lines that are not understood are left out, as another version of the format may have them.
    pub fn parse(text: &str) -> Self {
        let mut samples = Self::default();
        for line in text.lines() {
            if let Some((name, sample)) = parse_line(line) {
                samples.series.entry(name).or_default().push(sample);
            }
        }
        samples
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Whether it has a metric of this name, in any of the forms that a histogram has.
    pub fn has(&self, name: &str) -> bool {
        self.series.contains_key(name) || self.series.contains_key(&format!("{name}_bucket"))
    }

    /// The values that a label of a metric has.
    pub fn labels(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let samples = self.series.get(name).map(Vec::as_slice).unwrap_or_default();
        let pairs = samples.iter().flat_map(|sample| &sample.labels);
        pairs.filter(|(name, _)| name == label).map(|(_, value)| value.as_str()).collect()
    }

    /// What was counted since `earlier`. A series that is smaller now was reset with its process and counts whole. For
    /// counters and histograms; a gauge's difference means nothing.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut series = self.series.clone();
        for (name, samples) in &mut series {
            let Some(before) = earlier.series.get(name) else { continue };
            for sample in samples {
                let old = before.iter().find(|old| old.labels == sample.labels);
                if let Some(old) = old.filter(|old| old.value <= sample.value) {
                    sample.value -= old.value;
                }
            }
        }
        Self { series }
    }

    /// What a reading says; `None` where the metric is not there or nothing has been counted yet.
    pub fn read(&self, reading: &Reading) -> Option<f64> {
        let value = match reading {
            Reading::Quantile { histogram, q, scale } => self.quantile(histogram, *q)? * scale,
            Reading::Mean { histogram, scale } => {
                let count = self.sum(&format!("{histogram}_count"), None)?;
                if count == 0.0 {
                    return None;
                }
                self.sum(&format!("{histogram}_sum"), None)? / count * scale
            }
            Reading::Largest(series) => self.matching(series.name, series.label)?.fold(f64::MIN, f64::max),
            Reading::Sum(series) => self.sum(series.name, series.label)?,
            Reading::Ratio { of, among, scale } => {
                let among = self.sum(among.name, among.label).filter(|among| *among > 0.0)?;
                // A counter that was never moved is not exported: nothing of it has been counted.
                self.sum(of.name, of.label).unwrap_or(0.0) / among * scale
            }
        };
        value.is_finite().then_some(value)
    }

    fn matching<'a>(
        &'a self,
        name: &str,
        label: Option<(&'a str, &'a str)>,
    ) -> Option<impl Iterator<Item = f64> + 'a> {
        let samples = self.series.get(name)?;
        let fits = move |sample: &&Sample| {
            label.is_none_or(|(name, value)| sample.labels.iter().any(|(n, v)| n == name && v == value))
        };
        let mut fitting = samples.iter().filter(fits).map(|sample| sample.value).peekable();
        fitting.peek().is_some().then_some(fitting)
    }

    fn sum(&self, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
        Some(self.matching(name, label)?.sum())
    }

    /// As Prometheus' `histogram_quantile` does: linear inside a bucket, and the last finite bound where the percentile lies
    /// beyond it.
    fn quantile(&self, histogram: &str, q: f64) -> Option<f64> {
        let mut buckets: Vec<(f64, f64)> = Vec::new();
        for sample in self.series.get(&format!("{histogram}_bucket"))? {
            let bound = sample.labels.iter().find(|(name, _)| name == "le")?.1.parse().ok()?;
            match buckets.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, count)) => *count += sample.value,
                None => buckets.push((bound, sample.value)),
            }
        }
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let total = buckets.last().map(|(_, count)| *count).filter(|count| *count > 0.0)?;
        let rank = q * total;
        let (mut below, mut lower) = (0.0, 0.0);
        for (bound, count) in buckets {
            if count >= rank && count > below {
                return Some(if bound.is_finite() {
                    lower + (bound - lower) * (rank - below) / (count - below)
                } else {
                    lower
                });
            }
            (below, lower) = (count, bound);
        }
        None
    }
}

/// `name{label="value",…} 1.5`, perhaps with a time after it.
fn parse_line(line: &str) -> Option<(String, Sample)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, labels, rest) = match line.find('{') {
        Some(open) => {
            let (labels, rest) = parse_labels(&line[open + 1..])?;
            (&line[..open], labels, rest)
        }
        None => {
            let space = line.find(char::is_whitespace)?;
            (&line[..space], Vec::new(), &line[space..])
        }
    };
    let value = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    Some((name.trim().to_owned(), Sample { labels, value }))
}

/// Labels up to the closing brace, and what follows it.
fn parse_labels(text: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, after) = parse_quoted(quoted)?;
        labels.push((name.trim().to_owned(), value));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
}

fn parse_quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile { histogram, q, .. } => write!(f, "p{} of {histogram}", q * 100.0),
            Self::Mean { histogram, .. } => write!(f, "mean of {histogram}"),
            Self::Largest(series) => write!(f, "largest {series}"),
            Self::Sum(series) => write!(f, "{series}"),
            Self::Ratio { of, among, .. } => write!(f, "{of} / {among}"),
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            Some((label, value)) => write!(f, "{}{{{label}=\"{value}\"}}", self.name),
            None => f.write_str(self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# HELP t time
# TYPE t histogram
t_bucket{model="a",le="0.1"} 50
t_bucket{model="a",le="0.2"} 90
t_bucket{model="a",le="+Inf"} 100
t_bucket{model="b",le="0.1"} 50
t_bucket{model="b",le="0.2"} 100
t_bucket{model="b",le="+Inf"} 100
t_sum{model="a"} 12
t_count{model="a"} 100
t_sum{model="b"} 8
t_count{model="b"} 100
turns_total{outcome="failed",code="a \"quoted\" } brace"} 3
turns_total{outcome="completed",code=""} 297 1700000000
level 2
broken line{
"#;

    fn quantile(q: f64) -> Reading {
        Reading::Quantile { histogram: "t", q, scale: 1000.0 }
    }

    #[test]
    fn percentiles_are_interpolated_over_all_labels() {
        let samples = Samples::parse(TEXT);
        assert_eq!(samples.read(&quantile(0.25)).map(f64::round), Some(50.0));
        assert_eq!(samples.read(&quantile(0.5)).map(f64::round), Some(100.0));
        assert_eq!(samples.read(&quantile(0.99)), Some(200.0));
        assert_eq!(samples.read(&Reading::Mean { histogram: "t", scale: 1000.0 }), Some(100.0));
    }

    #[test]
    fn shares_and_gauges_are_read_and_what_is_not_there_is_not_zero() {
        let samples = Samples::parse(TEXT);
        let (of, among) = (Series::with("turns_total", "outcome", "failed"), Series::all("turns_total"));
        assert_eq!(samples.read(&Reading::Ratio { of, among, scale: 1.0 }), Some(0.01));
        assert_eq!(samples.read(&Reading::Largest(Series::all("level"))), Some(2.0));
        assert_eq!(samples.read(&Reading::Largest(Series::all("missing"))), None);
        assert_eq!(samples.read(&Reading::Ratio { of, among: Series::all("missing"), scale: 1.0 }), None);
    }

    #[test]
    fn a_stretch_of_time_is_what_was_counted_in_it() {
        let (earlier, later) = (Samples::parse("c 10\nd 5"), Samples::parse("c 25\nd 3"));
        let between = later.since(&earlier);
        assert_eq!(between.read(&Reading::Sum(Series::all("c"))), Some(15.0));
        assert_eq!(between.read(&Reading::Sum(Series::all("d"))), Some(3.0), "reset with its process");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "(?s).{0,200}") {
            let samples = Samples::parse(&text);
            let _ = samples.read(&quantile(0.5));
        }
    }
}
