//! The log that is open: appended to by many threads, forced to disk, signed.

mod open;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_domain::{Clock, Timestamp};

pub use self::open::OpenError;
pub(crate) use self::open::next_key;
use crate::chain::{Chain, Receipt, own};
use crate::commit::Commit;
use crate::files;
use crate::hash::Hash;
use crate::opening::{HEAD, Opening};
use crate::record::{Category, Outcome, Record, RecordFault};
use crate::segment::Bound;
use crate::signing::{PublicKey, Signature, SignedHead, statement_message};

/// How often [`AuditLog::sync`] is to be called: what a loss of power may cost of what was appended with
/// [`Durability::Buffered`].
pub const SYNC_INTERVAL: Duration = Duration::from_millis(100);

/// What an append waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// The operating system has the record: a kill of the process does not lose it, a loss of power may.
    Buffered,
    /// The record is on disk. Takes as long as the disk does, some milliseconds: not on a thread that answers requests.
    Synced,
}

/// An audit log that is open. One process has it at a time.
#[derive(Debug)]
pub struct AuditLog {
    folder: PathBuf,
    key_path: PathBuf,
    clock: Clock,
    chain: Mutex<Chain>,
    commit: Commit,
    health: Mutex<Health>,
    /// The number that the head file holds; held while the file is written.
    head_written: Mutex<u64>,
    /// Held while bodies are removed, keys are changed or the log is verified: each needs the others to stand still.
    pub(crate) housekeeping: Mutex<()>,
    opening: Opening,
    /// Holds the lock; never read again.
    _lock: File,
}

/// Why a record was not appended, or is not known to be on disk.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// It cannot be a record.
    #[error("the audit record cannot be written as it is")]
    Record(#[from] RecordFault),
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// The disk refused it. Nothing of it is in the log, and the next one gets its number.
    #[error("the audit record was refused by the disk: free space, or look at the disk")]
    Refused(#[source] io::Error),
    /// It is in the log, and a loss of power may lose it.
    #[error("the audit record {seq} was written and could not be forced to disk: look at the disk")]
    NotSynced {
        /// Its number.
        seq: u64,
        /// Why.
        source: Arc<io::Error>,
    },
}

/// The log could not be forced to disk or signed; it is tried again by the next call.
#[derive(Debug, thiserror::Error)]
#[error("the audit log could not be {doing}: free space, or look at the disk")]
pub struct SyncError {
    /// What was tried.
    pub doing: &'static str,
    /// Why not.
    pub source: Arc<io::Error>,
}

/// What does not work at the moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Health {
    /// Records are refused. Where the policy is "no unaudited request", requests must be, too.
    pub append: Option<Trouble>,
    /// Records are not forced to disk or signed: a loss of power may lose more than it should.
    pub sync: Option<Trouble>,
    /// Records that were refused since the log was opened.
    pub refused: u64,
}

impl Health {
    /// Whether everything works.
    pub const fn is_sound(&self) -> bool {
        self.append.is_none() && self.sync.is_none()
    }
}

/// Since when something does not work, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble {
    /// The first failure since it last worked.
    pub since: Timestamp,
    /// What the operating system said last.
    pub reason: String,
}

impl AuditLog {
    /// Appends a record. An error other than [`AppendError::NotSynced`] leaves the log as if nothing had been tried.
    pub fn append(&self, record: &Record, durability: Durability) -> Result<Receipt, AppendError> {
        if record.category == Category::Log {
            return Err(RecordFault::OwnCategory.into());
        }
        let body = record.to_body()?;
        let digest = Hash::of(&body);
        let appended = {
            let mut chain = self.chain();
            if chain.closed {
                return Err(AppendError::Closed);
            }
            // Under the lock, so that the order of the numbers is that of the times.
            let now = self.clock.now();
            chain.append(record.category, &body, digest, now)
        };
        let receipt = self.note_append(appended).map_err(|error| {
            self.health_state().refused += 1;
            AppendError::Refused(error)
        })?;
        if durability == Durability::Synced {
            self.force_through(receipt.seq)
                .map_err(|source| AppendError::NotSynced { seq: receipt.seq, source })?;
        }
        Ok(receipt)
    }

    /// Forces everything that was appended to disk, signs it where it is time for that, and keeps the head file. Somebody
    /// has to call it every [`SYNC_INTERVAL`]. While appends fail, it tries one, so that the log gets well again also
    /// when nobody appends because of that.
    pub fn sync(&self) -> Result<(), SyncError> {
        let is_refusing = self.health().append.is_some();
        let signed = {
            let mut chain = self.chain();
            match chain.closed {
                true => Ok(()),
                false if is_refusing => chain.checkpoint(self.clock.now()),
                false => chain.checkpoint_if_due(self.clock.now()),
            }
        };
        self.note_append(signed).map_err(|error| SyncError { doing: "signed", source: Arc::new(error) })?;
        self.force_and_keep_head()
    }

    /// Signs everything that was appended now, and returns the signed head, to be kept somewhere else.
    pub fn checkpoint(&self) -> Result<SignedHead, SyncError> {
        let (signed, head) = {
            let mut chain = self.chain();
            let is_signed = chain.unsigned == 0 || chain.closed;
            let signed = if is_signed { Ok(()) } else { chain.checkpoint(self.clock.now()) };
            (signed, chain.head.clone())
        };
        let failed = |source| SyncError { doing: "signed", source: Arc::new(source) };
        self.note_append(signed).map_err(failed)?;
        self.force_and_keep_head()?;
        head.ok_or_else(|| failed(io::Error::other("there is no checkpoint")))
    }

    /// The last signed head. Kept where whoever may write the log cannot write, it finds a log that was rolled back.
    pub fn head(&self) -> Option<SignedHead> {
        self.chain().head.clone()
    }

    /// The key that signs now: auditors verify with it.
    pub fn public_key(&self) -> Option<PublicKey> {
        self.chain().public_key()
    }

    /// Signs something that is not a record, such as a certificate, with the key that signs now.
    pub fn sign_statement(&self, statement: &[u8]) -> Option<(PublicKey, Signature)> {
        let chain = self.chain();
        let key = chain.key.as_ref()?;
        Some((key.public(), key.sign(&statement_message(statement))))
    }

    /// What was found when it was opened.
    pub const fn opening(&self) -> &Opening {
        &self.opening
    }

    /// What does not work at the moment.
    pub fn health(&self) -> Health {
        self.health_state().clone()
    }

    /// The folder of the log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Says that the log ends here, signs it and forces it to disk. Appends are refused from then on.
    pub fn close(&self) -> Result<(), SyncError> {
        let _alone = self.alone();
        let closing = {
            let mut chain = self.chain();
            if chain.closed {
                return Ok(());
            }
            let now = self.clock.now();
            let farewell = Record::new(Category::SecurityEvent, own::CLOSED, Outcome::Succeeded);
            let closing = chain.append_record(&farewell, now).and_then(|_| chain.checkpoint(now));
            chain.closed = closing.is_ok();
            closing
        };
        self.note_append(closing).map_err(|error| SyncError { doing: "signed", source: Arc::new(error) })?;
        self.force_and_keep_head()
    }

    /// Where the file of the signing key is.
    pub(crate) fn key_path(&self) -> &Path {
        &self.key_path
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Up to where the log can be read.
    pub(crate) fn bound(&self) -> Bound {
        self.chain().bound()
    }

    pub(crate) fn chain(&self) -> MutexGuard<'_, Chain> {
        // A line is appended or not: a panic elsewhere leaves nothing half done.
        self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn alone(&self) -> MutexGuard<'_, ()> {
        self.housekeeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forces everything to disk, and keeps the head that was signed last.
    pub(crate) fn force_and_keep_head(&self) -> Result<(), SyncError> {
        let last = self.chain().last.seq;
        self.force_through(last).map_err(|source| SyncError { doing: "forced to disk", source })?;
        self.note_sync(self.keep_head())
            .map_err(|error| SyncError { doing: "given its head file", source: Arc::new(error) })
    }

    fn force_through(&self, seq: u64) -> Result<(), Arc<io::Error>> {
        self.commit.through(seq, || {
            let (unsynced, through) = {
                let mut chain = self.chain();
                chain.active.forcing = true;
                (chain.active.unsynced(), chain.last.seq)
            };
            let forced = unsynced.force();
            {
                let mut chain = self.chain();
                chain.active.forcing = false;
                chain.active.note_forced(&unsynced, forced.is_ok());
                chain.begin_segment_if_full(0);
            }
            (through, self.note_sync(forced))
        })
    }

    /// Writes the head file, when there is a head that it does not hold and that is on disk itself.
    fn keep_head(&self) -> io::Result<()> {
        let mut written = self.head_written.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.head().filter(|head| head.seq > *written && head.seq <= self.commit.synced());
        let Some(head) = head else { return Ok(()) };
        files::replace(&self.folder.join(HEAD), &head.to_file())?;
        *written = head.seq;
        Ok(())
    }

    pub(crate) fn note_append<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let now = self.clock.now();
        let mut health = self.health_state();
        if let Err(error) = &result {
            note(&mut health.append, error, now);
        } else {
            health.append = None;
        }
        result
    }

    fn note_sync<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let now = self.clock.now();
        let trouble = &mut self.health_state().sync;
        match &result {
            Ok(_) => *trouble = None,
            Err(error) => note(trouble, error, now),
        }
        result
    }

    fn health_state(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(trouble: &mut Option<Trouble>, error: &io::Error, now: Timestamp) {
    let since = trouble.as_ref().map_or(now, |trouble| trouble.since);
    *trouble = Some(Trouble { since, reason: error.to_string() });
}
