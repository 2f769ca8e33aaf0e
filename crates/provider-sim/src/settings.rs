//! What a stand-in was started with, and what `/control` has made of it since.

use std::collections::VecDeque;
use std::time::Duration;

use super::chance::Chance;
use super::fault::Fault;
use super::retry_after::RetryAfter;
use super::timing::Timing;

/// What a stand-in is started with.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    /// The faults of all requests, in turn.
    pub faults: Vec<Fault>,
    /// How likely a request has a fault: one of `faults`, or of those that are common with providers. `None`: every
    /// request, in turn.
    pub share: Option<f64>,
    /// How fast it answers.
    pub timing: Timing,
    /// What chance begins from.
    pub seed: u64,
}

/// The faults that a share of requests has where none is named: what calls of real providers meet.
const COMMON: &[Fault] = &[
    Fault::Status { status: 429, retry_after: Some(RetryAfter::Seconds(1)) },
    Fault::Status { status: 500, retry_after: None },
    Fault::Status { status: 503, retry_after: None },
    Fault::Cut,
    Fault::Reset,
    Fault::Stall,
    Fault::StallHeaders,
    Fault::StreamError,
    Fault::EndsEarly,
];

/// What holds for the next request.
#[derive(Clone, Debug)]
pub(super) struct Current {
    /// The faults of the next requests, one each; they come before those of all requests.
    pub(super) next: VecDeque<Fault>,
    /// The faults of all requests.
    pub(super) always: Vec<Fault>,
    /// The place in `always`.
    pub(super) turn: usize,
    /// See [`Settings::share`].
    pub(super) share: Option<f64>,
    /// Before every piece of a stream.
    pub(super) pause: Duration,
    /// See [`Settings::timing`].
    pub(super) timing: Timing,
}

impl Current {
    /// As it was started.
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { faults, share, timing, seed: _ } = settings;
        Self {
            next: VecDeque::new(),
            always: faults.clone(),
            turn: 0,
            share: *share,
            pause: Duration::ZERO,
            timing: *timing,
        }
    }

    /// The fault of a request that names none itself.
    pub(super) fn fault(&mut self, chance: &mut Chance) -> Fault {
        if let Some(fault) = self.next.pop_front() {
            return fault;
        }
        match self.share {
            Some(share) if !chance.happens(share) => Fault::None,
            Some(_) => {
                let choices = if self.always.is_empty() { COMMON } else { &self.always };
                chance.one_of(choices).unwrap_or_default()
            }
            None => {
                let fault = self.always.get(self.turn % self.always.len().max(1)).copied();
                self.turn = self.turn.wrapping_add(1);
                fault.unwrap_or_default()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(settings: &Settings, count: u64) -> Vec<String> {
        let mut current = Current::new(settings);
        (1..=count).map(|number| current.fault(&mut Chance::of(settings.seed, number)).to_string()).collect()
    }

    #[test]
    fn the_faults_of_all_requests_come_in_turn() {
        let settings = Settings { faults: vec!["500".parse().unwrap(), Fault::None], ..Settings::default() };
        assert_eq!(faults(&settings, 4), ["500", "none", "500", "none"]);
        assert_eq!(faults(&Settings::default(), 2), ["none", "none"]);
    }

    #[test]
    fn a_share_of_the_requests_has_one_of_the_faults() {
        let settings = Settings { faults: vec![Fault::Cut], share: Some(0.25), ..Settings::default() };
        let cut = faults(&settings, 400).iter().filter(|fault| *fault == "cut").count();
        assert!((70..130).contains(&cut), "{cut}");
        let of_any = faults(&Settings { share: Some(1.0), ..Settings::default() }, 40);
        assert!(of_any.iter().all(|fault| fault != "none") && of_any.contains(&"stall".to_owned()));
    }
}
