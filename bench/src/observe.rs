//! What is read from the machine: time, and the CPU and memory of a process.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The monotonic clock.
#[expect(clippy::disallowed_methods, reason = "a measure of real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds since 1970, to compare moments of different processes.
#[expect(clippy::disallowed_methods, reason = "a measure of real time")]
pub(crate) fn unix_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Waits.
#[expect(clippy::disallowed_methods, reason = "a measure of real time, without a runtime to block")]
pub(crate) fn pause(duration: std::time::Duration) {
    std::thread::sleep(duration);
}

/// The kernel counts CPU time in hundredths of a second on every architecture that it shows to programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds that a process has used, in user and system mode, by all its threads, also those that ended.
pub(crate) fn cpu_seconds(process: u32) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {path} (the measures need Linux)"))?;
    cpu_seconds_of(&stat).with_context(|| format!("cannot understand {path}"))
}

/// `utime` and `stime`, fields 14 and 15 of proc(5); the name, field 2, may hold spaces and parentheses.
fn cpu_seconds_of(stat: &str) -> Option<f64> {
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Resident memory of a process in MB (10⁶ bytes).
#[derive(Clone, Copy, Serialize, Debug)]
pub(crate) struct Memory {
    /// Now.
    pub(crate) resident_mb: f64,
    /// The most until now.
    pub(crate) peak_mb: f64,
    /// Of what is resident now, what no file backs.
    pub(crate) unbacked_mb: f64,
}

/// Reads the memory of a process.
pub(crate) fn memory(process: u32) -> anyhow::Result<Memory> {
    let path = format!("/proc/{process}/status");
    let status = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let megabytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: f64 = line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().ok()?;
        Some(kibibytes * 1024.0 / 1e6)
    };
    let field = |name: &str| megabytes(name).with_context(|| format!("cannot understand {path}"));
    Ok(Memory { resident_mb: field("VmRSS")?, peak_mb: field("VmHWM")?, unbacked_mb: field("RssAnon")? })
}

/// Percentiles of a set of times, in milliseconds.
#[derive(Clone, Copy, Default, Serialize, Deserialize, Debug)]
pub(crate) struct Percentiles {
    pub(crate) p10: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Percentiles {
    /// Of times in nanoseconds; zeros when there are none.
    pub(crate) fn of(mut nanos: Vec<i64>) -> Self {
        nanos.sort_unstable();
        // Nearest rank: the smallest value with at least that share at or below it.
        let at = |share: f64| {
            let rank = (share * nanos.len() as f64).ceil() as usize;
            nanos.get(rank.saturating_sub(1)).map_or(0.0, |&value| value as f64 / 1e6)
        };
        Self { p10: at(0.10), p50: at(0.50), p99: at(0.99) }
    }

    /// What this has on top of `other`.
    pub(crate) fn minus(self, other: Self) -> Self {
        Self { p10: self.p10 - other.p10, p50: self.p50 - other.p50, p99: self.p99 - other.p99 }
    }
}

/// The middle of some figures; 0 when there are none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let seen = Percentiles::of((1..=100).rev().map(|ms| ms * 1_000_000).collect());
        assert_eq!((seen.p10, seen.p50, seen.p99), (10.0, 50.0, 99.0));
        let one = Percentiles::of(vec![2_000_000]);
        assert_eq!((one.p10, one.p50, one.p99), (2.0, 2.0, 2.0));
    }

    #[test]
    fn cpu_time_is_read_past_a_difficult_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 8 0 100 1 1";
        assert_eq!(cpu_seconds_of(stat), Some(4.0));
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
