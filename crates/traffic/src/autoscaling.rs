//! How a fleet follows its load: policies, run against a rate minute by minute, with replicas that take time to boot (card 2.4).
//!
//! Requests are a fluid: what a step cannot serve waits, and what has waited longer than allowed is lost. That is exact enough for
//! loads of many requests in a step, and says nothing about single ones.

use serde::Serialize;

use crate::arrivals::Rates;

/// Seconds of a step: the period in which the Kubernetes autoscaler looks.
pub const STEP: f64 = 15.0;

/// Seconds from the decision until a replica with a GPU usually serves: node, image, weights.
pub const USUAL_BOOT: f64 = 240.0;

/// Seconds after which whoever waits for a place has usually gone.
pub const USUAL_PATIENCE: f64 = 2.0;

/// The share of requests that may usually be lost.
pub const USUAL_LOSS: f64 = 0.001;

/// Replicas that are usually always there: one may fail.
pub const USUAL_LEAST: u32 = 2;

/// A fleet and what it costs.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Fleet {
    /// Requests in a second that a replica serves.
    pub capacity: f64,
    /// Seconds from the decision to add a replica until it serves: node, image, model.
    pub boot: f64,
    /// Seconds after which a request that waits is lost.
    pub patience: f64,
    /// Replicas that are always there.
    pub least: u32,
    /// Replicas that can be had.
    pub most: u32,
    /// US dollars for an hour of a replica.
    pub hourly: f64,
}

/// How the number of replicas is decided.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Policy {
    /// As many as the peak needs, always.
    Fixed,
    /// The horizontal pod autoscaler: so many that each is busy to this share.
    Reactive {
        /// The share of its capacity to which a replica should be busy, 0 to 1.
        target: f64,
    },
    /// The same, with a floor by the hour of the week that is there before the load comes.
    Scheduled {
        /// The share of its capacity to which a replica should be busy, 0 to 1.
        target: f64,
    },
    /// By how many requests wait for each replica, as KEDA does.
    QueueDriven {
        /// Waiting and running requests that a replica should have, as seconds of its capacity.
        target_seconds: f64,
    },
}

impl Policy {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Reactive { .. } => "reactive",
            Self::Scheduled { .. } => "scheduled",
            Self::QueueDriven { .. } => "queue-driven",
        }
    }
}

/// What became of a policy.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Outcome {
    /// The policy.
    pub policy: Policy,
    /// Replicas on average.
    pub average_replicas: f64,
    /// The most replicas at once.
    pub most_replicas: u32,
    /// US dollars in a month of 30 days.
    pub monthly_cost: f64,
    /// The share of requests that waited too long.
    pub lost: f64,
    /// The longest wait of a request that was served, in seconds.
    pub longest_wait: f64,
    /// How often the number of replicas was changed in a week.
    pub changes_per_week: f64,
    /// Replicas at each hour's beginning, for a chart.
    #[serde(skip)]
    pub hourly_replicas: Vec<f64>,
}

/// The policies that are compared where nobody says others.
pub fn usual_policies() -> Vec<Policy> {
    vec![
        Policy::Fixed,
        Policy::Reactive { target: 0.7 },
        Policy::Scheduled { target: 0.7 },
        Policy::QueueDriven { target_seconds: 1.0 },
    ]
}

/// Within this share of the target nothing is changed.
const TOLERANCE: f64 = 0.1;
/// Seconds for which the highest recommendation holds before a replica is taken away.
const STABILISATION: f64 = 300.0;
/// Minutes by which a floor is there before its hour, besides the time to boot.
const LEAD: f64 = 5.0;

/// Runs a policy. `usual` is what is known of the load beforehand, for a schedule: as long as `rates`, without the bursts that nobody
/// foresees.
pub fn run(policy: &Policy, rates: &Rates, usual: &Rates, fleet: &Fleet) -> Outcome {
    let floors = floors(policy, rates, usual, fleet);
    let mut state = State::new(fleet, floors.first().copied().unwrap_or(fleet.least));
    let steps_per_minute = (60.0 / STEP) as usize;
    let mut hourly = Vec::with_capacity(rates.per_minute.len() / 60 + 1);
    for (minute, rate) in rates.per_minute.iter().enumerate() {
        for _ in 0..steps_per_minute {
            state.serve(*rate, fleet);
            let wanted = state.wanted(policy, *rate, fleet).max(floors[minute]);
            state.scale(wanted.clamp(fleet.least, fleet.most), fleet);
        }
        if minute % 60 == 0 {
            hourly.push(f64::from(state.running));
        }
    }
    state.outcome(policy, rates, fleet, hourly)
}

/// The outcomes of all policies and which is chosen: the cheapest that loses no more than `most_lost` of the requests; where none
/// does, the one that loses least.
pub fn choose(
    policies: &[Policy],
    rates: &Rates,
    usual: &Rates,
    fleet: &Fleet,
    most_lost: f64,
) -> (Vec<Outcome>, usize) {
    let outcomes: Vec<Outcome> = policies.iter().map(|policy| run(policy, rates, usual, fleet)).collect();
    let cheapest = outcomes
        .iter()
        .enumerate()
        .filter(|(_, outcome)| outcome.lost <= most_lost)
        .min_by(|(_, a), (_, b)| a.monthly_cost.total_cmp(&b.monthly_cost));
    let best = cheapest
        .or_else(|| outcomes.iter().enumerate().min_by(|(_, a), (_, b)| a.lost.total_cmp(&b.lost)))
        .map_or(0, |(index, _)| index);
    (outcomes, best)
}

/// Replicas that a rate needs at this share of their capacity.
fn needed(rate: f64, target: f64, fleet: &Fleet) -> u32 {
    let exact = rate / (fleet.capacity * target);
    ((exact * (1.0 - 1e-12)).ceil() as u32).max(1)
}

/// What must be there in each minute whatever the load is.
fn floors(policy: &Policy, rates: &Rates, usual: &Rates, fleet: &Fleet) -> Vec<u32> {
    let bounded = |replicas: u32| replicas.clamp(fleet.least, fleet.most);
    let minutes = rates.per_minute.len();
    match policy {
        Policy::Fixed => vec![bounded(needed(rates.peak(), 0.85, fleet)); minutes],
        Policy::Reactive { .. } | Policy::QueueDriven { .. } => vec![fleet.least; minutes],
        Policy::Scheduled { target } => {
            // What each hour of the week usually needs; it is there before the hour begins.
            const HOURS: usize = 24 * 7;
            let mut hours = vec![0.0_f64; HOURS];
            for (minute, rate) in usual.per_minute.iter().enumerate() {
                let hour = minute / 60 % HOURS;
                hours[hour] = hours[hour].max(*rate);
            }
            let lead = (fleet.boot / 60.0 + LEAD).ceil() as usize;
            (0..minutes)
                .map(|minute| {
                    let now = hours[minute / 60 % HOURS];
                    let soon = hours[(minute + lead) / 60 % HOURS];
                    bounded(needed(now.max(soon), *target, fleet))
                })
                .collect()
        }
    }
}

/// A fleet at work.
struct State {
    running: u32,
    /// Seconds until each replica that boots is there, the nearest first.
    booting: Vec<f64>,
    /// Requests that wait.
    waiting: f64,
    /// Recommendations of the last minutes, the oldest first.
    recommended: Vec<u32>,
    came: f64,
    lost: f64,
    longest_wait: f64,
    replica_seconds: f64,
    most: u32,
    changes: u32,
}

impl State {
    fn new(fleet: &Fleet, replicas: u32) -> Self {
        let running = replicas.clamp(fleet.least, fleet.most);
        Self {
            running,
            booting: Vec::new(),
            waiting: 0.0,
            recommended: Vec::new(),
            came: 0.0,
            lost: 0.0,
            longest_wait: 0.0,
            replica_seconds: 0.0,
            most: running,
            changes: 0,
        }
    }

    /// A step: what comes, what is served, what has waited too long.
    fn serve(&mut self, rate: f64, fleet: &Fleet) {
        for left in &mut self.booting {
            *left -= STEP;
        }
        let there = self.booting.iter().take_while(|left| **left <= 0.0).count();
        self.booting.drain(..there);
        self.running += u32::try_from(there).unwrap_or(u32::MAX);
        // What boots is paid for.
        let paid = self.running + u32::try_from(self.booting.len()).unwrap_or(u32::MAX);
        self.replica_seconds += f64::from(paid) * STEP;
        self.most = self.most.max(paid);
        self.came += rate * STEP;
        let speed = f64::from(self.running) * fleet.capacity;
        self.waiting = (self.waiting + (rate - speed) * STEP).max(0.0);
        let allowed = speed * fleet.patience;
        if self.waiting > allowed {
            self.lost += self.waiting - allowed;
            self.waiting = allowed;
        }
        if speed > 0.0 {
            self.longest_wait = self.longest_wait.max(self.waiting / speed);
        }
    }

    /// desired = ceil(current · metric / target), unless the metric is within the tolerance.
    fn wanted(&self, policy: &Policy, rate: f64, fleet: &Fleet) -> u32 {
        let speed = f64::from(self.running.max(1)) * fleet.capacity;
        let ratio = match policy {
            Policy::Fixed => return self.running,
            // A replica cannot be busier than busy: that is why this autoscaler climbs in steps.
            Policy::Reactive { target } | Policy::Scheduled { target } => {
                let busy = if self.waiting > 0.0 { 1.0 } else { (rate / speed).min(1.0) };
                busy / target
            }
            Policy::QueueDriven { target_seconds } => {
                let seconds = self.waiting / speed + (rate / speed).min(1.0);
                seconds / target_seconds
            }
        };
        if (ratio - 1.0).abs() <= TOLERANCE {
            return self.running;
        }
        ((f64::from(self.running.max(1)) * ratio * (1.0 - 1e-12)).ceil() as u32).max(1)
    }

    /// Up at once, down to the highest of the last minutes' recommendations.
    fn scale(&mut self, wanted: u32, fleet: &Fleet) {
        let window = (STABILISATION / STEP) as usize;
        self.recommended.push(wanted);
        if self.recommended.len() > window {
            self.recommended.remove(0);
        }
        let total = self.running + u32::try_from(self.booting.len()).unwrap_or(u32::MAX);
        let steady = self.recommended.iter().copied().max().unwrap_or(wanted);
        if wanted > total {
            self.booting.extend((total..wanted).map(|_| fleet.boot));
            self.changes += 1;
        } else if steady < total {
            let gone = total - steady;
            let unborn = gone.min(u32::try_from(self.booting.len()).unwrap_or(u32::MAX));
            self.booting.truncate(self.booting.len() - unborn as usize);
            self.running -= gone - unborn;
            self.changes += 1;
        }
    }

    fn outcome(self, policy: &Policy, rates: &Rates, fleet: &Fleet, hourly_replicas: Vec<f64>) -> Outcome {
        let seconds = rates.per_minute.len().max(1) as f64 * 60.0;
        let average_replicas = self.replica_seconds / seconds;
        Outcome {
            policy: policy.clone(),
            average_replicas,
            most_replicas: self.most,
            monthly_cost: average_replicas * 24.0 * 30.0 * fleet.hourly,
            lost: if self.came > 0.0 { self.lost / self.came } else { 0.0 },
            longest_wait: self.longest_wait,
            changes_per_week: f64::from(self.changes) * 7.0 * 86_400.0 / seconds,
            hourly_replicas,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arrivals::{Burst, Shape};

    const FLEET: Fleet =
        Fleet { capacity: 10.0, boot: 240.0, patience: 5.0, least: 2, most: 100, hourly: 2.0 };

    fn level(rate: f64, minutes: usize) -> Rates {
        Rates { per_minute: vec![rate; minutes] }
    }

    /// Where all of the load is known beforehand.
    fn run_known(policy: &Policy, rates: &Rates, fleet: &Fleet) -> Outcome {
        run(policy, rates, rates, fleet)
    }

    #[test]
    fn a_schedule_does_not_know_of_a_burst() {
        let usual = crate::arrivals::Shape::ConsumerEvening.week(20.0);
        let burst = crate::arrivals::Burst { minute: 3 * 1440 + 600, ramp: 1, lasts: 20, factor: 10.0 };
        let rates = usual.clone().with(&burst);
        let schedule = Policy::Scheduled { target: 0.7 };
        let foreseen = run(&schedule, &rates, &rates, &FLEET);
        let unforeseen = run(&schedule, &rates, &usual, &FLEET);
        assert!(foreseen.lost < unforeseen.lost, "{} {}", foreseen.lost, unforeseen.lost);
        assert_eq!(
            run(&Policy::Fixed, &rates, &usual, &FLEET).lost,
            0.0,
            "the fixed fleet is as large as the burst needs"
        );
    }

    #[test]
    fn the_autoscaler_settles_where_its_formula_says() {
        // 100 requests a second at 70 % of 10 each: 15 replicas, after more while the backlog of the start was served.
        let outcome = run_known(&Policy::Reactive { target: 0.7 }, &level(100.0, 180), &FLEET);
        assert_eq!(outcome.hourly_replicas[2], 15.0);
        assert!(outcome.most_replicas > 15);
        // 14 are busy to 71.4 %, which is within the tolerance: from there nothing changes.
        let calm = Fleet { least: 14, ..FLEET };
        assert_eq!(
            run_known(&Policy::Reactive { target: 0.7 }, &level(100.0, 180), &calm).changes_per_week,
            0.0
        );
    }

    #[test]
    fn replicas_that_boot_serve_nobody_and_are_paid_for() {
        let slow = Fleet { least: 1, ..FLEET };
        let outcome = run_known(&Policy::Reactive { target: 0.7 }, &level(20.0, 5), &slow);
        // Twice what one replica serves: until the second is there, after 240 of 300 seconds, half is lost but what may wait.
        assert!(outcome.lost > 0.35 && outcome.lost < 0.45, "{}", outcome.lost);
        assert!(outcome.average_replicas > 1.9, "{}", outcome.average_replicas);
    }

    #[test]
    fn replicas_go_only_after_five_minutes_of_less() {
        let dip = |minutes: usize| {
            let mut per_minute = vec![100.0; 60];
            per_minute[30..30 + minutes].fill(10.0);
            run_known(&Policy::Reactive { target: 0.7 }, &Rates { per_minute }, &Fleet { least: 1, ..FLEET })
        };
        assert_eq!(dip(4).hourly_replicas.len(), 1);
        assert!(dip(4).average_replicas > dip(12).average_replicas);
        assert_eq!(dip(4).changes_per_week, dip(1).changes_per_week, "a short dip changes nothing");
    }

    #[test]
    fn a_spike_at_the_same_hour_of_every_week_is_met_by_a_schedule_alone() {
        // Monday at nine ten times as much comes within a minute.
        let spike = Burst { minute: 9 * 60, ramp: 0, lasts: 120, factor: 10.0 };
        let rates = Shape::GlobalFlat.week(20.0).with(&spike);
        let (outcomes, best) = choose(&usual_policies(), &rates, &rates, &FLEET, 0.0001);
        assert_eq!(outcomes[best].policy.name(), "scheduled", "{outcomes:#?}");
        let [fixed, reactive, scheduled, _] = [0, 1, 2, 3].map(|index| &outcomes[index]);
        assert!(reactive.lost > 0.001 && scheduled.lost == 0.0);
        assert!(fixed.monthly_cost > 3.0 * scheduled.monthly_cost);
    }

    #[test]
    fn a_gentle_day_is_followed_without_a_schedule() {
        let rates = Shape::BusinessHours.week(100.0);
        let (outcomes, best) = choose(&usual_policies(), &rates, &rates, &FLEET, 0.0001);
        assert_ne!(outcomes[best].policy.name(), "fixed");
        assert!(outcomes[1].lost <= 0.0001, "{outcomes:#?}");
        assert!(outcomes[best].monthly_cost < 0.6 * outcomes[0].monthly_cost);
    }

    proptest! {
        #[test]
        fn no_policy_leaves_its_bounds_or_loses_more_than_came(
            rates in proptest::collection::vec(0.0..500.0_f64, 1..200), least in 1_u32..5, more in 0_u32..40,
        ) {
            let fleet = Fleet { least, most: least + more, ..FLEET };
            for policy in usual_policies() {
                let outcome = run_known(&policy, &Rates { per_minute: rates.clone() }, &fleet);
                prop_assert!(outcome.most_replicas <= fleet.most);
                prop_assert!(outcome.average_replicas >= f64::from(fleet.least) - 1e-9);
                prop_assert!((0.0..=1.0).contains(&outcome.lost), "{}", outcome.lost);
            }
        }
    }
}
