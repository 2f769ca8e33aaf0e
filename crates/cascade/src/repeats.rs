//! Who asks the same again: the sign that an answer was not good enough.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// What answered when the same was asked a moment ago.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Previous {
    /// The tier that answered.
    pub tier: usize,
    /// Whether it was asked to compare.
    pub is_comparison: bool,
}

/// Remembers who asked what a moment ago, by a digest of both.
#[derive(Debug, Default)]
pub struct Repeats {
    answered: HashMap<u64, (Previous, Duration)>,
    order: VecDeque<(u64, Duration)>,
}

/// How long an answer is remembered: who asks again later has forgotten it.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Answers that are remembered.
const MOST: usize = 10_000;

impl Repeats {
    /// What answered the same question of the same person a moment ago.
    pub fn previous(&self, digest: u64, now: Duration) -> Option<Previous> {
        let (previous, at) = self.answered.get(&digest)?;
        (now.saturating_sub(*at) <= REMEMBERED).then_some(*previous)
    }

    /// The question was answered.
    pub fn answered(&mut self, digest: u64, previous: Previous, now: Duration) {
        self.answered.insert(digest, (previous, now));
        self.order.push_back((digest, now));
        while let Some(&(digest, at)) = self.order.front() {
            let is_old = now.saturating_sub(at) > REMEMBERED;
            if !is_old && self.order.len() <= MOST {
                break;
            }
            self.order.pop_front();
            // One that was answered again since is remembered for that.
            if self.answered.get(&digest).is_some_and(|(_, latest)| *latest == at) {
                self.answered.remove(&digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Previous = Previous { tier: 0, is_comparison: false };

    #[test]
    fn an_answer_is_remembered_for_ten_minutes_from_the_last_time() {
        let mut repeats = Repeats::default();
        let at = Duration::from_secs;
        repeats.answered(1, FIRST, at(0));
        assert_eq!(repeats.previous(1, at(600)), Some(FIRST));
        assert_eq!((repeats.previous(1, at(601)), repeats.previous(2, at(0))), (None, None));
        repeats.answered(1, Previous { tier: 1, ..FIRST }, at(500));
        repeats.answered(2, FIRST, at(700));
        assert_eq!(repeats.previous(1, at(900)).map(|previous| previous.tier), Some(1));
    }

    #[test]
    fn no_more_are_remembered_than_fit() {
        let mut repeats = Repeats::default();
        for digest in 0..2 * MOST as u64 {
            repeats.answered(digest, FIRST, Duration::ZERO);
        }
        assert_eq!((repeats.answered.len(), repeats.order.len()), (MOST, MOST));
        assert_eq!(repeats.previous(0, Duration::ZERO), None);
    }
}
