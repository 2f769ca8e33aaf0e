//! The embedded store: everything in one data folder.

use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_vault::{MasterKeys, TenantKeys};
use tokio_util::sync::CancellationToken;

use crate::anchors::SqliteAnchors;
use crate::approvals::SqliteApprovals;
use crate::data_dir::{DataDir, DataDirError};
use crate::documents::SealingProgress;
use crate::documents::sqlite::SqliteDocuments;
use crate::erasures::SqliteErasures;
use crate::error::StorageError;
use crate::keys::SqliteKeys;
use crate::ledger::{JournalLedger, LedgerDrain};
use crate::revocations::SqliteRevocations;
use crate::sealing::Sealing;
use crate::sqlite::{Database, Migration};
use crate::tenants::SqliteTenants;

/// The database of documents, events, tenants and keys.
const MAIN_FILE: &str = "mainstay.db";

const MAIN_MIGRATIONS: [Migration; 7] = [
    Migration { version: 1, sql: include_str!("sqlite/schema/main_1.sql") },
    Migration { version: 2, sql: include_str!("sqlite/schema/main_2.sql") },
    Migration { version: 3, sql: include_str!("sqlite/schema/main_3.sql") },
    Migration { version: 4, sql: include_str!("sqlite/schema/main_4.sql") },
    Migration { version: 5, sql: include_str!("sqlite/schema/main_5.sql") },
    Migration { version: 6, sql: include_str!("sqlite/schema/main_6.sql") },
    Migration { version: 7, sql: include_str!("sqlite/schema/main_7.sql") },
];

/// Everything that Mainstay remembers, in one data folder.
#[derive(Clone, Debug)]
pub struct EmbeddedStore {
    folder: DataDir,
    main: Database,
    sealing: Option<Sealing>,
    documents: Arc<SqliteDocuments>,
    ledger: Arc<JournalLedger>,
    clock: Clock,
}

impl EmbeddedStore {
    /// Opens what the folder holds, creates what is missing, and brings the tables up to date. A folder whose content is
    /// sealed is refused: [`DataDirError::Sealed`] says what is missing.
    pub async fn open(folder: DataDir, clock: Clock) -> Result<Self, DataDirError> {
        let main = Database::open(&folder, MAIN_FILE, &MAIN_MIGRATIONS).await?;
        match Sealing::refuse(&folder, &main, clock).await {
            Ok(()) => Self::with(folder, main, None, clock).await,
            Err(error) => {
                main.close().await;
                Err(error)
            }
        }
    }

    /// The same, with the content of documents sealed: each tenant's with keys of its own, which one of the master keys
    /// wraps. What was stored before stays readable, and is sealed by [`EmbeddedStore::seal_what_is_plain`]. From then on
    /// the folder opens only with its master key: another one is [`DataDirError::WrongMasterKey`].
    pub async fn open_sealed(
        folder: DataDir,
        clock: Clock,
        masters: MasterKeys,
    ) -> Result<Self, DataDirError> {
        let main = Database::open(&folder, MAIN_FILE, &MAIN_MIGRATIONS).await?;
        match Sealing::open(&folder, &main, masters, clock).await {
            Ok(sealing) => Self::with(folder, main, Some(sealing), clock).await,
            Err(error) => {
                main.close().await;
                Err(error)
            }
        }
    }

    async fn with(
        folder: DataDir,
        main: Database,
        sealing: Option<Sealing>,
        clock: Clock,
    ) -> Result<Self, DataDirError> {
        let documents = Arc::new(SqliteDocuments::new(main.clone(), sealing.clone(), clock));
        let ledger = Arc::new(JournalLedger::open(&folder).await?);
        Ok(Self { folder, main, sealing, documents, ledger, clock })
    }

    /// The keys by which the content of documents is sealed, for whoever rotates, wraps again or destroys them; `None` where
    /// it is not sealed.
    ///
    /// Destroying a tenant's keys erases what is sealed with them. What is still plain is not sealed with anything: until
    /// [`EmbeddedStore::seal_what_is_plain`] is through, delete and purge the tenant's documents as well.
    pub fn tenant_keys(&self) -> Option<TenantKeys> {
        self.sealing.as_ref().map(|sealing| sealing.keys().clone())
    }

    /// Seals what was stored before content was sealed; nothing where the store was opened without keys, or everything is
    /// sealed. It works in small transactions, so that requests go on meanwhile, and may be stopped and dropped at any
    /// moment: the next call goes on where this one was. `report` is told how far it has come after each of them.
    ///
    /// At its end it writes the database anew, for which the disk needs room for a second one, and during which writers
    /// wait. Only then it is finished: no plain content is left in the files, and none is accepted in the place of sealed
    /// content any more.
    pub async fn seal_what_is_plain(
        &self,
        stop: &CancellationToken,
        report: impl FnMut(SealingProgress) + Send,
    ) -> Result<SealingProgress, StorageError> {
        self.documents.seal_what_is_plain(stop, report).await
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

    /// Tokens that are not accepted any more.
    pub fn revocations(&self) -> SqliteRevocations {
        SqliteRevocations::new(self.main.clone())
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
        if let Some(sealing) = &self.sealing {
            sealing.close().await;
        }
    }
}
