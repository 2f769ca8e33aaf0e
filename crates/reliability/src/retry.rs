//! Whether a call that failed is made again, and after how long.

use std::time::Duration;

/// How often a call is made again, and how long it waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// Calls in all, the first included.
    pub attempts: u32,
    /// The longest wait before the second call; it doubles with every further one.
    pub base: Duration,
    /// No wait is drawn longer than this.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    /// Three calls, waits of up to half a second and a second.
    fn default() -> Self {
        Self { attempts: 3, base: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// How long to wait after the call number `made`, from 1, has failed. Exponential backoff with full jitter (Brooker,
    /// "Exponential Backoff And Jitter", AWS 2015): any wait from nothing to the bound is as likely, so that those who
    /// failed together do not come back together. What the other side asks for is the least that is waited.
    pub fn wait(&self, made: u32, retry_after: Option<Duration>) -> Duration {
        let doublings = 1u32.checked_shl(made.saturating_sub(1)).unwrap_or(u32::MAX);
        let drawn = self.base.saturating_mul(doublings).min(self.longest).mul_f64(fastrand::f64());
        retry_after.unwrap_or_default().saturating_add(drawn)
    }
}

/// What a retry needs to know of a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Whether the same call may succeed later.
    pub is_transient: bool,
    /// How long the other side asked to wait.
    pub retry_after: Option<Duration>,
}

/// The calls of one request.
#[derive(Clone, Copy, Debug)]
pub struct Retries {
    policy: RetryPolicy,
    made: u32,
}

impl Retries {
    /// Of a request whose first call is about to be made.
    pub const fn new(policy: RetryPolicy) -> Self {
        Self { policy, made: 0 }
    }

    /// How long to wait before the call is made again, or `None` where it is not: the failure will not pass, the calls
    /// are used up, or the wait would take all of the `left` time.
    pub fn after(&mut self, failure: Failure, left: Duration) -> Option<Duration> {
        self.made += 1;
        if !failure.is_transient || self.made >= self.policy.attempts {
            return None;
        }
        let wait = self.policy.wait(self.made, failure.retry_after);
        (wait < left).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRANSIENT: Failure = Failure { is_transient: true, retry_after: None };
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_call_is_made_as_often_as_the_policy_says() {
        let mut retries = Retries::new(RetryPolicy::default());
        let waits: Vec<Option<Duration>> = (0..4).map(|_| retries.after(TRANSIENT, MINUTE)).collect();
        assert_eq!(waits.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, false]);
    }

    #[test]
    fn what_will_not_pass_is_not_tried_again() {
        let lasting = Failure { is_transient: false, retry_after: Some(Duration::ZERO) };
        assert_eq!(Retries::new(RetryPolicy::default()).after(lasting, MINUTE), None);
    }

    #[test]
    fn a_wait_that_takes_all_the_time_left_is_not_begun() {
        let asked = Failure { retry_after: Some(MINUTE), ..TRANSIENT };
        assert_eq!(Retries::new(RetryPolicy::default()).after(asked, MINUTE), None);
        assert!(Retries::new(RetryPolicy::default()).after(asked, 2 * MINUTE).is_some());
    }

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(
            attempts in 0u32..80,
            base in 0u64..10_000,
            longest in 0u64..60_000,
            asked in proptest::option::of(0u64..10_000),
        ) {
            let policy = RetryPolicy {
                attempts,
                base: Duration::from_millis(base),
                longest: Duration::from_millis(longest),
            };
            let asked = asked.map(Duration::from_millis);
            let failure = Failure { is_transient: true, retry_after: asked };
            let mut retries = Retries::new(policy);
            let mut bound = policy.base;
            let mut calls = 1;
            while let Some(wait) = retries.after(failure, Duration::MAX) {
                calls += 1;
                let least = asked.unwrap_or_default();
                prop_assert!(wait >= least && wait <= least + bound.min(policy.longest));
                bound = bound.saturating_mul(2);
            }
            prop_assert_eq!(calls, attempts.max(1));
        }
    }
}
