//! Means over questions, and between which bounds they would lie for other questions of the same kind.

use fastrand::Rng;
use serde::Serialize;

/// The mean of a measure over questions, with the bounds of its 95 % confidence interval.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// Where chance starts from: the same values give the same result every time.
pub(crate) const SEED: u64 = 0x6d61_696e_7374_6179;

/// How often the questions are drawn again.
const RESAMPLES: usize = 2_000;

/// What lies outside of the interval on either side.
const TAIL: f64 = 0.025;

impl Estimate {
    /// By the percentile bootstrap (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13): the
    /// questions are drawn again with replacement, 2,000 times. The same values give the same bounds every time; none give
    /// zeros.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self { mean: 0.0, low: 0.0, high: 0.0 };
        }
        let count = values.len() as f64;
        let mut random = Rng::with_seed(SEED);
        let mut means: Vec<f64> = (0..RESAMPLES)
            .map(|_| (0..values.len()).map(|_| values[random.usize(..values.len())]).sum::<f64>() / count)
            .collect();
        means.sort_unstable_by(f64::total_cmp);
        let at = |share: f64| means[((share * RESAMPLES as f64) as usize).min(RESAMPLES - 1)];
        Self { mean: values.iter().sum::<f64>() / count, low: at(TAIL), high: at(1.0 - TAIL) }
    }

    /// The share of so many of `count`, with Wilson's score interval (1927), which holds for few and for shares near 0 and
    /// 1 too. Of none nothing is known: 0, between 0 and 1.
    pub fn of_share(yes: usize, count: usize) -> Self {
        if count == 0 {
            return Self { mean: 0.0, low: 0.0, high: 1.0 };
        }
        const Z: f64 = 1.959_964;
        let (n, share) = (count as f64, yes as f64 / count as f64);
        let scale = 1.0 + Z * Z / n;
        let centre = (share + Z * Z / (2.0 * n)) / scale;
        let half = Z / scale * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        Self { mean: share, low: (centre - half).clamp(0.0, share), high: (centre + half).clamp(share, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_interval_of_a_coin_is_that_of_its_normal_approximation() {
        // 1.96 · sqrt(0.25 / 400) = 0.049.
        let tosses: Vec<f64> = (0..400).map(|toss| f64::from(toss % 2)).collect();
        let estimate = Estimate::of(&tosses);
        assert_eq!(estimate.mean, 0.5);
        assert!((estimate.low - 0.451).abs() < 0.008, "{estimate:?}");
        assert!((estimate.high - 0.549).abs() < 0.008, "{estimate:?}");
        assert_eq!(estimate, Estimate::of(&tosses));
    }

    #[test]
    fn questions_that_all_agree_leave_no_doubt_and_none_say_nothing() {
        assert_eq!(Estimate::of(&[0.75; 9]), Estimate { mean: 0.75, low: 0.75, high: 0.75 });
        assert_eq!(Estimate::of(&[]), Estimate { mean: 0.0, low: 0.0, high: 0.0 });
    }

    #[test]
    fn a_share_of_few_has_the_bounds_of_wilson() {
        // 8 of 10: 0.4902 to 0.9433 (Newcombe, 1998, by the same formula).
        let Estimate { mean, low, high } = Estimate::of_share(8, 10);
        assert!(mean == 0.8 && (low - 0.4902).abs() < 1e-3 && (high - 0.9433).abs() < 1e-3, "{low} {high}");
        let none = Estimate::of_share(0, 10);
        assert!(none.low == 0.0 && (none.high - 0.2775).abs() < 1e-3, "{none:?}");
        assert_eq!(Estimate::of_share(0, 0), Estimate { mean: 0.0, low: 0.0, high: 1.0 });
    }

    proptest! {
        #[test]
        fn the_bounds_enclose_the_mean(values in proptest::collection::vec(0.0f64..=1.0, 1..60)) {
            let Estimate { mean, low, high } = Estimate::of(&values);
            prop_assert!(low <= mean + 1e-9 && mean <= high + 1e-9, "{low} {mean} {high}");
        }
    }
}
