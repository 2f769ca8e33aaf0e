//! Bodies that are gone: only as far as the log said, signed, that their retention had passed.

use std::collections::HashMap;

use mainstay_domain::Timestamp;

use crate::line::Line;
use crate::record::{Category, Record};
use crate::retention::{Expired, RetentionPolicy};

/// So many runs of a category are told apart; the first two become one when there are more.
const MOST_RUNS: usize = 4_096;

/// Records of a category without a body, with none that has one between them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) category: Category,
    pub(super) first: u64,
    pub(super) last: u64,
    /// The latest time of them.
    latest: Timestamp,
    pub(super) records: u64,
    pub(super) file: String,
    pub(super) line: u64,
}

/// What is gone, and what the log said about it.
#[derive(Debug, Default)]
pub(super) struct Stubs {
    runs: HashMap<Category, Vec<Run>>,
    /// Whether the last record of the category had no body.
    open: HashMap<Category, bool>,
    /// Said, and not signed yet.
    said: Vec<(Category, Expired)>,
    signed: HashMap<Category, Vec<Expired>>,
}

impl Stubs {
    /// A record with or without its body.
    pub(super) fn record(&mut self, line: &Line<'_>, file: &str, number: u64) {
        let is_open = self.open.insert(line.category, line.body.is_none()).unwrap_or(false);
        if line.body.is_some() {
            return;
        }
        let runs = self.runs.entry(line.category).or_default();
        if let Some(run) = runs.last_mut().filter(|_| is_open) {
            run.last = run.last.max(line.seq);
            run.latest = run.latest.max(line.at);
            run.records += 1;
            return;
        }
        if runs.len() == MOST_RUNS {
            let second = runs.remove(1);
            runs[0].last = second.last;
            runs[0].latest = runs[0].latest.max(second.latest);
            runs[0].records += second.records;
        }
        runs.push(Run {
            category: line.category,
            first: line.seq,
            last: line.seq,
            latest: line.at,
            records: 1,
            file: file.to_owned(),
            line: number,
        });
    }

    /// The log says that bodies expired. Where a retention is known, what it kept too short does not count.
    pub(super) fn say(&mut self, record: &Record, at: Timestamp, retention: Option<&RetentionPolicy>) {
        for (category, expired) in Expired::all_of(record) {
            let is_due = match retention.map(|policy| policy.cutoff(category, at)) {
                None => expired.before <= at,
                Some(cutoff) => cutoff.is_some_and(|cutoff| expired.before <= cutoff),
            };
            if is_due {
                self.said.push((category, expired));
            }
        }
    }

    /// Everything that was said is signed now.
    pub(super) fn sign(&mut self) {
        for (category, expired) in self.said.drain(..) {
            self.signed.entry(category).or_default().push(expired);
        }
    }

    /// Bodies that should be there.
    pub(super) fn into_faults(self) -> Vec<Run> {
        let signed = &self.signed;
        let is_allowed = |run: &Run| {
            let expired = signed.get(&run.category).map(Vec::as_slice).unwrap_or_default();
            expired.iter().any(|expired| run.last <= expired.through && run.latest < expired.before)
        };
        self.runs.into_values().flatten().filter(|run| !is_allowed(run)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hash::Hash;
    use crate::record::Outcome;

    /// Numbers of the first records of the runs that are faults, when each record is as old as its number says.
    fn faults(stubs: &[(u64, Category, bool)], said: &serde_json::Value, is_signed: bool) -> Vec<u64> {
        let mut walk = Stubs::default();
        for &(seq, category, has_body) in stubs {
            let at = Timestamp::from_micros(seq as i64 * 10);
            let body = has_body.then_some(b"{}".as_slice());
            walk.record(&Line::new(seq, at, category, Hash::ZERO, Hash::ZERO, body), "segment", seq);
        }
        let mut record = Record::new(Category::Log, "audit.expired", Outcome::Succeeded);
        record.details = said.as_object().unwrap().clone();
        walk.say(&record, Timestamp::from_micros(1_000), None);
        if is_signed {
            walk.sign();
        }
        let mut faults: Vec<_> = walk.into_faults().into_iter().map(|run| run.first).collect();
        faults.sort_unstable();
        faults
    }

    #[test]
    fn a_body_may_be_gone_up_to_the_number_and_the_time_that_the_log_said_and_signed() {
        use Category::{Inference, SecurityEvent};
        let gone =
            [(1, Inference, false), (2, Inference, false), (3, SecurityEvent, true), (4, Inference, false)];
        let said = |through: u64, before: i64| json!({"inference": {"through": through, "before": before, "bodies": 3}});
        assert_eq!(faults(&gone, &said(4, 41), true), [0; 0]);
        assert_eq!(faults(&gone, &said(4, 41), false), [1], "nobody signed that");
        assert_eq!(faults(&gone, &said(3, 41), true), [1], "record 4 is behind it");
        assert_eq!(faults(&gone, &said(4, 40), true), [1], "record 4 is not older than that");
        assert_eq!(faults(&gone, &said(4, 1_001), true), [1], "a time that had not come yet");
        assert_eq!(
            faults(&gone, &json!({"security_event": {"through": 9, "before": 99, "bodies": 3}}), true),
            [1]
        );
        let held = [(1, Inference, false), (2, Inference, true), (3, Inference, false)];
        assert_eq!(faults(&held, &said(1, 99), true), [3], "what stands between two runs keeps them apart");
        assert_eq!(
            faults(
                &[(1, Category::Log, false)],
                &json!({"log": {"through": 9, "before": 99, "bodies": 1}}),
                true
            ),
            [1]
        );
    }
}
