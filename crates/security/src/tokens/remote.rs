//! Keys that are fetched from an identity provider: always at hand, never long out of date.
//!
//! A set is fresh for a while. In the last fifth of that it is fetched again while requests go on with it. A set that has
//! become older without anybody asking is fetched before it is used: keys may have been withdrawn. Where that fails, the old
//! set counts for a day more, and nobody waits for the provider any longer; attempts go on in the background, as often as a
//! breaker allows. A key that is not in the set has it fetched out of turn, seldom.
//!
//! A fetch is a task of its own, one at a time: whoever waits may go away without ending it for the others. No lock is held
//! while anybody waits.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use mainstay_domain::Clock;
use mainstay_domain::config::Secret;
use mainstay_reliability::{Breaker, BreakerReport, BreakerSettings, CallResult, Permit};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::key_set::{KeySet, KeySetFault};
use super::settings::KeyRefresh;

/// What speaks with identity providers.
#[async_trait]
pub trait IssuerClient: Send + Sync {
    /// The body that a GET of the address answers with status 200. Reads at most 1 MiB and follows no redirect to another
    /// host or to plain `http`. Dropping the future cancels the request.
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, IssuerError>;

    /// The body that a POST of a form (`application/x-www-form-urlencoded`) answers with status 200, under the same rules.
    /// `authorization`: the header of that name.
    async fn exchange(
        &self,
        url: &str,
        form: &Secret,
        authorization: Option<&Secret>,
    ) -> Result<Vec<u8>, IssuerError>;
}

/// Why an identity provider gave nothing that can be used.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The provider could not be reached, or did not finish its answer.
    #[error("the identity provider could not be asked: {0}")]
    Unreachable(String),
    /// It answered something else.
    #[error("the identity provider answered with status {0}")]
    Status(u16),
    /// It did not answer in time.
    #[error("the identity provider did not answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// It answered with something that is no key set.
    #[error("what the identity provider answered cannot be used: {0}")]
    Unusable(#[from] KeySetFault),
}

/// The longest that a fetch takes. Longer than requests wait for it: the next one may have its result.
const LONGEST_FETCH: Duration = Duration::from_secs(10);

/// Three failures, then a rest of 5 s that grows to a minute: users cannot sign in until the provider is back, so it is
/// looked for often.
const BREAKER: BreakerSettings = BreakerSettings {
    failures: 3,
    error_rate: 1.0,
    window: Duration::from_secs(10),
    min_calls: u32::MAX,
    recovery: Duration::from_secs(5),
    longest_recovery: Duration::from_secs(60),
    probes: 1,
};

/// The fetches of all issuers.
#[derive(Clone)]
pub(super) struct Fetches {
    source: Arc<dyn IssuerClient>,
    clock: Clock,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Fetches {
    pub(super) fn new(source: Arc<dyn IssuerClient>, clock: Clock) -> Self {
        Self { source, clock, tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Ends those that are under way. One that is begun later ends at once, as failed.
    pub(super) async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn spawn(&self, fetch: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.stop.clone().run_until_cancelled_owned(fetch));
    }
}

/// The fetched keys of one issuer.
pub(super) struct RemoteKeys {
    issuer: Arc<str>,
    url: String,
    refresh: KeyRefresh,
    clock: Clock,
    fetches: Fetches,
    /// What the breaker's moments are counted from.
    origin: Instant,
    state: Mutex<State>,
}

struct State {
    held: Option<Held>,
    /// The fetch that is under way. Its sender is dropped when it has ended.
    flight: Option<Flight>,
    breaker: Breaker,
    /// Whether the last fetch failed.
    is_failing: bool,
    /// When the keys were last fetched because one was unknown.
    sought_at: Option<Instant>,
}

/// A set of keys.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) set: Arc<KeySet>,
    /// Counts the different sets.
    pub(super) version: u64,
    fetched_at: Instant,
}

#[derive(Clone)]
struct Flight {
    ended: watch::Receiver<()>,
    started_at: Instant,
}

/// There are no keys: none was ever fetched, or those that were are too old.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NoKeys;

/// What became of the search for a key that is not in the set.
pub(super) enum Search {
    /// There is a newer set.
    Fetched(Held),
    /// The set is up to date, as far as may be asked.
    NotThere,
    /// The provider does not answer.
    Unavailable,
}

impl RemoteKeys {
    pub(super) fn new(issuer: Arc<str>, url: String, refresh: KeyRefresh, fetches: Fetches) -> Self {
        let clock = fetches.clock;
        let state = State {
            held: None,
            flight: None,
            breaker: Breaker::new(BREAKER),
            is_failing: false,
            sought_at: None,
        };
        Self { issuer, url, refresh, clock, fetches, origin: clock.instant(), state: Mutex::new(state) }
    }

    /// How the provider fares.
    pub(super) fn breaker(&self) -> BreakerReport {
        let now = self.since_origin(self.clock.instant());
        self.state().breaker.report(now)
    }

    /// Which set there is, without a look at its age: what was verified with another one is verified anew.
    pub(super) fn version(&self) -> Option<u64> {
        self.state().held.as_ref().map(|held| held.version)
    }

    /// The keys that count now, fetched where that must be.
    pub(super) async fn current(self: &Arc<Self>) -> Result<Held, NoKeys> {
        let (flight, wait_until) = {
            let mut state = self.state();
            let now = self.clock.instant();
            let usable = self.usable(&state, now);
            let age = usable.as_ref().map(|held| now.saturating_duration_since(held.fetched_at));
            let is_due = age.is_none_or(|age| age >= self.refresh.fresh / 5 * 4);
            let flight = if is_due { self.fly(&mut state, now) } else { None };
            match (usable, flight) {
                (Some(held), flight) => {
                    let is_fresh = age.is_some_and(|age| age < self.refresh.fresh);
                    match flight {
                        Some(flight) if !is_fresh && !state.is_failing => {
                            let wait_until = flight.started_at + self.refresh.wait;
                            (flight, wait_until)
                        }
                        _ => return Ok(held),
                    }
                }
                (None, Some(flight)) => (flight, now + self.refresh.wait),
                (None, None) => return Err(NoKeys),
            }
        };
        self.wait(flight, wait_until).await;
        self.usable(&self.state(), self.clock.instant()).ok_or(NoKeys)
    }

    /// Looks for a key that `seen` does not have. `since` is when the request began: a set that was fetched for it is not
    /// fetched again.
    pub(super) async fn search(self: &Arc<Self>, seen: &Held, since: Instant) -> Search {
        let (flight, wait_until) = {
            let mut state = self.state();
            let now = self.clock.instant();
            match &state.held {
                Some(held) if held.version != seen.version => return Search::Fetched(held.clone()),
                Some(held) if held.fetched_at >= since => return Search::NotThere,
                _ => {}
            }
            let flight = match state.flight.clone() {
                Some(flight) => Some(flight),
                None => {
                    let pause = self.refresh.unknown_key_pause;
                    let may = state.sought_at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
                    if may {
                        state.sought_at = Some(now);
                        self.fly(&mut state, now)
                    } else {
                        None
                    }
                }
            };
            match flight {
                Some(flight) => (flight, now + self.refresh.wait),
                None if state.is_failing => return Search::Unavailable,
                None => return Search::NotThere,
            }
        };
        self.wait(flight, wait_until).await;
        let state = self.state();
        match &state.held {
            Some(held) if held.version != seen.version => Search::Fetched(held.clone()),
            Some(held) if held.fetched_at > seen.fetched_at => Search::NotThere,
            _ => Search::Unavailable,
        }
    }

    fn usable(&self, state: &State, now: Instant) -> Option<Held> {
        let is_usable = |held: &&Held| now.saturating_duration_since(held.fetched_at) < self.refresh.stale;
        state.held.as_ref().filter(is_usable).cloned()
    }

    async fn wait(&self, mut flight: Flight, until: Instant) {
        let left = until.saturating_duration_since(self.clock.instant());
        // Whether it has ended or the time has run out, what there is by then counts.
        let _ = self.clock.timeout(left, flight.ended.changed()).await;
    }

    /// The fetch that is under way, or a new one; `None` while the provider is left alone.
    fn fly(self: &Arc<Self>, state: &mut State, now: Instant) -> Option<Flight> {
        if let Some(flight) = &state.flight {
            return Some(flight.clone());
        }
        let permit = state.breaker.admit(self.since_origin(now)).ok()?;
        let (sender, ended) = watch::channel(());
        let flight = Flight { ended, started_at: now };
        state.flight = Some(flight.clone());
        let landing = Landing { keys: self.clone(), permit, started_at: now, result: None, _sender: sender };
        self.fetches.spawn(landing.fetch());
        Some(flight)
    }

    async fn fetch(&self) -> Result<KeySet, IssuerError> {
        let fetched = self.clock.timeout(LONGEST_FETCH, self.fetches.source.fetch(&self.url)).await;
        let bytes = fetched.ok_or(IssuerError::TimedOut(LONGEST_FETCH))??;
        Ok(KeySet::read(&bytes)?)
    }

    fn since_origin(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a fetch exactly once, also one that panicked or was cut off.
struct Landing {
    keys: Arc<RemoteKeys>,
    permit: Permit,
    started_at: Instant,
    result: Option<KeySet>,
    /// Dropped after the state was changed: those who wait then see it.
    _sender: watch::Sender<()>,
}

impl Landing {
    async fn fetch(mut self) {
        match self.keys.fetch().await {
            Ok(set) => self.result = Some(set),
            Err(error) => {
                let issuer = &*self.keys.issuer;
                tracing::warn!(issuer, %error, "the keys of an identity provider could not be fetched");
            }
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        let now = self.keys.clock.instant();
        let mut state = self.keys.state();
        let result = if self.result.is_some() { CallResult::Succeeded } else { CallResult::Failed };
        state.breaker.record(self.keys.since_origin(now), self.permit, result);
        state.flight = None;
        state.is_failing = self.result.is_none();
        let Some(set) = self.result.take() else { return };
        // What was asked for at a moment was true at that moment at the latest.
        let fetched_at = self.started_at;
        let (set, version) = match &state.held {
            Some(held) if *held.set == set => (held.set.clone(), held.version),
            Some(held) => (Arc::new(set), held.version + 1),
            None => (Arc::new(set), 1),
        };
        state.held = Some(Held { set, version, fetched_at });
    }
}
