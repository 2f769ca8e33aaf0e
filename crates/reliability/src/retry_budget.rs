//! How much of the traffic to an upstream may be repetition.

/// Lets calls be repeated as a share of those that are made, so that an upstream in trouble is not hit by three times its
/// traffic (Google, "Site Reliability Engineering", ch. 22; the token form is Finagle's).
#[derive(Clone, Debug)]
pub struct RetryBudget {
    share: f64,
    balance: f64,
}

/// Repetitions that are there before any traffic, so that a service with little of it can repeat at all.
const RESERVE: f64 = 10.0;
/// Repetitions that are saved up at most.
const MOST: f64 = 100.0;

impl RetryBudget {
    /// Repetitions as a share of first calls, 0 to 1.
    pub fn new(share: f64) -> Self {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        Self { share, balance: if share > 0.0 { RESERVE } else { 0.0 } }
    }

    /// A first call is made.
    pub fn deposit(&mut self) {
        self.balance = (self.balance + self.share).min(MOST);
    }

    /// Whether a call may be repeated; if so, it counts.
    pub fn withdraw(&mut self) -> bool {
        // Sums of tenths fall short of the whole by less than this.
        let enough = self.balance > 1.0 - 1e-9;
        if enough {
            self.balance = (self.balance - 1.0).max(0.0);
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
            repeated += u32::from(budget.withdraw()) + u32::from(budget.withdraw());
        }
        assert_eq!(repeated, 200 + RESERVE as u32);
    }

    #[test]
    fn what_is_saved_up_is_bounded() {
        let mut budget = RetryBudget::new(1.0);
        (0..10_000).for_each(|_| budget.deposit());
        assert_eq!((0..10_000).filter(|_| budget.withdraw()).count(), MOST as usize);
    }

    #[test]
    fn a_share_of_nothing_repeats_nothing() {
        for share in [0.0, -1.0, f64::NAN] {
            let mut budget = RetryBudget::new(share);
            budget.deposit();
            assert!(!budget.withdraw(), "{share}");
        }
    }
}
