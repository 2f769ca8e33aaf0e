//! The order of records: which are missing, and which stand where they should not.

use std::collections::VecDeque;

use crate::hash::Hash;
use crate::line::Line;

/// So many hashes are remembered, to tell a record that stands twice from another with its number.
const REMEMBERED: usize = 4_096;
/// So many gaps in the numbers are remembered; the oldest is final when there are more.
const MOST_GAPS: usize = 4_096;

/// Numbers that no record has been seen with, at the place where they are missed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Missing {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) file: String,
    pub(super) line: u64,
}

/// How a record stands to those before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// Where it should.
    InPlace,
    /// Where it should, but it follows another record than the one before it.
    Unlinked,
    /// Behind later ones.
    Moved,
    /// It is there a second time.
    Again,
    /// Another record has its number.
    Rival,
}

/// What is known of the order so far.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Number and hash of the latest record.
    last: Option<(u64, Hash)>,
    /// Lines behind it that are no sound records.
    damaged: u64,
    recent: VecDeque<(u64, Hash)>,
    missing: VecDeque<Missing>,
}

impl Order {
    /// A line that is no sound record stands here: it may be the next one, or have been put in.
    pub(super) fn damaged(&mut self) {
        self.damaged += 1;
    }

    /// A sound record stands here. Returns with it a gap that became final, because there are too many.
    pub(super) fn record(&mut self, line: &Line<'_>, file: &str, number: u64) -> (Standing, Option<Missing>) {
        let (last, hash) = self.last.unwrap_or((0, Hash::ZERO));
        if line.seq <= last {
            return (self.earlier(line, last), None);
        }
        let absent = line.seq - last - 1;
        let mut dropped = None;
        if absent > self.damaged {
            let gap = Missing { first: last + 1, last: line.seq - 1, file: file.to_owned(), line: number };
            self.missing.push_back(gap);
            dropped = (self.missing.len() > MOST_GAPS).then(|| self.missing.pop_front()).flatten();
        }
        let is_linked = absent > 0 || line.prev == hash;
        self.follow(line);
        (if is_linked { Standing::InPlace } else { Standing::Unlinked }, dropped)
    }

    /// Number of the latest record.
    pub(super) fn last(&self) -> u64 {
        self.last.map_or(0, |(seq, _)| seq)
    }

    /// What is missing after all.
    pub(super) fn into_missing(self) -> VecDeque<Missing> {
        self.missing
    }

    fn earlier(&mut self, line: &Line<'_>, last: u64) -> Standing {
        if let Some(place) = self.missing.iter().position(|gap| (gap.first..=gap.last).contains(&line.seq)) {
            self.found(place, line.seq);
            self.remember(line);
            return Standing::Moved;
        }
        let known = self.recent.iter().rev().find(|(seq, _)| *seq == line.seq);
        match known {
            Some((_, hash)) if *hash != line.hash => {
                if line.seq == last {
                    // Whichever of the two is the true one: the next record tells, and may follow this one.
                    self.follow(line);
                }
                Standing::Rival
            }
            // What is not remembered any more is taken for the same.
            _ => Standing::Again,
        }
    }

    /// Takes a number out of a gap.
    fn found(&mut self, place: usize, seq: u64) {
        let gap = &mut self.missing[place];
        let (first, last) = (gap.first, gap.last);
        if first == last {
            self.missing.remove(place);
        } else if seq == first {
            gap.first += 1;
        } else if seq == last {
            gap.last -= 1;
        } else {
            gap.last = seq - 1;
            let rest = Missing { first: seq + 1, last, ..gap.clone() };
            self.missing.insert(place + 1, rest);
        }
    }

    fn follow(&mut self, line: &Line<'_>) {
        self.last = Some((line.seq, line.hash));
        self.damaged = 0;
        self.remember(line);
    }

    fn remember(&mut self, line: &Line<'_>) {
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((line.seq, line.hash));
    }
}
