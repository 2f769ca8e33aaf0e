//! How close to its limits this server is, as one level that callers and the server's own parts act upon.

use std::time::Duration;

/// From which value on each level holds, and how long it is kept.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PressurePolicy {
    /// From here on [`Level::Elevated`], from 0 to 1.
    pub elevated: f64,
    /// From here on [`Level::High`], from 0 to 1.
    pub high: f64,
    /// From here on [`Level::Critical`], from 0 to 1.
    pub critical: f64,
    /// How long the value has to stay below a level before the level is left.
    pub hold: Duration,
}

impl Default for PressurePolicy {
    /// 0.70, 0.85 and 0.95, kept for ten seconds.
    fn default() -> Self {
        Self { elevated: 0.70, high: 0.85, critical: 0.95, hold: Duration::from_secs(10) }
    }
}

impl PressurePolicy {
    fn level(&self, value: f64) -> Level {
        if value >= self.critical {
            Level::Critical
        } else if value >= self.high {
            Level::High
        } else if value >= self.elevated {
            Level::Elevated
        } else {
            Level::Normal
        }
    }
}

/// How close the limits are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Level {
    /// There is room.
    #[default]
    Normal,
    /// Callers that can wait should send less.
    Elevated,
    /// Callers should send less.
    High,
    /// Requests are about to be turned away.
    Critical,
}

impl Level {
    /// The value of the header `X-Backpressure-Level`.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Elevated => "ELEVATED",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }
}

/// One of the things that can run out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Signal {
    /// What it is, as logs and metrics name it.
    pub name: &'static str,
    /// From 0, all free, to 1, used up. Outside of it the nearer end is meant; what is not a number is not known.
    pub value: f64,
}

impl Signal {
    /// How much of `most` is `used`, in any unit. Where there is none, it is used up.
    pub fn of(name: &'static str, used: f64, most: f64) -> Self {
        let value = if most > 0.0 { used / most } else { 1.0 };
        Self { name, value }
    }

    /// How late something is: 0.5 at its `target`, 1 at twice its target and beyond.
    pub fn late(name: &'static str, measured: Duration, target: Duration) -> Self {
        Self::of(name, measured.as_secs_f64(), 2.0 * target.as_secs_f64())
    }
}

/// The pressure at one time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pressure {
    /// The level, which may be one that the value has left only just now.
    pub level: Level,
    /// The highest of the signals, from 0 to 1.
    pub value: f64,
    /// The signal that is highest; none while nothing was ever known.
    pub cause: Option<&'static str>,
}

/// The pressure over time. It rises at once, and falls only after the value has stayed below the level for a while, to the
/// highest level of that while: a level that flickers would make callers swing between full and no load.
///
/// The highest signal alone decides, because room in one thing does not make up for another that has run out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PressureGauge {
    policy: PressurePolicy,
    latest: Pressure,
    /// Since when the value has been below the level, and the highest level since.
    below: Option<(Duration, Level)>,
    /// The latest time seen.
    now: Duration,
}

impl PressureGauge {
    /// A gauge that shows no pressure.
    pub const fn new(policy: PressurePolicy) -> Self {
        let latest = Pressure { level: Level::Normal, value: 0.0, cause: None };
        Self { policy, latest, below: None, now: Duration::ZERO }
    }

    /// The pressure as it was last observed.
    pub const fn pressure(&self) -> Pressure {
        self.latest
    }

    /// Takes the signals as they are at `now`, the time since a start that stays the same. Where none of them is known the
    /// pressure stays as it is, and the while below it begins anew.
    pub fn observe(&mut self, now: Duration, signals: &[Signal]) -> Pressure {
        self.now = self.now.max(now);
        let known = signals.iter().filter(|signal| !signal.value.is_nan());
        let Some(highest) = known.max_by(|one, other| one.value.total_cmp(&other.value)) else {
            self.below = None;
            return self.latest;
        };
        self.latest.value = highest.value.clamp(0.0, 1.0);
        self.latest.cause = Some(highest.name);

        let level = self.policy.level(self.latest.value);
        if level >= self.latest.level {
            self.latest.level = level;
            self.below = None;
            return self.latest;
        }
        let (since, peak) = self.below.unwrap_or((self.now, level));
        let peak = peak.max(level);
        self.below = Some((since, peak));
        if self.now.saturating_sub(since) >= self.policy.hold {
            self.latest.level = peak;
            self.below = (level < peak).then_some((self.now, level));
        }
        self.latest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gauge() -> PressureGauge {
        PressureGauge::new(PressurePolicy::default())
    }

    fn level(gauge: &mut PressureGauge, secs: u64, value: f64) -> Level {
        gauge.observe(Duration::from_secs(secs), &[Signal { name: "queue", value }]).level
    }

    #[test]
    fn the_highest_signal_decides_and_is_named() {
        let signals = [
            Signal { name: "memory", value: f64::NAN },
            Signal::of("queue", 45.0, 50.0),
            Signal::late("index", Duration::from_millis(30), Duration::from_millis(50)),
            Signal { name: "upstream", value: -3.0 },
        ];
        let pressure = gauge().observe(Duration::ZERO, &signals);
        assert_eq!(pressure, Pressure { level: Level::High, value: 0.9, cause: Some("queue") });
        let over =
            gauge().observe(Duration::ZERO, &[Signal::of("queue", 7.0, 0.0), Signal::of("disk", 9.0, 2.0)]);
        assert_eq!(over, Pressure { level: Level::Critical, value: 1.0, cause: Some("disk") });
        assert_eq!(over.level.header(), "CRITICAL");
    }

    #[test]
    fn it_rises_at_once_and_falls_after_a_while_to_the_highest_since() {
        let mut gauge = gauge();
        assert_eq!(level(&mut gauge, 0, 0.96), Level::Critical);
        assert_eq!(level(&mut gauge, 1, 0.10), Level::Critical);
        assert_eq!(level(&mut gauge, 5, 0.75), Level::Critical);
        assert_eq!(level(&mut gauge, 10, 0.10), Level::Critical);
        assert_eq!(level(&mut gauge, 11, 0.10), Level::Elevated);
        assert_eq!(level(&mut gauge, 20, 0.10), Level::Elevated);
        assert_eq!(level(&mut gauge, 21, 0.10), Level::Normal);
    }

    #[test]
    fn a_relapse_starts_the_while_anew() {
        let mut gauge = gauge();
        for second in 0..60 {
            let value = if second % 9 == 0 { 0.86 } else { 0.2 };
            assert_eq!(level(&mut gauge, second, value), Level::High);
        }
    }

    #[test]
    fn what_is_not_known_changes_nothing() {
        let mut gauge = gauge();
        assert_eq!(level(&mut gauge, 0, 0.86), Level::High);
        let before = gauge.pressure();
        assert_eq!(gauge.observe(Duration::from_secs(99), &[]), before);
        assert_eq!(level(&mut gauge, 99, f64::NAN), Level::High);
        assert_eq!(level(&mut gauge, 100, 0.1), Level::High);
        assert_eq!(level(&mut gauge, 120, f64::NAN), Level::High);
        assert_eq!(level(&mut gauge, 121, 0.1), Level::High);
    }

    proptest! {
        /// Never below the value's own level, and never lower sooner than after the hold, however the clock jumps.
        #[test]
        fn the_level_never_understates(
            samples in proptest::collection::vec((0u64..60, prop_oneof![0.0f64..1.2, any::<f64>()]), 1..100),
        ) {
            let mut gauge = gauge();
            let mut latest = 0;
            // When the level was last reached by the value itself.
            let mut reached = (0, Level::Normal);
            for (secs, value) in samples {
                latest = latest.max(secs);
                let before = gauge.pressure().level;
                let level = level(&mut gauge, secs, value);
                let own = PressurePolicy::default().level(value.clamp(0.0, 1.0));
                prop_assert!(value.is_nan() || level >= own);
                prop_assert!((0.0..=1.0).contains(&gauge.pressure().value));
                if level < before {
                    prop_assert!(latest - reached.0 >= 10);
                }
                if !value.is_nan() && own >= level {
                    reached = (latest, own);
                }
            }
        }
    }
}
