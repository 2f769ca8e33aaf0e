//! What turns that are under way will cost at most, so that a kill of the process loses no money.
//!
//! A reservation is the record by which its turn is booked if the process ends before it books the turn itself. Those that
//! are left of a run are moved into the database by the next one, after the journal: a turn that was booked has its record
//! by then and keeps it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mainstay_domain::{TurnId, TurnRecord};

use super::journal::{Journal, Segment};

/// Reservations after which a new segment is begun, so that those before it can go once their turns are booked.
const PER_SEGMENT: usize = 10_000;

/// The reservations of a data folder.
#[derive(Debug)]
pub(super) struct Reservations {
    journal: Journal,
    /// The last segment of earlier runs.
    left: u64,
    open: Mutex<Open>,
}

/// Turns that are under way.
#[derive(Debug, Default)]
struct Open {
    /// By which generation of segments they were reserved in.
    turns: HashMap<TurnId, u64>,
    counts: BTreeMap<u64, usize>,
    generation: u64,
    /// Reservations of this generation.
    written: usize,
    /// Segments of earlier generations, oldest first.
    retired: Vec<(u64, Segment)>,
}

impl Reservations {
    /// Opens the reservations; returns the segments that earlier runs left.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Vec<Segment>)> {
        let journal = Journal::open(folder)?;
        let left = journal.earlier()?;
        let newest = left.last().map_or(0, Segment::number);
        Ok((Self { journal, left: newest, open: Mutex::default() }, left))
    }

    /// Reserves for a turn. When it returns, a kill of the process does not lose it.
    pub(super) fn reserve(&self, record: &TurnRecord) -> io::Result<()> {
        // Before it is written: else the segment may be retired before the turn is known to be in it.
        let mut open = self.state();
        self.journal.append(record)?;
        let generation = open.generation;
        open.turns.insert(record.turn.clone(), generation);
        *open.counts.entry(generation).or_default() += 1;
        open.written += 1;
        if open.written >= PER_SEGMENT {
            open.written = 0;
            open.generation += 1;
            let newest = open.retired.last().map_or(self.left, |(_, segment)| segment.number());
            let earlier = self.journal.rotate()?.into_iter().filter(|segment| segment.number() > newest);
            open.retired.extend(earlier.map(|segment| (generation, segment)));
        }
        Ok(())
    }

    /// The turn is booked.
    pub(super) fn release(&self, turn: &TurnId) {
        let mut open = self.state();
        let Some(generation) = open.turns.remove(turn) else { return };
        let is_last = open.counts.get_mut(&generation).is_some_and(|count| {
            *count -= 1;
            *count == 0
        });
        if !is_last {
            return;
        }
        open.counts.remove(&generation);
        let oldest = open.counts.keys().next().copied().unwrap_or(open.generation).min(open.generation);
        let keep = open.retired.partition_point(|(generation, _)| *generation < oldest);
        for (_, segment) in open.retired.drain(..keep) {
            // One that stays is moved by the next start, to no effect.
            if let Err(error) = segment.remove() {
                tracing::debug!(%error, "a segment of reservations could not be removed");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::tests::record;

    #[test]
    fn segments_go_when_every_turn_in_them_is_booked() {
        let folder = tempfile::tempdir().unwrap();
        let (reservations, left) = Reservations::open(folder.path()).unwrap();
        assert!(left.is_empty());
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        let turn = |number: usize| record(&format!("t{number}"));
        let most = 2 * PER_SEGMENT + 1;
        (0..most).for_each(|number| reservations.reserve(&turn(number)).unwrap());
        assert_eq!(files(), 3);
        (1..most).for_each(|number| reservations.release(&turn(number).turn));
        // The first turn keeps its segment, and the one after it has nothing to keep.
        assert!(files() >= 2, "{}", files());
        reservations.release(&turn(0).turn);
        assert_eq!(files(), 1);
        drop(reservations);
        let (_, left) = Reservations::open(folder.path()).unwrap();
        assert_eq!(left.len(), 1);
    }
}
