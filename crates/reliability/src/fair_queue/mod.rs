//! Who runs next where not everybody can: a bulkhead with tiers in strict priority, and a fair share for each tenant
//! within its tier.
//!
//! Within a tier the order is deficit round robin (Shreedhar and Varghese, "Efficient Fair Queuing Using Deficit Round
//! Robin", SIGCOMM 1995), with tokens as the cost. At each visit a tenant is granted its weight times the tier's
//! quantum, and starts requests for as long as the grant covers them. The quantum is the largest cost seen in the tier,
//! but bounded: costs are what callers claim, and one that claims millions would let every tenant start hundreds of
//! requests at each visit, before the others have their turn. Costs are bounded as well, so that a request waits for a
//! constant number of visits, however many tenants wait. (The ordered sets beneath cost the logarithm of how many wait.)

mod drain;
mod tenants;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use self::drain::Drain;
use self::tenants::Tenants;

/// Tokens that a visit grants at most, for a weight of 1: a few usual requests.
const MOST_QUANTUM: u64 = 4_096;
/// Tokens that a request is counted as at most: it waits for no more than 16 visits of [`MOST_QUANTUM`].
const MOST_COST: u64 = 65_536;

/// What a queue holds, and how many run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct QueuePolicy {
    /// Requests that run at once, of all tiers together.
    pub capacity: usize,
    /// Requests that wait, of all tiers together. Where this is less than what the tiers hold, a request of a higher tier
    /// takes the place of one of a lower tier.
    pub max_waiting: usize,
    /// The tiers, the one that drains first at the front.
    pub tiers: Vec<TierPolicy>,
    /// What a tenant that has not waited for a while may take beyond its share; `None` for nothing.
    pub burst: Option<BurstBudget>,
    /// How long a tenant has to go without waiting until its burst budget is back and what it owes is forgiven.
    pub forget_after: Duration,
}

impl QueuePolicy {
    /// As many waiting as the tiers hold together, the default burst, and five minutes of memory.
    pub fn new(capacity: usize, tiers: Vec<TierPolicy>) -> Self {
        Self {
            capacity,
            max_waiting: tiers.iter().fold(0, |sum, tier| sum.saturating_add(tier.max_waiting)),
            tiers,
            burst: Some(BurstBudget::default()),
            forget_after: Duration::from_secs(300),
        }
    }
}

/// What one tier holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TierPolicy {
    /// Requests of this tier that wait.
    pub max_waiting: usize,
    /// Requests of this tier that run at once; `None` for as many as there is capacity.
    pub max_running: Option<usize>,
    /// Requests of one tenant that wait in this tier; `None` for as many as the tier holds.
    pub tenant_waiting: Option<usize>,
    /// How many requests of one tenant, over all tiers, may run when another of this tier starts; `None` for any number.
    pub tenant_running: Option<usize>,
}

impl TierPolicy {
    /// A tier where `max_waiting` wait, without further limits.
    pub const fn new(max_waiting: usize) -> Self {
        Self { max_waiting, max_running: None, tenant_waiting: None, tenant_running: None }
    }
}

/// How far a tenant may go beyond its fair share while others wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BurstBudget {
    /// What its weight is multiplied by. Its share grows by no more than this.
    pub factor: u32,
    /// For how long, from when it first has to share. Afterwards it queues as others do.
    pub lasts: Duration,
}

impl Default for BurstBudget {
    /// Five times the fair share for 30 seconds.
    fn default() -> Self {
        Self { factor: 5, lasts: Duration::from_secs(30) }
    }
}

/// A request that asks to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival<T> {
    /// Index into the tiers; one that does not exist is taken as the lowest.
    pub tier: usize,
    /// Whose request it is.
    pub tenant: T,
    /// The tenant's part relative to others of its tier. Small numbers serve best, 1 for the least: a visit grants this
    /// many times the largest cost seen, which counts as 4,096 tokens at most. 0 is taken as 1.
    pub weight: u32,
    /// The estimated cost in tokens. 0 is taken as 1, and more than 65,536 as that.
    pub cost: u64,
    /// When it is no longer worth starting, as time since the same start as `now`; `Duration::MAX` for never.
    pub deadline: Duration,
}

/// A request in the queue or running.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(u64);

/// What becomes of a request that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It runs; [`FairQueue::finish`] gives its place back.
    Run(Ticket),
    /// It waits until [`FairQueue::next`] names it.
    Wait {
        /// The request.
        ticket: Ticket,
        /// How many wait in its tier and in those above, itself included.
        position: usize,
        /// A request of a lower tier that waited until now and is shed in its place: nothing further is heard of it.
        displaced: Option<Ticket>,
    },
    /// It is turned away.
    Shed {
        /// Why.
        reason: ShedReason,
        /// When it may be worth coming back.
        retry_after: Duration,
    },
}

/// Why a request is turned away.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ShedReason {
    /// Too many of its tenant wait.
    TenantFull,
    /// Too many of its tier wait.
    TierFull,
    /// Too many wait in all, and none of a lower tier.
    QueueFull,
    /// Its deadline has passed.
    DeadlinePassed,
    /// Something that all of them need has nearly run out. The queue does not know of it: whoever asks it does.
    Pressure,
}

/// The queue, as a state that is told the time and what happened.
///
/// After [`finish`](Self::finish), [`cancel`](Self::cancel) and [`set_capacity`](Self::set_capacity), call
/// [`next`](Self::next) to hear who runs; call [`expire`](Self::expire) from time to time. Between tiers the priority is
/// strict: while a request may run, none of a lower tier is started, and the lowest tier is shed first.
#[derive(Debug)]
pub struct FairQueue<T> {
    policy: QueuePolicy,
    tiers: Vec<Tier>,
    tenants: Tenants<T>,
    requests: HashMap<Ticket, Request>,
    deadlines: BTreeSet<(Duration, Ticket)>,
    /// Those whose deadline passed and that [`FairQueue::expire`] has not named yet.
    expired: Vec<Ticket>,
    running: usize,
    last_ticket: u64,
    drain: Drain,
    /// The latest time seen.
    now: Duration,
    /// Visits of the round robin, for a test that they stay few.
    visits: u64,
}

#[derive(Default, Debug)]
struct Tier {
    waiting: BTreeSet<Ticket>,
    running: usize,
    /// The tenants that may start a request, as far as their own limits go, in the order of the round robin.
    ring: BTreeMap<u64, usize>,
    last_place: u64,
    /// The place in the ring that has had the grant of this visit.
    granted: Option<u64>,
    /// Tokens that a visit grants: the largest cost seen, at most [`MOST_QUANTUM`].
    quantum: u64,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    tenant: usize,
    tier: usize,
    cost: u64,
    deadline: Duration,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting,
    /// Started by the round robin, and paid for from the tenant's grant.
    Charged,
    /// Started on arrival, while nobody else could have had the place.
    Free,
}

impl<T: Hash + Eq + Clone> FairQueue<T> {
    /// An empty queue. Without any tier there is one in which nothing waits.
    pub fn new(mut policy: QueuePolicy) -> Self {
        if policy.tiers.is_empty() {
            policy.tiers.push(TierPolicy::new(0));
        }
        Self {
            tiers: policy.tiers.iter().map(|_| Tier::default()).collect(),
            policy,
            tenants: Tenants::default(),
            requests: HashMap::new(),
            deadlines: BTreeSet::new(),
            expired: Vec::new(),
            running: 0,
            last_ticket: 0,
            drain: Drain::default(),
            now: Duration::ZERO,
            visits: 0,
        }
    }

    /// Decides what becomes of a request. It runs only where nobody waits that would come first.
    pub fn arrive(&mut self, now: Duration, arrival: Arrival<T>) -> Decision {
        self.advance(now);
        let tier = arrival.tier.min(self.tiers.len() - 1);
        let policy = self.policy.tiers[tier];
        let Arrival { tenant, weight, deadline, .. } = arrival;
        if deadline <= self.now {
            return self.shed(tier, ShedReason::DeadlinePassed);
        }
        let (its_waiting, its_running) = self.tenants.load(&tenant, tier);
        let mut request =
            Request { tenant: usize::MAX, tier, cost: tokens(arrival.cost), deadline, state: State::Free };
        let has_place = self.running < self.policy.capacity && self.has_place(tier);
        let is_first = self.tiers[tier].ring.is_empty() && (0..tier).all(|above| !self.may_start_one(above));
        if has_place && is_first && its_running < policy.tenant_running.unwrap_or(usize::MAX) {
            request.tenant = self.tenants.enter(tenant, weight, tier, self.now, self.policy.forget_after);
            let ticket = self.ticket();
            self.requests.insert(ticket, request);
            self.count_start(request);
            return Decision::Run(ticket);
        }

        if its_waiting >= policy.tenant_waiting.unwrap_or(usize::MAX) {
            return self.shed(tier, ShedReason::TenantFull);
        }
        if self.tiers[tier].waiting.len() >= policy.max_waiting {
            return self.shed(tier, ShedReason::TierFull);
        }
        let mut displaced = None;
        if self.waiting() >= self.policy.max_waiting {
            displaced = self.tiers[tier + 1..].iter().rev().find_map(|below| below.waiting.last().copied());
            let Some(newest) = displaced else {
                return self.shed(tier, ShedReason::QueueFull);
            };
            self.remove_waiting(newest);
        }
        request.state = State::Waiting;
        request.tenant = self.tenants.enter(tenant, weight, tier, self.now, self.policy.forget_after);
        let ticket = self.ticket();
        self.enqueue(ticket, request);
        Decision::Wait { ticket, position: self.ahead_of(tier), displaced }
    }

    /// Starts those that may run now, and names them in their order. No place is left free that somebody may have.
    pub fn next(&mut self, now: Duration) -> Vec<Ticket> {
        self.advance(now);
        let mut started = Vec::new();
        while self.running < self.policy.capacity {
            let Some(ticket) = (0..self.tiers.len())
                .find(|&tier| self.may_start_one(tier))
                .and_then(|tier| self.start_one(tier))
            else {
                break;
            };
            started.push(ticket);
        }
        started
    }

    /// Gives the place of a running request back, and answers whether it ran.
    pub fn finish(&mut self, ticket: Ticket, now: Duration) -> bool {
        self.advance(now);
        let Some(request) = self.requests.get(&ticket).copied() else { return false };
        if request.state == State::Waiting {
            return false;
        }
        self.requests.remove(&ticket);
        self.running -= 1;
        self.tiers[request.tier].running -= 1;
        self.tenants[request.tenant].running -= 1;
        self.drain.record(self.now);
        self.review(request.tenant);
        true
    }

    /// Takes a waiting request out of the queue, and answers whether it waited.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        self.remove_waiting(ticket)
    }

    /// Cancels a waiting request or finishes a running one: what a guard does when it is dropped. Answers whether the
    /// request was there.
    pub fn leave(&mut self, ticket: Ticket, now: Duration) -> bool {
        self.cancel(ticket) || self.finish(ticket, now)
    }

    /// Corrects what a running request was charged once its actual cost in tokens is known. What was too little is owed
    /// before the tenant's next start. Call it before [`finish`](Self::finish); the last call counts. Answers whether
    /// the request runs.
    pub fn settle(&mut self, ticket: Ticket, actual_cost: u64) -> bool {
        let Some(request) = self.requests.get_mut(&ticket) else { return false };
        if request.state == State::Waiting {
            return false;
        }
        let actual = tokens(actual_cost);
        let estimated = std::mem::replace(&mut request.cost, actual);
        let Request { tenant, tier, state, .. } = *request;
        // Whoever started while nobody else wanted the place took nothing from anybody.
        if state == State::Charged {
            self.tiers[tier].has_seen(actual);
            if let Some(flow) = self.tenants[tenant].flow(tier) {
                flow.deficit += i128::from(estimated) - i128::from(actual);
                flow.keep_no_credit_while_empty();
            }
        }
        true
    }

    /// Removes the waiting requests whose deadline has passed, and names all that were removed for it since the last
    /// call.
    pub fn expire(&mut self, now: Duration) -> Vec<Ticket> {
        self.advance(now);
        std::mem::take(&mut self.expired)
    }

    /// Changes how many run at once. Where more run already, none starts until enough have finished.
    pub fn set_capacity(&mut self, capacity: usize) {
        self.policy.capacity = capacity;
    }

    /// How many may run at once.
    pub fn capacity(&self) -> usize {
        self.policy.capacity
    }

    /// How many run, of all tiers.
    pub fn running(&self) -> usize {
        self.running
    }

    /// How many run of one tier; none of one that does not exist.
    pub fn running_in(&self, tier: usize) -> usize {
        self.tiers.get(tier).map_or(0, |tier| tier.running)
    }

    /// How many wait, of all tiers.
    pub fn waiting(&self) -> usize {
        self.requests.len() - self.running
    }

    /// How many wait in one tier; none in one that does not exist.
    pub fn waiting_in(&self, tier: usize) -> usize {
        self.tiers.get(tier).map_or(0, |tier| tier.waiting.len())
    }

    /// After how long a request of `tier` would come to run if it queued now, from how fast requests finished in the last
    /// minute: the `Retry-After` of those that are shed, displaced or expired.
    pub fn retry_after(&self, tier: usize) -> Duration {
        self.drain.time_for(self.now, self.ahead_of(tier.min(self.tiers.len() - 1)) + 1)
    }

    fn shed(&self, tier: usize, reason: ShedReason) -> Decision {
        Decision::Shed { reason, retry_after: self.retry_after(tier) }
    }

    fn ahead_of(&self, tier: usize) -> usize {
        self.tiers[..=tier].iter().map(|tier| tier.waiting.len()).sum()
    }

    fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    fn has_place(&self, tier: usize) -> bool {
        self.tiers[tier].running < self.policy.tiers[tier].max_running.unwrap_or(usize::MAX)
    }

    fn may_start_one(&self, tier: usize) -> bool {
        !self.tiers[tier].ring.is_empty() && self.has_place(tier)
    }

    /// Moves the time on. What has expired leaves before anything else is decided.
    fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        while let Some(&(deadline, ticket)) = self.deadlines.first() {
            if deadline > self.now || !self.remove_waiting(ticket) {
                break;
            }
            self.expired.push(ticket);
        }
        self.tenants.forget(self.now, self.policy.forget_after);
    }

    fn enqueue(&mut self, ticket: Ticket, request: Request) {
        let tier = &mut self.tiers[request.tier];
        tier.has_seen(request.cost);
        tier.waiting.insert(ticket);
        self.deadlines.insert((request.deadline, ticket));
        self.requests.insert(ticket, request);
        let tenant = &mut self.tenants[request.tenant];
        tenant.waiting += 1;
        if let Some(flow) = tenant.flow(request.tier) {
            flow.waiting.insert(ticket);
        }
        self.review(request.tenant);
    }

    fn remove_waiting(&mut self, ticket: Ticket) -> bool {
        let Some(request) = self.requests.get(&ticket).copied() else { return false };
        if request.state != State::Waiting {
            return false;
        }
        self.requests.remove(&ticket);
        self.unqueue(ticket, request);
        self.review(request.tenant);
        true
    }

    fn unqueue(&mut self, ticket: Ticket, request: Request) {
        self.tiers[request.tier].waiting.remove(&ticket);
        self.deadlines.remove(&(request.deadline, ticket));
        let tenant = &mut self.tenants[request.tenant];
        tenant.waiting -= 1;
        tenant.waited_at = self.now;
        if let Some(flow) = tenant.flow(request.tier) {
            flow.waiting.remove(&ticket);
        }
    }

    fn count_start(&mut self, request: Request) {
        self.running += 1;
        self.tiers[request.tier].running += 1;
        self.tenants[request.tenant].running += 1;
        self.review(request.tenant);
    }

    /// Starts the next request of a tier in which one may start.
    fn start_one(&mut self, tier: usize) -> Option<Ticket> {
        loop {
            let (&place, &tenant) = self.tiers[tier].ring.first_key_value()?;
            self.visits += 1;
            if self.tiers[tier].granted != Some(place) {
                self.grant(tier, place, tenant);
            }
            let flow = self.tenants[tenant].flow(tier)?;
            let ticket = *flow.waiting.first()?;
            let request = self.requests.get_mut(&ticket)?;
            let cost = i128::from(request.cost);
            if flow.deficit >= cost {
                flow.deficit -= cost;
                request.state = State::Charged;
                let request = *request;
                self.unqueue(ticket, request);
                self.count_start(request);
                return Some(ticket);
            }
            // What is left of the grant is kept for the next visit.
            let tier = &mut self.tiers[tier];
            tier.ring.remove(&place);
            flow.place = Some(tier.place(tenant));
        }
    }

    fn grant(&mut self, tier: usize, place: u64, tenant: usize) {
        let queue = &mut self.tiers[tier];
        queue.granted = Some(place);
        let must_share = queue.ring.len() > 1;
        let tenant = &mut self.tenants[tenant];
        let factor = self.policy.burst.map_or(1, |burst| tenant.burst(burst, must_share, self.now));
        let grant = tenant.grant(queue.quantum, factor);
        if let Some(flow) = tenant.flow(tier) {
            flow.deficit += grant;
        }
    }

    /// Puts a tenant into the rings where it may start a request and takes it out of the others, after what it runs or
    /// what it waits for has changed.
    fn review(&mut self, tenant: usize) {
        let account = &mut self.tenants[tenant];
        let running = account.running;
        let weight = i128::from(account.weight);
        for flow in &mut account.flows {
            let tier = &mut self.tiers[flow.tier];
            let most = self.policy.tiers[flow.tier].tenant_running.unwrap_or(usize::MAX);
            let may_start = !flow.waiting.is_empty() && running < most;
            match flow.place {
                None if may_start => flow.place = Some(tier.place(tenant)),
                Some(place) if !may_start => {
                    tier.ring.remove(&place);
                    flow.place = None;
                    // A tenant held back by its own limit must not save up grants that it then spends at once.
                    flow.deficit = flow.deficit.min(weight * i128::from(tier.quantum));
                    flow.keep_no_credit_while_empty();
                }
                _ => {}
            }
        }
        self.tenants.review(tenant, self.now);
    }
}

impl Tier {
    fn has_seen(&mut self, cost: u64) {
        self.quantum = self.quantum.max(cost.min(MOST_QUANTUM));
    }

    /// A new place for `tenant` at the end of the ring.
    fn place(&mut self, tenant: usize) -> u64 {
        self.last_place += 1;
        self.ring.insert(self.last_place, tenant);
        self.last_place
    }
}

/// A cost as it is counted: nothing is free, or a tenant could start any number within one visit, and nothing is dearer than
/// a constant number of visits.
fn tokens(cost: u64) -> u64 {
    cost.clamp(1, MOST_COST)
}
