//! How many requests a provider or engine serves at once before they begin to queue there, found from how long they take.
//!
//! Netflix's second gradient limit (`Gradient2Limit` of `concurrency-limits`): the latest time is compared with the mean
//! of many, and the limit L follows g = clamp(1.5 · long / short, 0.5, 1) as L ← 0.8 · L + 0.2 · (g · L + 4).

use std::time::Duration;

/// A sample may be this much slower than the mean before the limit falls.
const TOLERANCE: f64 = 1.5;
/// However slow a sample, the limit is not asked to fall to less than this part: one outlier must not shed load.
const LEAST_GRADIENT: f64 = 0.5;
/// How much of the new limit is taken over at once.
const SMOOTHING: f64 = 0.2;
/// What may queue on the other side, and so how fast the limit grows while all is well.
const QUEUE: f64 = 4.0;
/// Samples whose plain mean starts the long mean.
const WARM_UP: u32 = 10;
/// Where the mean is this many times the latest sample, a slow time has ended: the mean then sheds a twentieth with each
/// sample, so that it does not take hundreds of samples until the limit can react again.
const SLOW_TIME_OVER: f64 = 2.0;

/// Within what bounds the limit moves.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GradientPolicy {
    /// Requests at once, at the start.
    pub initial: u32,
    /// The limit never falls below this, taken as `most` where it is more. 0 is taken as 1: with none in flight nothing would
    /// ever be measured.
    pub least: u32,
    /// The limit never rises above this, whatever `initial` and `least` say: it is what the other side can bear. 0 is taken
    /// as 1.
    pub most: u32,
    /// Over how many samples the long mean is taken.
    pub window: u32,
}

impl Default for GradientPolicy {
    /// From 20 to 200 at once, from 20 on, measured against 600 samples.
    fn default() -> Self {
        Self { initial: 20, least: 20, most: 200, window: 600 }
    }
}

/// A limit on requests in flight that follows how long they take.
///
/// For language models the time to give is the time to the *first token*: the time to the last one follows the length of
/// the answer, and long answers would be read as queueing.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GradientLimit {
    policy: GradientPolicy,
    limit: f64,
    /// Seconds.
    long: f64,
    samples: u32,
}

impl GradientLimit {
    /// A limit that has measured nothing yet.
    pub fn new(policy: GradientPolicy) -> Self {
        let most = policy.most.max(1);
        let least = policy.least.clamp(1, most);
        let policy = GradientPolicy { least, most, ..policy };
        Self { policy, limit: f64::from(policy.initial.clamp(least, most)), long: 0.0, samples: 0 }
    }

    /// How many requests may be in flight.
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// The mean time to first token that samples are compared with, once there is one.
    pub fn baseline(&self) -> Option<Duration> {
        (self.samples > 0).then(|| Duration::try_from_secs_f64(self.long).unwrap_or_default())
    }

    /// Takes the time to first token of a request, and how many were in flight with it, itself included. Times of zero
    /// say nothing and are left out. While less than half of the limit is used the limit stays: it is not what was
    /// tested. The time still enters the mean, as with Netflix, for without load it is what the mean should be.
    pub fn record(&mut self, first_token: Duration, in_flight: usize) {
        let short = first_token.as_secs_f64();
        if short <= 0.0 {
            return;
        }
        self.learn(short);
        let long = self.long;
        if long / short > SLOW_TIME_OVER {
            self.long *= 0.95;
        }
        if (in_flight as f64) < self.limit / 2.0 {
            return;
        }
        let gradient = (TOLERANCE * long / short).clamp(LEAST_GRADIENT, 1.0);
        self.move_to(gradient * self.limit + QUEUE);
    }

    /// Takes a sign of overload instead of a time: a refusal, or no first token in time. It counts as the steepest
    /// gradient and leaves no room for a queue, which makes the limit fall by a tenth. The mean learns nothing from it.
    pub fn overloaded(&mut self) {
        self.move_to(LEAST_GRADIENT * self.limit);
    }

    fn learn(&mut self, short: f64) {
        self.samples = self.samples.saturating_add(1);
        let part = if self.samples <= WARM_UP {
            1.0 / f64::from(self.samples)
        } else {
            2.0 / (f64::from(self.policy.window) + 1.0)
        };
        self.long += (short - self.long) * part.min(1.0);
    }

    fn move_to(&mut self, target: f64) {
        let moved = (1.0 - SMOOTHING) * self.limit + SMOOTHING * target;
        self.limit = moved.clamp(f64::from(self.policy.least), f64::from(self.policy.most));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAST: Duration = Duration::from_millis(200);

    fn settled() -> GradientLimit {
        let mut limit = GradientLimit::new(GradientPolicy::default());
        for _ in 0..1_000 {
            limit.record(FAST, limit.limit());
        }
        limit
    }

    #[test]
    fn while_times_stay_as_they_are_the_limit_grows_to_the_most() {
        let mut limit = GradientLimit::new(GradientPolicy::default());
        assert_eq!(limit.limit(), 20);
        limit.record(FAST, 20);
        // 0.8 · 20 + 0.2 · (20 + 4)
        assert_eq!(limit.limit, 20.8);
        assert_eq!(settled().limit(), 200);
    }

    #[test]
    fn queueing_on_the_other_side_lowers_it_as_the_formula_says() {
        let mut limit = settled();
        limit.record(FAST * 2, 200);
        // The mean has moved by 2/601 of the difference.
        let long = 0.2 + 0.2 * 2.0 / 601.0;
        let gradient = 1.5 * long / 0.4;
        assert!((limit.limit - (160.0 + 0.2 * (gradient * 200.0 + 4.0))).abs() < 1e-9);
        for _ in 0..40 {
            limit.record(FAST * 10, 200);
        }
        assert!(limit.limit() < 40, "{}", limit.limit());
    }

    #[test]
    fn a_limit_that_is_not_used_stays() {
        let mut limit = settled();
        limit.record(FAST * 10, 99);
        assert_eq!(limit.limit(), 200);
        limit.record(FAST * 10, 100);
        assert!(limit.limit() < 200);
    }

    #[test]
    fn after_a_slow_time_the_mean_comes_down_quickly() {
        let mut limit = settled();
        for _ in 0..2_000 {
            limit.record(FAST * 10, 200);
        }
        for _ in 0..40 {
            limit.record(FAST, 200);
        }
        assert!(limit.baseline().is_some_and(|long| long < FAST * 3), "{:?}", limit.baseline());
    }

    #[test]
    fn a_most_below_the_usual_least_is_kept() {
        let mut limit = GradientLimit::new(GradientPolicy { most: 4, ..GradientPolicy::default() });
        assert_eq!(limit.limit(), 4);
        for _ in 0..100 {
            limit.record(FAST, limit.limit());
            assert_eq!(limit.limit(), 4);
        }
        limit.overloaded();
        assert_eq!(limit.limit(), 4);
    }

    #[test]
    fn a_sign_of_overload_takes_a_tenth() {
        let mut limit = settled();
        let baseline = limit.baseline();
        limit.overloaded();
        assert_eq!((limit.limit(), limit.baseline()), (180, baseline));
    }

    proptest! {
        #[test]
        fn the_limit_stays_within_its_bounds(
            initial in any::<u32>(),
            least in any::<u32>(),
            most in any::<u32>(),
            window in any::<u32>(),
            samples in proptest::collection::vec((any::<(u64, u32)>(), any::<usize>(), any::<bool>()), 0..200),
        ) {
            let mut limit = GradientLimit::new(GradientPolicy { initial, least, most, window });
            for ((secs, nanos), in_flight, is_overload) in samples {
                if is_overload {
                    limit.overloaded();
                } else {
                    limit.record(Duration::new(secs, nanos % 1_000_000_000), in_flight);
                }
                let most = most.max(1);
                prop_assert!(limit.limit() >= least.clamp(1, most) as usize);
                prop_assert!(limit.limit() <= most as usize);
                prop_assert!(limit.long.is_finite());
            }
        }
    }
}
