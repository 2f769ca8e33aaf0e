//! A ledger for tests.

use std::sync::{Arc, Mutex, PoisonError};

use mainstay_domain::TurnRecord;
use mainstay_domain::port::{Ledger, LedgerError};

/// Keeps what is booked.
#[derive(Default)]
pub(crate) struct Booked(Mutex<Vec<TurnRecord>>);

impl Booked {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// What has been booked until now.
    pub(crate) fn records(&self) -> Vec<TurnRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Ledger for Booked {
    fn book(&self, record: &TurnRecord) -> Result<(), LedgerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(record.clone());
        Ok(())
    }
}
