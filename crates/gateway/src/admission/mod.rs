//! Whether a request is answered now, later, or not: limits on how much each caller may ask, and a queue where not everybody
//! can be answered at once.
//!
//! A request passes the limits first: they say no without work. Then it takes a place in the queue, which drains the tiers
//! in their order and is fair to the tenants of a tier. [`Admitted`] is the place; dropping it lets the next one in.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{Caller, Clock, Deadline, KeyId, TenantId, TierName};
use mainstay_ops::measure;
use mainstay_reliability::{
    Allowance, Arrival, Decision, FairQueue, GradientLimit, GradientPolicy, Level, PressureGauge,
    PressurePolicy, QueuePolicy, Rate, RateTable, ShedReason, Signal, Ticket, TierPolicy,
};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// How many requests are answered, and whose.
#[derive(Clone, PartialEq, Debug)]
pub struct AdmissionSettings {
    /// Requests that are answered at once.
    pub concurrency: usize,
    /// Whether that number follows the time to first token, as the most.
    pub adaptive: bool,
    /// Requests that wait, of all tiers together.
    pub max_waiting: usize,
    /// The longest that a request waits; its deadline holds too.
    pub longest_wait: Duration,
    /// How long a search should take: at twice that it has run out.
    pub search_target: Duration,
    /// What each API key may ask.
    pub per_key: Limits,
    /// What each end user may ask: the `user` of a request, within its tenant.
    pub per_user: Limits,
    /// What each address may ask.
    pub per_address: Limits,
    /// What each API key may do beside asking: requests to documents and to the administration, which wait in no queue.
    pub administration: Option<Rate>,
    /// The tiers, the one that is answered first at the front; never empty. Keys without a tier are in the last.
    pub tiers: Vec<TierSettings>,
}

/// A group of tenants that is served alike.
#[derive(Clone, PartialEq, Debug)]
pub struct TierSettings {
    /// Its name, as keys have it.
    pub name: TierName,
    /// What each tenant of the tier may ask.
    pub limits: Limits,
    /// Requests of the tier that wait.
    pub max_waiting: usize,
    /// Requests of the tier that are answered at once; `None` for as many as there are places.
    pub max_running: Option<usize>,
    /// Whether who waits is told the place in the queue, by a stream that begins at once.
    pub announces_place: bool,
    /// Where whoever is turned away can get more.
    pub upgrade_url: Option<String>,
}

/// How much may be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// Requests.
    pub requests: Option<Rate>,
    /// Tokens of prompts and answers.
    pub tokens: Option<Rate>,
}

/// How much one search counts among those of lately.
const SEARCH_WEIGHT: f64 = 0.1;

/// For how long searches say something about those to come.
const SEARCHES_KEPT: Duration = Duration::from_secs(10);

/// The tier that there is where the configuration has none.
const ONLY_TIER: &str = "standard";

impl Default for AdmissionSettings {
    /// A thousand at once and as many waiting, half a minute at most; nobody is limited.
    fn default() -> Self {
        Self {
            concurrency: 1_000,
            adaptive: false,
            max_waiting: 1_000,
            longest_wait: Duration::from_secs(30),
            search_target: Duration::from_secs(2),
            per_key: Limits::default(),
            per_user: Limits::default(),
            per_address: Limits::default(),
            administration: None,
            tiers: vec![TierSettings::named(TierName::new(ONLY_TIER))],
        }
    }
}

impl TierSettings {
    /// A tier without limits of its own.
    pub fn named(name: TierName) -> Self {
        Self {
            name,
            limits: Limits::default(),
            max_waiting: 1_000,
            max_running: None,
            announces_place: false,
            upgrade_url: None,
        }
    }
}

/// A request that asks to be answered.
#[derive(Clone, Debug)]
pub struct Applicant<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The end user whom the caller names.
    pub user: Option<&'a str>,
    /// Where the request comes from.
    pub address: Option<IpAddr>,
    /// Tokens of the prompt and of the answer, as an estimate.
    pub tokens: u64,
    /// When the answer is no longer wanted.
    pub deadline: Deadline,
    /// Is told the place in the queue.
    pub place: &'a watch::Sender<usize>,
}

/// Where a caller stands: the `x-ratelimit-*` headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The limit of requests that is the nearest.
    pub requests: Option<Allowance>,
    /// The limit of tokens that is the nearest.
    pub tokens: Option<Allowance>,
    /// How close this server is to its limits.
    pub level: Level,
}

/// Why a request is not answered.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Refusal {
    /// The caller has asked too much.
    #[error("{}", describe_limit(.whose, .what, .wait))]
    Limited {
        /// Whose limit it is: `key`, `user`, `address`, `tier`.
        whose: &'static str,
        /// What is limited: `requests`, `tokens`, `administration`.
        what: &'static str,
        /// How long until it may be asked again; `None` where it never may, because it is more than the limit.
        wait: Option<Duration>,
        /// Where the caller stands.
        standing: Standing,
    },
    /// There is no room.
    #[error("{}", describe_shed(.tier, .reason, .upgrade_url))]
    Shed {
        /// The caller's tier.
        tier: TierName,
        /// Why.
        reason: ShedReason,
        /// When it may be worth coming back.
        retry_after: Duration,
        /// Where the caller can get more.
        upgrade_url: Option<String>,
        /// How close this server is to its limits.
        level: Level,
    },
}

fn describe_limit(whose: &str, what: &str, wait: &Option<Duration>) -> String {
    let what = if what == ADMINISTRATION { "requests to documents and administration" } else { what };
    match wait {
        Some(wait) => format!(
            "the limit of {what} a minute of this {whose} is reached; ask again in {} s",
            wait.as_secs_f64().ceil()
        ),
        None => format!(
            "the request needs more {what} than the limit of this {whose} ever allows: make it shorter, or lower \
             max_tokens"
        ),
    }
}

fn describe_shed(tier: &TierName, reason: &ShedReason, upgrade_url: &Option<String>) -> String {
    let why = match reason {
        ShedReason::TenantFull => "too many of your requests are waiting already",
        ShedReason::TierFull | ShedReason::QueueFull => "high demand: there is no room to wait",
        ShedReason::DeadlinePassed => "high demand: no place came free in time",
        ShedReason::Pressure => "the server is close to its limits",
    };
    match upgrade_url {
        Some(url) => format!("{why} for the tier \"{tier}\"; ask again later, or see {url}"),
        None => format!("{why} for the tier \"{tier}\"; ask again later"),
    }
}

impl Refusal {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Limited { wait: Some(_), .. } => "rate_limit_exceeded",
            Self::Limited { wait: None, .. } => "request_exceeds_limit",
            Self::Shed { .. } => "over_capacity",
        }
    }

    /// When it may be worth coming back.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited { wait, .. } => *wait,
            Self::Shed { retry_after, .. } => Some(*retry_after),
        }
    }
}

/// Whose bucket it is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Holder {
    Key(KeyId),
    User(TenantId, String),
    Address(IpAddr),
    Tier(TenantId),
}

impl Holder {
    const fn name(&self) -> &'static str {
        match self {
            Self::Key(_) => "key",
            Self::User(..) => "user",
            Self::Address(_) => "address",
            Self::Tier(_) => "tier",
        }
    }
}

/// What is limited of requests that ask nothing.
const ADMINISTRATION: &str = "administration";

/// Buckets that are remembered, of each kind.
const REMEMBERED: usize = 200_000;

/// Decides which requests are answered.
pub struct Admission {
    settings: AdmissionSettings,
    requests: RateTable<Holder>,
    tokens: RateTable<Holder>,
    administration: RateTable<KeyId>,
    state: Mutex<State>,
    clock: Clock,
    origin: Instant,
}

struct State {
    queue: FairQueue<TenantId>,
    waiting: HashMap<Ticket, Waiter>,
    gauge: PressureGauge,
    /// What else can run out, each once, and how close that is.
    signals: Vec<Signal>,
    /// What searches took lately, in seconds, and when the last one ended.
    searches: Option<(f64, Duration)>,
    guard: PressureGauge,
    gradient: Option<GradientLimit>,
}

/// A request that waits.
struct Waiter {
    call: oneshot::Sender<Called>,
    place: watch::Sender<usize>,
}

/// What a waiting request hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Called {
    /// Its turn has come.
    In,
    /// It is turned away for one of a higher tier.
    Out,
}

impl Admission {
    /// With nobody in it.
    pub fn new(settings: AdmissionSettings, clock: Clock) -> Arc<Self> {
        let tiers = settings
            .tiers
            .iter()
            .map(|tier| TierPolicy { max_running: tier.max_running, ..TierPolicy::new(tier.max_waiting) });
        let policy = QueuePolicy {
            max_waiting: settings.max_waiting,
            ..QueuePolicy::new(settings.concurrency, tiers.collect())
        };
        let most = u32::try_from(settings.concurrency).unwrap_or(u32::MAX);
        let gradient = settings
            .adaptive
            // It begins with all of it and follows the time to first token of streams down from there: where nothing is
            // streamed nothing is learned.
            .then(|| GradientLimit::new(GradientPolicy { initial: most, most, ..GradientPolicy::default() }));
        let mut queue = FairQueue::new(policy);
        if let Some(gradient) = &gradient {
            queue.set_capacity(gradient.limit());
        }
        Arc::new(Self {
            requests: RateTable::new(REMEMBERED),
            tokens: RateTable::new(REMEMBERED),
            administration: RateTable::new(REMEMBERED),
            state: Mutex::new(State {
                queue,
                waiting: HashMap::new(),
                gauge: PressureGauge::new(PressurePolicy::default()),
                signals: Vec::new(),
                searches: None,
                guard: PressureGauge::new(PressurePolicy::default()),
                gradient,
            }),
            settings,
            clock,
            origin: clock.instant(),
        })
    }

    /// The names of the tiers, the one that is answered first at the front.
    pub fn tiers(&self) -> impl Iterator<Item = &TierName> {
        self.settings.tiers.iter().map(|tier| &tier.name)
    }

    /// Lets a request in, once there is room for it, or refuses it. Dropping the future leaves the queue.
    pub async fn admit(self: &Arc<Self>, applicant: Applicant<'_>) -> Result<Admitted, Refusal> {
        let tier = self.tier_of(applicant.caller);
        let mut charged = self.charge(&applicant, tier)?;
        let refused = |reason, retry_after, level| {
            let TierSettings { name, upgrade_url, .. } = &self.settings.tiers[tier];
            measure::shed(name.as_str(), shed_name(reason));
            Refusal::Shed { tier: name.clone(), reason, retry_after, upgrade_url: upgrade_url.clone(), level }
        };
        let longest = applicant.deadline.remaining(&self.clock).min(self.settings.longest_wait);
        let (call, called) = oneshot::channel();
        let (decision, level) = {
            let mut state = self.state();
            let now = self.now();
            let level = state.observe(now, &self.settings);
            if state.guards_against(now, tier, &self.settings) {
                drop(state);
                charged.give_back(self);
                return Err(refused(ShedReason::Pressure, PressurePolicy::default().hold, level));
            }
            let tenant = applicant.caller.tenant.clone();
            let deadline = now.saturating_add(longest);
            let weight = applicant.caller.allotment.weight;
            let arrival = Arrival { tier, tenant, weight, cost: applicant.tokens, deadline };
            let decision = state.queue.arrive(now, arrival);
            // Before anybody else can look at the queue: whoever is called must be there to hear it.
            if let Decision::Wait { ticket, position, displaced } = decision {
                if let Some(displaced) = displaced {
                    state.call(displaced, Called::Out);
                }
                if self.settings.tiers[tier].announces_place {
                    applicant.place.send_replace(position);
                }
                state.waiting.insert(ticket, Waiter { call, place: applicant.place.clone() });
            }
            (decision, level)
        };
        let ticket = match decision {
            Decision::Run(ticket) => return Ok(self.admitted(ticket, charged, level)),
            Decision::Wait { ticket, .. } => ticket,
            Decision::Shed { reason, retry_after } => {
                charged.give_back(self);
                return Err(refused(reason, retry_after, level));
            }
        };
        // From here on the place in the queue is given up when the future is dropped.
        let mut admitted = self.admitted(ticket, charged, level);
        let reason = match self.clock.timeout(longest, called).await {
            Some(Ok(Called::In)) => {
                applicant.place.send_replace(0);
                let waited = self.clock.instant().saturating_duration_since(admitted.since);
                measure::waited(self.settings.tiers[tier].name.as_str(), waited);
                admitted.since = self.clock.instant();
                return Ok(admitted);
            }
            Some(Ok(Called::Out)) => ShedReason::QueueFull,
            Some(Err(_)) | None => ShedReason::DeadlinePassed,
        };
        let retry_after = self.state().queue.retry_after(tier);
        admitted.charged.give_back(self);
        Err(refused(reason, retry_after, level))
    }

    /// Lets a request in that asks nothing: one to documents or to the administration. Such a request takes no place in the queue,
    /// and nothing of what its caller may ask.
    ///
    /// # Errors
    /// [`Refusal::Limited`] beyond the limit of such requests.
    pub fn admit_administration(&self, caller: &Caller) -> Result<(), Refusal> {
        let Some(rate) = self.settings.administration else { return Ok(()) };
        self.administration.take(&caller.holder(), rate, self.now(), 1).map(drop).map_err(|wait| {
            let (whose, what) = ("key", ADMINISTRATION);
            measure::limited(whose, what);
            let standing = Standing { requests: Some(wait.allowance), tokens: None, level: self.level() };
            Refusal::Limited { whose, what, wait: wait.after, standing }
        })
    }

    /// Notes how close something else is to its limit, which all requests need: the level rises with it, and from a high
    /// level on the lowest tiers are refused.
    pub fn note(&self, signal: Signal) {
        let mut state = self.state();
        match state.signals.iter_mut().find(|known| known.name == signal.name) {
            Some(known) => *known = signal,
            None => state.signals.push(signal),
        }
    }

    /// Notes how long a search took. Searches that take twice their target are as good as none, and each more makes it worse.
    pub fn note_search(&self, took: Duration) {
        let mut state = self.state();
        let now = self.now();
        // One search that takes long, the first one perhaps, is no sign: it begins at nothing, and none counts without bound.
        let took = took.min(4 * self.settings.search_target).as_secs_f64();
        let before = state.searches_lately(now).unwrap_or(0.0);
        state.searches = Some((before + SEARCH_WEIGHT * (took - before), now));
    }

    /// How close this server is to its limits.
    pub fn level(&self) -> Level {
        let mut state = self.state();
        let now = self.now();
        state.observe(now, &self.settings)
    }

    /// Requests that are answered and that wait, by tier, for the metrics.
    pub fn load(&self) -> Vec<(TierName, usize, usize)> {
        let state = self.state();
        let of_tier = |(at, tier): (usize, &TierSettings)| {
            (tier.name.clone(), state.queue.running_in(at), state.queue.waiting_in(at))
        };
        self.settings.tiers.iter().enumerate().map(of_tier).collect()
    }

    /// How many may be answered at once at this moment.
    pub fn capacity(&self) -> usize {
        self.state().queue.capacity()
    }

    /// The caller's tier by its place, 0 for the one that is answered first.
    pub fn place_of(&self, caller: &Caller) -> usize {
        self.tier_of(caller)
    }

    /// A key's tier; the last where it has none or one that the configuration does not have any more.
    fn tier_of(&self, caller: &Caller) -> usize {
        let named = caller.tier.as_ref();
        let found = named.and_then(|name| self.settings.tiers.iter().position(|tier| tier.name == *name));
        found.unwrap_or(self.settings.tiers.len() - 1)
    }

    /// What the caller's tenant may ask: its own limits, and what the tier allows each tenant where it has none.
    fn limits_of(&self, caller: &Caller, tier: usize) -> Limits {
        let of_tier = self.settings.tiers[tier].limits;
        let own = |limit: Option<u32>| {
            limit.map(|limit| Rate { per_minute: u64::from(limit), burst: u64::from(limit) })
        };
        Limits {
            requests: own(caller.allotment.requests_per_minute).or(of_tier.requests),
            tokens: own(caller.allotment.tokens_per_minute).or(of_tier.tokens),
        }
    }

    /// Charges every limit that holds for the request, or none.
    fn charge(&self, applicant: &Applicant<'_>, tier: usize) -> Result<Charged, Refusal> {
        let tenant = &applicant.caller.tenant;
        let holders = [
            (self.settings.per_address, applicant.address.map(Holder::Address)),
            (self.settings.per_key, Some(Holder::Key(applicant.caller.holder()))),
            (
                self.settings.per_user,
                applicant.user.map(|user| Holder::User(tenant.clone(), user.to_owned())),
            ),
            (self.limits_of(applicant.caller, tier), Some(Holder::Tier(tenant.clone()))),
        ];
        let now = self.now();
        let mut charged = Charged {
            tokens: applicant.tokens,
            requests_of: Vec::new(),
            tokens_of: Vec::new(),
            standing: None,
        };
        let (mut requests, mut tokens) = (None, None);
        for (limits, holder) in holders {
            let Some(holder) = holder else { continue };
            for (what, rate, cost) in
                [("requests", limits.requests, 1), ("tokens", limits.tokens, applicant.tokens)]
            {
                let Some(rate) = rate else { continue };
                let is_requests = what == "requests";
                let table = if is_requests { &self.requests } else { &self.tokens };
                let nearest = if is_requests { &mut requests } else { &mut tokens };
                match table.take(&holder, rate, now, cost) {
                    Ok(allowance) => {
                        *nearest = Some(nearer(*nearest, allowance));
                        let of = if is_requests { &mut charged.requests_of } else { &mut charged.tokens_of };
                        of.push((holder.clone(), rate));
                    }
                    Err(wait) => {
                        *nearest = Some(nearer(*nearest, wait.allowance));
                        let whose = holder.name();
                        charged.give_back(self);
                        measure::limited(whose, what);
                        let standing = Standing { requests, tokens, level: self.level() };
                        return Err(Refusal::Limited { whose, what, wait: wait.after, standing });
                    }
                }
            }
        }
        charged.standing = Some((requests, tokens));
        Ok(charged)
    }

    fn admitted(self: &Arc<Self>, ticket: Ticket, charged: Charged, level: Level) -> Admitted {
        let (requests, tokens) = charged.standing.unwrap_or_default();
        let standing = Standing { requests, tokens, level };
        let since = self.clock.instant();
        Admitted { admission: self.clone(), ticket, charged, standing, since, has_begun: false }
    }

    fn now(&self) -> Duration {
        self.clock.instant().duration_since(self.origin)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn shed_name(reason: ShedReason) -> &'static str {
    match reason {
        ShedReason::TenantFull => "tenant_full",
        ShedReason::TierFull => "tier_full",
        ShedReason::QueueFull => "queue_full",
        ShedReason::DeadlinePassed => "waited_too_long",
        ShedReason::Pressure => "pressure",
    }
}

/// The one of two limits of which less is left, as a share.
fn nearer(known: Option<Allowance>, other: Allowance) -> Allowance {
    let left = |allowance: &Allowance| allowance.remaining as f64 / (allowance.limit.max(1)) as f64;
    match known {
        Some(known) if left(&known) <= left(&other) => known,
        _ => other,
    }
}

impl State {
    /// Looks at how close the limits are.
    fn observe(&mut self, now: Duration, settings: &AdmissionSettings) -> Level {
        let (running, waiting) = (self.queue.running() as f64, self.queue.waiting() as f64);
        // Up to half of the way to a full server everybody is answered at once; the rest is the queue.
        let busy = Signal::of("concurrency", 0.7 * running, self.queue.capacity() as f64);
        let queued = Signal::of("queue", waiting, settings.max_waiting as f64);
        // The highest alone decides.
        let others = self.shared_signals(now, settings).into_iter().filter(|signal| !signal.value.is_nan());
        let others = others.max_by(|one, other| one.value.total_cmp(&other.value));
        self.gauge.observe(now, &[busy, queued, others.unwrap_or(busy)]).level
    }

    /// What all requests need and what can run out beside places.
    fn shared_signals(&self, now: Duration, settings: &AdmissionSettings) -> Vec<Signal> {
        let searches = self.searches_lately(now).map_or(0.0, |seconds| seconds);
        let searches = Signal::late("search", Duration::from_secs_f64(searches), settings.search_target);
        self.signals.iter().copied().chain([searches]).collect()
    }

    /// What searches took; nothing when there was none for a while. So nobody is refused for good because of searches of before.
    fn searches_lately(&self, now: Duration) -> Option<f64> {
        self.searches.filter(|(_, at)| now.saturating_sub(*at) < SEARCHES_KEPT).map(|(seconds, _)| seconds)
    }

    /// Whether a tier is refused because something that all need has nearly run out: at a high level the lowest, if there
    /// are several; at a critical one all but the first, or all where there is one alone.
    fn guards_against(&mut self, now: Duration, tier: usize, settings: &AdmissionSettings) -> bool {
        let tiers = settings.tiers.len();
        let is_lowest = tier + 1 == tiers;
        let signals = self.shared_signals(now, settings);
        match self.guard.observe(now, &signals).level {
            Level::Normal | Level::Elevated => false,
            Level::High => tiers > 1 && is_lowest,
            Level::Critical => tier > 0 || tiers == 1,
        }
    }

    /// Calls in those whose turn has come.
    fn call_next(&mut self, now: Duration) {
        for ticket in self.queue.next(now) {
            self.call(ticket, Called::In);
        }
    }

    /// Tells a waiting request. One that is not there any more is about to leave by itself.
    fn call(&mut self, ticket: Ticket, called: Called) {
        if let Some(waiter) = self.waiting.remove(&ticket) {
            let _ = waiter.call.send(called);
        }
    }

    /// Tells those who wait that they have moved up by one.
    fn move_up(&mut self) {
        for waiter in self.waiting.values() {
            waiter.place.send_if_modified(|place| {
                let moves = *place > 1;
                *place -= usize::from(moves);
                moves
            });
        }
    }
}

/// What was charged for a request.
#[derive(Clone, Debug)]
struct Charged {
    tokens: u64,
    requests_of: Vec<(Holder, Rate)>,
    tokens_of: Vec<(Holder, Rate)>,
    standing: Option<(Option<Allowance>, Option<Allowance>)>,
}

impl Charged {
    /// Of a request that was not answered.
    fn give_back(&mut self, admission: &Admission) {
        let now = admission.now();
        for (holder, rate) in self.requests_of.drain(..) {
            admission.requests.give_back(&holder, rate, now, 1);
        }
        for (holder, rate) in self.tokens_of.drain(..) {
            admission.tokens.give_back(&holder, rate, now, self.tokens);
        }
    }
}

/// A request that is answered. Dropping it lets the next one in.
pub struct Admitted {
    admission: Arc<Admission>,
    ticket: Ticket,
    charged: Charged,
    standing: Standing,
    since: Instant,
    /// Whether a model is called for it: until then it takes no tokens.
    has_begun: bool,
}

impl Admitted {
    /// Where its caller stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The first token has come: how long that took is what an adaptive limit follows.
    pub fn first_token(&self) {
        let after = self.admission.clock.instant().duration_since(self.since);
        let mut state = self.admission.state();
        let running = state.queue.running();
        let Some(gradient) = &mut state.gradient else { return };
        gradient.record(after, running);
        let capacity = gradient.limit();
        state.queue.set_capacity(capacity);
        state.call_next(self.admission.now());
    }

    /// A model is called for it now: from here on it takes of its caller's limits what it is expected to, until it is known
    /// what that is.
    pub fn begins(&mut self) {
        self.has_begun = true;
    }

    /// What it has used in the end: the estimate is put right.
    pub fn used(&mut self, tokens: u64) {
        self.has_begun = true;
        let now = self.admission.now();
        for (holder, rate) in &self.charged.tokens_of {
            self.admission.tokens.settle(holder, *rate, now, self.charged.tokens, tokens);
        }
        self.charged.tokens = tokens;
        self.admission.state().queue.settle(self.ticket, tokens);
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        // Refused for another reason, or gone while it waited.
        if !self.has_begun {
            self.used(0);
        }
        let now = self.admission.now();
        let mut state = self.admission.state();
        state.waiting.remove(&self.ticket);
        state.queue.leave(self.ticket, now);
        // Their own clocks tell those whose time is over.
        state.queue.expire(now);
        if !state.waiting.is_empty() {
            state.move_up();
        }
        state.call_next(now);
    }
}
