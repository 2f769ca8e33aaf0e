//! The boundaries of the histograms of seconds that Mainstay exports: from 0.1 ms, doubling, to 105 s (docs/metrics.md).

/// How many boundaries there are.
const COUNT: u32 = 21;

/// The boundaries in seconds, from the lowest.
pub(crate) fn boundaries() -> impl DoubleEndedIterator<Item = f64> {
    // The same arithmetic as where they are exported: the label `le` holds the shortest text of exactly this number.
    (0..COUNT).map(|power| 0.0001 * f64::from(1u32 << power))
}

/// The highest boundary that is not above `seconds`; `None` below the lowest one and for what is no number.
pub(crate) fn at_most(seconds: f64) -> Option<f64> {
    boundaries().rev().find(|boundary| *boundary <= seconds && seconds.is_finite())
}

/// The label `le` of a boundary.
pub(crate) fn label(boundary: f64) -> String {
    boundary.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_boundaries_that_are_exported() {
        let exporter = include_str!("../../../ops/src/measure.rs");
        assert!(exporter.contains("(0..21).map(|power| 0.0001 * f64::from(1u32 << power))"));
        let documented = include_str!("../../../../docs/metrics.md");
        assert!(documented.contains("buckets from 0.1 ms, doubling, to 105 s"));
        assert_eq!(boundaries().next(), Some(0.0001));
        assert!(boundaries().next_back().is_some_and(|last| (104.0..105.0).contains(&last)));
    }

    #[test]
    fn a_limit_between_two_boundaries_takes_the_stricter_one() {
        assert_eq!(at_most(0.5).map(label).as_deref(), Some("0.4096"));
        assert_eq!(at_most(0.4096).map(label).as_deref(), Some("0.4096"));
        assert_eq!(at_most(1_000.0).map(label).as_deref(), Some("104.8576"));
        assert_eq!(at_most(0.00009), None);
        assert_eq!(at_most(f64::NAN), None);
        assert_eq!(at_most(f64::INFINITY), None);
    }
}
