//! Time. Every wait, timer and timestamp of Mainstay goes through [`Clock`], so that any part of it runs under virtual
//! time: a test with tokio's paused clock moves all of it at once.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// A moment, in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment so many microseconds after 1970-01-01 UTC.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970-01-01 UTC.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01 UTC, as the OpenAI API's `created` has it.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }
}

/// The source of time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    source: Source,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// Wall time is the machine's.
    System,
    /// Wall time starts at a given moment and advances with tokio's clock, which a test can pause and move.
    Tokio { start: Timestamp, origin: Instant },
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self { source: Source::System }
    }

    /// A clock that shows `start` now and advances with tokio's, paused or not.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { source: Source::Tokio { start, origin: tokio_now() } }
    }

    /// Wall time, for records and ids. It may jump: measure durations with [`Clock::instant`].
    pub fn now(&self) -> Timestamp {
        match self.source {
            Source::System => system_now(),
            Source::Tokio { start, origin } => {
                Timestamp(start.0.saturating_add(origin.elapsed().as_micros() as i64))
            }
        }
    }

    /// A point on the monotonic clock, for durations.
    pub fn instant(&self) -> Instant {
        tokio_now()
    }

    /// Waits.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    /// Waits for `future`, at most so long; `None` when the time ran out (and the future is dropped).
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        tokio::time::timeout(duration, future).await.ok()
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's wall clock")]
fn system_now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(since_epoch.as_micros() as i64)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
fn tokio_now() -> Instant {
    Instant::now()
}

/// The moment by which a request must have been answered. Every call below it derives its timeouts from what is left.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
}

impl Deadline {
    /// So long from now.
    pub fn after(clock: &Clock, duration: Duration) -> Self {
        Self { at: clock.instant() + duration }
    }

    /// What is left; zero when it has passed.
    pub fn remaining(&self, clock: &Clock) -> Duration {
        self.at.saturating_duration_since(clock.instant())
    }

    /// Whether it has passed.
    pub fn has_passed(&self, clock: &Clock) -> bool {
        self.remaining(clock).is_zero()
    }

    /// The earlier of this deadline and `duration` from now.
    pub fn within(&self, clock: &Clock, duration: Duration) -> Self {
        Self { at: self.at.min(clock.instant() + duration) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_started_clock_moves_with_the_paused_one() {
        let clock = Clock::starting_at(Timestamp::from_micros(1_000_000));
        let deadline = Deadline::after(&clock, Duration::from_secs(3));
        clock.sleep(Duration::from_secs(2)).await;
        assert_eq!(clock.now().as_seconds(), 3);
        assert_eq!(deadline.remaining(&clock), Duration::from_secs(1));
        clock.sleep(Duration::from_secs(1)).await;
        assert!(deadline.has_passed(&clock));
    }
}
