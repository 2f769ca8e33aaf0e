//! Whether a cascade saves anything: a model whose answers are nearly all asked again of the next costs money and time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// When a model is passed over.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct GuardSettings {
    /// The share of its answers that may be escalated, 0 to 1.
    pub most_escalated: f64,
}

impl Default for GuardSettings {
    /// 60 %: beyond that the cheap calls cost more than they save.
    fn default() -> Self {
        Self { most_escalated: 0.6 }
    }
}

/// Counts what of each tier's answers was escalated.
#[derive(Debug)]
pub struct Guard {
    settings: GuardSettings,
    tiers: Mutex<Vec<Tier>>,
}

#[derive(Clone, Debug, Default)]
struct Tier {
    /// Whether each of its last answers was escalated.
    last: VecDeque<bool>,
    /// Questions that it was passed over for since it was asked last.
    passed_over: u32,
}

/// Answers that count, and those without which nothing is known.
const WINDOW: usize = 50;
const LEAST: usize = 30;
/// One of so many questions is still asked of a model that is passed over, to see whether it has become better.
const PROBE_EVERY: u32 = 20;

impl Guard {
    /// For so many tiers.
    pub fn new(settings: GuardSettings, tiers: usize) -> Self {
        Self { settings, tiers: Mutex::new(vec![Tier::default(); tiers]) }
    }

    /// The tier at which a question begins that starts at `start`: behind those that are not worth asking.
    pub fn begin(&self, start: usize) -> usize {
        let mut tiers = self.tiers();
        let last = tiers.len().saturating_sub(1);
        let mut tier = start;
        while tier < last && tiers[tier].share().is_some_and(|share| share > self.settings.most_escalated) {
            let one = &mut tiers[tier];
            one.passed_over += 1;
            if one.passed_over >= PROBE_EVERY {
                one.passed_over = 0;
                break;
            }
            tier += 1;
        }
        tier
    }

    /// A tier has answered. Returns whether from now on, and not before, it is passed over.
    pub fn answered(&self, tier: usize, is_escalated: bool) -> bool {
        let mut tiers = self.tiers();
        let last = tiers.len().saturating_sub(1);
        let Some(one) = tiers.get_mut(tier).filter(|_| tier < last) else { return false };
        let is_poor = |one: &Tier| one.share().is_some_and(|share| share > self.settings.most_escalated);
        let was_poor = is_poor(one);
        if one.last.len() == WINDOW {
            one.last.pop_front();
        }
        one.last.push_back(is_escalated);
        is_poor(one) && !was_poor
    }

    /// The share of a tier's last answers that was escalated; `None` where there are too few.
    pub fn escalated_share(&self, tier: usize) -> Option<f64> {
        self.tiers().get(tier)?.share()
    }

    fn tiers(&self) -> MutexGuard<'_, Vec<Tier>> {
        self.tiers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tier {
    fn share(&self) -> Option<f64> {
        let escalated = self.last.iter().filter(|&&is_escalated| is_escalated).count();
        (self.last.len() >= LEAST).then(|| escalated as f64 / self.last.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_escalated_too_often_is_passed_over_and_tried_now_and_then() {
        let guard = Guard::new(GuardSettings::default(), 3);
        let mut turned = 0;
        for answer in 0..50 {
            turned += u32::from(guard.answered(0, answer % 4 != 0));
        }
        assert_eq!(turned, 1, "it is told once");
        assert_eq!(Guard::new(GuardSettings::default(), 3).begin(0), 0);
        let begun: Vec<usize> = (0..200).map(|_| guard.begin(0)).collect();
        assert_eq!(begun.iter().filter(|&&tier| tier == 0).count(), 10);
    }

    #[test]
    fn a_model_that_has_become_better_is_asked_again() {
        let guard = Guard::new(GuardSettings::default(), 2);
        (0..50).for_each(|_| {
            guard.answered(0, true);
        });
        assert_eq!(guard.begin(0), 1);
        (0..20).for_each(|_| {
            guard.answered(0, false);
        });
        assert_eq!((guard.escalated_share(0), guard.begin(0)), (Some(0.6), 0));
    }

    #[test]
    fn the_last_model_is_never_passed_over() {
        let guard = Guard::new(GuardSettings { most_escalated: 0.0 }, 2);
        (0..50).for_each(|_| {
            guard.answered(0, true);
            guard.answered(1, true);
        });
        assert_eq!((guard.begin(1), guard.escalated_share(1)), (1, None));
    }
}
