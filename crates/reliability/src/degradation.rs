//! How much of the service is offered while something fails: less quickly, more slowly, and every change told.

use std::time::Duration;

/// What is offered. The order is from the best to the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum ServiceLevel {
    /// Everything.
    #[default]
    Full,
    /// What matters most, by cheaper means.
    Reduced,
    /// What can be had without a provider.
    Emergency,
}

impl ServiceLevel {
    /// Its name in records and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Reduced => "reduced",
            Self::Emergency => "emergency",
        }
    }

    const fn better(self) -> Self {
        match self {
            Self::Full | Self::Reduced => Self::Full,
            Self::Emergency => Self::Reduced,
        }
    }
}

/// When a level is left for a lesser one. Either sign suffices.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trigger {
    /// The part of requests that fail, from 0 to 1, has to be above this. More than 1 switches the sign off.
    pub error_rate: f64,
    /// For how long.
    pub errors_last: Duration,
    /// The part of the capacity in use, from 0 to 1, has to be above this. More than 1 switches the sign off.
    pub utilisation: f64,
    /// For how long.
    pub utilisation_lasts: Duration,
}

/// When a level is left for the next better one. All of it has to hold.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Calm {
    /// The part of requests that fail has to be below this.
    pub error_rate: f64,
    /// The part of the capacity in use has to be below this.
    pub utilisation: f64,
    /// For how long, at each level anew.
    pub lasts: Duration,
}

/// When the service degrades and recovers.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct DegradationPolicy {
    /// When it is reduced.
    pub reduced: Trigger,
    /// When only the emergency service is left. It also is, at once, when no provider answers.
    pub emergency: Trigger,
    /// When it gets better by one level.
    pub calm: Calm,
    /// By how much the thresholds are lower for each tenant tier below the first, from 0 to 1: at 0.1 the second tier
    /// degrades at 90 % of what the first bears, and the third at 81 %.
    pub earlier: f64,
    /// A fall this soon after a recovery counts as an oscillation.
    pub oscillates_within: Duration,
}

impl Default for DegradationPolicy {
    /// Reduced after 10 s of more than 5 % errors or 30 s of more than 90 % in use. Emergency after 10 s of more than
    /// 50 % errors; utilisation alone does not lead there, because a full server still serves. Better after 5 minutes of
    /// less than 70 % in use and less than 1 % errors. A tenth earlier for each tenant tier. A fall within half an hour of
    /// a recovery is an oscillation.
    fn default() -> Self {
        let reduced = Trigger {
            error_rate: 0.05,
            errors_last: Duration::from_secs(10),
            utilisation: 0.90,
            utilisation_lasts: Duration::from_secs(30),
        };
        Self {
            reduced,
            emergency: Trigger { error_rate: 0.50, utilisation: f64::INFINITY, ..reduced },
            calm: Calm { error_rate: 0.01, utilisation: 0.70, lasts: Duration::from_secs(300) },
            earlier: 0.1,
            oscillates_within: Duration::from_secs(1_800),
        }
    }
}

/// How things are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Health {
    /// The part of recent requests that failed, from 0 to 1. What is not a number is not known: it neither starts nor ends
    /// a fall, and it is not calm.
    pub error_rate: f64,
    /// The part of the capacity in use, from 0 to 1; not a number as for `error_rate`.
    pub utilisation: f64,
    /// Whether any provider answers.
    pub has_provider: bool,
}

/// Why the level changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ChangeCause {
    /// Too many requests failed for too long.
    ErrorRate,
    /// Too much of the capacity was in use for too long.
    Utilisation,
    /// No provider answers.
    NoProvider,
    /// It was calm for long enough.
    Calm,
    /// Somebody set the level.
    Override,
    /// What somebody set has ended.
    OverrideEnded,
}

/// A change of level, to be audited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transition {
    /// For whom: the tenant tier, 0 for the first.
    pub tenant_tier: usize,
    /// The level before.
    pub from: ServiceLevel,
    /// The level from now on.
    pub to: ServiceLevel,
    /// Why.
    pub cause: ChangeCause,
    /// When, as time since the start that `now` is counted from.
    pub at: Duration,
}

/// The service levels of all tenant tiers over time. A lower tier never has a better level than a higher one, but by an
/// override.
#[derive(Clone, PartialEq, Debug)]
pub struct Degradation {
    policy: DegradationPolicy,
    tiers: Vec<TenantTier>,
    /// The latest time seen.
    now: Duration,
}

#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct TenantTier {
    ladder: Ladder,
    manual: Option<Override>,
    /// The level that was last told.
    told: ServiceLevel,
}

#[derive(Clone, Copy, PartialEq, Debug)]
struct Override {
    level: ServiceLevel,
    /// Until when; `None` until it is cleared.
    until: Option<Duration>,
}

/// The level that the signs alone lead to.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Ladder {
    level: ServiceLevel,
    reduced: Signs,
    emergency: Signs,
    calm_since: Option<Duration>,
    recovered_at: Option<Duration>,
    oscillations: u64,
}

/// Since when the signs of a trigger have been there.
#[derive(Clone, Copy, PartialEq, Default, Debug)]
struct Signs {
    errors_since: Option<Duration>,
    utilised_since: Option<Duration>,
}

impl Degradation {
    /// Full service for each of `tenant_tiers`, and for one at least.
    pub fn new(policy: DegradationPolicy, tenant_tiers: usize) -> Self {
        // A threshold that is not a number would never be passed.
        let earlier = if policy.earlier.is_nan() { 0.0 } else { policy.earlier.clamp(0.0, 1.0) };
        let policy = DegradationPolicy { earlier, ..policy };
        let tiers = vec![TenantTier::default(); tenant_tiers.max(1)];
        Self { policy, tiers, now: Duration::ZERO }
    }

    /// The level for a tenant tier, 0 for the first; one that does not exist is taken as the lowest.
    pub fn level(&self, tenant_tier: usize) -> ServiceLevel {
        self.tiers[tenant_tier.min(self.tiers.len() - 1)].told
    }

    /// How often the service fell again soon after it had recovered, over all tenant tiers. It only grows.
    pub fn oscillations(&self) -> u64 {
        self.tiers.iter().map(|tier| tier.ladder.oscillations).sum()
    }

    /// Takes how things are at `now`, the time since a start that stays the same, and answers what changed. Call it at
    /// least every few seconds: what is seen once is taken to last until it is seen otherwise.
    pub fn observe(&mut self, now: Duration, health: Health) -> Vec<Transition> {
        self.now = self.now.max(now);
        let of_above = 1.0 - self.policy.earlier;
        let mut share = 1.0;
        let mut transitions = Vec::new();
        for (index, tier) in self.tiers.iter_mut().enumerate() {
            let signs = tier.ladder.observe(&self.policy, share, self.now, health);
            let ended = tier.manual.take_if(|manual| manual.until.is_some_and(|until| until <= self.now));
            let cause = if ended.is_some() { ChangeCause::OverrideEnded } else { signs };
            transitions.extend(tier.tell(index, cause, self.now));
            share *= of_above;
        }
        transitions
    }

    /// Sets the level of one tenant tier, or of all with `None`, whatever the signs say, until `until` or until it is
    /// cleared. The signs are followed meanwhile, and what they lead to holds afterwards.
    pub fn set_override(
        &mut self,
        now: Duration,
        tenant_tier: Option<usize>,
        level: ServiceLevel,
        until: Option<Duration>,
    ) -> Vec<Transition> {
        self.now = self.now.max(now);
        let is_over = until.is_some_and(|until| until <= self.now);
        let manual = (!is_over).then_some(Override { level, until });
        let cause = if is_over { ChangeCause::OverrideEnded } else { ChangeCause::Override };
        self.change_override(tenant_tier, manual, cause)
    }

    /// Ends what was set for one tenant tier, or for all with `None`.
    pub fn clear_override(&mut self, now: Duration, tenant_tier: Option<usize>) -> Vec<Transition> {
        self.now = self.now.max(now);
        self.change_override(tenant_tier, None, ChangeCause::OverrideEnded)
    }

    fn change_override(
        &mut self,
        tenant_tier: Option<usize>,
        manual: Option<Override>,
        cause: ChangeCause,
    ) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for (index, tier) in self.tiers.iter_mut().enumerate() {
            if tenant_tier.is_none_or(|only| only == index) {
                tier.manual = manual;
                transitions.extend(tier.tell(index, cause, self.now));
            }
        }
        transitions
    }
}

impl TenantTier {
    fn tell(&mut self, tenant_tier: usize, cause: ChangeCause, at: Duration) -> Option<Transition> {
        let to = self.manual.map_or(self.ladder.level, |manual| manual.level);
        let from = std::mem::replace(&mut self.told, to);
        (from != to).then_some(Transition { tenant_tier, from, to, cause, at })
    }
}

impl Ladder {
    /// Moves on, with thresholds at `share` of the policy's, and answers why the level is what it is if it has changed.
    fn observe(
        &mut self,
        policy: &DegradationPolicy,
        share: f64,
        now: Duration,
        health: Health,
    ) -> ChangeCause {
        let reduced = self.reduced.observe(&policy.reduced, share, now, health);
        let emergency = self.emergency.observe(&policy.emergency, share, now, health);
        let least = if !health.has_provider {
            Some((ServiceLevel::Emergency, ChangeCause::NoProvider))
        } else if let Some(cause) = emergency {
            Some((ServiceLevel::Emergency, cause))
        } else {
            reduced.map(|cause| (ServiceLevel::Reduced, cause))
        };

        let is_calm = health.has_provider
            && health.error_rate < policy.calm.error_rate * share
            && health.utilisation < policy.calm.utilisation * share;
        self.calm_since = is_calm.then(|| self.calm_since.unwrap_or(now));
        if let Some((level, cause)) = least
            && level > self.level
        {
            self.level = level;
            self.calm_since = None;
            let is_soon = |at| now.saturating_sub(at) <= policy.oscillates_within;
            self.oscillations += u64::from(self.recovered_at.take().is_some_and(is_soon));
            return cause;
        }
        // Thresholds may be configured so that what calls for a level is calm as well; the level then stays.
        let has_reason = least.is_some_and(|(level, _)| level == self.level);
        let was_calm = self.calm_since.is_some_and(|since| now.saturating_sub(since) >= policy.calm.lasts);
        if was_calm && !has_reason && self.level != ServiceLevel::Full {
            self.level = self.level.better();
            self.calm_since = Some(now);
            self.recovered_at = Some(now);
        }
        ChangeCause::Calm
    }
}

impl Signs {
    fn observe(
        &mut self,
        trigger: &Trigger,
        share: f64,
        now: Duration,
        health: Health,
    ) -> Option<ChangeCause> {
        since(&mut self.errors_since, health.error_rate, trigger.error_rate * share, now);
        since(&mut self.utilised_since, health.utilisation, trigger.utilisation * share, now);
        let has_lasted =
            |since: Option<Duration>, lasts| since.is_some_and(|since| now.saturating_sub(since) >= lasts);
        if has_lasted(self.errors_since, trigger.errors_last) {
            Some(ChangeCause::ErrorRate)
        } else if has_lasted(self.utilised_since, trigger.utilisation_lasts) {
            Some(ChangeCause::Utilisation)
        } else {
            None
        }
    }
}

/// Keeps since when `value` has been above `threshold`.
fn since(since: &mut Option<Duration>, value: f64, threshold: f64, now: Duration) {
    if !value.is_nan() {
        *since = (value > threshold).then(|| since.unwrap_or(now));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ServiceLevel::{Emergency, Full, Reduced};
    use super::*;

    const WELL: Health = Health { error_rate: 0.0, utilisation: 0.3, has_provider: true };
    const FAILING: Health = Health { error_rate: 0.06, ..WELL };
    const BUSY: Health = Health { utilisation: 0.95, ..WELL };
    const ALONE: Health = Health { has_provider: false, ..WELL };

    fn one() -> Degradation {
        Degradation::new(DegradationPolicy::default(), 1)
    }

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    /// Observes the same each second, and answers the second and the level of each change.
    fn watch(
        service: &mut Degradation,
        seconds: std::ops::Range<u64>,
        health: Health,
    ) -> Vec<(u64, ServiceLevel)> {
        let changes = seconds.flat_map(|second| service.observe(secs(second), health));
        changes.map(|change| (change.at.as_secs(), change.to)).collect()
    }

    #[test]
    fn it_falls_quickly_and_recovers_slowly_one_level_at_a_time() {
        let mut service = one();
        assert_eq!(watch(&mut service, 0..20, FAILING), [(10, Reduced)]);
        assert_eq!(watch(&mut service, 20..21, ALONE), [(20, Emergency)]);
        assert_eq!(watch(&mut service, 21..1_000, WELL), [(321, Reduced), (621, Full)]);
        assert_eq!(watch(&mut service, 1_000..1_050, BUSY), [(1_030, Reduced)]);
        assert_eq!(service.oscillations(), 1);
        assert_eq!(watch(&mut service, 1_050..4_000, WELL), [(1_350, Full)]);
        assert_eq!(watch(&mut service, 4_000..4_050, BUSY), [(4_030, Reduced)]);
        assert_eq!(service.oscillations(), 1);
    }

    #[test]
    fn a_short_relief_starts_the_count_anew_and_a_short_relapse_as_well() {
        let mut service = one();
        for second in 0..100 {
            let health = if second % 10 == 9 { WELL } else { FAILING };
            assert_eq!(service.observe(secs(second), health), []);
        }
        watch(&mut service, 100..120, FAILING);
        for second in 120..2_000 {
            let health = if second % 299 == 0 { Health { error_rate: 0.02, ..WELL } } else { WELL };
            assert_eq!(service.observe(secs(second), health), []);
        }
    }

    #[test]
    fn lower_tenant_tiers_degrade_earlier() {
        let mut service = Degradation::new(DegradationPolicy::default(), 3);
        let changes: Vec<Transition> = (0..100u32)
            .flat_map(|step| {
                let utilisation = 0.7 + f64::from(step) * 0.003;
                service.observe(secs(u64::from(step) * 10), Health { utilisation, ..WELL })
            })
            .collect();
        assert_eq!(changes.iter().map(|change| change.tenant_tier).collect::<Vec<_>>(), [2, 1, 0]);
        assert!(changes.iter().all(|change| change.cause == ChangeCause::Utilisation));
        assert_eq!((service.level(0), service.level(99)), (Reduced, Reduced));
    }

    #[test]
    fn a_policy_that_is_not_a_number_keeps_nobody_from_degrading() {
        let policy = DegradationPolicy { earlier: f64::NAN, ..DegradationPolicy::default() };
        let mut service = Degradation::new(policy, 2);
        assert_eq!(watch(&mut service, 0..20, FAILING), [(10, Reduced), (10, Reduced)]);
    }

    #[test]
    fn an_override_holds_against_the_signs_and_ends_by_itself() {
        let mut service = Degradation::new(DegradationPolicy::default(), 2);
        let set = service.set_override(secs(1), None, Full, Some(secs(100)));
        assert_eq!(set, []);
        assert_eq!(watch(&mut service, 2..100, ALONE), []);
        let ended = service.observe(secs(100), ALONE);
        assert!(
            ended.iter().all(|change| change.cause == ChangeCause::OverrideEnded && change.to == Emergency)
        );
        assert_eq!(ended.len(), 2);

        let set = service.set_override(secs(101), Some(1), Reduced, None);
        let by_hand = Transition {
            tenant_tier: 1,
            from: Emergency,
            to: Reduced,
            cause: ChangeCause::Override,
            at: secs(101),
        };
        assert_eq!(set, [by_hand]);
        assert_eq!((service.level(0), service.level(1)), (Emergency, Reduced));
        let cleared = service.clear_override(secs(102), None);
        assert_eq!(cleared.iter().map(|change| change.to).collect::<Vec<_>>(), [Emergency]);
        assert_eq!(service.set_override(secs(103), None, Full, Some(secs(103))), []);
    }

    fn health() -> impl Strategy<Value = Health> {
        let part = || prop_oneof![8 => 0.0f64..0.02, 2 => 0.0f64..1.0, 1 => Just(f64::NAN)];
        let busy = prop_oneof![8 => 0.2f64..0.6, 3 => 0.6f64..1.0, 1 => any::<f64>()];
        (part(), busy, prop::bool::weighted(0.95)).prop_map(|(error_rate, utilisation, has_provider)| {
            Health { error_rate, utilisation, has_provider }
        })
    }

    proptest! {
        /// However the clock jumps: changes follow on one another, no tier is better off than one above it, and nothing
        /// gets better but by one level after the calm has lasted.
        #[test]
        fn levels_are_never_better_than_they_may_be(
            samples in proptest::collection::vec((0u64..200, prop::bool::weighted(0.1), health()), 1..200),
            earlier in 0.0f64..1.0,
        ) {
            let policy = DegradationPolicy { earlier, ..DegradationPolicy::default() };
            let mut service = Degradation::new(policy, 3);
            let mut levels = [Full; 3];
            // Since when it has been calm by the first tier's thresholds, at the level each tier has.
            let mut calm_since: [Option<u64>; 3] = [None; 3];
            let (mut clock, mut latest) = (0u64, 0);
            for (passed, is_back, health) in samples {
                clock = if is_back { clock.saturating_sub(passed) } else { clock + passed };
                latest = latest.max(clock);
                let is_calm = health.has_provider && health.error_rate < 0.01 && health.utilisation < 0.7;
                for since in &mut calm_since {
                    *since = is_calm.then(|| since.unwrap_or(latest));
                }
                for change in service.observe(secs(clock), health) {
                    let tier = change.tenant_tier;
                    prop_assert_eq!((change.from, change.at), (levels[tier], secs(latest)));
                    if change.to < change.from {
                        prop_assert_eq!(change.to, change.from.better());
                        prop_assert!(calm_since[tier].is_some_and(|since| latest - since >= 300));
                    }
                    calm_since[tier] = is_calm.then_some(latest);
                    levels[tier] = change.to;
                }
                prop_assert!(levels.is_sorted());
                prop_assert_eq!(levels, [service.level(0), service.level(1), service.level(2)]);
                prop_assert!(health.has_provider || levels[0] == Emergency);
            }
        }
    }
}
