//! The circuit breaker: whether something that keeps failing is called at all.

use std::time::Duration;

/// When a breaker opens, and how it closes again.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BreakerSettings {
    /// Failures one after the other that open it: what a service with little traffic shows an outage by.
    pub failures: u32,
    /// The share of failed calls within `window` above which it opens, 0 to 1, once chance does not explain it: what a
    /// service with much traffic does.
    pub error_rate: f64,
    /// Over how long the share is taken.
    pub window: Duration,
    /// Calls within `window` below which the share says nothing.
    pub min_calls: u32,
    /// How long it stays open before a call is let through to see.
    pub recovery: Duration,
    /// What `recovery` grows to, doubling each time that it opens again before it was closed for long.
    pub longest_recovery: Duration,
    /// Calls that must succeed, one after the other and one at a time, before it closes.
    pub probes: u32,
}

impl Default for BreakerSettings {
    /// Three failures, or a tenth of at least 20 calls in 10 s; a minute of rest, up to five; three probes.
    fn default() -> Self {
        Self {
            failures: 3,
            error_rate: 0.1,
            window: Duration::from_secs(10),
            min_calls: 20,
            recovery: Duration::from_secs(60),
            longest_recovery: Duration::from_secs(300),
            probes: 3,
        }
    }
}

/// What a breaker does with calls.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BreakerState {
    /// Lets all through.
    Closed,
    /// Lets none through.
    Open,
    /// Lets one through at a time, to see.
    HalfOpen,
}

impl BreakerState {
    /// Its name in metrics and pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A call that the breaker let through. What became of it is told with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Permit {
    is_probe: bool,
    /// Which closing or opening it was let through after: what a call says that began before the last one says nothing of
    /// now.
    generation: u32,
}

impl Permit {
    /// Whether the call is one of those by which an open breaker sees whether it may close.
    pub const fn is_probe(&self) -> bool {
        self.is_probe
    }
}

/// What became of a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallResult {
    /// The other side did what it should, or refused what is the caller's fault.
    Succeeded,
    /// The other side failed.
    Failed,
    /// It says nothing about the other side: the caller went away, or we were the ones who had no room.
    Unknown,
}

/// A breaker. Moments are durations since any fixed one; one that lies before an earlier one counts as that.
#[derive(Clone, Debug)]
pub struct Breaker {
    settings: BreakerSettings,
    state: BreakerState,
    /// The latest moment that it was told.
    latest: Duration,
    consecutive: u32,
    recent: Window,
    /// When it opened last, or closed last.
    since: Duration,
    recovery: Duration,
    probing: bool,
    /// Whether the probe that is under way came before its time.
    early: bool,
    probed: u32,
    generation: u32,
    opens: u64,
    oscillations: u64,
}

/// How long a breaker must have been closed for its next opening not to count as an oscillation.
const STABLE: Duration = Duration::from_secs(600);

/// How a breaker fares, for metrics and pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerReport {
    /// What it does with calls.
    pub state: BreakerState,
    /// How often it opened.
    pub opens: u64,
    /// How often it did so soon after it had closed.
    pub oscillations: u64,
}

impl Breaker {
    /// A closed one.
    pub fn new(settings: BreakerSettings) -> Self {
        Self {
            settings,
            state: BreakerState::Closed,
            latest: Duration::ZERO,
            consecutive: 0,
            recent: Window::new(settings.window),
            since: Duration::ZERO,
            recovery: settings.recovery,
            probing: false,
            early: false,
            probed: 0,
            generation: 0,
            opens: 0,
            oscillations: 0,
        }
    }

    /// Whether a call may be made now; else how long it takes at least until one may. Every permit must be given back by
    /// [`record`](Self::record).
    pub fn admit(&mut self, now: Duration) -> Result<Permit, Duration> {
        self.advance(now);
        match self.state {
            BreakerState::Closed => Ok(self.permit(false)),
            BreakerState::HalfOpen if !self.probing => {
                self.probing = true;
                Ok(self.permit(true))
            }
            // How long a probe takes nobody knows; what it asks for is patience, not a moment.
            BreakerState::HalfOpen => Err(PROBE_PATIENCE),
            BreakerState::Open => Err(self.reopens_after().saturating_sub(self.latest)),
        }
    }

    /// Lets a probe through before its time, because nothing else can answer: not to call what fails spares it, and whoever
    /// asks gets nothing for it. At most six in the time that it rests at first, and their failures make that no longer.
    pub fn admit_early(&mut self, now: Duration) -> Option<Permit> {
        self.advance(now);
        let rested = self.latest.saturating_sub(self.since);
        if self.state != BreakerState::Open || rested < self.settings.recovery / EARLY {
            return None;
        }
        self.half_open();
        (self.early, self.probing) = (true, true);
        Some(self.permit(true))
    }

    /// Whether [`admit`](Self::admit) would let a call through, without letting it.
    pub fn would_admit(&mut self, now: Duration) -> bool {
        self.advance(now);
        match self.state {
            BreakerState::Closed => true,
            BreakerState::HalfOpen => !self.probing,
            BreakerState::Open => false,
        }
    }

    /// What became of a call that was let through.
    pub fn record(&mut self, now: Duration, permit: Permit, result: CallResult) {
        self.advance(now);
        if permit.generation != self.generation {
            return;
        }
        if permit.is_probe {
            self.probing = false;
        }
        match result {
            CallResult::Unknown => {}
            CallResult::Succeeded => self.succeeded(permit),
            CallResult::Failed => self.failed(),
        }
    }

    /// A failure of a call whose permit was given back as a success when its answer began. While the breaker is not closed
    /// it says nothing that the probes do not say better.
    pub fn failed_late(&mut self, now: Duration) {
        self.advance(now);
        if self.state == BreakerState::Closed {
            self.failed();
        }
    }

    /// What it does with calls at this moment.
    pub fn state(&mut self, now: Duration) -> BreakerState {
        self.advance(now);
        self.state
    }

    /// How often it opened.
    pub fn opens(&self) -> u64 {
        self.opens
    }

    /// How often it opened although it had closed only minutes before: the other side is unstable rather than down.
    pub fn oscillations(&self) -> u64 {
        self.oscillations
    }

    /// How it fares.
    pub fn report(&mut self, now: Duration) -> BreakerReport {
        BreakerReport { state: self.state(now), opens: self.opens, oscillations: self.oscillations }
    }

    fn permit(&self, is_probe: bool) -> Permit {
        Permit { is_probe, generation: self.generation }
    }

    fn reopens_after(&self) -> Duration {
        self.since.saturating_add(self.recovery)
    }

    fn advance(&mut self, now: Duration) {
        self.latest = self.latest.max(now);
        if self.state == BreakerState::Open && self.latest >= self.reopens_after() {
            self.half_open();
        }
    }

    fn half_open(&mut self) {
        self.state = BreakerState::HalfOpen;
        self.probing = false;
        self.probed = 0;
        self.generation = self.generation.wrapping_add(1);
    }

    fn succeeded(&mut self, permit: Permit) {
        self.consecutive = 0;
        self.recent.add(self.latest, false);
        if permit.is_probe {
            self.early = false;
            self.probed += 1;
            if self.probed >= self.settings.probes {
                self.state = BreakerState::Closed;
                self.since = self.latest;
                self.recent = Window::new(self.settings.window);
                self.generation = self.generation.wrapping_add(1);
            }
        }
    }

    fn failed(&mut self) {
        self.consecutive = self.consecutive.saturating_add(1);
        self.recent.add(self.latest, true);
        let is_rate = || {
            let (calls, failures) = self.recent.counts();
            calls >= self.settings.min_calls.max(1)
                && is_credibly_above(failures, calls, self.settings.error_rate)
        };
        let opens = match self.state {
            BreakerState::Closed => self.consecutive >= self.settings.failures.max(1) || is_rate(),
            BreakerState::HalfOpen => true,
            BreakerState::Open => false,
        };
        if opens {
            self.open();
        }
    }

    /// A probe that failed, and an opening soon after a closing, rest longer each time.
    fn open(&mut self) {
        if std::mem::take(&mut self.early) {
            self.state = BreakerState::Open;
            self.since = self.latest;
            self.generation = self.generation.wrapping_add(1);
            return;
        }
        let was_closed_for = self.latest.saturating_sub(self.since);
        let first = self.opens == 0;
        let is_relapse = self.state == BreakerState::HalfOpen || (!first && was_closed_for < STABLE);
        if is_relapse {
            self.recovery = self.recovery.saturating_mul(2).min(self.settings.longest_recovery);
            self.oscillations += 1;
        } else {
            self.recovery = self.settings.recovery;
        }
        self.recovery = self.recovery.max(self.settings.recovery);
        self.state = BreakerState::Open;
        self.since = self.latest;
        self.consecutive = 0;
        self.opens += 1;
        self.generation = self.generation.wrapping_add(1);
    }
}

/// The part of its rest after which a breaker may be probed where nothing else can answer.
const EARLY: u32 = 6;

/// What a caller is told to wait while a probe is under way.
const PROBE_PATIENCE: Duration = Duration::from_secs(1);

/// Parts that a window is counted in: what is older than the window is forgotten with an error of one part.
const PARTS: usize = 10;

/// Calls and failures of the last while.
#[derive(Clone, Debug)]
struct Window {
    part: Duration,
    /// Calls and failures, and the number of the part that they belong to.
    parts: [(u64, u32, u32); PARTS],
    latest: u64,
}

impl Window {
    fn new(length: Duration) -> Self {
        let part = (length / PARTS as u32).max(Duration::from_millis(1));
        Self { part, parts: [(0, 0, 0); PARTS], latest: 0 }
    }

    fn add(&mut self, now: Duration, failed: bool) {
        let number = (now.as_millis() / self.part.as_millis()) as u64;
        self.latest = self.latest.max(number);
        let slot = &mut self.parts[(number % PARTS as u64) as usize];
        if slot.0 != number {
            *slot = (number, 0, 0);
        }
        slot.1 = slot.1.saturating_add(1);
        slot.2 = slot.2.saturating_add(u32::from(failed));
    }

    fn counts(&self) -> (u32, u32) {
        let oldest = (self.latest + 1).saturating_sub(PARTS as u64);
        let within = self.parts.iter().filter(|(number, ..)| *number >= oldest);
        within.fold((0, 0), |(calls, failures), (_, more, failed)| {
            (u32::saturating_add(calls, *more), u32::saturating_add(failures, *failed))
        })
    }
}

/// Whether the share that fails is above `rate` for more than a chance of 1 %: the lower end of Wilson's score interval
/// (1927) is. Of a provider of which one call in twenty fails, two of twenty often do; it must not rest for that.
fn is_credibly_above(failures: u32, calls: u32, rate: f64) -> bool {
    const Z: f64 = 2.326;
    let (n, share) = (f64::from(calls), f64::from(failures) / f64::from(calls.max(1)));
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let least = (centre - half) / (1.0 + Z * Z / n);
    least >= rate || (failures == calls && failures > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn call(breaker: &mut Breaker, now: Duration, result: CallResult) -> bool {
        let Ok(permit) = breaker.admit(now) else { return false };
        breaker.record(now, permit, result);
        true
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for _ in 0..3 {
            assert!(call(&mut breaker, seconds(1), CallResult::Failed));
        }
        breaker
    }

    #[test]
    fn three_failures_in_a_row_open_it_and_three_probes_close_it() {
        let mut breaker = opened();
        assert_eq!(breaker.admit(seconds(2)), Err(seconds(59)));
        assert_eq!(breaker.state(seconds(60)), BreakerState::Open);
        for _ in 0..3 {
            assert_eq!(breaker.state(seconds(61)), BreakerState::HalfOpen);
            let probe = breaker.admit(seconds(61)).unwrap();
            assert!(breaker.admit(seconds(61)).is_err(), "two probes at once");
            breaker.record(seconds(61), probe, CallResult::Succeeded);
        }
        assert_eq!(breaker.state(seconds(61)), BreakerState::Closed);
        assert_eq!((breaker.opens(), breaker.oscillations()), (1, 0));
    }

    #[test]
    fn a_success_between_failures_keeps_it_closed() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        for second in 0..50 {
            // Two of three fail, but twenty calls do not come within ten seconds.
            let result = if second % 3 == 2 { CallResult::Succeeded } else { CallResult::Failed };
            assert!(call(&mut breaker, seconds(second), result), "{second}");
        }
    }

    #[test]
    fn a_share_of_failures_opens_it_once_it_is_no_chance() {
        // Every third call fails, never three in a row: with the 20th there are six, which a tenth would hardly give.
        let mut breaker = Breaker::new(BreakerSettings::default());
        for number in 0..40u64 {
            let result = if number % 3 == 1 { CallResult::Failed } else { CallResult::Succeeded };
            let passed = call(&mut breaker, Duration::from_millis(100 * number), result);
            assert_eq!(passed, number <= 19, "{number}");
        }
        assert!(is_credibly_above(6, 20, 0.1) && !is_credibly_above(5, 20, 0.1));
        assert!(
            is_credibly_above(20, 20, 1.0)
                && !is_credibly_above(19, 20, 1.0)
                && !is_credibly_above(0, 20, 0.1)
        );
    }

    #[test]
    fn a_provider_with_a_failure_now_and_then_is_not_given_up() {
        // One in twenty of five calls a second, for ten hours: by chance many windows have more than a tenth.
        let mut random = fastrand::Rng::with_seed(1);
        let settings = BreakerSettings { failures: u32::MAX, ..BreakerSettings::default() };
        let mut breaker = Breaker::new(settings);
        for number in 0..180_000u64 {
            let result = if random.f64() < 0.05 { CallResult::Failed } else { CallResult::Succeeded };
            call(&mut breaker, Duration::from_millis(200 * number), result);
        }
        assert!(breaker.opens() <= 10, "{}", breaker.opens());
    }

    #[test]
    fn a_probe_that_fails_opens_it_for_longer_and_a_stable_while_makes_good() {
        let mut breaker = opened();
        assert!(call(&mut breaker, seconds(61), CallResult::Failed));
        assert_eq!(breaker.admit(seconds(61)), Err(seconds(120)));
        assert!(call(&mut breaker, seconds(181), CallResult::Failed));
        assert_eq!(breaker.admit(seconds(181)), Err(seconds(240)));
        assert!(call(&mut breaker, seconds(421), CallResult::Failed));
        assert_eq!(breaker.admit(seconds(421)), Err(seconds(300)), "the longest");
        assert_eq!(breaker.oscillations(), 3);
        for _ in 0..3 {
            assert!(call(&mut breaker, seconds(721), CallResult::Succeeded));
        }
        for _ in 0..3 {
            assert!(call(&mut breaker, seconds(721 + 601), CallResult::Failed));
        }
        assert_eq!(breaker.admit(seconds(721 + 601)), Err(seconds(60)));
    }

    #[test]
    fn where_nothing_else_can_answer_it_is_probed_before_its_time_and_rests_no_longer_for_it() {
        let mut breaker = opened();
        assert!(breaker.admit_early(seconds(10)).is_none(), "some rest it has");
        for second in [11, 21, 31] {
            let permit = breaker.admit_early(seconds(second)).unwrap();
            assert!(breaker.admit_early(seconds(second)).is_none() && !breaker.would_admit(seconds(second)));
            breaker.record(seconds(second), permit, CallResult::Failed);
            assert_eq!(breaker.admit(seconds(second)), Err(seconds(60)));
        }
        assert_eq!((breaker.opens(), breaker.oscillations()), (1, 0));
        let permit = breaker.admit_early(seconds(41)).unwrap();
        breaker.record(seconds(41), permit, CallResult::Succeeded);
        for _ in 0..2 {
            assert!(call(&mut breaker, seconds(41), CallResult::Succeeded));
        }
        assert_eq!(breaker.state(seconds(41)), BreakerState::Closed);
    }

    #[test]
    fn a_probe_whose_caller_went_away_lets_the_next_one_try() {
        let mut breaker = opened();
        assert!(call(&mut breaker, seconds(61), CallResult::Unknown));
        assert!(call(&mut breaker, seconds(61), CallResult::Succeeded));
    }

    #[test]
    fn calls_that_began_before_it_opened_say_nothing_of_the_probes() {
        let mut breaker = Breaker::new(BreakerSettings::default());
        let old = breaker.admit(seconds(0)).unwrap();
        for _ in 0..3 {
            call(&mut breaker, seconds(1), CallResult::Failed);
        }
        breaker.record(seconds(70), old, CallResult::Failed);
        assert_eq!(breaker.state(seconds(70)), BreakerState::HalfOpen);
        assert!(breaker.admit(seconds(70)).is_ok());
    }

    proptest! {
        #[test]
        fn whatever_comes_there_is_at_most_one_probe_and_open_means_none(
            steps in proptest::collection::vec((0u64..100_000, 0u8..3, any::<bool>()), 1..300),
            failures in 0u32..5,
            probes in 0u32..5,
        ) {
            let settings = BreakerSettings { failures, probes, ..BreakerSettings::default() };
            let mut breaker = Breaker::new(settings);
            let mut probe: Option<Permit> = None;
            // Moments jump back and forth.
            for (now, result, hold) in steps {
                let now = Duration::from_millis(now);
                let state = breaker.state(now);
                let would = breaker.would_admit(now);
                let admitted = breaker.admit(now);
                prop_assert_eq!(would, admitted.is_ok());
                match (state, admitted) {
                    (BreakerState::Open, Ok(_)) => prop_assert!(false, "a call went through an open breaker"),
                    (_, Ok(permit)) if permit.is_probe && hold => {
                        prop_assert!(probe.is_none_or(|other| other.generation != permit.generation));
                        probe = Some(permit);
                    }
                    (_, Ok(permit)) => {
                        let result = [CallResult::Succeeded, CallResult::Failed, CallResult::Unknown][result as usize];
                        breaker.record(now, permit, result);
                    }
                    (_, Err(wait)) => prop_assert!(wait <= settings.longest_recovery),
                }
                if let Some(held) = probe.filter(|_| !hold) {
                    breaker.record(now, held, CallResult::Unknown);
                    probe = None;
                }
            }
        }
    }
}
