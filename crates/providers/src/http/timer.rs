//! The time limits of one call, on one timer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mainstay_domain::{Clock, Deadline, TimeoutPhase};
use tokio::time::{Instant, Sleep};

/// How long each phase of a call may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// Name resolution, TCP and TLS.
    pub connect: Duration,
    /// From the request's last byte to the response's headers, of a streamed answer. A whole answer has its headers
    /// only when it is finished, so there `total` alone holds.
    pub headers: Duration,
    /// From the headers to the first token of a streamed answer. A model may reason before it.
    pub first_token: Duration,
    /// Between two pieces of an answer.
    pub idle: Duration,
    /// The whole call. The request's own deadline holds too.
    pub total: Duration,
}

impl Default for Timeouts {
    /// A provider on another continent connects within a second; a queue before the model may take a minute, reasoning
    /// two; ten minutes is where the OpenAI SDKs give up.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            headers: Duration::from_secs(60),
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: Duration::from_secs(600),
        }
    }
}

/// Watches the phase that a call is in, and the call as a whole.
///
/// One timer serves all phases, and it is moved only when a limit comes nearer or when it fires: a piece of an answer
/// that arrives in time costs one reading of the clock.
pub(super) struct PhaseTimer {
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
    phase: TimeoutPhase,
    limit: Option<Duration>,
    since: Instant,
    total_at: Instant,
}

impl PhaseTimer {
    /// Starts with `phase`, which may take `limit`; the whole may take until `deadline`.
    pub(super) fn start(
        clock: Clock,
        deadline: Deadline,
        phase: TimeoutPhase,
        limit: Option<Duration>,
    ) -> Self {
        let since = clock.instant();
        let total_at = since + deadline.remaining(&clock);
        let first = due(since, limit, total_at);
        Self { clock, sleep: Box::pin(tokio::time::sleep_until(first)), phase, limit, since, total_at }
    }

    /// Enters another phase.
    pub(super) fn enter(&mut self, phase: TimeoutPhase, limit: Duration) {
        self.phase = phase;
        self.limit = Some(limit);
        self.since = self.clock.instant();
        let due = self.due();
        if due < self.sleep.deadline() {
            self.sleep.as_mut().reset(due);
        }
    }

    /// Something has happened, so the limit of the phase starts anew.
    pub(super) fn progress(&mut self) {
        self.since = self.clock.instant();
    }

    /// Ready with the phase whose time has run out.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<TimeoutPhase> {
        let since = self.since;
        self.poll_since(cx, || Some(since))
    }

    /// As [`PhaseTimer::poll`], for a phase of which `began` says when it began: `None` while it has not. It is asked
    /// only when the timer fires.
    pub(super) fn poll_since(
        &mut self,
        cx: &mut Context<'_>,
        began: impl Fn() -> Option<Instant>,
    ) -> Poll<TimeoutPhase> {
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let now = self.clock.instant();
            if now >= self.total_at {
                return Poll::Ready(TimeoutPhase::Total);
            }
            self.since = began().unwrap_or(now);
            let due = self.due();
            if now >= due {
                return Poll::Ready(self.phase);
            }
            self.sleep.as_mut().reset(due);
        }
    }

    fn due(&self) -> Instant {
        due(self.since, self.limit, self.total_at)
    }
}

fn due(since: Instant, limit: Option<Duration>, total_at: Instant) -> Instant {
    limit.map_or(total_at, |limit| total_at.min(since + limit))
}
