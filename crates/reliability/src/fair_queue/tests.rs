use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn queue(capacity: usize, tiers: &[TierPolicy]) -> FairQueue<u32> {
    FairQueue::new(QueuePolicy { burst: None, ..QueuePolicy::new(capacity, tiers.to_vec()) })
}

fn from(tenant: u32, tier: usize) -> Arrival<u32> {
    Arrival { tier, tenant, weight: 1, cost: 100, deadline: Duration::MAX }
}

/// The ticket of a request that was let in.
#[track_caller]
fn ticket(decision: Decision) -> Ticket {
    match decision {
        Decision::Run(ticket) | Decision::Wait { ticket, .. } => ticket,
        Decision::Shed { reason, .. } => panic!("shed: {reason:?}"),
    }
}

fn reason(decision: Decision) -> Option<ShedReason> {
    match decision {
        Decision::Shed { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn the_higher_tier_drains_first_whatever_the_order_of_arrival() {
    let mut queue = queue(1, &[TierPolicy::new(9), TierPolicy::new(9), TierPolicy::new(9)]);
    let mut running = ticket(queue.arrive(secs(0), from(0, 2)));
    let waiting: Vec<Ticket> =
        [2, 1, 0, 2, 0].iter().map(|&tier| ticket(queue.arrive(secs(0), from(0, tier)))).collect();
    let mut order = Vec::new();
    while queue.finish(running, secs(1)) {
        let Some(&next) = queue.next(secs(1)).first() else { break };
        running = next;
        order.push(waiting.iter().position(|&ticket| ticket == next).unwrap_or(usize::MAX));
    }
    assert_eq!(order, [2, 4, 1, 0, 3]);
}

#[test]
fn where_all_is_full_the_newest_of_the_lowest_tier_gives_way_and_never_a_higher_one() {
    let mut queue = FairQueue::new(QueuePolicy {
        max_waiting: 3,
        ..QueuePolicy::new(0, vec![TierPolicy::new(2), TierPolicy::new(3), TierPolicy::new(3)])
    });
    let middle = ticket(queue.arrive(secs(0), from(1, 1)));
    let _old = ticket(queue.arrive(secs(0), from(2, 2)));
    let new = ticket(queue.arrive(secs(0), from(3, 2)));
    assert_eq!(reason(queue.arrive(secs(0), from(4, 2))), Some(ShedReason::QueueFull));

    let decision = queue.arrive(secs(0), from(5, 0));
    assert!(matches!(decision, Decision::Wait { displaced: Some(out), position: 1, .. } if out == new));
    assert!(!queue.cancel(new), "a displaced request is gone");
    assert!(matches!(queue.arrive(secs(0), from(5, 1)), Decision::Wait { displaced: Some(_), .. }));
    assert_eq!(reason(queue.arrive(secs(0), from(5, 1))), Some(ShedReason::QueueFull));
    assert!(matches!(queue.arrive(secs(0), from(6, 0)), Decision::Wait { displaced: Some(_), .. }));
    assert_eq!(reason(queue.arrive(secs(0), from(7, 0))), Some(ShedReason::TierFull));
    assert!(queue.cancel(middle));
    assert_eq!((queue.waiting_in(0), queue.waiting_in(1), queue.waiting_in(2)), (2, 0, 0));
}

#[test]
fn limits_of_a_tier_and_of_a_tenant_hold_without_holding_up_others() {
    let limited = TierPolicy { max_running: Some(2), tenant_running: Some(1), ..TierPolicy::new(9) };
    let mut queue = queue(4, &[TierPolicy { tenant_waiting: Some(1), ..TierPolicy::new(9) }, limited]);
    let first = ticket(queue.arrive(secs(0), from(1, 1)));
    let second = ticket(queue.arrive(secs(0), from(1, 1)));
    assert!(matches!(queue.arrive(secs(0), from(2, 1)), Decision::Run(_)));
    let third = ticket(queue.arrive(secs(0), from(3, 1)));
    assert_eq!(queue.next(secs(0)), []);
    assert!(matches!(queue.arrive(secs(0), from(1, 0)), Decision::Run(_)));
    assert!(queue.finish(first, secs(1)));
    // Tenant 1 runs one of the higher tier, which counts: tenant 3 comes first although it came later.
    assert_eq!(queue.next(secs(1)), [third]);
    assert!(queue.cancel(second) && !queue.cancel(second) && !queue.finish(second, secs(1)));

    queue.set_capacity(0);
    assert!(matches!(queue.arrive(secs(1), from(1, 0)), Decision::Wait { .. }));
    assert_eq!(reason(queue.arrive(secs(1), from(1, 0))), Some(ShedReason::TenantFull));
    assert!(matches!(queue.arrive(secs(1), from(2, 0)), Decision::Wait { position: 2, .. }));
}

#[test]
fn deadlines_end_a_wait_and_are_named_once() {
    let mut queue = queue(1, &[TierPolicy::new(9)]);
    let running = ticket(queue.arrive(secs(0), from(1, 0)));
    let late = ticket(queue.arrive(secs(0), Arrival { deadline: secs(5), ..from(1, 0) }));
    let patient = ticket(queue.arrive(secs(0), Arrival { deadline: secs(9), ..from(1, 0) }));
    assert_eq!(queue.expire(secs(4)), []);
    assert!(queue.finish(running, secs(5)));
    assert_eq!(queue.next(secs(5)), [patient]);
    assert_eq!(queue.expire(secs(5)), [late]);
    assert_eq!(queue.expire(secs(50)), []);
    let past = Arrival { deadline: secs(50), ..from(1, 0) };
    assert_eq!(reason(queue.arrive(secs(3), past)), Some(ShedReason::DeadlinePassed));
}

#[test]
fn those_turned_away_come_back_when_the_queue_has_drained() {
    let mut queue = queue(1, &[TierPolicy::new(20), TierPolicy::new(20)]);
    let mut running = ticket(queue.arrive(secs(0), from(1, 0)));
    for second in 0..40 {
        queue.arrive(secs(second), from(1, 0));
        assert!(queue.finish(running, secs(second)));
        running = queue.next(secs(second))[0];
    }
    for _ in 0..10 {
        queue.arrive(secs(40), from(1, 1));
    }
    let (higher, lower) = (queue.retry_after(0).as_secs_f64(), queue.retry_after(1).as_secs_f64());
    assert!((0.9..1.1).contains(&higher) && (10.0..12.0).contains(&lower), "{higher} {lower}");
}

/// Keeps every tenant waiting and lets the queue serve; answers the tokens each was served.
fn serve_with_backlog(
    queue: &mut FairQueue<u32>,
    arrivals: impl Fn(u32) -> Arrival<u32>,
    actual: impl Fn(u32, u64) -> u64,
    tenants: u32,
    times: impl Iterator<Item = Duration>,
) -> Vec<u64> {
    let mut served = vec![0; tenants as usize];
    let mut running = std::collections::VecDeque::new();
    let keep = queue.capacity() + 1;
    for now in times {
        for tenant in 0..tenants {
            while queue.tenants.load(&tenant, 0).0 < keep + fastrand::usize(..3) {
                // The few that start before there is a backlog are nobody's share.
                if let Decision::Run(ticket) = queue.arrive(now, arrivals(tenant)) {
                    running.push_back(ticket);
                }
            }
        }
        for ticket in queue.next(now) {
            let Request { tenant, cost, .. } = queue.requests[&ticket];
            let tenant = queue.tenants[tenant].tenant;
            served[tenant as usize] += actual(tenant, cost);
            queue.settle(ticket, actual(tenant, cost));
            running.push_back(ticket);
        }
        for _ in 0..fastrand::usize(1..=running.len().max(1)) {
            let out = fastrand::usize(..running.len().max(1));
            if let Some(ticket) = running.remove(out) {
                queue.finish(ticket, now);
            }
        }
    }
    for ticket in running {
        queue.finish(ticket, Duration::ZERO);
    }
    served
}

#[track_caller]
fn assert_shares(served: &[u64], weights: &[u32], within: f64) {
    let (total, weight): (u64, u32) = (served.iter().sum(), weights.iter().sum());
    for (served, part) in served.iter().zip(weights) {
        let share = *served as f64 / total as f64 * f64::from(weight) / f64::from(*part);
        assert!((share - 1.0).abs() < within, "{share} of its share, {weights:?}");
    }
}

#[test]
fn who_estimates_too_little_gets_no_more_for_it() {
    let mut queue = queue(4, &[TierPolicy::new(usize::MAX)]);
    let arrival = |tenant| Arrival { cost: if tenant == 0 { 10 } else { 1_000 }, ..from(tenant, 0) };
    let served =
        serve_with_backlog(&mut queue, arrival, |_, _| 1_000, 3, (0..8_000).map(Duration::from_millis));
    assert_shares(&served, &[1, 1, 1], 0.05);
}

#[test]
fn a_request_that_claims_an_absurd_cost_delays_nobody_but_its_own_tenant() {
    let mut queue = queue(0, &[TierPolicy::new(usize::MAX)]);
    let of_cost = |tenant, cost| Arrival { cost, ..from(tenant, 0) };
    let absurd = ticket(queue.arrive(secs(0), of_cost(1, u64::MAX)));
    // While it waits, and again after it was settled for what it took in truth.
    for _ in 0..2 {
        for _ in 0..900 {
            ticket(queue.arrive(secs(0), of_cost(2, 500)));
        }
        let single = ticket(queue.arrive(secs(0), of_cost(3, 500)));
        queue.set_capacity(1);
        let mut order = Vec::new();
        while let Some(&running) = queue.next(secs(0)).first() {
            if running == absurd {
                assert!(queue.settle(absurd, 500));
            }
            assert!(queue.finish(running, secs(0)));
            order.push(running);
        }
        let position = order.iter().position(|&ticket| ticket == single);
        assert!(position.is_some_and(|position| position <= 20), "{position:?}");
        queue.set_capacity(0);
    }
    assert!(queue.visits <= 2 * 1_803, "{} visits", queue.visits);
}

#[test]
fn a_tenant_may_burst_for_a_while_and_then_queues_as_others() {
    let policy = QueuePolicy::new(2, vec![TierPolicy::new(usize::MAX)]);
    let mut queue = FairQueue::new(policy);
    let steps = |from: u64, to: u64| (from * 100..to * 100).map(|step| Duration::from_millis(step * 10));
    let serve = |queue: &mut FairQueue<u32>, tenants, from_s, to_s| {
        let cost = |_, cost| cost;
        serve_with_backlog(queue, |tenant| from(tenant, 0), cost, tenants, steps(from_s, to_s))
    };
    // All have a budget and use it at once: nobody gets ahead.
    assert_shares(&serve(&mut queue, 2, 0, 30), &[1, 1], 0.05);
    serve(&mut queue, 2, 30, 60);
    // The third comes fresh.
    assert_shares(&serve(&mut queue, 3, 60, 89), &[1, 1, 5], 0.05);
    serve(&mut queue, 3, 89, 92);
    assert_shares(&serve(&mut queue, 3, 92, 120), &[1, 1, 1], 0.05);
}

#[test]
fn a_hundred_thousand_tenants_cost_no_more_visits_for_each_request_than_a_few() {
    let mut queue = queue(0, &[TierPolicy::new(usize::MAX)]);
    for tenant in (0..100_000).chain(0..100_000) {
        let cost = 1 + u64::from(tenant * 7_919 % 4_000);
        assert!(matches!(queue.arrive(secs(0), Arrival { cost, ..from(tenant, 0) }), Decision::Wait { .. }));
    }
    queue.set_capacity(1);
    for served in 1..=200_000 {
        let started = queue.next(secs(0));
        assert_eq!(started.len(), 1);
        assert!(queue.finish(started[0], secs(0)));
        assert!(queue.visits <= 2 * served, "{} visits for {served}", queue.visits);
    }
    assert_eq!(queue.waiting(), 0);
}

#[test]
fn tenants_are_forgotten_once_they_no_longer_matter() {
    let mut queue = queue(1, &[TierPolicy::new(9)]);
    for tenant in 0..1_000 {
        let ticket = ticket(queue.arrive(secs(u64::from(tenant)), from(tenant, 0)));
        assert!(queue.finish(ticket, secs(u64::from(tenant))));
    }
    assert!(queue.tenants.idle_len() <= 301, "{}", queue.tenants.idle_len());
}

/// One thing that happens to a queue.
#[derive(Clone, Debug)]
enum Step {
    Arrive { tier: usize, tenant: u32, weight: u32, cost: u64, patience: u64 },
    Leave(usize),
    Settle(usize, u64),
    Capacity(usize),
    Next,
    Expire,
}

fn steps() -> impl Strategy<Value = Vec<(u64, Step)>> {
    let step = prop_oneof![
        8 => (0usize..4, 0u32..5, 0u32..4, 0u64..500, 0u64..40).prop_map(
            |(tier, tenant, weight, cost, patience)| Step::Arrive { tier, tenant, weight, cost, patience }
        ),
        5 => any::<usize>().prop_map(Step::Leave),
        2 => (any::<usize>(), any::<u64>()).prop_map(|(which, cost)| Step::Settle(which, cost % 5_000)),
        1 => (0usize..6).prop_map(Step::Capacity),
        4 => Just(Step::Next),
        1 => Just(Step::Expire),
    ];
    // The time is drawn anew for each step: it jumps both ways.
    proptest::collection::vec((0u64..100, step), 1..200)
}

fn tier_policies() -> impl Strategy<Value = Vec<TierPolicy>> {
    let some = |most| proptest::option::of(1usize..most);
    let policy = (0usize..6, some(4), some(4), some(4)).prop_map(
        |(max_waiting, max_running, tenant_waiting, tenant_running)| TierPolicy {
            max_waiting,
            max_running,
            tenant_waiting,
            tenant_running,
        },
    );
    proptest::collection::vec(policy, 3)
}

/// What should be so, kept by the simplest means.
struct Model {
    policy: QueuePolicy,
    /// Tier and tenant.
    waiting: BTreeMap<Ticket, (usize, u32)>,
    running: BTreeMap<Ticket, (usize, u32)>,
    ended: HashSet<Ticket>,
}

impl Model {
    fn may_run(&self, tier: usize, tenant: u32) -> bool {
        let policy = self.policy.tiers[tier];
        let in_tier = self.running.values().filter(|&&(other, _)| other == tier).count();
        let of_tenant = self.running.values().filter(|&&(_, other)| other == tenant).count();
        self.running.len() < self.policy.capacity
            && in_tier < policy.max_running.unwrap_or(usize::MAX)
            && of_tenant < policy.tenant_running.unwrap_or(usize::MAX)
    }

    fn start(&mut self, ticket: Ticket, tier: usize, tenant: u32) {
        assert!(self.may_run(tier, tenant), "started beyond a limit");
        let passed_over = self.waiting.values().find(|&&(above, of)| above < tier && self.may_run(above, of));
        assert_eq!(passed_over, None, "a higher tier waits while tier {tier} starts");
        assert!(self.running.insert(ticket, (tier, tenant)).is_none());
    }

    fn end_waiting(&mut self, ticket: Ticket) -> usize {
        let (tier, _) = self.waiting.remove(&ticket).unwrap_or((usize::MAX, 0));
        assert!(tier < 3 && self.ended.insert(ticket), "ended twice, or never waited");
        tier
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Tokens served follow the weights within 5 %, whatever arrives, as long as all wait.
    #[test]
    fn shares_follow_the_weights(
        tenants in proptest::collection::vec((1u32..8, 100u64..1_000), 2..6),
        capacity in 1usize..8,
        seed in any::<u64>(),
    ) {
        fastrand::seed(seed);
        let mut queue = queue(capacity, &[TierPolicy::new(usize::MAX)]);
        let weights: Vec<u32> = tenants.iter().map(|tenant| tenant.0).collect();
        let arrival = |tenant: u32| {
            let (weight, most) = tenants[tenant as usize];
            Arrival { weight, cost: fastrand::u64(most / 2..=most), ..from(tenant, 0) }
        };
        let times = (0..10_000).map(Duration::from_millis);
        let served = serve_with_backlog(&mut queue, arrival, |_, cost| cost, weights.len() as u32, times);
        assert_shares(&served, &weights, 0.05);
    }

}

proptest! {
    /// Every request ends once, limits hold, no place stays free that somebody may have, and no tier is passed over.
    #[test]
    fn the_queue_does_what_it_promises(
        tiers in tier_policies(),
        capacity in 0usize..6,
        max_waiting in 0usize..12,
        has_burst in any::<bool>(),
        steps in steps(),
    ) {
        let policy = QueuePolicy {
            max_waiting,
            burst: has_burst.then(BurstBudget::default),
            forget_after: secs(20),
            ..QueuePolicy::new(capacity, tiers)
        };
        let mut queue = FairQueue::new(policy.clone());
        let (waiting, running) = (BTreeMap::new(), BTreeMap::new());
        let mut model = Model { policy, waiting, running, ended: HashSet::new() };
        let mut arrived = 0;
        let mut shed = 0;
        for (now, step) in steps {
            let now = secs(now);
            let pick = |which: usize, from: &BTreeMap<Ticket, (usize, u32)>| {
                from.keys().nth(which % from.len().max(1)).copied()
            };
            match step {
                Step::Arrive { tier, tenant, weight, cost, patience } => {
                    // What expires does so before the arrival is decided.
                    for ticket in queue.expire(now) {
                        model.end_waiting(ticket);
                    }
                    arrived += 1;
                    let deadline = queue.now.saturating_sub(secs(3)) + secs(patience);
                    let decision = queue.arrive(now, Arrival { tier, tenant, weight, cost, deadline });
                    let tier = tier.min(2);
                    match decision {
                        Decision::Run(ticket) => model.start(ticket, tier, tenant),
                        Decision::Wait { ticket, displaced, .. } => {
                            if let Some(displaced) = displaced {
                                let out = model.end_waiting(displaced);
                                prop_assert!(out > tier);
                                prop_assert!(model.waiting.values().all(|&(other, _)| other <= out));
                                prop_assert!(model
                                    .waiting
                                    .iter()
                                    .all(|(&other, &(tier, _))| tier < out || other < displaced));
                            }
                            model.waiting.insert(ticket, (tier, tenant));
                        }
                        Decision::Shed { retry_after, .. } => {
                            shed += 1;
                            prop_assert!(retry_after >= secs(1) && retry_after <= secs(60));
                        }
                    }
                }
                Step::Leave(which) => {
                    let ticket = if which % 3 == 0 {
                        pick(which, &model.waiting)
                    } else {
                        pick(which, &model.running)
                    };
                    let Some(ticket) = ticket else { continue };
                    prop_assert!(queue.leave(ticket, Duration::ZERO));
                    prop_assert!(!queue.leave(ticket, Duration::ZERO));
                    if model.running.remove(&ticket).is_some() {
                        model.ended.insert(ticket);
                    } else {
                        model.end_waiting(ticket);
                    }
                }
                Step::Settle(which, cost) => {
                    if let Some(ticket) = pick(which, &model.running) {
                        prop_assert!(queue.settle(ticket, cost));
                    }
                }
                Step::Capacity(capacity) => {
                    queue.set_capacity(capacity);
                    model.policy.capacity = capacity;
                }
                Step::Next => {
                    for ticket in queue.expire(now) {
                        model.end_waiting(ticket);
                    }
                    for ticket in queue.next(now) {
                        let started = model.waiting.remove(&ticket);
                        prop_assert!(started.is_some());
                        let (tier, tenant) = started.unwrap_or_default();
                        model.start(ticket, tier, tenant);
                    }
                    prop_assert!(model.waiting.values().all(|&(tier, tenant)| !model.may_run(tier, tenant)));
                }
                Step::Expire => {
                    for ticket in queue.expire(now) {
                        model.end_waiting(ticket);
                    }
                }
            }
            prop_assert_eq!(queue.running(), model.running.len());
            prop_assert_eq!(queue.waiting(), model.waiting.len());
            prop_assert!(queue.waiting() <= max_waiting);
            for (tier, policy) in model.policy.tiers.iter().enumerate() {
                let waiting = model.waiting.values().filter(|&&(other, _)| other == tier).count();
                let running = model.running.values().filter(|&&(other, _)| other == tier).count();
                prop_assert_eq!((queue.waiting_in(tier), queue.running_in(tier)), (waiting, running));
                prop_assert!(waiting <= policy.max_waiting);
            }
        }
        prop_assert_eq!(arrived, shed + model.waiting.len() + model.running.len() + model.ended.len());
    }
}
