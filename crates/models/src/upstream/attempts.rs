//! The attempts at one request: which candidate is next, and what follows a failure.

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::port::{ChatModel, ModelCall};
use mainstay_domain::{Deadline, ModelError, ModelErrorKind, RegionName, TimeoutPhase};
use mainstay_reliability::{CallResult, Permit};

use super::ability::Needs;
use super::{Candidate, Upstreams, result_of};
use crate::assistant::ModelName;

/// The attempts at one request.
pub(super) struct Attempts {
    upstreams: Arc<Upstreams>,
    candidates: Arc<[Candidate]>,
    call: ModelCall,
    needs: Needs,
    /// The candidate that is called.
    at: usize,
    /// Calls in all, and of this candidate.
    made: u32,
    made_here: u32,
    /// The most calls in all.
    most: u32,
    /// Whether others are asked after these.
    has_successor: bool,
    /// Why a candidate was passed over, for when there is none left.
    passed_over: Option<ModelError>,
    /// The context of a model that the prompt did not fit into.
    too_small: Option<u64>,
}

/// A call that is made. Dropping it says nothing of the upstream: the caller went away.
pub(super) struct Attempt {
    upstreams: Arc<Upstreams>,
    candidate: Candidate,
    /// Given back at the end; that of a probe when its answer begins, so that the next one need not wait for all of it.
    permit: Option<Permit>,
    deadline: Deadline,
    /// When it was begun; where it is the second of a hedged call, when the first was.
    since: Duration,
}

/// A wait that another upstream is worth more than.
const PATIENCE: Duration = Duration::from_secs(2);

/// What of the time that is left the upstream may take while there is another one to ask after it.
const SHARE: f64 = 2.0 / 3.0;

/// What a failure leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Class {
    /// The same call may succeed later, here or elsewhere.
    Transient,
    /// It stays so here.
    Elsewhere,
    /// No model will do better.
    Final,
}

impl Attempts {
    pub(super) fn new(
        upstreams: Arc<Upstreams>,
        candidates: Arc<[Candidate]>,
        call: ModelCall,
        client_retries: u32,
    ) -> Self {
        let attempts = upstreams.policy.retries.attempts.max(1);
        // Each candidate is worth a call, whatever the client has tried.
        let candidates_worth = u32::try_from(candidates.len()).unwrap_or(u32::MAX).clamp(1, attempts);
        let most = attempts.saturating_sub(client_retries).max(candidates_worth);
        Self {
            needs: Needs::of(&call.request),
            upstreams,
            candidates,
            call,
            at: 0,
            made: 0,
            made_here: 0,
            most,
            has_successor: false,
            passed_over: None,
            too_small: None,
        }
    }

    /// The attempt at one model after which others are asked.
    pub(super) fn before_others(upstreams: Arc<Upstreams>, candidate: Candidate, call: ModelCall) -> Self {
        let attempts = Self::new(upstreams, Arc::new([candidate]), call, 0);
        Self { most: 1, has_successor: true, ..attempts }
    }

    pub(super) fn upstreams(&self) -> &Arc<Upstreams> {
        &self.upstreams
    }

    pub(super) fn call(&self) -> &ModelCall {
        &self.call
    }

    /// The next call, of the candidate that is called or the first one after it that can be.
    pub(super) fn begin(&mut self) -> Result<Attempt, ModelError> {
        let now = self.upstreams.now();
        while let Some(candidate) = self.candidates.get(self.at).cloned() {
            match self.obstacle(&candidate, now) {
                Some(obstacle) => self.pass_over(obstacle),
                None => match self.admit(&candidate, now) {
                    Ok(permit) => {
                        self.made += 1;
                        self.made_here += 1;
                        let deadline = if self.has_successor || self.others() > 0 {
                            self.call.deadline.within(&self.upstreams.clock, self.patience())
                        } else {
                            self.call.deadline
                        };
                        let upstreams = self.upstreams.clone();
                        return Ok(Attempt {
                            upstreams,
                            candidate,
                            permit: Some(permit),
                            deadline,
                            since: now,
                        });
                    }
                    Err(wait) => self.pass_over(unavailable(&candidate.name, wait)),
                },
            }
            self.next();
        }
        Err(self.passed_over.take().unwrap_or_else(|| ModelError {
            kind: ModelErrorKind::Unavailable,
            provider: "mainstay".to_owned(),
            status: None,
            message: "no model is configured for this request".to_owned(),
            retry_after: None,
        }))
    }

    /// Where all of those that are somebody else's rest, one of them is tried all the same now and then: a provider that
    /// is well again should not be waited for.
    fn admit(&self, candidate: &Candidate, now: Duration) -> Result<Permit, Duration> {
        candidate.health.admit(now, self.made_here == 0).or_else(|wait| {
            let is_remote = |one: &&Candidate| &*one.name.provider != "builtin";
            let can_answer =
                |one: &Candidate| self.obstacle(one, now).is_none() && one.health.would_admit(now);
            let is_only_hope = !self.has_successor
                && self.made == 0
                && !self.candidates.iter().filter(is_remote).any(can_answer);
            is_only_hope.then(|| candidate.health.admit_early(now)).flatten().ok_or(wait)
        })
    }

    /// The call of the attempt once more, beside it, where there is a call left for that beside those that are kept for
    /// other models.
    pub(super) fn hedge(&mut self, attempt: &Attempt) -> Option<Attempt> {
        if self.most.saturating_sub(self.made) <= self.others() {
            return None;
        }
        let permit = attempt.candidate.health.hedge(self.upstreams.now())?;
        self.made += 1;
        self.made_here += 1;
        Some(Attempt {
            upstreams: self.upstreams.clone(),
            candidate: attempt.candidate.clone(),
            permit: Some(permit),
            deadline: attempt.deadline,
            since: attempt.since,
        })
    }

    /// The call as the attempt makes it when it wants the whole answer.
    pub(super) fn call_of(&self, attempt: &Attempt) -> ModelCall {
        ModelCall {
            model: attempt.candidate.name.model.to_string(),
            deadline: attempt.deadline,
            ..self.call.clone()
        }
    }

    /// How long a stream may take until its first content, while there is another candidate after it.
    pub(super) fn first_content_within(&self) -> Option<Duration> {
        (self.others() > 0).then(|| self.patience())
    }

    /// A call that was given less time than the request has failed for the upstream's slowness, not for the caller's haste.
    pub(super) fn blame(&self, mut error: ModelError) -> ModelError {
        let is_ours = !self.call.deadline.has_passed(&self.upstreams.clock);
        if error.kind == ModelErrorKind::Timeout(TimeoutPhase::Total) && is_ours {
            error.kind = ModelErrorKind::Timeout(TimeoutPhase::FirstToken);
        }
        error
    }

    /// What follows the failure of the call that was begun last: the next one after so long, or the end.
    pub(super) fn after(&mut self, error: ModelError) -> Result<Duration, ModelError> {
        let now = self.upstreams.now();
        let left = self.call.deadline.remaining(&self.upstreams.clock);
        let class = self.class_of(error.kind);
        let Some(candidate) = self.candidates.get(self.at).cloned() else { return Err(error) };
        if error.kind == ModelErrorKind::ContextTooLong {
            self.too_small = Some(candidate.abilities.context_tokens.unwrap_or(0));
        }
        if let (ModelErrorKind::RateLimited | ModelErrorKind::Overloaded, Some(wait)) =
            (error.kind, error.retry_after)
        {
            candidate.health.is_busy_for(now, wait);
        }
        if class == Class::Final || self.made >= self.most || left.is_zero() {
            return Err(error);
        }
        let others = self.others();
        if class == Class::Transient {
            let wait = self.upstreams.policy.retries.wait(self.made_here, error.retry_after);
            let is_slow = matches!(error.kind, ModelErrorKind::Timeout(_))
                || error.retry_after.is_some_and(|asked| asked > PATIENCE);
            // One call is kept for each of those that come after.
            let is_worth = self.most - self.made > others && !(is_slow && others > 0);
            if is_worth
                && wait < left
                && candidate.health.would_admit(now)
                && candidate.health.may_repeat(now)
            {
                return Ok(wait);
            }
        }
        if others == 0 {
            return Err(error);
        }
        self.next();
        self.passed_over = Some(error);
        Ok(Duration::ZERO)
    }

    /// Goes to the next candidate, whatever became of this one.
    pub(super) fn next(&mut self) {
        self.at += 1;
        self.made_here = 0;
    }

    /// Whether a further call may be made at all.
    pub(super) fn may_go_on(&self) -> bool {
        self.made < self.most && !self.call.deadline.has_passed(&self.upstreams.clock)
    }

    fn class_of(&self, kind: ModelErrorKind) -> Class {
        match kind {
            ModelErrorKind::ContentFilter if !self.upstreams.policy.refusals_fall_back => Class::Final,
            ModelErrorKind::InvalidRequest => Class::Final,
            // What is no answer of the provider's may be one cut short, or come from something in between.
            ModelErrorKind::Malformed => Class::Transient,
            kind if kind.is_transient() => Class::Transient,
            _ => Class::Elsewhere,
        }
    }

    /// Candidates after this one that could be called.
    fn others(&self) -> u32 {
        let now = self.upstreams.now();
        let after = self.candidates.iter().skip(self.at + 1);
        after.filter(|one| self.obstacle(one, now).is_none() && one.health.would_admit(now)).count() as u32
    }

    fn patience(&self) -> Duration {
        self.call.deadline.remaining(&self.upstreams.clock).mul_f64(SHARE)
    }

    /// Why a candidate is not worth a call.
    fn obstacle(&self, candidate: &Candidate, now: Duration) -> Option<ModelError> {
        let region = self.call.region.as_ref();
        if let Some(region) = region.filter(|region| !candidate.is_within(Some(region))) {
            return Some(out_of_region(&candidate.name, region));
        }
        if let Some(lacking) = self.needs.lacking(&candidate.abilities) {
            return Some(ModelError {
                kind: if lacking == "a prompt of this length" {
                    ModelErrorKind::ContextTooLong
                } else {
                    ModelErrorKind::Unsupported
                },
                provider: candidate.name.provider.to_string(),
                status: None,
                message: format!("the model {} does not take {lacking}", candidate.name),
                retry_after: None,
            });
        }
        let is_no_larger = |most: u64| self.too_small.is_some_and(|too_small| most <= too_small);
        if candidate.abilities.context_tokens.is_some_and(is_no_larger) {
            return Some(ModelError {
                kind: ModelErrorKind::ContextTooLong,
                provider: candidate.name.provider.to_string(),
                status: None,
                message: format!("the context of {} is no larger", candidate.name),
                retry_after: None,
            });
        }
        // Who asked to be left alone is left alone while there is somebody else.
        let busy = candidate.health.busy_for(now);
        let is_last = self.candidates.last().is_some_and(|last| last.name == candidate.name);
        (!busy.is_zero() && !is_last && self.made_here == 0).then(|| ModelError {
            kind: ModelErrorKind::RateLimited,
            provider: candidate.name.provider.to_string(),
            status: None,
            message: format!("{} has asked to be left alone for a while", candidate.name),
            retry_after: Some(busy),
        })
    }

    /// A failure says more than a reason not to call, and the soonest that something can be called is worth knowing.
    fn pass_over(&mut self, obstacle: ModelError) {
        let is_better = match &self.passed_over {
            None => true,
            Some(known) if known.kind == ModelErrorKind::Unavailable => {
                obstacle.kind == ModelErrorKind::Unavailable && obstacle.retry_after < known.retry_after
            }
            Some(known) => matches!(known.kind, ModelErrorKind::Unsupported | ModelErrorKind::OutOfRegion),
        };
        if is_better {
            self.passed_over = Some(obstacle);
        }
    }
}

/// The refusal of a model that is not where the data has to stay.
pub(crate) fn out_of_region(model: &ModelName, region: &RegionName) -> ModelError {
    ModelError {
        kind: ModelErrorKind::OutOfRegion,
        provider: model.provider.to_string(),
        status: None,
        message: format!(
            "{model} is not in {region}, where the data of this tenant has to stay; `region` of [providers.{}] says where it is",
            model.provider
        ),
        retry_after: None,
    }
}

impl Attempt {
    pub(super) fn name(&self) -> &ModelName {
        &self.candidate.name
    }

    pub(super) fn model(&self) -> &Arc<dyn ChatModel> {
        &self.candidate.model
    }

    pub(super) fn candidate(&self) -> &Candidate {
        &self.candidate
    }

    /// A streamed call is made: after how long it may be made a second time.
    pub(super) fn hedge_after(&self) -> Option<Duration> {
        self.candidate.health.hedge_after()
    }

    /// The first content has come. A probe has then seen what it was for.
    pub(super) fn began(&mut self) {
        self.candidate.health.began_after(self.upstreams.now().saturating_sub(self.since));
        if let Some(permit) = self.permit.take_if(|permit| permit.is_probe()) {
            self.candidate.health.record(self.upstreams.now(), permit, CallResult::Succeeded);
        }
    }

    pub(super) fn succeeded(mut self) {
        if let Some(permit) = self.permit.take() {
            self.candidate.health.record(self.upstreams.now(), permit, CallResult::Succeeded);
        }
    }

    pub(super) fn failed(mut self, error: &ModelError) {
        let (now, result) = (self.upstreams.now(), result_of(error.kind));
        match self.permit.take() {
            Some(permit) => self.candidate.health.record(now, permit, result),
            None if result == CallResult::Failed => self.candidate.health.failed_late(now),
            None => {}
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            self.candidate.health.record(self.upstreams.now(), permit, CallResult::Unknown);
        }
    }
}

pub(crate) fn unavailable(name: &ModelName, wait: Duration) -> ModelError {
    ModelError {
        kind: ModelErrorKind::Unavailable,
        provider: name.provider.to_string(),
        status: None,
        message: format!("{name} has failed repeatedly and is given time to recover"),
        // Whoever is told the same moment comes back at the same moment.
        retry_after: Some(wait + wait.mul_f64(fastrand::f64() / 2.0)),
    }
}
