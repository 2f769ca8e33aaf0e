//! The cost ledger: every turn booked exactly once.
//!
//! [`JournalLedger::book`] appends one line to a journal file with one `write`: it takes microseconds, and what was
//! written survives a kill of the process, because the operating system has it. [`LedgerDrain`] forces the journal to
//! disk while turns are booked, and moves it into the database in batches. A loss of power can cost the bookings of the
//! last [`SYNC_INTERVAL`]; nothing else loses any. A segment of the journal is deleted after its turns are committed,
//! and a turn that is moved twice is booked once, by its id.

mod drain;
mod frame;
mod history;
mod journal;
mod reservations;
mod table;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use mainstay_domain::TurnRecord;
use mainstay_domain::port::{Ledger, LedgerError};
use tokio::sync::{Mutex, Notify};

pub use self::drain::{LedgerDrain, SYNC_INTERVAL};
pub use self::history::{DayTotals, Dimension, HistoryFilter, HistoryPosition, HistoryScope, Totals};
use self::journal::{Journal, Segment};
use self::reservations::Reservations;
use crate::data_dir::{DataDir, DataDirError};
use crate::error::{StorageError, StorageFault};
use crate::sqlite::{Database, Migration};

const FILE: &str = "ledger.db";
const FOLDER: &str = "ledger";
const RESERVATIONS: &str = "reservations";
/// Turns that are moved in one transaction.
const RECORDS_PER_COMMIT: usize = 4_096;
const MIGRATIONS: [Migration; 3] = [
    Migration { version: 1, sql: include_str!("../sqlite/schema/ledger_1.sql") },
    Migration { version: 2, sql: include_str!("../sqlite/schema/ledger_2.sql") },
    Migration { version: 3, sql: include_str!("../sqlite/schema/ledger_3.sql") },
];

/// What was booked, to be read.
#[async_trait]
pub trait TurnHistory: Ledger {
    /// Returns when everything that was booked before the call is in what the other functions read.
    async fn settle(&self) -> Result<(), StorageError>;

    /// The sums of the turns that the filter lets through.
    async fn totals(&self, filter: &HistoryFilter) -> Result<Totals, StorageError>;

    /// The same for each value of a dimension, most expensive first; `None` stands for turns that have no such value.
    async fn totals_by(
        &self,
        filter: &HistoryFilter,
        dimension: Dimension,
    ) -> Result<Vec<(Option<String>, Totals)>, StorageError>;

    /// The same for each day in UTC that has any turn, by value and then from the oldest day.
    async fn totals_by_day(
        &self,
        filter: &HistoryFilter,
        dimension: Dimension,
    ) -> Result<Vec<DayTotals>, StorageError>;

    /// At most `limit` turns, newest first, from the first one older than `before`.
    async fn recent(
        &self,
        filter: &HistoryFilter,
        before: Option<&HistoryPosition>,
        limit: usize,
    ) -> Result<Vec<TurnRecord>, StorageError>;
}

/// The ledger of a data folder.
#[derive(Debug)]
pub struct JournalLedger {
    journal: Arc<Journal>,
    /// What turns under way will cost at most.
    reservations: Reservations,
    /// A file of its own: its frequent small commits and the long ones of an ingest do not wait for each other.
    database: Database,
    /// Tells the drain that there is something to do.
    booked: Notify,
    /// Held while segments are moved, so that each is moved by one.
    moving: Mutex<()>,
    refused: AtomicU64,
    torn_segments: AtomicU64,
    damaged_lines: AtomicU64,
}

/// What went wrong with a ledger since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LedgerTroubles {
    /// Turns that could not be booked: their callers were told.
    pub refused: u64,
    /// Segments whose last line was cut off by a loss of power.
    pub torn_segments: u64,
    /// Lines that were changed after they were written; their segments are kept in the ledger's folder.
    pub damaged_lines: u64,
}

impl JournalLedger {
    /// Opens the ledger of a data folder, and moves what the last run left in the journal.
    pub(crate) async fn open(folder: &DataDir) -> Result<Self, DataDirError> {
        let database = Database::open(folder, FILE, &MIGRATIONS).await?;
        let path = folder.subfolder(FOLDER)?;
        let journal = Journal::open(&path)
            .map_err(|error| DataDirError::Storage { path: path.clone(), source: error.into() })?;
        let path = folder.subfolder(RESERVATIONS)?;
        let (reservations, left) = Reservations::open(&path)
            .map_err(|error| DataDirError::Storage { path: path.clone(), source: error.into() })?;
        let ledger = Self {
            journal: Arc::new(journal),
            reservations,
            database,
            booked: Notify::new(),
            moving: Mutex::new(()),
            refused: AtomicU64::new(0),
            torn_segments: AtomicU64::new(0),
            damaged_lines: AtomicU64::new(0),
        };
        if let Err(error) = ledger.drain().await {
            tracing::warn!(%error, "the ledger's journal could not be moved; it is kept and tried again");
            ledger.booked.notify_one();
            return Ok(ledger);
        }
        // Now those whose turn was booked have their record, and only the others are booked by this.
        for segment in left {
            if let Err(error) = ledger.move_segment(segment).await {
                tracing::warn!(%error, "what was under way when the process ended could not be booked; the next start does it");
            }
        }
        Ok(ledger)
    }

    /// The database that the journal is moved into.
    pub(crate) fn database(&self) -> Database {
        self.database.clone()
    }

    /// Moves everything that was booked until now into the database.
    pub async fn drain(&self) -> Result<(), StorageError> {
        let _alone = self.moving.lock().await;
        let journal = Arc::clone(&self.journal);
        for segment in blocking(move || journal.rotate()).await? {
            self.move_segment(segment).await?;
        }
        Ok(())
    }

    /// What went wrong since it was opened.
    pub fn troubles(&self) -> LedgerTroubles {
        LedgerTroubles {
            refused: self.refused.load(Ordering::Relaxed),
            torn_segments: self.torn_segments.load(Ordering::Relaxed),
            damaged_lines: self.damaged_lines.load(Ordering::Relaxed),
        }
    }

    async fn move_segment(&self, segment: Segment) -> Result<(), StorageError> {
        let (mut torn_bytes, mut damaged_lines) = (0, 0);
        let (segment, mut reader) = blocking(move || segment.open().map(|reader| (segment, reader))).await?;
        loop {
            let (rest, piece) = blocking(move || {
                let piece = reader.next(RECORDS_PER_COMMIT)?;
                Ok((reader, piece))
            })
            .await?;
            reader = rest;
            let Some(piece) = piece else { break };
            table::insert(&self.database, &piece.records).await?;
            torn_bytes += piece.torn_bytes;
            damaged_lines += piece.damaged_lines;
        }
        if torn_bytes > 0 {
            self.torn_segments.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                segment = %segment.path().display(),
                torn_bytes,
                "the last line of a segment of the ledger's journal was cut off by a loss of power"
            );
        }
        if damaged_lines == 0 {
            return blocking(move || segment.remove()).await;
        }
        self.damaged_lines.fetch_add(damaged_lines as u64, Ordering::Relaxed);
        let aside = blocking(move || segment.set_aside()).await?;
        tracing::error!(
            kept = %aside.display(),
            damaged_lines,
            "a segment of the ledger's journal is damaged; its other lines were booked"
        );
        Ok(())
    }

    async fn sync(&self) -> Result<(), StorageError> {
        let journal = Arc::clone(&self.journal);
        blocking(move || journal.sync()).await
    }

    /// Moves what is left, and closes the database.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.drain().await {
            tracing::warn!(%error, "the ledger's journal could not be moved; the next start does it");
        }
        self.database.close().await;
    }
}

impl Ledger for JournalLedger {
    fn book(&self, record: &TurnRecord) -> Result<(), LedgerError> {
        match self.journal.append(record) {
            Ok(first) => {
                if first {
                    self.booked.notify_one();
                }
                self.reservations.release(&record.turn);
                Ok(())
            }
            Err(error) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(LedgerError(StorageError::from(error).to_string()))
            }
        }
    }

    fn reserve(&self, record: &TurnRecord) -> Result<(), LedgerError> {
        self.reservations.reserve(record).map_err(|error| LedgerError(StorageError::from(error).to_string()))
    }
}

/// Work on files, off the threads that answer requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, StorageError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(StorageError::new(StorageFault::Internal, error)),
    }
}
