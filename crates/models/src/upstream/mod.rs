//! Calls of models that hold when a provider fails: which upstream is called, how often, after how long, and what happens
//! to an answer that breaks off.
//!
//! [`Upstreams`] knows how each upstream fares; [`Upstreams::complete`] and [`Upstreams::stream`] answer one request over
//! its candidates. What an attempt is, and what follows its failure, is decided in [`attempts`]; an answer that broke off
//! in its midst is continued in [`stream`]; one that is slow to begin is asked for twice in [`race`].

mod ability;
mod attempts;
mod health;
mod race;
mod splice;
mod stream;
#[cfg(test)]
mod tests;
mod tools;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mainstay_domain::chat::tokens_of;
use mainstay_domain::port::{ChatModel, ModelCall};
use mainstay_domain::{Clock, Completion, ModelError, RegionName, Usage};
use mainstay_reliability::{BreakerSettings, RetryPolicy};
use tokio::time::Instant;

pub use ability::{Abilities, Prefill};
use attempts::Attempts;
pub(crate) use attempts::{out_of_region, unavailable};
pub(crate) use health::result_of;
pub use health::{Health, HealthReport};
pub use stream::{AttemptedStream, Step};

use crate::assistant::ModelName;

/// By what rules calls are made again, elsewhere, or not at all.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct CallPolicy {
    /// Calls of one request in all, the first included, and how long is waited between two at one upstream.
    pub retries: RetryPolicy,
    /// What of the traffic to an upstream may be repetition, 0 to 1.
    pub retry_share: f64,
    /// What of the streams of an upstream may be asked for a second time because their first content takes longer than
    /// that of 95 of 100, 0 to 1. The one that begins first is the answer; the other is dropped.
    pub hedge_share: f64,
    /// When an upstream that fails is not called any more.
    pub breaker: BreakerSettings,
    /// How long the first content of a stream is held back, so that an answer that breaks off at once can be begun anew
    /// unseen. Zero holds nothing back.
    pub hold_back: Duration,
    /// Whether an answer that a provider's safety filter refuses is asked of the next model.
    pub refusals_fall_back: bool,
}

impl Default for CallPolicy {
    /// Three calls, a fifth of the traffic, none made twice for their slowness, nothing held back, refusals reported.
    fn default() -> Self {
        Self {
            retries: RetryPolicy::default(),
            retry_share: 0.2,
            hedge_share: 0.0,
            breaker: BreakerSettings::default(),
            hold_back: Duration::ZERO,
            refusals_fall_back: false,
        }
    }
}

/// One of the models that may answer a request.
#[derive(Clone)]
pub struct Candidate {
    /// `provider/model`.
    pub name: ModelName,
    /// Answers for it.
    pub model: Arc<dyn ChatModel>,
    /// What it can do.
    pub abilities: Abilities,
    /// Where it is, where that is known; `None` of what runs in this process, too.
    pub region: Option<RegionName>,
    /// How it fares.
    pub health: Arc<Health>,
}

impl Candidate {
    /// Whether data that has to stay in a region may be sent to it: what runs in this process is where the data is.
    pub fn is_within(&self, region: Option<&RegionName>) -> bool {
        region.is_none_or(|region| &*self.name.provider == "builtin" || self.region.as_ref() == Some(region))
    }
}

/// What happens on the way to an answer, for who books it. Every call of a model is announced before it is made.
#[derive(Clone, PartialEq, Debug)]
pub enum Note {
    /// This model is called.
    Began(ModelName),
    /// The call that was announced last has failed.
    Failed {
        /// Why.
        kind: mainstay_domain::ModelErrorKind,
        /// Tokens that the provider had reported until then.
        reported: Option<Usage>,
        /// Tokens of the answer that had come, as an estimate.
        completion: u64,
        /// Whether the provider had accepted the call, so that it may charge for it.
        may_be_billed: bool,
    },
    /// The call that was announced last takes long and is made a second time. One of both will be dropped, and its prompt
    /// is charged.
    Hedged,
    /// The call that was announced last goes on where one before it broke off. So many tokens of its answer, as an
    /// estimate, were not passed on, because the caller has them.
    Resumed {
        /// The tokens.
        replayed: u64,
    },
}

/// All upstreams, and how they fare.
pub struct Upstreams {
    policy: CallPolicy,
    clock: Clock,
    origin: Instant,
    /// Of the upstreams whose breakers are set apart.
    breakers: HashMap<ModelName, BreakerSettings>,
    health: Mutex<HashMap<ModelName, Arc<Health>>>,
}

/// Upstreams that are remembered. Names come from callers; those that fare well are forgotten first.
const REMEMBERED: usize = 1_024;

impl Upstreams {
    /// Upstreams of which nothing is known yet.
    pub fn new(
        policy: CallPolicy,
        breakers: impl IntoIterator<Item = (ModelName, BreakerSettings)>,
        clock: Clock,
    ) -> Arc<Self> {
        let breakers = breakers.into_iter().collect();
        Arc::new(Self { policy, clock, origin: clock.instant(), breakers, health: Mutex::default() })
    }

    /// How the upstream fares.
    pub fn health(&self, name: &ModelName) -> Arc<Health> {
        let mut known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = known.get(name) {
            return health.clone();
        }
        if known.len() >= REMEMBERED {
            let now = self.now();
            known.retain(|_, health| Arc::strong_count(health) > 1 || !health.is_well(now));
        }
        let breaker = self.breakers.get(name).copied().unwrap_or(self.policy.breaker);
        let health =
            Arc::new(Health::new(name.clone(), breaker, self.policy.retry_share, self.policy.hedge_share));
        if known.len() < REMEMBERED {
            known.insert(name.clone(), health.clone());
        }
        health
    }

    /// How all upstreams fare that were called or are configured, by name.
    pub fn reports(&self) -> Vec<HealthReport> {
        let now = self.now();
        let known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reports: Vec<HealthReport> = known.values().map(|health| health.report(now)).collect();
        reports.sort_by(|one, other| one.model.cmp(&other.model));
        reports
    }

    /// The whole answer of the first candidate that gives one. `client_retries`: how often the caller's SDK has tried
    /// already; those count, so that its retries and ours do not multiply. Dropping the future cancels the call.
    pub async fn complete(
        self: &Arc<Self>,
        candidates: Arc<[Candidate]>,
        call: ModelCall,
        client_retries: u32,
        note: &mut (dyn FnMut(Note) + Send),
    ) -> Result<Completion, ModelError> {
        self.answer(Attempts::new(self.clone(), candidates, call, client_retries), note).await
    }

    /// The whole answer of one model, after which others are asked: it is called once, is left some of the time alone, and
    /// is not called while it rests.
    pub async fn complete_before_others(
        self: &Arc<Self>,
        candidate: Candidate,
        call: ModelCall,
        note: &mut (dyn FnMut(Note) + Send),
    ) -> Result<Completion, ModelError> {
        self.answer(Attempts::before_others(self.clone(), candidate, call), note).await
    }

    async fn answer(
        self: &Arc<Self>,
        mut attempts: Attempts,
        note: &mut (dyn FnMut(Note) + Send),
    ) -> Result<Completion, ModelError> {
        loop {
            let attempt = attempts.begin()?;
            note(Note::Began(attempt.name().clone()));
            let model = attempt.model().clone();
            let (error, reported, completion) = match model.complete(attempts.call_of(&attempt)).await {
                Ok(cut) if tools::has_cut_call(&cut) => {
                    let said = cut.choices.iter().map(|choice| tokens_of(&choice.message)).sum();
                    (tools::cut_call(&attempt.name().provider), cut.usage, said)
                }
                Ok(completion) => {
                    attempt.succeeded();
                    return Ok(completion);
                }
                Err(error) => (attempts.blame(error), None, 0),
            };
            attempt.failed(&error);
            note(Note::of_failure(&error, reported, completion));
            let wait = attempts.after(error)?;
            self.clock.sleep_unless_zero(wait).await;
        }
    }

    /// The answer in pieces. Nothing is called before the stream is polled.
    pub fn stream(
        self: &Arc<Self>,
        candidates: Arc<[Candidate]>,
        call: ModelCall,
        client_retries: u32,
    ) -> AttemptedStream {
        AttemptedStream::new(Attempts::new(self.clone(), candidates, call, client_retries))
    }

    /// Calls of one request, at most.
    pub fn most_attempts(&self) -> u32 {
        self.policy.retries.attempts.max(1)
    }

    /// Whether an answer that a provider's safety filter refuses is asked of the next model.
    pub fn refusals_fall_back(&self) -> bool {
        self.policy.refusals_fall_back
    }

    /// Whether none of these is called at present, because all of them fail.
    pub fn are_down(&self, candidates: &[Candidate]) -> bool {
        let now = self.now();
        candidates.iter().all(|one| !one.health.would_admit(now))
    }

    /// Since the upstreams were made; what the state machines of `mainstay-reliability` reckon with.
    pub(crate) fn now(&self) -> Duration {
        self.clock.instant().duration_since(self.origin)
    }
}

impl Note {
    fn of_failure(error: &ModelError, reported: Option<Usage>, completion: u64) -> Self {
        let may_be_billed = error.kind.may_be_billed() || reported.is_some() || completion > 0;
        Self::Failed { kind: error.kind, reported, completion, may_be_billed }
    }
}
