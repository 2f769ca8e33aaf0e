//! Verification: reads a log from its first record to its last, and says exactly what is not as it was written.
//!
//! It needs the folder and a public key, and nothing of the running service. A million records are read one by one.
//!
//! What it can find: any change of any byte, and records that were removed, moved, repeated or put in, up to the last
//! signature, by whoever does not have the signing key; and for whoever keeps signed heads somewhere else
//! ([`VerifyOptions::anchors`]), also by whoever does, and a log that was rolled back as a whole, its head file with it.
//! What it cannot: tell whether what was recorded is true, and vouch for records behind the last signature
//! ([`Report::unsigned`]), which nobody signed yet.

mod chain;
mod fault;
mod keys;
mod order;
mod stubs;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_domain::Timestamp;
use serde::Serialize;

use self::chain::Walk;
pub use self::fault::{Fault, FaultKind};
use crate::log::AuditLog;
use crate::opening::HEAD;
use crate::record::Category;
use crate::retention::RetentionPolicy;
use crate::segment::{Bound, Segment};
use crate::signing::{Anchor, PublicKey};

/// What is expected of a log.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Records that were remembered outside of the log.
    pub anchors: Vec<Anchor>,
    /// A gap between two records that is longer is in [`Report::gaps`].
    pub alert_gap: Duration,
    /// So many records may wait for a signature. The log signs every [`crate::Settings::checkpoint_records`]; somebody who
    /// replaced the end of the chain cannot.
    pub most_unsigned: u64,
    /// The retention that applies: bodies that the log removed earlier than this are faults. `None` takes the log's word.
    pub retention: Option<RetentionPolicy>,
    /// So many faults are told one by one; the others are counted.
    pub most_faults: usize,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self {
            anchors: Vec::new(),
            alert_gap: Duration::from_secs(60 * 60),
            most_unsigned: 1_100,
            retention: None,
            most_faults: 1_000,
        }
    }
}

/// A time without records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Gap {
    /// The record before it.
    pub after_seq: u64,
    /// When that one was written.
    pub from: Timestamp,
    /// When the next one was.
    pub to: Timestamp,
}

impl Gap {
    fn micros(&self) -> i64 {
        self.to.as_micros().saturating_sub(self.from.as_micros())
    }
}

/// What was found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    /// Records that are as they were written.
    pub records: u64,
    /// The same by category.
    pub by_category: BTreeMap<Category, u64>,
    /// The first record's number and time.
    pub first: Option<(u64, Timestamp)>,
    /// The last one's.
    pub last: Option<(u64, Timestamp)>,
    /// Checkpoints with a valid signature.
    pub checkpoints: u64,
    /// Records behind the last signature.
    pub unsigned: u64,
    /// The key that signs at the end.
    pub key: Option<PublicKey>,
    /// Bodies that are gone, rightly or not; those that should be there are faults.
    pub expired_bodies: u64,
    /// The longest time without a record.
    pub longest_gap: Option<Gap>,
    /// Gaps that are longer than they should be, the first hundred. Nothing was running, or something was removed: where
    /// something was removed there is a fault, too.
    pub gaps: Vec<Gap>,
    /// How often a record has an earlier time than the one before it: the machine's clock was set back.
    pub clock_set_back: u64,
    /// What is not as it should be, in the order of the files.
    pub faults: Vec<Fault>,
    /// Further faults that are not told one by one.
    pub more_faults: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.more_faults == 0
    }
}

/// The log cannot be read. What is read and wrong is in the report.
#[derive(Debug, thiserror::Error)]
#[error("{path:?} of the audit log cannot be read")]
pub struct VerifyError {
    /// The file or folder.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Reads the log of a folder. `key` is any key that ever signed it: the others are trusted because it, or a key that it
/// handed over to, vouches for them. While somebody appends, use [`AuditLog::verify`], which knows where the log ends.
pub fn verify(folder: &Path, key: &PublicKey, options: &VerifyOptions) -> Result<Report, VerifyError> {
    verify_up_to(folder, key, options, || None)
}

impl AuditLog {
    /// Verifies everything that was appended until now, while others go on appending. Takes seconds for a million
    /// records, during which no bodies are removed and no key is changed.
    pub fn verify(&self, key: &PublicKey, options: &VerifyOptions) -> Result<Report, VerifyError> {
        let _alone = self.alone();
        verify_up_to(self.folder(), key, options, || Some(self.bound()))
    }
}

fn verify_up_to(
    folder: &Path,
    key: &PublicKey,
    options: &VerifyOptions,
    bound: impl FnOnce() -> Option<Bound>,
) -> Result<Report, VerifyError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| VerifyError { path, source }
    };
    // Before the end is looked up: the head never speaks of more than there is.
    let head = match fs::read(folder.join(HEAD)) {
        Ok(content) => Some(content),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(VerifyError { path: folder.join(HEAD), source }),
    };
    let bound = bound();
    let mut walk = Walk::new(key, options, head.as_deref());
    for segment in Segment::all(folder).map_err(failed(folder))? {
        let Some(mut lines) = Bound::lines(bound, &segment).map_err(failed(&segment.path))? else { break };
        walk.begin_file(segment.name());
        while let Some(piece) = lines.next().map_err(failed(&segment.path))? {
            walk.piece(piece);
        }
    }
    Ok(walk.finish())
}
