//! How much of the traffic to an upstream may be repetition.

use std::time::Duration;

/// Lets calls be repeated as a share of those that are made, and a few each second beside it, so that an upstream in trouble is
/// not hit by three times its traffic, and one with little traffic can be called again at all (Google, "Site Reliability
/// Engineering", ch. 22; the form is Finagle's: a share of the requests and ten a second).
#[derive(Clone, Debug)]
pub struct RetryBudget {
    share: f64,
    /// Saved up from calls.
    balance: f64,
    /// What is there beside it, and when that was.
    reserve: f64,
    at: Duration,
}

/// Repetitions a second that any traffic may have.
const PER_SECOND: f64 = 10.0;
/// Repetitions that are saved up at most.
const MOST: f64 = 100.0;

impl RetryBudget {
    /// Repetitions as a share of first calls, 0 to 1; with 0 there are none at all.
    pub fn new(share: f64) -> Self {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        Self { share, balance: 0.0, reserve: PER_SECOND, at: Duration::ZERO }
    }

    /// A first call is made.
    pub fn deposit(&mut self) {
        self.balance = (self.balance + self.share).min(MOST);
    }

    /// Whether a call may be repeated; if so, it counts. `now`: the time since a fixed start; one that runs backwards stands
    /// still.
    pub fn withdraw(&mut self, now: Duration) -> bool {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        self.reserve = (self.reserve + PER_SECOND * passed.as_secs_f64()).min(PER_SECOND);
        if self.share == 0.0 {
            return false;
        }
        // Sums of tenths fall short of the whole by less than this.
        let from = if self.balance > 1.0 - 1e-9 { &mut self.balance } else { &mut self.reserve };
        let enough = *from > 1.0 - 1e-9;
        if enough {
            *from = (*from - 1.0).max(0.0);
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_traffic_is_repeated_at_most_beside_the_reserve() {
        let mut budget = RetryBudget::new(0.2);
        let mut repeated = 0;
        for _ in 0..1_000 {
            budget.deposit();
            repeated +=
                u32::from(budget.withdraw(Duration::ZERO)) + u32::from(budget.withdraw(Duration::ZERO));
        }
        assert_eq!(repeated, 200 + PER_SECOND as u32);
    }

    #[test]
    fn a_call_now_and_then_can_always_be_repeated() {
        let mut budget = RetryBudget::new(0.2);
        for second in 0..1_000 {
            budget.deposit();
            let now = Duration::from_secs(second);
            assert!(budget.withdraw(now) && budget.withdraw(now), "{second}");
        }
        // A clock that runs backwards gives nothing.
        let taken = (0..1_000).filter(|_| budget.withdraw(Duration::ZERO)).count();
        assert!(taken <= 2 * PER_SECOND as usize + MOST as usize, "{taken}");
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let mut budget = RetryBudget::new(1.0);
        (0..10_000).for_each(|_| budget.deposit());
        let taken = (0..10_000).filter(|_| budget.withdraw(Duration::ZERO)).count();
        assert_eq!(taken, (MOST + PER_SECOND) as usize);
    }

    #[test]
    fn a_share_of_nothing_repeats_nothing() {
        for share in [0.0, -1.0, f64::NAN] {
            let mut budget = RetryBudget::new(share);
            budget.deposit();
            assert!(!budget.withdraw(Duration::from_secs(9)), "{share}");
        }
    }
}
