//! How fast requests finish, and so how long those at the end wait.

use std::time::Duration;

/// The rate is the mean over this and the window before it.
const WINDOW: Duration = Duration::from_secs(30);
/// Nobody is asked to come back sooner: less is a burst of those who were just turned away.
const LEAST: Duration = Duration::from_secs(1);
/// Nobody is asked to stay away for longer: by then the rate is another.
const MOST: Duration = Duration::from_secs(60);
/// While nothing has finished lately nothing is known.
const UNKNOWN: Duration = Duration::from_secs(10);

/// Counts of requests that finished.
#[derive(Default, Debug)]
pub(super) struct Drain {
    since: Duration,
    current: u32,
    /// Of the window before, where it was counted.
    previous: Option<u32>,
}

impl Drain {
    /// Counts one that finished at `now`.
    pub(super) fn record(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.since);
        if passed >= 2 * WINDOW || (self.previous.is_none() && self.current == 0) {
            *self = Self { since: now, current: 0, previous: None };
        } else if passed >= WINDOW {
            *self = Self { since: self.since + WINDOW, current: 0, previous: Some(self.current) };
        }
        self.current = self.current.saturating_add(1);
    }

    /// How long it takes until `count` have finished.
    pub(super) fn time_for(&self, now: Duration, count: usize) -> Duration {
        let passed = now.saturating_sub(self.since);
        let finished = u64::from(self.current) + u64::from(self.previous.unwrap_or(0));
        if finished == 0 || passed >= 2 * WINDOW {
            return UNKNOWN;
        }
        let counted = if self.previous.is_some() { WINDOW + passed } else { passed };
        let per_second = finished as f64 / counted.max(LEAST).as_secs_f64();
        let wait = count as f64 / per_second;
        Duration::try_from_secs_f64(wait).unwrap_or(MOST).clamp(LEAST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_follows_the_rate_of_the_last_minute() {
        let at = Duration::from_millis;
        let mut drain = Drain::default();
        assert_eq!(drain.time_for(at(0), 9), UNKNOWN);
        for tenth in 0..=1_000 {
            drain.record(at(1_000_000 + tenth * 100));
        }
        let wait = drain.time_for(at(1_100_000), 100);
        assert!((wait.as_secs_f64() - 10.0).abs() < 0.1, "{wait:?}");
        assert_eq!(drain.time_for(at(1_100_000), usize::MAX), MOST);
        assert_eq!(drain.time_for(at(1_100_000), 0), LEAST);
        assert_eq!(drain.time_for(at(0), 100), drain.time_for(at(1_090_000), 100));
        assert_eq!(drain.time_for(at(1_200_000), 100), UNKNOWN);
    }
}
