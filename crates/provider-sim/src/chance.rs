//! Chance that can be repeated: the n-th request after a start with the same seed has the same luck, however requests
//! overlap.

use std::f64::consts::TAU;

/// The luck of one request.
pub(super) struct Chance(fastrand::Rng);

impl Chance {
    /// That of the request with this number.
    pub(super) fn of(seed: u64, number: u64) -> Self {
        // Numbers that follow one another must not begin alike: an odd factor scatters them over all bits.
        Self(fastrand::Rng::with_seed(seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15)))
    }

    /// Whether something of this probability happens.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of them; `None` where there is none.
    pub(super) fn one_of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        self.0.choice(choices).copied()
    }

    /// From -1 to 1, each as likely.
    pub(super) fn either_way(&mut self) -> f64 {
        self.0.f64() * 2.0 - 1.0
    }

    /// A factor around 1 whose logarithm is normally distributed with this deviation: its median is 1, and it is never
    /// negative, as times of real servers are.
    pub(super) fn log_normal(&mut self, deviation: f64) -> f64 {
        if deviation == 0.0 {
            return 1.0;
        }
        // Box and Muller's way to a normal distribution.
        let (radius, angle) = (1.0 - self.0.f64(), self.0.f64());
        let normal = (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos();
        (normal * deviation).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_has_the_same_luck_and_another_has_another() {
        let luck = |seed, number| Chance::of(seed, number).either_way();
        assert_eq!(luck(1, 7).to_bits(), luck(1, 7).to_bits());
        assert!(luck(1, 7) != luck(1, 8) && luck(1, 7) != luck(2, 7));
    }

    #[test]
    fn the_median_of_a_log_normal_factor_is_one_and_its_spread_the_deviation() {
        let mut factors: Vec<f64> = (0..4_001).map(|number| Chance::of(3, number).log_normal(0.5)).collect();
        factors.sort_by(f64::total_cmp);
        let (median, upper) = (factors[2_000], factors[2_000 + 1_365]);
        assert!((median - 1.0).abs() < 0.05, "{median}");
        // 34.1 % of a normal distribution lie between its mean and one deviation above.
        assert!((upper.ln() - 0.5).abs() < 0.05, "{upper}");
    }

    #[test]
    fn a_share_of_requests_is_that_share() {
        let hits = (0..10_000).filter(|number| Chance::of(1, *number).happens(0.1)).count();
        assert!((900..1_100).contains(&hits), "{hits}");
    }
}
