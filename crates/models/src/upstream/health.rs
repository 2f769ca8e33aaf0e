//! How an upstream fares.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{ModelErrorKind, TimeoutPhase};
use mainstay_reliability::{
    Breaker, BreakerReport, BreakerSettings, BreakerState, CallResult, Hedging, Permit, RetryBudget,
};

use crate::assistant::ModelName;

/// What is known of one upstream, shared by all who call it.
pub struct Health {
    name: ModelName,
    /// Whether any call is made a second time.
    hedges: bool,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    budget: RetryBudget,
    hedging: Hedging,
    /// Until when the provider has asked to be left alone.
    busy_until: Duration,
}

/// How an upstream fares, for metrics and pages.
#[derive(Clone, PartialEq, Debug)]
pub struct HealthReport {
    /// `provider/model`.
    pub model: String,
    /// Its breaker.
    pub breaker: BreakerReport,
}

/// The longest that an upstream is passed over because it asked for it: what it says may be a mistake.
const LONGEST_BUSY: Duration = Duration::from_secs(60);

impl Health {
    pub(super) fn new(name: ModelName, breaker: BreakerSettings, retry_share: f64, hedge_share: f64) -> Self {
        let state = State {
            breaker: Breaker::new(breaker),
            budget: RetryBudget::new(retry_share),
            hedging: Hedging::new(hedge_share),
            busy_until: Duration::ZERO,
        };
        Self { name, hedges: hedge_share > 0.0, state: Mutex::new(state) }
    }

    /// Whether a call may be made; else how long that takes at least. `is_first`: of its request, at this upstream.
    pub(crate) fn admit(&self, now: Duration, is_first: bool) -> Result<Permit, Duration> {
        let mut state = self.state();
        let permit = state.breaker.admit(now)?;
        if is_first {
            state.budget.deposit();
        }
        Ok(permit)
    }

    /// Lets a probe through although the upstream rests, because nothing else can answer.
    pub(super) fn admit_early(&self, now: Duration) -> Option<Permit> {
        self.state().breaker.admit_early(now)
    }

    pub(super) fn would_admit(&self, now: Duration) -> bool {
        self.state().breaker.would_admit(now)
    }

    /// How long the provider has asked to be left alone.
    pub(super) fn busy_for(&self, now: Duration) -> Duration {
        self.state().busy_until.saturating_sub(now)
    }

    pub(super) fn is_busy_for(&self, now: Duration, wait: Duration) {
        let mut state = self.state();
        state.busy_until = state.busy_until.max(now.saturating_add(wait.min(LONGEST_BUSY)));
    }

    /// Whether one more call of the same request fits into the budget; if so it counts.
    pub(super) fn may_repeat(&self, now: Duration) -> bool {
        self.state().budget.withdraw(now)
    }

    /// A streamed call is made. After how long it may be made a second time.
    pub(super) fn hedge_after(&self) -> Option<Duration> {
        if self.hedges { self.state().hedging.call() } else { None }
    }

    /// Whether a call that takes long may be made a second time; if so it counts. Not while anything is wrong: what is slow
    /// because it fails or is asked too much is not helped by more.
    pub(super) fn hedge(&self, now: Duration) -> Option<Permit> {
        let mut state = self.state();
        let is_well = state.breaker.state(now) == BreakerState::Closed && state.busy_until <= now;
        (is_well && state.hedging.withdraw()).then(|| state.breaker.admit(now).ok()).flatten()
    }

    /// How long the first content of a stream took.
    pub(super) fn began_after(&self, time: Duration) {
        if self.hedges {
            self.state().hedging.took(time);
        }
    }

    pub(crate) fn record(&self, now: Duration, permit: Permit, result: CallResult) {
        self.state().breaker.record(now, permit, result);
    }

    /// A failure of a call whose permit was given back when its answer began.
    pub(super) fn failed_late(&self, now: Duration) {
        self.state().breaker.failed_late(now);
    }

    pub(super) fn is_well(&self, now: Duration) -> bool {
        self.state().breaker.state(now) == BreakerState::Closed
    }

    pub(super) fn report(&self, now: Duration) -> HealthReport {
        HealthReport { model: self.name.to_string(), breaker: self.state().breaker.report(now) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a failure says of the upstream: only its own failures count, not its limits, and not what the caller did wrong.
pub(crate) fn result_of(kind: ModelErrorKind) -> CallResult {
    match kind {
        ModelErrorKind::Provider
        | ModelErrorKind::Connect
        | ModelErrorKind::Overloaded
        | ModelErrorKind::Malformed
        | ModelErrorKind::Truncated
        | ModelErrorKind::Timeout(
            TimeoutPhase::Connect | TimeoutPhase::Headers | TimeoutPhase::FirstToken | TimeoutPhase::Idle,
        ) => CallResult::Failed,
        ModelErrorKind::InvalidRequest | ModelErrorKind::ContextTooLong | ModelErrorKind::ContentFilter => {
            CallResult::Succeeded
        }
        // The whole time is the caller's to give: a short one says nothing of the provider.
        ModelErrorKind::Timeout(TimeoutPhase::Total)
        | ModelErrorKind::RateLimited
        | ModelErrorKind::QuotaExhausted
        | ModelErrorKind::Authentication
        | ModelErrorKind::ModelNotFound
        | ModelErrorKind::Unavailable
        | ModelErrorKind::Unsupported
        | ModelErrorKind::OutOfRegion => CallResult::Unknown,
    }
}
