//! The loop that forces the journal to disk and moves it into the database.

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::Clock;
use tokio_util::sync::CancellationToken;

use super::JournalLedger;

/// How often the journal is forced to disk while turns are booked, unless something else is said.
pub const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// The journal is moved into the database after so many syncs: about once a second.
const SYNCS_PER_MOVE: u32 = 10;

/// Forces the journal to disk and moves it into the database, for as long as it runs. Without bookings it sleeps.
#[derive(Debug)]
pub struct LedgerDrain {
    ledger: Arc<JournalLedger>,
    clock: Clock,
    sync_interval: Duration,
}

impl LedgerDrain {
    pub(crate) fn new(ledger: Arc<JournalLedger>, clock: Clock) -> Self {
        Self { ledger, clock, sync_interval: SYNC_INTERVAL }
    }

    /// Another interval between two syncs: what a loss of power may cost at most.
    #[must_use]
    pub const fn with_sync_interval(mut self, interval: Duration) -> Self {
        self.sync_interval = interval;
        self
    }

    /// Runs until it is told to stop, and moves everything once more then. A failure keeps the journal and is tried
    /// again; it is logged, and nothing is lost by it.
    pub async fn run(self, stop: CancellationToken) {
        while stop.run_until_cancelled(self.ledger.booked.notified()).await.is_some() {
            for _ in 0..SYNCS_PER_MOVE {
                if stop.run_until_cancelled(self.clock.sleep(self.sync_interval)).await.is_none() {
                    break;
                }
                if let Err(error) = self.ledger.sync().await {
                    tracing::warn!(%error, "the ledger's journal could not be forced to disk");
                }
            }
            if !self.drain().await {
                // To be tried again, also when nobody books.
                self.ledger.booked.notify_one();
            }
        }
        self.drain().await;
    }

    async fn drain(&self) -> bool {
        let drained = self.ledger.drain().await;
        if let Err(error) = &drained {
            tracing::warn!(%error, "the ledger's journal could not be moved; it is kept and tried again");
        }
        drained.is_ok()
    }
}
