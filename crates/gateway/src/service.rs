//! How much of the service is offered while something fails: everything, what cheaper models can do, or what can be had
//! without a provider.
//!
//! The level follows the failures of the last seconds and how full this server is, quickly down and slowly up
//! ([`mainstay_reliability::Degradation`]). Whoever is answered with less is told so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{Caller, Clock, ModelError, ModelErrorKind};
use mainstay_models::{Candidate, Route, Upstreams};
use mainstay_ops::measure;
use mainstay_reliability::{
    BreakerState, Degradation, DegradationPolicy, Health, ServiceLevel, Transition, Trigger,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{Admission, Gateway, RequestError};

/// How the service degrades.
#[derive(Clone, PartialEq, Debug)]
pub struct ServiceSettings {
    /// Whether the level follows the signs; else only what an operator sets.
    pub is_automatic: bool,
    /// Whom callers may turn to when nothing can be answered.
    pub contact: Option<String>,
    /// How long it usually takes until it can again.
    pub expected_recovery: Option<Duration>,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self { is_automatic: true, contact: None, expected_recovery: None }
    }
}

/// The levels of service.
pub struct Service {
    settings: ServiceSettings,
    state: Mutex<State>,
    clock: Clock,
    origin: Instant,
}

struct State {
    degradation: Degradation,
    /// Calls of models and those that failed, by the second.
    seconds: VecDeque<(u64, u32, u32)>,
}

/// Seconds over which failures are counted.
const WINDOW: u64 = 10;
/// Calls in that time below which their failures say nothing.
const MIN_CALLS: u32 = 5;
/// When callers may ask again at the earliest where nobody knows when a model can be asked.
const UNKNOWN_OUTAGE: Duration = Duration::from_secs(20);
/// How often the signs are looked at.
const EVERY: Duration = Duration::from_secs(2);

impl Service {
    /// Full service, for so many tenant tiers.
    pub fn new(settings: ServiceSettings, tiers: usize, clock: Clock) -> Arc<Self> {
        // Failures reduce; an emergency is when no provider answers at all. While one does, it is asked.
        let policy = DegradationPolicy::default();
        let emergency = Trigger { error_rate: f64::INFINITY, ..policy.emergency };
        let degradation = Degradation::new(DegradationPolicy { emergency, ..policy }, tiers);
        let state = Mutex::new(State { degradation, seconds: VecDeque::new() });
        Arc::new(Self { settings, state, clock, origin: clock.instant() })
    }

    /// Looks at the signs until it is told to stop.
    pub async fn watch(
        self: Arc<Self>,
        admission: Arc<Admission>,
        upstreams: Arc<Upstreams>,
        stop: CancellationToken,
    ) {
        while stop.run_until_cancelled(self.clock.sleep(EVERY)).await.is_some() {
            self.observe(&admission, &upstreams);
        }
    }

    /// Looks at the signs once.
    pub fn observe(&self, admission: &Admission, upstreams: &Upstreams) {
        let reports = upstreams.reports();
        let mut remote = reports.iter().filter(|report| !report.model.starts_with("builtin/")).peekable();
        // Where no provider is configured none can be down.
        let has_provider =
            remote.peek().is_none() || remote.any(|report| report.breaker.state != BreakerState::Open);
        let running: usize = admission.load().iter().map(|(_, running, _)| running).sum();
        let utilisation = running as f64 / admission.capacity().max(1) as f64;
        let now = self.now();
        let transitions = {
            let mut state = self.state();
            let error_rate = state.error_rate(now.as_secs());
            // Without enough calls nothing is known; while there is no trouble that is as good as calm.
            let calm = if state.degradation.level(0) == ServiceLevel::Full { 0.0 } else { f64::NAN };
            let health = if self.settings.is_automatic {
                let error_rate = error_rate.unwrap_or(if has_provider { 0.0 } else { calm });
                Health { error_rate, utilisation, has_provider }
            } else {
                Health { error_rate: 0.0, utilisation: 0.0, has_provider: true }
            };
            state.degradation.observe(now, health)
        };
        self.tell(&transitions);
    }

    /// The level for a tenant tier, 0 for the first.
    pub fn level(&self, tier: usize) -> ServiceLevel {
        self.state().degradation.level(tier)
    }

    /// Sets the level for all, for so long or until it is cleared.
    pub fn set(&self, level: ServiceLevel, lasts: Option<Duration>) {
        let now = self.now();
        let until = lasts.map(|lasts| now.saturating_add(lasts));
        let transitions = self.state().degradation.set_override(now, None, level, until);
        self.tell(&transitions);
    }

    /// Follows the signs again.
    pub fn clear(&self) {
        let transitions = self.state().degradation.clear_override(self.now(), None);
        self.tell(&transitions);
    }

    /// How often the service fell again soon after it had recovered.
    pub fn oscillations(&self) -> u64 {
        self.state().degradation.oscillations()
    }

    /// A model was called; what it failed with, if it did.
    pub(crate) fn called(&self, failure: Option<ModelErrorKind>) {
        let second = self.now().as_secs();
        let failed = failure.is_some_and(|kind| {
            matches!(
                kind,
                ModelErrorKind::Provider
                    | ModelErrorKind::Connect
                    | ModelErrorKind::Overloaded
                    | ModelErrorKind::Timeout(_)
                    | ModelErrorKind::Truncated
                    | ModelErrorKind::Malformed
                    | ModelErrorKind::Unavailable
            )
        });
        let mut state = self.state();
        match state.seconds.back_mut() {
            Some((latest, calls, failures)) if *latest >= second => {
                *calls = calls.saturating_add(1);
                *failures = failures.saturating_add(u32::from(failed));
            }
            _ => state.seconds.push_back((second, 1, u32::from(failed))),
        }
        while state.seconds.front().is_some_and(|(oldest, ..)| oldest + WINDOW <= second) {
            state.seconds.pop_front();
        }
    }

    /// What a caller is told of a failure: in an emergency, where no model could even be asked, what an operator says.
    pub(crate) fn explain(&self, level: ServiceLevel, error: ModelError) -> RequestError {
        if level != ServiceLevel::Emergency || error.kind != ModelErrorKind::Unavailable {
            return error.into();
        }
        let ServiceSettings { contact, expected_recovery, .. } = &self.settings;
        let retry_after = error.retry_after.unwrap_or(UNKNOWN_OUTAGE.mul_f64(1.0 + fastrand::f64()));
        RequestError::Outage { contact: contact.clone(), expected_recovery: *expected_recovery, retry_after }
    }

    /// Every change is for the log: only falls wake anybody.
    fn tell(&self, transitions: &[Transition]) {
        for Transition { tenant_tier, from, to, cause, .. } in transitions {
            measure::service_changed();
            if to > from {
                tracing::warn!(tier = tenant_tier, ?from, ?to, ?cause, "the service is reduced");
            } else {
                tracing::info!(tier = tenant_tier, ?from, ?to, ?cause, "the service has recovered");
            }
        }
    }

    fn now(&self) -> Duration {
        self.clock.instant().duration_since(self.origin)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The share of calls of the last seconds that failed; `None` where they are too few.
    fn error_rate(&self, second: u64) -> Option<f64> {
        let recent = self.seconds.iter().filter(|(at, ..)| at + WINDOW > second);
        let (calls, failures) = recent.fold((0u32, 0u32), |sum, (_, calls, failures)| {
            (sum.0.saturating_add(*calls), sum.1.saturating_add(*failures))
        });
        (calls >= MIN_CALLS).then(|| f64::from(failures) / f64::from(calls))
    }
}

impl Gateway {
    /// How much of the service is offered to a caller, as far as the whole of it goes.
    pub fn level_of(&self, caller: &Caller) -> ServiceLevel {
        self.service.level(self.admission.place_of(caller))
    }

    /// How much of the service is offered to a caller. Where no model of its route can be called it is an emergency for
    /// this route, whatever others can do.
    pub(crate) fn level_for(&self, caller: &Caller, route: &Route) -> ServiceLevel {
        let level = self.level_of(caller);
        let is_watched = self.service.settings.is_automatic;
        if is_watched && self.registry.upstreams().are_down(&route.candidates) {
            return ServiceLevel::Emergency;
        }
        level
    }

    /// Who may answer at this level: at the reduced one the assistant's lesser model before the others, in an emergency what
    /// needs no provider after them.
    pub(crate) fn offered(
        &self,
        level: ServiceLevel,
        route: &Route,
        candidates: Arc<[Candidate]>,
    ) -> Arc<[Candidate]> {
        match level {
            ServiceLevel::Full => candidates,
            ServiceLevel::Reduced => {
                let lesser = route.assistant.as_ref().and_then(|assistant| assistant.reduced_model.as_ref());
                let Some(lesser) = lesser.and_then(|lesser| self.registry.candidates_of(lesser)) else {
                    return candidates;
                };
                let others =
                    candidates.iter().filter(|one| lesser.iter().all(|known| known.name != one.name));
                lesser.iter().chain(others).cloned().collect()
            }
            // Breakers keep those from being called that do not answer, and let through what shows that they do again.
            ServiceLevel::Emergency => {
                let own = self.extractive(route);
                let own = own.iter().flat_map(|own| own.iter());
                let new = own.filter(|own| candidates.iter().all(|known| known.name != own.name));
                candidates.iter().chain(new).cloned().collect()
            }
        }
    }
}
