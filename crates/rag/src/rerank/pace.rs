//! How long a reranker takes, learnt from how long it took.

use std::time::Duration;

use tokio::time::Instant;

/// What was measured of one reranker's time: the estimate of a TCP round trip (RFC 6298), which asks the same question of
/// another peer: how long is long enough to wait.
#[derive(Default, Debug)]
pub(super) struct Pace {
    measured: Option<Measured>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    /// The mean, in which an eighth is the latest measurement.
    mean: Duration,
    /// The mean distance of a measurement from `mean`, in which a quarter is the latest.
    deviation: Duration,
    /// When it was measured last, or tried again.
    at: Instant,
    /// Whether it is being tried again: what it takes then replaces what was known.
    on_trial: bool,
}

/// After so long without a measurement what is known is old: whoever was skipped for being slow gets another chance, of
/// one search at a time. So a reranker that hangs holds up one search in this time, and one that was held up once is
/// missed no longer than this.
const FORGET: Duration = Duration::from_secs(10);

impl Pace {
    /// Whether a call is likely to be done within `allowed`: its mean and four times its deviation are. A reranker of
    /// which nothing is known is tried wherever there is any time at all.
    pub(super) fn fits_into(&mut self, allowed: Duration, now: Instant) -> bool {
        let Some(measured) = &mut self.measured else { return !allowed.is_zero() };
        if measured.mean + 4 * measured.deviation <= allowed {
            return true;
        }
        let may_try = !allowed.is_zero() && now.duration_since(measured.at) >= FORGET;
        if may_try {
            (measured.at, measured.on_trial) = (now, true);
        }
        may_try
    }

    /// Takes in how long a call took.
    pub(super) fn measured(&mut self, took: Duration, now: Instant) {
        let renewed = match self.measured {
            Some(Measured { mean, deviation, on_trial: false, .. }) => Measured {
                mean: (7 * mean + took) / 8,
                deviation: (3 * deviation + mean.abs_diff(took)) / 4,
                at: now,
                on_trial: false,
            },
            _ => Measured { mean: took, deviation: took / 2, at: now, on_trial: false },
        };
        self.measured = Some(renewed);
    }
}

#[cfg(test)]
mod tests {
    use mainstay_domain::{Clock, Timestamp};
    use proptest::prelude::*;

    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[tokio::test(start_paused = true)]
    async fn a_steady_reranker_is_asked_where_a_little_more_than_its_time_is_left() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let mut pace = Pace::default();
        assert!(pace.fits_into(ms(1), clock.instant()) && !pace.fits_into(Duration::ZERO, clock.instant()));
        for _ in 0..50 {
            pace.measured(ms(60), clock.instant());
        }
        assert!(pace.fits_into(ms(61), clock.instant()));
        assert!(!pace.fits_into(ms(59), clock.instant()));
    }

    #[tokio::test(start_paused = true)]
    async fn one_whose_time_varies_needs_more_than_its_mean() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let mut pace = Pace::default();
        for took in [20, 100].repeat(50) {
            pace.measured(ms(took), clock.instant());
        }
        assert!(!pace.fits_into(ms(80), clock.instant()));
        assert!(pace.fits_into(ms(300), clock.instant()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_one_is_tried_again_after_a_while_by_one_search() {
        let clock = Clock::starting_at(Timestamp::from_micros(0));
        let mut pace = Pace::default();
        pace.measured(ms(5_000), clock.instant());
        clock.sleep(FORGET - ms(1)).await;
        assert!(!pace.fits_into(ms(500), clock.instant()));
        clock.sleep(ms(1)).await;
        assert!(pace.fits_into(ms(500), clock.instant()), "it is never asked again");
        assert!(!pace.fits_into(ms(500), clock.instant()), "all searches wait for it at once");
        pace.measured(ms(40), clock.instant());
        assert!(pace.fits_into(ms(500), clock.instant()), "what it once took is held against it");
    }

    proptest! {
        #[test]
        fn the_estimate_lies_within_what_was_measured(times in proptest::collection::vec(1u64..10_000, 1..40)) {
            let now = Clock::system().instant();
            let mut pace = Pace::default();
            times.iter().for_each(|took| pace.measured(ms(*took), now));
            let (least, most) = (*times.iter().min().unwrap_or(&0), *times.iter().max().unwrap_or(&0));
            prop_assert!(!pace.fits_into(ms(least.saturating_sub(1)), now));
            prop_assert!(pace.fits_into(ms(most + 4 * most), now));
        }
    }
}
