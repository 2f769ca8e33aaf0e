//! The embedded store: everything in one data folder.

use std::sync::Arc;

use mainstay_domain::Clock;

use crate::anchors::SqliteAnchors;
use crate::approvals::SqliteApprovals;
use crate::data_dir::{DataDir, DataDirError};
use crate::documents::sqlite::SqliteDocuments;
use crate::erasures::SqliteErasures;
use crate::keys::SqliteKeys;
use crate::ledger::{JournalLedger, LedgerDrain};
use crate::sqlite::{Database, Migration};
use crate::tenants::SqliteTenants;

/// The database of documents, events, tenants and keys.
const MAIN_FILE: &str = "mainstay.db";

const MAIN_MIGRATIONS: [Migration; 5] = [
    Migration { version: 1, sql: include_str!("sqlite/schema/main_1.sql") },
    Migration { version: 2, sql: include_str!("sqlite/schema/main_2.sql") },
    Migration { version: 3, sql: include_str!("sqlite/schema/main_3.sql") },
    Migration { version: 4, sql: include_str!("sqlite/schema/main_4.sql") },
    Migration { version: 5, sql: include_str!("sqlite/schema/main_5.sql") },
];

/// Everything that Mainstay remembers, in one data folder.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    folder: DataDir,
    main: Database,
    documents: Arc<SqliteDocuments>,
    ledger: Arc<JournalLedger>,
    clock: Clock,
}

impl EmbeddedStore {
    /// Opens what the folder holds, creates what is missing, and brings the tables up to date.
    pub async fn open(folder: DataDir, clock: Clock) -> Result<Self, DataDirError> {
        let main = Database::open(&folder, MAIN_FILE, &MAIN_MIGRATIONS).await?;
        let documents = Arc::new(SqliteDocuments::new(main.clone(), clock));
        let ledger = Arc::new(JournalLedger::open(&folder).await?);
        Ok(Self { folder, main, documents, ledger, clock })
    }

    /// The folder that holds it.
    pub const fn folder(&self) -> &DataDir {
        &self.folder
    }

    /// The documents.
    pub fn documents(&self) -> Arc<SqliteDocuments> {
        Arc::clone(&self.documents)
    }

    /// The API keys.
    pub fn keys(&self) -> SqliteKeys {
        SqliteKeys::new(self.main.clone())
    }

    /// The tenants.
    pub fn tenants(&self) -> SqliteTenants {
        SqliteTenants::new(self.main.clone())
    }

    /// What erasing needs.
    pub fn erasures(&self) -> SqliteErasures {
        SqliteErasures::new(self.main.clone(), self.ledger.database())
    }

    /// Changes that need a second person.
    pub fn approvals(&self) -> SqliteApprovals {
        SqliteApprovals::new(self.main.clone())
    }

    /// Heads of the audit chain.
    pub fn anchors(&self) -> SqliteAnchors {
        SqliteAnchors::new(self.main.clone())
    }

    /// The cost ledger.
    pub fn ledger(&self) -> Arc<JournalLedger> {
        Arc::clone(&self.ledger)
    }

    /// What moves the ledger's journal into its database; to be run for as long as turns are booked.
    pub fn ledger_drain(&self) -> LedgerDrain {
        LedgerDrain::new(self.ledger(), self.clock)
    }

    /// Waits for running statements and closes the files. Calls that come later fail with
    /// [`StorageFault::Closed`](crate::StorageFault::Closed). A process that ends without it loses nothing.
    pub async fn close(&self) {
        self.ledger.close().await;
        self.main.close().await;
    }
}
