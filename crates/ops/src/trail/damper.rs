//! Keeps whoever can make things happen as often as they like from filling the disk with records of it.

use std::collections::HashMap;

use mainstay_domain::Timestamp;

/// Records of one source that are written in a minute.
const A_MINUTE: u32 = 10;

/// Sources that are told apart; more than these share one count.
const SOURCES: usize = 10_000;

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;

/// How much of each source was written in its minute.
#[derive(Default)]
pub(super) struct Damper {
    sources: HashMap<String, Minute>,
    /// When it was last made room.
    looked_at: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Minute {
    began: Timestamp,
    written: u32,
    unwritten: u64,
}

impl Damper {
    /// Whether one more of this source is written, and how many were not since the last that was.
    pub(super) fn pass(&mut self, source: &str, now: Timestamp) -> Option<u64> {
        if self.sources.len() >= SOURCES && !self.sources.contains_key(source) {
            self.forget_those_over(now);
        }
        let shared = self.sources.len() >= SOURCES && !self.sources.contains_key(source);
        let key = if shared { "" } else { source };
        let minute =
            self.sources.entry(key.to_owned()).or_insert(Minute { began: now, written: 0, unwritten: 0 });
        if is_over(minute, now) {
            (minute.began, minute.written) = (now, 0);
        }
        if minute.written < A_MINUTE {
            minute.written += 1;
            return Some(std::mem::take(&mut minute.unwritten));
        }
        minute.unwritten += 1;
        None
    }

    /// Makes room. What of the forgotten was not written is told with the next record of those that are not told apart.
    fn forget_those_over(&mut self, now: Timestamp) {
        // Not at each new source, while all of them are of this minute.
        if self.looked_at.is_some_and(|at| now.as_micros().saturating_sub(at.as_micros()) < SECOND) {
            return;
        }
        self.looked_at = Some(now);
        let mut unwritten = 0;
        self.sources.retain(|_, minute| {
            let over = is_over(minute, now);
            unwritten += if over { minute.unwritten } else { 0 };
            !over
        });
        if unwritten > 0 {
            let others = Minute { began: now, written: 0, unwritten: 0 };
            self.sources.entry(String::new()).or_insert(others).unwritten += unwritten;
        }
    }
}

fn is_over(minute: &Minute, now: Timestamp) -> bool {
    now.as_micros().saturating_sub(minute.began.as_micros()) >= MINUTE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn of_a_flood_some_are_written_and_the_others_counted() {
        let mut damper = Damper::default();
        let written = (0..1_000).filter(|_| damper.pass("a", at(1)).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(damper.pass("b", at(1)), Some(0), "another source is not held up by it");
        assert_eq!(damper.pass("a", at(61)), Some(990), "nothing is forgotten");
        assert_eq!(damper.pass("a", at(61)), Some(0));
    }

    #[test]
    fn sources_without_end_take_no_memory_without_end() {
        let mut damper = Damper::default();
        for number in 0..50_000 {
            damper.pass(&number.to_string(), at(1));
        }
        assert!(damper.sources.len() <= SOURCES + 1);
        assert!(damper.pass("new", at(120)).is_some());
        assert!(damper.sources.len() <= SOURCES + 1);
    }
}
