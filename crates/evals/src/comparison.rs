//! Whether one way of searching is better than another, measured on the same questions.

use fastrand::Rng;
use serde::Serialize;

use crate::estimate::{Estimate, SEED};

/// The difference of a measure between two ways, question by question.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Comparison {
    /// The mean difference, with the bounds of its 95 % confidence interval: the questions are drawn again in pairs.
    #[serde(flatten)]
    pub difference: Estimate,
    /// How probable a difference at least as large, in either direction, would be if the two ways were equal: see
    /// [`Comparison::of`].
    pub p_value: f64,
    /// [`p_value`](Self::p_value), corrected for the measures that are looked at together: see [`adjust`].
    pub adjusted_p_value: f64,
    /// The smallest true difference that so many questions show in four of five experiments: see
    /// [`smallest_detectable`].
    pub smallest_detectable: f64,
    /// Questions for which the new way is better.
    pub wins: usize,
    /// Questions for which it is worse.
    pub losses: usize,
    /// Questions for which it is equal.
    pub ties: usize,
}

/// How often the signs are drawn.
const PERMUTATIONS: usize = 10_000;

impl Comparison {
    /// Of values of the same questions in the same order; `new` minus `old`.
    ///
    /// The interval is a paired bootstrap, and the probability a paired randomisation test: if the two ways are equal,
    /// each question's difference might as well have the other sign. The sample of 10,000 signings counts the observed
    /// one, so the probability is never 0 (Smucker, Allan and Carterette, "A Comparison of Statistical Significance
    /// Tests for Information Retrieval Evaluation", CIKM 2007; Phipson and Smyth, 2010). The same values give the same
    /// result every time.
    pub fn of(old: &[f64], new: &[f64]) -> Self {
        let differences: Vec<f64> = old.iter().zip(new).map(|(old, new)| new - old).collect();
        let wins = differences.iter().filter(|&&difference| difference > 0.0).count();
        let losses = differences.iter().filter(|&&difference| difference < 0.0).count();
        let p_value = randomisation(&differences);
        Self {
            difference: Estimate::of(&differences),
            p_value,
            adjusted_p_value: p_value,
            smallest_detectable: smallest_detectable(&differences),
            wins,
            losses,
            ties: differences.len() - wins - losses,
        }
    }

    /// Whether the interval leaves zero out.
    pub fn is_clear(&self) -> bool {
        self.difference.low > 0.0 || self.difference.high < 0.0
    }
}

fn randomisation(differences: &[f64]) -> f64 {
    // Questions without a difference add nothing, whichever their sign.
    let moved: Vec<f64> = differences.iter().copied().filter(|&difference| difference != 0.0).collect();
    let observed = moved.iter().sum::<f64>().abs();
    // Sums of the same numbers in another order differ in their last bits.
    let threshold = observed - 1e-9;
    let mut random = Rng::with_seed(SEED);
    let mut as_large = 1;
    for _ in 0..PERMUTATIONS {
        let mut sum = 0.0;
        for some in moved.chunks(64) {
            let signs = random.u64(..);
            for (bit, difference) in some.iter().enumerate() {
                sum += if signs >> bit & 1 == 0 { *difference } else { -difference };
            }
        }
        as_large += usize::from(sum.abs() >= threshold);
    }
    as_large as f64 / (PERMUTATIONS + 1) as f64
}

/// The quantiles of the normal distribution for 5 % of false alarms on both sides together, and for a power of 80 %.
const Z_ALARM: f64 = 1.959_964;
const Z_POWER: f64 = 0.841_621;

/// The minimum detectable effect, `(z₀.₉₇₅ + z₀.₈) · s / √n` with the standard deviation `s` of the paired differences
/// (Bloom, "Minimum Detectable Effects", Evaluation Review 19, 1995): a true difference of this size is told from zero, at
/// 5 %, in 80 of 100 experiments with as many questions. 0 for fewer than two questions or where all differ alike.
pub fn smallest_detectable(differences: &[f64]) -> f64 {
    let count = differences.len() as f64;
    if differences.len() < 2 {
        return 0.0;
    }
    let mean = differences.iter().sum::<f64>() / count;
    let squares: f64 = differences.iter().map(|difference| (difference - mean).powi(2)).sum();
    (Z_ALARM + Z_POWER) * (squares / (count - 1.0)).sqrt() / count.sqrt()
}

/// Corrects the probabilities of comparisons that are looked at together, so that of those called different at 5 % at
/// most 5 % are expected to be alike (Benjamini and Hochberg, 1995).
pub fn adjust<'a>(together: impl IntoIterator<Item = &'a mut Comparison>) {
    let mut together: Vec<&mut Comparison> = together.into_iter().collect();
    together.sort_by(|one, other| one.p_value.total_cmp(&other.p_value));
    let count = together.len() as f64;
    let mut least: f64 = 1.0;
    for (index, comparison) in together.iter_mut().enumerate().rev() {
        least = least.min(comparison.p_value * count / (index as f64 + 1.0));
        comparison.adjusted_p_value = least;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_questions_that_all_gain_are_as_rare_as_ten_heads() {
        // Two-sided: 2 / 2^10 = 0.00195.
        let comparison = Comparison::of(&[0.0; 10], &[0.5; 10]);
        assert!((comparison.p_value - 0.001_95).abs() < 0.001, "{comparison:?}");
        assert_eq!((comparison.wins, comparison.losses, comparison.ties), (10, 0, 0));
        assert!(comparison.is_clear());
    }

    #[test]
    fn gains_that_losses_make_up_for_show_nothing() {
        let old = [0.0, 1.0, 0.5, 0.5];
        let new = [1.0, 0.0, 0.5, 0.5];
        let comparison = Comparison::of(&old, &new);
        assert_eq!((comparison.difference.mean, comparison.p_value), (0.0, 1.0));
        assert_eq!((comparison.wins, comparison.losses, comparison.ties), (1, 1, 2));
        assert!(!comparison.is_clear());
    }

    #[test]
    fn the_smallest_detectable_difference_is_that_of_the_formula() {
        // Standard deviation of ±1 over 100: sqrt(100/99); 2.801585 · 1.005038 / 10.
        let differences: Vec<f64> = (0..100).map(|index| if index % 2 == 0 { 1.0 } else { -1.0 }).collect();
        assert!((smallest_detectable(&differences) - 0.281_57).abs() < 1e-4);
        assert_eq!(smallest_detectable(&[0.3]), 0.0);
    }

    #[test]
    fn several_measures_are_corrected_together() {
        let with = |p_value| Comparison { p_value, ..Comparison::of(&[0.0], &[0.0]) };
        let mut together = [with(0.04), with(0.01), with(0.03)];
        adjust(&mut together);
        let adjusted = together.map(|one| (one.adjusted_p_value * 1e4).round() / 1e4);
        assert_eq!(adjusted, [0.04, 0.03, 0.04]);
    }

    proptest! {
        #[test]
        fn the_other_direction_is_as_sure(
            pairs in proptest::collection::vec((0.0f64..=1.0, 0.0f64..=1.0), 0..40),
        ) {
            let (old, new): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let (there, back) = (Comparison::of(&old, &new), Comparison::of(&new, &old));
            prop_assert!((there.difference.mean + back.difference.mean).abs() < 1e-9);
            prop_assert_eq!(there.p_value, back.p_value);
            prop_assert_eq!((there.wins, there.ties), (back.losses, back.ties));
            prop_assert!(there.p_value > 0.0 && there.p_value <= 1.0);
        }
    }
}
