//! What a queue knows of its tenants, for as long as it matters.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use super::{BurstBudget, Ticket};

/// Tenants without a request that are remembered; beyond it the one idle for longest is forgotten early.
const MOST_IDLE: usize = 100_000;

/// The tenants that wait, run, or did so lately, by a number that stays theirs until they are forgotten.
#[derive(Debug)]
pub(super) struct Tenants<T> {
    numbers: HashMap<T, usize>,
    accounts: Vec<Account<T>>,
    unused: Vec<usize>,
    /// Those without a request, the one idle for longest first.
    idle: BTreeSet<(Duration, usize)>,
}

/// What is known of one tenant.
#[derive(Debug)]
pub(super) struct Account<T> {
    pub(super) tenant: T,
    pub(super) weight: u32,
    pub(super) waiting: usize,
    pub(super) running: usize,
    /// When it last had a waiting request.
    pub(super) waited_at: Duration,
    /// One for each tier it came with: one, as a rule.
    pub(super) flows: Vec<Flow>,
    burst: Burst,
    idle_since: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Burst {
    Unused,
    Until(Duration),
}

/// A tenant's queue in one tier.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) tier: usize,
    pub(super) waiting: BTreeSet<Ticket>,
    /// Tokens granted and not used; below zero, tokens owed.
    pub(super) deficit: i128,
    /// Its place in the ring of the tier.
    pub(super) place: Option<u64>,
}

impl<T> Default for Tenants<T> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), accounts: Vec::new(), unused: Vec::new(), idle: BTreeSet::new() }
    }
}

impl<T> Index<usize> for Tenants<T> {
    type Output = Account<T>;

    fn index(&self, number: usize) -> &Account<T> {
        &self.accounts[number]
    }
}

impl<T> IndexMut<usize> for Tenants<T> {
    fn index_mut(&mut self, number: usize) -> &mut Account<T> {
        &mut self.accounts[number]
    }
}

impl<T: Hash + Eq + Clone> Tenants<T> {
    /// How many requests of `tenant` wait in `tier`, and how many run in all.
    pub(super) fn load(&self, tenant: &T, tier: usize) -> (usize, usize) {
        self.numbers.get(tenant).map_or((0, 0), |&number| {
            let account = &self.accounts[number];
            let flow = account.flows.iter().find(|flow| flow.tier == tier);
            (flow.map_or(0, |flow| flow.waiting.len()), account.running)
        })
    }

    /// The number of a tenant that brings a request.
    pub(super) fn enter(
        &mut self,
        tenant: T,
        weight: u32,
        tier: usize,
        now: Duration,
        forget_after: Duration,
    ) -> usize {
        let number = self.number(tenant, now);
        let account = &mut self.accounts[number];
        if let Some(since) = account.idle_since.take() {
            self.idle.remove(&(since, number));
        }
        account.weight = weight.max(1);
        if account.waiting == 0 && now.saturating_sub(account.waited_at) >= forget_after {
            account.burst = Burst::Unused;
            account.flows.iter_mut().for_each(|flow| flow.deficit = 0);
        }
        if account.flow(tier).is_none() {
            account.flows.push(Flow { tier, waiting: BTreeSet::new(), deficit: 0, place: None });
        }
        number
    }

    fn number(&mut self, tenant: T, now: Duration) -> usize {
        if let Some(&number) = self.numbers.get(&tenant) {
            return number;
        }
        let account = Account {
            tenant: tenant.clone(),
            weight: 1,
            waiting: 0,
            running: 0,
            waited_at: now,
            flows: Vec::new(),
            burst: Burst::Unused,
            idle_since: None,
        };
        let number = self.unused.pop().unwrap_or(self.accounts.len());
        match self.accounts.get_mut(number) {
            Some(unused) => *unused = account,
            None => self.accounts.push(account),
        }
        self.numbers.insert(tenant, number);
        number
    }

    /// Begins to forget a tenant whose last request has ended.
    pub(super) fn review(&mut self, number: usize, now: Duration) {
        let account = &mut self.accounts[number];
        if account.waiting == 0 && account.running == 0 && account.idle_since.is_none() {
            account.idle_since = Some(now);
            self.idle.insert((now, number));
            if self.idle.len() > MOST_IDLE {
                self.forget_first();
            }
        }
    }

    /// Forgets those that have been idle for `after`.
    pub(super) fn forget(&mut self, now: Duration, after: Duration) {
        while self.idle.first().is_some_and(|&(since, _)| now.saturating_sub(since) >= after) {
            self.forget_first();
        }
    }

    /// How many are remembered without a request.
    #[cfg(test)]
    pub(super) fn idle_len(&self) -> usize {
        self.idle.len()
    }

    fn forget_first(&mut self) {
        if let Some((_, number)) = self.idle.pop_first() {
            let account = &mut self.accounts[number];
            account.flows = Vec::new();
            self.numbers.remove(&account.tenant);
            self.unused.push(number);
        }
    }
}

impl<T> Account<T> {
    pub(super) fn flow(&mut self, tier: usize) -> Option<&mut Flow> {
        self.flows.iter_mut().find(|flow| flow.tier == tier)
    }

    /// What a visit grants, in tokens.
    pub(super) fn grant(&self, quantum: u64, factor: u32) -> i128 {
        i128::from(quantum) * i128::from(self.weight) * i128::from(factor)
    }

    /// What its weight is multiplied by. The budget begins to run when it first has to share.
    pub(super) fn burst(&mut self, budget: BurstBudget, must_share: bool, now: Duration) -> u32 {
        if must_share && matches!(self.burst, Burst::Unused) {
            self.burst = Burst::Until(now.saturating_add(budget.lasts));
        }
        match self.burst {
            Burst::Until(end) if now < end => budget.factor.max(1),
            _ => 1,
        }
    }
}

impl Flow {
    /// Only who waits may save; what is owed stays owed.
    pub(super) fn keep_no_credit_while_empty(&mut self) {
        if self.waiting.is_empty() {
            self.deficit = self.deficit.min(0);
        }
    }
}
