//! The cost ledger: every turn booked exactly once.
//!
//! [`JournalLedger::book`] appends one line to a journal file with one `write`: it takes microseconds, and what is written
//! survives a kill of the process, because the operating system has it. [`LedgerDrain`] moves the journal into the
//! database in batches, and forces it to disk in between: a power failure can cost the records of the last
//! [`SYNC_INTERVAL`], nothing else can. A turn that is moved twice is booked once, by its id.

mod journal;
mod table;

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::port::{Ledger, LedgerError};
use mainstay_domain::{Clock, TurnRecord};
use tokio_util::sync::CancellationToken;

use crate::data_dir::{DataDir, DataDirError};
use crate::error::StorageError;
use crate::sqlite::{Database, Migration};

use self::journal::Journal;
pub use self::table::Totals;

const FILE: &str = "ledger.db";
const MIGRATIONS: [Migration; 1] =
    [Migration { version: 1, sql: include_str!("../sqlite/schema/ledger_1.sql") }];

/// How often the journal is forced to disk while turns are booked.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// How often the journal is moved into the database.
const DRAIN_INTERVAL: Duration = Duration::from_secs(1);

/// The ledger of a data folder.
#[derive(Debug)]
pub struct JournalLedger {
    journal: Journal,
    database: Database,
}

/// Moves the journal into the database, for as long as it runs.
#[derive(Debug)]
pub struct LedgerDrain {
    ledger: Arc<JournalLedger>,
    clock: Clock,
}

impl JournalLedger {
    /// Opens the ledger of a data folder, and moves what the last run left in the journal.
    pub(crate) async fn open(folder: &DataDir) -> Result<Self, DataDirError> {
        let database = Database::open(folder, FILE, &MIGRATIONS).await?;
        let path = folder.subfolder("ledger")?;
        let journal = Journal::open(&path)
            .map_err(|error| DataDirError::Storage { path: path.clone(), source: error.into() })?;
        let ledger = Self { journal, database };
        if let Err(error) = ledger.drain().await {
            tracing::warn!(%error, "the ledger's journal could not be moved; it is kept and tried again");
        }
        Ok(ledger)
    }

    /// Moves everything that was booked until now into the database.
    pub async fn drain(&self) -> Result<(), StorageError> {
        for segment in self.journal.take_segments()? {
            let records = segment.read()?;
            table::insert(&self.database, &records).await?;
            segment.remove()?;
        }
        Ok(())
    }

    /// The number of turns and their sums, of everything that was moved into the database.
    pub async fn totals(&self) -> Result<Totals, StorageError> {
        table::totals(&self.database).await
    }

    pub(crate) async fn close(&self) {
        self.database.close().await;
    }
}

impl Ledger for JournalLedger {
    fn book(&self, record: &TurnRecord) -> Result<(), LedgerError> {
        self.journal.append(record).map_err(|error| LedgerError(error.to_string()))
    }
}

impl LedgerDrain {
    pub(crate) fn new(ledger: Arc<JournalLedger>, clock: Clock) -> Self {
        Self { ledger, clock }
    }

    /// Syncs and moves until it is told to stop, and once more then. A failure keeps the journal, and is tried again.
    pub async fn run(self, stop: CancellationToken) {
        let rounds = DRAIN_INTERVAL.as_millis() / SYNC_INTERVAL.as_millis();
        let mut round = 0;
        while stop.run_until_cancelled(self.clock.sleep(SYNC_INTERVAL)).await.is_some() {
            round = (round + 1) % rounds;
            let ledger = self.ledger.clone();
            let synced = tokio::task::spawn_blocking(move || ledger.journal.sync()).await;
            if let Ok(Err(error)) = synced {
                tracing::warn!(%error, "the ledger's journal could not be forced to disk");
            }
            if round == 0 {
                self.drain().await;
            }
        }
        self.drain().await;
    }

    async fn drain(&self) {
        if let Err(error) = self.ledger.drain().await {
            tracing::warn!(%error, "the ledger's journal could not be moved; it is kept and tried again");
        }
    }
}
