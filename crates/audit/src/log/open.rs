//! How a log is opened: locked, looked at, gone on with.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use mainstay_domain::Clock;

use super::AuditLog;
use crate::chain::{Chain, Receipt, Settings};
use crate::commit::Commit;
use crate::files;
use crate::opening::{Left, Opening};
use crate::segment::{Active, Segment};
use crate::signing::{KeyError, PublicKey, SigningKey};

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the audit log {path:?} is in use by another process: stop that one, or keep this log elsewhere")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("the audit log {path:?} cannot be read or written")]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The signing key cannot be used.
    #[error("the audit log cannot be signed")]
    Key(#[from] KeyError),
    /// The log was signed by a key that is gone.
    #[error(
        "the audit log is signed by {expected}, and {path:?} does not exist: restore the key from a backup, or begin \
         a new log in another folder and keep this one"
    )]
    KeyMissing {
        /// Where the key was looked for.
        path: PathBuf,
        /// Its public half.
        expected: PublicKey,
    },
    /// The log was signed by another key.
    #[error(
        "the audit log is signed by {expected}, and {path:?} holds {found}: restore the right key from a backup, or \
         begin a new log in another folder and keep this one"
    )]
    OtherKey {
        /// The file of the key.
        path: PathBuf,
        /// The public half of the key that signed.
        expected: PublicKey,
        /// The public half of the key in the file.
        found: PublicKey,
    },
    /// There are lines and no record.
    #[error(
        "no record of the audit log {path:?} is as it was written: restore it from a backup, or move it away and \
         keep it"
    )]
    Unreadable {
        /// The folder.
        path: PathBuf,
    },
}

impl AuditLog {
    /// Opens the log of a folder and goes on with its chain; the folder is made when it does not exist. `key` is the
    /// file of the signing key, which is made for a new log when it does not exist. What is not as the last run left it
    /// is in [`AuditLog::opening`] and in the log.
    pub fn open(folder: &Path, key: &Path, clock: Clock, settings: Settings) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { path: folder.to_owned(), source };
        files::create_folder(folder).map_err(failed)?;
        let lock = files::lock(folder).map_err(failed)?;
        let lock = lock.ok_or_else(|| OpenError::InUse { path: folder.to_owned() })?;
        files::remove_unfinished(folder).map_err(failed)?;
        let left = Left::find(folder).map_err(failed)?;
        if left.has_lines && left.last.is_none() {
            return Err(OpenError::Unreadable { path: folder.to_owned() });
        }
        let signing_key = signing_key(key, left.key)?;
        let (active, last) = (active(folder, &left).map_err(failed)?, left.last);
        let now = clock.now();
        let mut chain = Chain {
            folder: folder.to_owned(),
            settings,
            active,
            last: last.unwrap_or(Receipt::BEGINNING),
            key: None,
            head: None,
            unsigned: 0,
            unsigned_since: now,
            closed: false,
            wants_segment: false,
            line: Vec::new(),
        };
        match last {
            Some(_) => chain.key = Some(signing_key),
            None => drop(chain.change_key(signing_key, now).map_err(failed)?),
        }
        for event in left.events() {
            chain.append_record(&event, now).map_err(failed)?;
        }
        chain.checkpoint(now).map_err(failed)?;
        let log = Self {
            folder: folder.to_owned(),
            key_path: key.to_owned(),
            clock,
            chain: Mutex::new(chain),
            commit: Commit::default(),
            health: Mutex::default(),
            head_written: Mutex::new(0),
            housekeeping: Mutex::new(()),
            opening: left.opening,
            _lock: lock,
        };
        log.sync().map_err(|error| failed(io::Error::other(error)))?;
        log.report_opening();
        Ok(log)
    }

    fn report_opening(&self) {
        let Opening { torn, damaged_lines, rolled_back, head_lost, unsigned: _ } = &self.opening;
        if let Some(torn) = torn {
            tracing::warn!(
                file = torn.file,
                bytes = torn.bytes,
                "half a line at the end of the audit log was cut off"
            );
        }
        if *damaged_lines > 0 {
            tracing::error!(damaged_lines, "lines of the audit log were changed; verify it");
        }
        if let Some(head) = rolled_back {
            tracing::error!(
                signed = head.seq,
                "records that were signed are missing at the end of the audit log"
            );
        }
        if *head_lost {
            tracing::warn!("the head file of the audit log was missing or unreadable and was written again");
        }
    }
}

/// The segment that is written to: the last one where all of it is sound, and else a new one behind it.
fn active(folder: &Path, left: &Left) -> io::Result<Active> {
    let Some((segment, end)) = &left.segment else { return Active::create(Segment::new(folder, 1)) };
    let active = Active::reopen(segment.clone(), *end)?;
    match left.opening.damaged_lines {
        0 => Ok(active),
        _ => Active::create(Segment::new(folder, segment.number + 1)),
    }
}

/// Where the next key waits until the log says that it signs.
pub(crate) fn next_key(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".next");
    name.into()
}

/// The key that goes with the log: that of the file, or the one that was about to take its place.
fn signing_key(path: &Path, expected: Option<PublicKey>) -> Result<SigningKey, OpenError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let found = SigningKey::load(path)?;
    let Some(expected) = expected else {
        return Ok(found.map_or_else(|| SigningKey::create(path), Ok)?);
    };
    let next = next_key(path);
    if let Some(key) = SigningKey::load(&next)? {
        if key.public() == expected {
            fs::rename(&next, path).and_then(|()| files::sync_folder_of(path)).map_err(failed)?;
            return Ok(key);
        }
        // The log never got to say that it signs.
        fs::remove_file(&next).map_err(failed)?;
    }
    match found {
        None => Err(OpenError::KeyMissing { path: path.to_owned(), expected }),
        Some(key) if key.public() == expected => Ok(key),
        Some(key) => Err(OpenError::OtherKey { path: path.to_owned(), expected, found: key.public() }),
    }
}
