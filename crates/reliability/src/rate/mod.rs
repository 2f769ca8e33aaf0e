//! How much a caller may take in a minute: a token bucket, as a state that is told the time.

mod table;

use std::time::Duration;

pub use self::table::RateTable;

/// What one token is counted in: at one token a minute, one part comes back with every nanosecond. Parts are whole
/// numbers, so a bucket neither gains nor loses anything by being asked often.
const PARTS: u128 = 60_000_000_000;

/// What a caller is allowed: `burst` at once, and `per_minute` from then on. 20 a minute with a burst of 40 means 40 at
/// once, then 20 a minute.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Tokens that come back in a minute, evenly. With none, nothing passes.
    pub per_minute: u64,
    /// Tokens the bucket holds when full. With none, nothing passes.
    pub burst: u64,
}

impl Rate {
    /// How long the `parts` take to come back, rounded up, so that they are there when it has passed.
    fn time_for(self, parts: u128) -> Duration {
        if parts == 0 {
            return Duration::ZERO;
        }
        if self.per_minute == 0 {
            return Duration::MAX;
        }
        let nanos = parts.div_ceil(u128::from(self.per_minute));
        let secs = u64::try_from(nanos / 1_000_000_000).unwrap_or(u64::MAX);
        let rest = u32::try_from(nanos % 1_000_000_000).unwrap_or(0);
        Duration::new(secs, rest)
    }
}

/// Where a caller stands: what the `x-ratelimit-*` headers say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// Tokens the bucket holds when full.
    pub limit: u64,
    /// Whole tokens that are there now; none while the bucket is in debt.
    pub remaining: u64,
    /// How long until the bucket is full again, if nothing more is taken. `Duration::MAX` where it never fills.
    pub reset: Duration,
}

/// Nothing was taken: there is not enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wait {
    /// How long until what was asked for is there, or `None` where it never will be: it is more than the bucket holds,
    /// or nothing comes back.
    pub after: Option<Duration>,
    /// Where the caller stands.
    pub allowance: Allowance,
}

/// A token bucket. A new one is full. It stores what is missing rather than what is there, so that it needs no rate to
/// begin with, and a raised limit is there at once.
///
/// `now` is the time since a start that stays the same for the life of the bucket. Where it runs backwards nothing
/// comes back until it has passed the latest time seen: otherwise a clock that swings would fill the bucket.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Bucket {
    /// Parts of tokens; more than the burst is a debt.
    missing: u128,
    /// The latest time seen.
    at: Duration,
}

impl Bucket {
    /// Takes `cost` tokens.
    ///
    /// # Errors
    ///
    /// [`Wait`] where they are not there; then none is taken.
    pub fn take(&mut self, rate: Rate, now: Duration, cost: u64) -> Result<Allowance, Wait> {
        self.refill(rate, now);
        let wanted = self.missing.saturating_add(parts(cost));
        let is_never = rate.per_minute == 0 || rate.burst == 0 || cost > rate.burst;
        let lacking = wanted.saturating_sub(parts(rate.burst));
        if is_never || lacking > 0 {
            let after = (!is_never).then(|| rate.time_for(lacking));
            return Err(Wait { after, allowance: self.allowance(rate) });
        }
        self.missing = wanted;
        Ok(self.allowance(rate))
    }

    /// Puts `tokens` back that were taken and not used. Never more than the burst is there.
    pub fn give_back(&mut self, tokens: u64) {
        self.missing = self.missing.saturating_sub(parts(tokens));
    }

    /// Corrects what was taken by an estimate once the `actual` use is known. What was too much comes back; what was too
    /// little is taken without asking, and may leave a debt that has to come back before anything passes.
    pub fn settle(&mut self, rate: Rate, now: Duration, estimated: u64, actual: u64) {
        self.refill(rate, now);
        self.give_back(estimated.saturating_sub(actual));
        self.missing = self.missing.saturating_add(parts(actual.saturating_sub(estimated)));
    }

    /// Where the caller stands at `now`, without taking anything.
    pub fn peek(mut self, rate: Rate, now: Duration) -> Allowance {
        self.refill(rate, now);
        self.allowance(rate)
    }

    fn refill(&mut self, rate: Rate, now: Duration) {
        let back = now.saturating_sub(self.at).as_nanos().saturating_mul(u128::from(rate.per_minute));
        self.missing = self.missing.saturating_sub(back);
        self.at = self.at.max(now);
    }

    fn allowance(&self, rate: Rate) -> Allowance {
        let there = parts(rate.burst).saturating_sub(self.missing) / PARTS;
        Allowance {
            limit: rate.burst,
            remaining: u64::try_from(there).unwrap_or(rate.burst),
            reset: rate.time_for(self.missing),
        }
    }
}

fn parts(tokens: u64) -> u128 {
    u128::from(tokens) * PARTS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate { per_minute: 20, burst: 40 };
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_burst_passes_at_once_and_then_the_rate() {
        let mut bucket = Bucket::default();
        for left in (0..40).rev() {
            assert_eq!(bucket.take(RATE, SECOND, 1).map(|allowance| allowance.remaining), Ok(left));
        }
        let allowance = Allowance { limit: 40, remaining: 0, reset: 120 * SECOND };
        assert_eq!(bucket.take(RATE, SECOND, 1), Err(Wait { after: Some(3 * SECOND), allowance }));
        assert!(bucket.take(RATE, 4 * SECOND, 1).is_ok());
        assert!(bucket.take(RATE, 4 * SECOND, 1).is_err());
    }

    #[test]
    fn what_can_never_pass_says_so() {
        for rate in [Rate { per_minute: 0, burst: 9 }, Rate { per_minute: 9, burst: 0 }, RATE] {
            let refused = Bucket::default().take(rate, SECOND, 41);
            assert_eq!(refused.map_err(|wait| wait.after), Err(None));
        }
        for cost in [0, 1] {
            assert!(Bucket::default().take(Rate { per_minute: 0, burst: 9 }, SECOND, cost).is_err());
            assert!(Bucket::default().take(Rate { per_minute: 9, burst: 0 }, SECOND, cost).is_err());
        }
    }

    #[test]
    fn an_estimate_too_low_leaves_a_debt_and_one_too_high_comes_back() {
        let mut bucket = Bucket::default();
        assert!(bucket.take(RATE, SECOND, 10).is_ok());
        bucket.settle(RATE, SECOND, 10, 50);
        assert_eq!(bucket.peek(RATE, SECOND).remaining, 0);
        assert_eq!(bucket.take(RATE, SECOND, 0).map_err(|wait| wait.after), Err(Some(30 * SECOND)));
        bucket.settle(RATE, SECOND, 50, 0);
        assert_eq!(bucket.peek(RATE, SECOND), Allowance { limit: 40, remaining: 40, reset: Duration::ZERO });
        bucket.give_back(u64::MAX);
        assert_eq!(bucket.peek(RATE, SECOND).remaining, 40);
    }

    #[test]
    fn a_debt_is_not_forgiven_by_time_that_had_passed_before_it() {
        let mut bucket = Bucket::default();
        assert!(bucket.take(RATE, Duration::ZERO, 1).is_ok());
        bucket.settle(RATE, 600 * SECOND, 1, 41);
        assert_eq!(bucket.peek(RATE, 600 * SECOND).remaining, 0);
    }

    #[test]
    fn a_raised_limit_is_there_at_once() {
        let mut bucket = Bucket::default();
        assert!(bucket.take(RATE, SECOND, 40).is_ok());
        assert_eq!(bucket.peek(Rate { burst: 100, ..RATE }, SECOND).remaining, 60);
    }

    proptest! {
        /// Over any time, however the clock jumps, no more passes than the burst and what came back since.
        #[test]
        fn no_more_passes_than_the_burst_and_the_rate(
            per_minute in 0u64..10_000,
            burst in 0u64..1_000,
            calls in proptest::collection::vec((0u64..600_000, 0u64..400), 1..200),
        ) {
            let rate = Rate { per_minute, burst };
            let mut bucket = Bucket::default();
            let mut passed = 0;
            let mut latest = 0;
            for (millis, cost) in calls {
                latest = latest.max(millis);
                passed += bucket.take(rate, Duration::from_millis(millis), cost).map_or(0, |_| cost);
                prop_assert!(passed * 60_000 <= burst * 60_000 + per_minute * latest);
            }
        }

        #[test]
        fn what_was_asked_for_is_there_after_the_wait_and_not_before(
            per_minute in 1u64..100_000,
            burst in 1u64..100_000,
            start in 0u64..1_000_000_000,
            costs in proptest::collection::vec(1u64..100_000, 1..20),
        ) {
            let rate = Rate { per_minute, burst };
            let start = Duration::from_nanos(start);
            let mut bucket = Bucket::default();
            for cost in costs {
                let before = bucket;
                if let Err(Wait { after: Some(after), .. }) = bucket.take(rate, start, cost.min(burst)) {
                    prop_assert_eq!(before.peek(rate, start), bucket.peek(rate, start));
                    let early = start + after.saturating_sub(Duration::from_nanos(1));
                    prop_assert!(bucket.clone().take(rate, early, cost.min(burst)).is_err());
                    prop_assert!(bucket.clone().take(rate, start + after, cost.min(burst)).is_ok());
                }
            }
        }

        #[test]
        fn no_input_breaks_the_arithmetic(
            calls in proptest::collection::vec(any::<(u64, u64, u64, u32, u64, u64)>(), 1..40),
        ) {
            let mut bucket = Bucket::default();
            for (per_minute, burst, secs, nanos, cost, actual) in calls {
                let rate = Rate { per_minute, burst };
                let now = Duration::new(secs, nanos % 1_000_000_000);
                let taken = bucket.take(rate, now, cost);
                prop_assert!(taken.is_err() || cost <= burst);
                bucket.settle(rate, now, cost, actual);
                prop_assert!(bucket.peek(rate, now).remaining <= burst);
            }
        }
    }
}
