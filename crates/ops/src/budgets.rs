//! Budgets: what may be spent, held before it is spent.
//!
//! A budget is a reservation. Before a model is called, the most that the request can cost is reserved in every budget that
//! it falls under, in one step; what it really cost replaces that when its turn is booked. However many requests come at
//! once, what is spent and what is reserved never exceed a limit together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{Clock, NanoUsd, Timestamp, TurnRecord};

use crate::measure;

/// A budget as it is configured.
#[derive(Clone, PartialEq, Debug)]
pub struct BudgetSettings {
    /// Its name.
    pub name: String,
    /// What may be spent in a period.
    pub limit: NanoUsd,
    /// How long a period is.
    pub period: Period,
    /// Which requests fall under it: those whose attributes are these; all without any.
    pub only: Vec<(Attribute, String)>,
    /// Whether each value of an attribute has the whole limit for itself.
    pub for_each: Option<Attribute>,
    /// From which share of the limit on it is said aloud, 0 to 1.
    pub alert_at: f64,
    /// What happens to a request that does not fit any more.
    pub at_limit: AtLimit,
}

/// What a budget tells requests apart by.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Attribute {
    /// Whose request it is.
    Tenant,
    /// The API key.
    Key,
    /// The assistant.
    Assistant,
    /// The team that the caller says it works for.
    Team,
    /// The feature that the caller says it is for.
    Feature,
}

impl Attribute {
    /// What a record has of it.
    pub fn of(self, record: &TurnRecord) -> Option<&str> {
        match self {
            Self::Tenant => record.tenant.as_ref().map(mainstay_domain::TenantId::as_str),
            Self::Key => record.key.as_ref().map(mainstay_domain::KeyId::as_str),
            Self::Assistant => record.assistant.as_ref().map(mainstay_domain::AssistantName::as_str),
            Self::Team => record.team.as_deref(),
            Self::Feature => record.feature.as_deref(),
        }
    }
}

/// How long a budget lasts until it is whole again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Period {
    /// A day, in UTC.
    Day,
    /// A calendar month, in UTC.
    Month,
    /// It is never whole again.
    Total,
}

/// What happens to a request that does not fit into a budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtLimit {
    /// It is refused.
    Refuse,
    /// A model that costs nothing answers, where there is one.
    Degrade,
}

impl Period {
    /// When the period began in which a moment lies.
    pub fn start(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Day => Timestamp::from_micros(now.as_micros().div_euclid(DAY) * DAY),
            Self::Month => now.start_of_month(),
            Self::Total => Timestamp::from_micros(i64::MIN),
        }
    }

    /// How long until the next one begins; `None` where there is none.
    pub fn remaining(self, now: Timestamp) -> Option<Duration> {
        let next = match self {
            Self::Day => self.start(now).as_micros() + DAY,
            // A month has at most 31 days: the next one begins in the 32nd.
            Self::Month => {
                Timestamp::from_micros(self.start(now).as_micros() + 32 * DAY).start_of_month().as_micros()
            }
            Self::Total => return None,
        };
        Some(Duration::from_micros(u64::try_from(next - now.as_micros()).unwrap_or(0)))
    }
}

const DAY: i64 = 86_400_000_000;

/// A budget in which there is not enough left.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[error(
    "the budget {name:?} has {left} left of {limit}, and the request may cost up to {needed}; ask for fewer tokens, or \
     raise it in [budgets.{name}] of mainstay.toml"
)]
pub struct BudgetExceeded {
    /// The budget.
    pub name: String,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is neither spent nor reserved.
    pub left: NanoUsd,
    /// What the request may cost.
    pub needed: NanoUsd,
    /// How long until the budget is whole again.
    pub resets_in: Option<Duration>,
    /// What is to happen.
    pub at_limit: AtLimit,
}

/// How a budget stands.
#[derive(Clone, PartialEq, Debug)]
pub struct BudgetStanding {
    /// Its name.
    pub name: String,
    /// For whom, where each has a budget of their own.
    pub holder: Option<String>,
    /// Its limit.
    pub limit: NanoUsd,
    /// What is spent in this period.
    pub spent: NanoUsd,
    /// What is reserved for requests under way.
    pub reserved: NanoUsd,
}

/// Accounts below which none is forgotten of which nothing is held or spent.
const MANY: usize = 10_000;

/// All budgets.
pub struct Budgets {
    settings: Vec<BudgetSettings>,
    accounts: Mutex<HashMap<Holder, Account>>,
    /// Accounts at which those are forgotten that are of no use.
    sweep_at: AtomicUsize,
    clock: Clock,
}

/// A budget by its place, and for whom.
type Holder = (usize, Option<String>);

#[derive(Clone, Copy, Debug)]
struct Account {
    period: Timestamp,
    spent: NanoUsd,
    reserved: NanoUsd,
    has_alerted: bool,
}

/// Money that is held for a request. It is given back by [`Budgets::settle`].
#[derive(Clone, PartialEq, Debug)]
pub struct Reservation {
    amount: NanoUsd,
    holders: Vec<Holder>,
}

impl Reservation {
    /// How much is held.
    pub fn amount(&self) -> NanoUsd {
        self.amount
    }
}

impl Budgets {
    /// Budgets of which nothing is spent.
    pub fn new(settings: Vec<BudgetSettings>, clock: Clock) -> Arc<Self> {
        Arc::new(Self { settings, accounts: Mutex::default(), sweep_at: AtomicUsize::new(MANY), clock })
    }

    /// How the budgets are configured.
    pub fn settings(&self) -> &[BudgetSettings] {
        &self.settings
    }

    /// Whether there is any budget at all.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// Whether a request with these attributes falls under any budget.
    pub fn apply_to(&self, record: &TurnRecord) -> bool {
        self.settings.iter().any(|budget| budget.holds_for(record))
    }

    /// Holds what a request may cost in every budget that it falls under, or in none.
    pub fn reserve(&self, record: &TurnRecord, amount: NanoUsd) -> Result<Reservation, BudgetExceeded> {
        let now = self.clock.now();
        let holders = self.holders(record);
        let mut accounts = self.accounts();
        for holder in &holders {
            let budget = &self.settings[holder.0];
            let account = account(&mut accounts, holder, budget.period.start(now));
            let left = budget.limit - account.spent - account.reserved;
            if amount > left {
                measure::budget_refused(&budget.name);
                return Err(BudgetExceeded {
                    name: budget.name.clone(),
                    limit: budget.limit,
                    left: left.max(NanoUsd::ZERO),
                    needed: amount,
                    resets_in: budget.period.remaining(now),
                    at_limit: budget.at_limit,
                });
            }
        }
        for holder in &holders {
            let period = self.settings[holder.0].period.start(now);
            account(&mut accounts, holder, period).reserved += amount;
        }
        if accounts.len() >= self.sweep_at.load(Ordering::Relaxed) {
            // Teams and features are names of the caller's making.
            accounts.retain(|(at, _), account| {
                let is_current = account.period == self.settings[*at].period.start(now);
                account.reserved > NanoUsd::ZERO || (is_current && account.spent > NanoUsd::ZERO)
            });
            // Not again before there are twice as many: where all of them are needed, that costs nothing per request.
            self.sweep_at.store(MANY.max(2 * accounts.len()), Ordering::Relaxed);
        }
        Ok(Reservation { amount, holders })
    }

    /// Replaces what was held by what was spent.
    pub fn settle(&self, reservation: Reservation, spent: NanoUsd) {
        let now = self.clock.now();
        let mut accounts = self.accounts();
        for holder in &reservation.holders {
            let account = account(&mut accounts, holder, self.settings[holder.0].period.start(now));
            account.reserved = (account.reserved - reservation.amount).max(NanoUsd::ZERO);
            self.spend_from(account, holder, spent);
        }
    }

    /// Counts what was spent without having been held.
    pub fn spend(&self, record: &TurnRecord, spent: NanoUsd) {
        if spent == NanoUsd::ZERO || self.is_empty() {
            return;
        }
        let now = self.clock.now();
        let mut accounts = self.accounts();
        for holder in self.holders(record) {
            let account = account(&mut accounts, &holder, self.settings[holder.0].period.start(now));
            self.spend_from(account, &holder, spent);
        }
    }

    /// Counts what the ledger says was spent in the present period: `spent` of the budget at a place, for one holder.
    pub fn restore(&self, at: usize, holder: Option<String>, spent: NanoUsd) {
        let Some(budget) = self.settings.get(at) else { return };
        let mut accounts = self.accounts();
        let holder = (at, holder);
        let account = account(&mut accounts, &holder, budget.period.start(self.clock.now()));
        self.spend_from(account, &holder, spent);
    }

    /// How every budget stands of which anything is spent or reserved, and those without holders in any case.
    pub fn standings(&self) -> Vec<BudgetStanding> {
        let now = self.clock.now();
        let mut accounts = self.accounts();
        for (at, budget) in self.settings.iter().enumerate().filter(|(_, budget)| budget.for_each.is_none()) {
            account(&mut accounts, &(at, None), budget.period.start(now));
        }
        let mut standings: Vec<(Holder, Account)> =
            accounts.iter().map(|(holder, account)| (holder.clone(), *account)).collect();
        standings.sort_by(|a, b| a.0.cmp(&b.0));
        standings
            .into_iter()
            .map(|((at, holder), account)| {
                let budget = &self.settings[at];
                let is_current = account.period == budget.period.start(now);
                BudgetStanding {
                    name: budget.name.clone(),
                    holder,
                    limit: budget.limit,
                    spent: if is_current { account.spent } else { NanoUsd::ZERO },
                    reserved: account.reserved,
                }
            })
            .collect()
    }

    fn spend_from(&self, account: &mut Account, (at, holder): &Holder, spent: NanoUsd) {
        let budget = &self.settings[*at];
        account.spent += spent;
        let share = account.spent.as_nanos() as f64 / (budget.limit.as_nanos() as f64).max(1.0);
        if share >= budget.alert_at && !account.has_alerted {
            account.has_alerted = true;
            measure::budget_alert(&budget.name);
            // Who holds it may be a name of the caller's making.
            tracing::warn!(
                budget = budget.name,
                has_holder = holder.is_some(),
                spent = %account.spent,
                limit = %budget.limit,
                "a budget is nearly used up"
            );
        }
    }

    fn holders(&self, record: &TurnRecord) -> Vec<Holder> {
        let falling = self.settings.iter().enumerate().filter(|(_, budget)| budget.holds_for(record));
        let holder = |(at, budget): (usize, &BudgetSettings)| {
            let of = budget.for_each.map(|attribute| attribute.of(record).unwrap_or_default().to_owned());
            (at, of)
        };
        falling.map(holder).collect()
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Holder, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BudgetSettings {
    fn holds_for(&self, record: &TurnRecord) -> bool {
        self.only.iter().all(|(attribute, value)| attribute.of(record) == Some(value))
    }
}

/// The account of a holder, in the present period. What is reserved stays so over its end: it will be spent after it.
fn account<'a>(
    accounts: &'a mut HashMap<Holder, Account>,
    holder: &Holder,
    period: Timestamp,
) -> &'a mut Account {
    let new = Account { period, spent: NanoUsd::ZERO, reserved: NanoUsd::ZERO, has_alerted: false };
    let account = accounts.entry(holder.clone()).or_insert(new);
    if account.period < period {
        *account = Account { reserved: account.reserved, ..new };
    }
    account
}

#[cfg(test)]
mod tests {
    use mainstay_domain::{RequestId, TenantId, TurnId};

    use super::*;
    use crate::turn::{Opening, TurnBook};

    fn budget(limit: i64) -> BudgetSettings {
        BudgetSettings {
            name: "b".to_owned(),
            limit: NanoUsd::new(limit),
            period: Period::Day,
            only: Vec::new(),
            for_each: None,
            alert_at: 0.8,
            at_limit: AtLimit::Refuse,
        }
    }

    fn record(team: Option<&str>) -> TurnRecord {
        let book = TurnBook::new(crate::testing::Booked::new(), Clock::system());
        let turn = book.open(Opening {
            request: RequestId::new("r"),
            operation: "chat",
            requested_model: "m".to_owned(),
            streamed: false,
            client_retries: 0,
            team: team.map(str::to_owned),
            feature: None,
        });
        TurnRecord { tenant: Some(TenantId::single()), turn: TurnId::new("t"), ..turn.so_far().clone() }
    }

    fn at(second: i64) -> Clock {
        Clock::starting_at(Timestamp::from_micros(second * 1_000_000))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_and_spent_never_exceeds_the_limit() {
        let budgets = Budgets::new(vec![budget(100)], at(0));
        let held: Vec<Reservation> =
            (0..20).filter_map(|_| budgets.reserve(&record(None), NanoUsd::new(30)).ok()).collect();
        assert_eq!(held.len(), 3);
        for reservation in held {
            budgets.settle(reservation, NanoUsd::new(10));
        }
        let error = budgets.reserve(&record(None), NanoUsd::new(71)).unwrap_err();
        assert_eq!((error.left, error.resets_in), (NanoUsd::new(70), Some(Duration::from_secs(86_400))));
        assert!(budgets.reserve(&record(None), NanoUsd::new(70)).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn holders_of_a_callers_making_are_forgotten_and_what_was_spent_is_not() {
        let each = BudgetSettings { for_each: Some(Attribute::Team), ..budget(100) };
        let budgets = Budgets::new(vec![each], at(0));
        budgets.spend(&record(Some("real")), NanoUsd::new(60));
        for number in 0..3 * MANY {
            let held =
                budgets.reserve(&record(Some(&format!("invented {number}"))), NanoUsd::new(1)).unwrap();
            budgets.settle(held, NanoUsd::ZERO);
        }
        assert!(budgets.accounts().len() <= MANY + 1, "{}", budgets.accounts().len());
        assert!(budgets.reserve(&record(Some("real")), NanoUsd::new(41)).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_day_has_the_whole_limit_less_what_is_still_held() {
        let budgets = Budgets::new(vec![budget(100)], at(86_390));
        budgets.spend(&record(None), NanoUsd::new(90));
        let held = budgets.reserve(&record(None), NanoUsd::new(10)).unwrap();
        tokio::time::advance(Duration::from_secs(20)).await;
        assert!(budgets.reserve(&record(None), NanoUsd::new(91)).is_err());
        budgets.settle(held, NanoUsd::new(10));
        assert_eq!(budgets.standings()[0].spent, NanoUsd::new(10));
    }

    #[test]
    fn months_begin_on_their_first_day() {
        let moment = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        assert_eq!(Period::Month.start(moment("2024-02-29T23:59:59Z")), moment("2024-02-01"));
        let left = Period::Month.remaining(moment("2024-02-29")).unwrap();
        assert_eq!(left, Duration::from_secs(86_400));
        assert_eq!(
            Period::Month.remaining(moment("2023-12-31T12:00:00Z")).unwrap(),
            Duration::from_secs(43_200)
        );
        assert_eq!(Period::Total.remaining(moment("2024-02-29")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn budgets_hold_for_those_they_are_for_and_each_may_have_its_own() {
        let search = BudgetSettings {
            name: "search".to_owned(),
            only: vec![(Attribute::Team, "search".to_owned())],
            ..budget(10)
        };
        let each = BudgetSettings { name: "each".to_owned(), for_each: Some(Attribute::Team), ..budget(50) };
        let budgets = Budgets::new(vec![search, each], at(0));
        assert_eq!(budgets.reserve(&record(Some("search")), NanoUsd::new(11)).unwrap_err().name, "search");
        assert!(budgets.reserve(&record(Some("ads")), NanoUsd::new(50)).is_ok());
        assert_eq!(budgets.reserve(&record(Some("ads")), NanoUsd::new(1)).unwrap_err().name, "each");
        // What one budget refuses is held in no other.
        assert!(budgets.reserve(&record(Some("search")), NanoUsd::new(10)).is_ok());
        let standing = |holder: &str| {
            let standings = budgets.standings();
            standings.into_iter().find(|one| one.holder.as_deref() == Some(holder)).unwrap().reserved
        };
        assert_eq!((standing("search"), standing("ads")), (NanoUsd::new(10), NanoUsd::new(50)));
    }

    #[test]
    fn a_thousand_at_once_spend_no_more_than_the_limit() {
        let budgets =
            Budgets::new(vec![BudgetSettings { period: Period::Total, ..budget(1_000) }], Clock::system());
        let spent = std::sync::atomic::AtomicI64::new(0);
        std::thread::scope(|scope| {
            for worker in 0..8 {
                let (budgets, spent) = (&budgets, &spent);
                scope.spawn(move || {
                    for number in 0..125i64 {
                        let Ok(held) = budgets.reserve(&record(None), NanoUsd::new(7)) else { continue };
                        let cost = (number + worker) % 8;
                        spent.fetch_add(cost, std::sync::atomic::Ordering::Relaxed);
                        budgets.settle(held, NanoUsd::new(cost));
                    }
                });
            }
        });
        let spent = spent.into_inner();
        assert!(spent <= 1_000 && spent > 900, "{spent}");
        assert_eq!(budgets.standings()[0].spent, NanoUsd::new(spent));
    }
}
