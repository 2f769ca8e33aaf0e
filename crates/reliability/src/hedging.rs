//! When a call that takes unusually long is made a second time, and how much of the traffic may be that.

use std::collections::VecDeque;
use std::time::Duration;

/// Lets a call be made a second time once it takes longer than 95 of 100 did, so that the slowest answers become as fast as
/// a second try, for at most a share of the calls more (Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013: hedged
/// requests).
///
/// For language models the time to give is the time to the *first token*: the time to the last one follows the length of
/// the answer, and long answers would be asked for twice.
#[derive(Clone, PartialEq, Debug)]
pub struct Hedging {
    share: f64,
    /// Saved up from calls.
    saved: f64,
    /// How long the latest calls took, in the order of their ends.
    times: VecDeque<Duration>,
    /// Times since `usual` was taken.
    fresh: usize,
    usual: Option<Duration>,
}

/// Times that are remembered.
const REMEMBERED: usize = 200;
/// Times below which none of them is known to be unusual: the highest of twenty stands for the p95.
const LEAST: usize = 20;
/// After so many new ones the percentile is taken again.
const REFRESH: usize = 10;
/// Second calls that are saved up at most: a provider that becomes slow all at once is not met with a burst.
const MOST: f64 = 5.0;
/// What is longer than usual.
const PERCENTILE: f64 = 0.95;

impl Hedging {
    /// Second calls as a share of first ones, 0 to 1; with 0 there are none, and no time is remembered.
    pub fn new(share: f64) -> Self {
        let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
        Self { share, saved: 0.0, times: VecDeque::new(), fresh: 0, usual: None }
    }

    /// A first call is made. After how long it may be made again if nothing has come; `None` while too little is known.
    pub fn call(&mut self) -> Option<Duration> {
        self.saved = (self.saved + self.share).min(MOST);
        self.usual
    }

    /// How long a call took from its beginning, that of its first try where it was made twice: so those that were overtaken
    /// stay among the slow ones, and the percentile does not creep down by its own work.
    pub fn took(&mut self, time: Duration) {
        if self.share == 0.0 {
            return;
        }
        if self.times.len() == REMEMBERED {
            self.times.pop_front();
        }
        self.times.push_back(time);
        self.fresh += 1;
        if self.times.len() >= LEAST && (self.fresh >= REFRESH || self.usual.is_none()) {
            self.fresh = 0;
            let mut times: Vec<Duration> = self.times.iter().copied().collect();
            let rank = ((times.len() as f64 * PERCENTILE).ceil() as usize).clamp(1, times.len()) - 1;
            self.usual = Some(*times.select_nth_unstable(rank).1);
        }
    }

    /// Whether a call may be made a second time now; if so, it counts.
    pub fn withdraw(&mut self) -> bool {
        // Sums of twentieths fall short of the whole by less than this.
        let enough = self.saved > 1.0 - 1e-9;
        if enough {
            self.saved = (self.saved - 1.0).max(0.0);
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn nothing_is_unusual_before_there_are_twenty_times() {
        let mut hedging = Hedging::new(0.05);
        for time in 1..20 {
            hedging.took(millis(time));
            assert_eq!(hedging.call(), None);
        }
        hedging.took(millis(20));
        assert_eq!(hedging.call(), Some(millis(19)), "the p95 of 1 to 20 by nearest rank");
    }

    #[test]
    fn the_latest_times_are_what_is_usual() {
        let mut hedging = Hedging::new(0.05);
        (1..=200).for_each(|time| hedging.took(millis(time)));
        assert_eq!(hedging.call(), Some(millis(190)));
        (0..200).for_each(|_| hedging.took(millis(7)));
        assert_eq!(hedging.call(), Some(millis(7)));
    }

    #[test]
    fn a_twentieth_of_the_calls_is_made_twice_at_most() {
        let mut hedging = Hedging::new(0.05);
        let mut twice = 0;
        for _ in 0..1_000 {
            hedging.call();
            twice += u32::from(hedging.withdraw());
        }
        assert_eq!(twice, 50);
    }

    #[test]
    fn what_is_saved_up_in_quiet_times_is_bounded() {
        let mut hedging = Hedging::new(1.0);
        (0..1_000).for_each(|_| _ = hedging.call());
        let twice = (0..1_000).filter(|_| hedging.withdraw()).count();
        assert_eq!(twice, MOST as usize);
    }

    #[test]
    fn a_share_of_nothing_calls_nothing_twice() {
        for share in [0.0, -1.0, f64::NAN] {
            let mut hedging = Hedging::new(share);
            (0..100).for_each(|_| hedging.took(millis(5)));
            assert_eq!((hedging.call(), hedging.withdraw()), (None, false), "{share}");
        }
    }
}
