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

    /// The first moment, in UTC, of the month in which this one lies. By Howard Hinnant's `civil_from_days`: years begin in
    /// March, so that the leap day is the last one.
    pub const fn start_of_month(self) -> Self {
        let days = self.0.div_euclid(86_400_000_000) + 719_468;
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day_of_month = day_of_year - (153 * month + 2) / 5;
        Self((days - 719_468 - day_of_month) * 86_400_000_000)
    }

    /// The moment that a text writes as RFC 3339 has it: `2024-03-01T12:00:00Z` with any fraction of a second and any
    /// offset, or a date alone, which is its first moment in UTC. `None` for any other text. A leap second is the first
    /// one of the next minute.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let date = text.get(..10)?;
        let (year, month, day) = (digits(date, 0, 4)?, digits(date, 5, 7)?, digits(date, 8, 10)?);
        let is_date = date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-';
        if !is_date || !(1..=12).contains(&month) || !(1..=days_of_month(year, month)).contains(&day) {
            return None;
        }
        let midnight = days_since_epoch(year, month, day) * 86_400_000_000;
        let micros = if text.len() == 10 { 0 } else { micros_of_day(&text[10..])? };
        Some(Self(midnight + micros))
    }
}

/// The number that the decimal digits in a range of bytes stand for.
fn digits(text: &str, from: usize, to: usize) -> Option<i64> {
    let digits = text.get(from..to)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Microseconds from midnight UTC of the date: of `T12:00:00.5+02:00`, negative where the offset leads to the day before.
fn micros_of_day(time: &str) -> Option<i64> {
    let (hour, minute, second) = (digits(time, 1, 3)?, digits(time, 4, 6)?, digits(time, 7, 9)?);
    let marks = [time.as_bytes()[0].to_ascii_uppercase(), time.as_bytes()[3], time.as_bytes()[6]];
    if !matches!(marks, [b'T' | b' ', b':', b':']) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = &time[9..];
    let zone_at = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    let (fraction, zone) = rest.split_at(zone_at);
    let micros = match fraction.strip_prefix('.') {
        Some(digits) if !digits.is_empty() && !digits.contains('.') => {
            format!("{digits:0<6}").get(..6)?.parse::<i64>().ok()?
        }
        None if fraction.is_empty() => 0,
        _ => return None,
    };
    let seconds = hour * 3_600 + minute * 60 + second - offset_seconds(zone)?;
    Some(seconds * 1_000_000 + micros)
}

/// Seconds that the zone `Z` or `+02:00` is ahead of UTC.
fn offset_seconds(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes() {
        [b'Z' | b'z'] => return Some(0),
        [b'+', _, _, b':', _, _] => 1,
        [b'-', _, _, b':', _, _] => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(zone, 1, 3)?, digits(zone, 4, 6)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar: Howard Hinnant's `days_from_civil`, in which years
/// begin in March, so that the leap day is the last one.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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

    /// Waits, unless there is nothing to wait for: even the shortest sleep takes until the timer's next tick.
    pub async fn sleep_unless_zero(&self, duration: Duration) {
        if !duration.is_zero() {
            tokio::time::sleep(duration).await;
        }
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

    #[test]
    fn moments_are_read_as_rfc_3339_writes_them() {
        for (text, micros) in [
            ("1970-01-01", 0),
            ("1969-12-31", -86_400_000_000),
            ("2000-02-29", 951_782_400_000_000),
            ("2024-03-01T12:00:00Z", 1_709_294_400_000_000),
            ("2024-03-01t12:00:00.5z", 1_709_294_400_500_000),
            ("2024-03-01 14:00:00.1234567+02:00", 1_709_294_400_123_456),
            ("1970-01-01T00:30:00+01:00", -1_800_000_000),
            ("0000-01-01", -62_167_219_200_000_000),
            ("9999-12-31T23:59:60-00:01", 253_402_300_860_000_000),
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text).map(Timestamp::as_micros), Some(micros), "{text}");
        }
        for text in [
            "",
            "2024",
            "2024-3-01",
            "2024-13-01",
            "2023-02-29",
            "2024-00-10",
            "2024-01-32",
            "2024-01-01T",
            "2024/01/01",
            "2024-01-01T10:00",
            "2024-01-01T10:00:00",
            "2024-01-01T24:00:00Z",
            "2024-01-01T10:00:00.Z",
            "2024-01-01T10:00:00.1.2Z",
            "2024-01-01T10:00:00+2:00",
            "2024-01-01T10:00:00Z ",
            "２０２４-01-01",
            "2024-01-01é",
            "+024-01-01",
            "2024-01-01T10:00:00+24:00",
            "2024-01-01T-1:00:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_lies_in_the_month_that_its_date_names() {
        for (year, days) in [(1969, 365), (1970, 365), (2000, 366), (2023, 365), (2024, 366), (2100, 365)] {
            let first = days_since_epoch(year, 1, 1);
            assert_eq!(days_since_epoch(year + 1, 1, 1) - first, days);
            for month in 1..=12 {
                let start = days_since_epoch(year, month, 1) * 86_400_000_000;
                for day in 0..days_of_month(year, month) {
                    let moment = Timestamp(start + day * 86_400_000_000 + 86_399_999_999);
                    assert_eq!(moment.start_of_month(), Timestamp(start), "{year}-{month} + {day}");
                }
            }
        }
    }

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
