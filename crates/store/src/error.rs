//! What can go wrong between Mainstay and its disk, in one small vocabulary for every area of the store.

use std::error::Error;
use std::fmt;
use std::io;

use mainstay_vault::{KeyError, KeyStoreError, OpenError, SealError};

/// The kinds of trouble with storage, told apart because each needs something else from the operator.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StorageFault {
    /// The disk, the quota or the permitted size of the database is used up.
    Full,
    /// The folder or file may be read but not written.
    ReadOnly,
    /// The process may not open the folder or file.
    PermissionDenied,
    /// Another writer held the database for longer than we wait.
    Busy,
    /// A file is not what we wrote: overwritten, cut off, or changed by a failing disk.
    Damaged,
    /// The disk failed to read or write.
    Disk,
    /// The store has been closed: the process is shutting down.
    Closed,
    /// The keys of the tenant were destroyed, and what it had with them.
    Erased,
    /// The keys by which content is sealed cannot be had now.
    KeysUnavailable,
    /// A statement was refused for a reason that is a defect of Mainstay.
    Internal,
}

impl StorageFault {
    /// Whether the same operation may succeed a little later with nothing changed by anybody.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Busy)
    }

    /// What the operator can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Full => "free space on the disk or raise the quota; nothing that was acknowledged is lost",
            Self::ReadOnly => {
                "mount the data folder writable, or point `storage.data_dir` at a folder that is"
            }
            Self::PermissionDenied => "let the user that runs Mainstay read and write the data folder",
            Self::Busy => "try again; if it lasts, something else writes into the data folder",
            Self::Damaged => "restore the data folder from a backup, and check the disk",
            Self::Disk => "check the disk and the mount of the data folder (`dmesg` shows what failed)",
            Self::Closed => {
                "the process is shutting down; send the request to another one or try again later"
            }
            Self::Erased => "what it had is gone for good; readmit the tenant to begin anew",
            Self::KeysUnavailable => {
                "see to it that the master key of `storage.encryption` can be reached, and try again; nothing is lost"
            }
            Self::Internal => "this is a defect of Mainstay: please report it with the message",
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::Full => "the disk is full",
            Self::ReadOnly => "the data folder is read-only",
            Self::PermissionDenied => "access to the data folder is denied",
            Self::Busy => "the database is busy",
            Self::Damaged => "a file of the data folder is damaged",
            Self::Disk => "the disk failed",
            Self::Closed => "the store is closed",
            Self::Erased => "the tenant's keys were destroyed",
            Self::KeysUnavailable => "the keys of the content cannot be had",
            Self::Internal => "the database refused a statement",
        }
    }
}

impl fmt::Display for StorageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// An operation that failed for a reason of storage. The cause is in [`Error::source`]; it never holds content.
#[derive(Debug)]
pub struct StorageError {
    fault: StorageFault,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl StorageError {
    pub(crate) fn new(fault: StorageFault, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { fault, cause: Some(cause.into()) }
    }

    /// A row that does not read back as what was written.
    pub(crate) fn damaged(what: &'static str) -> Self {
        Self::new(StorageFault::Damaged, what)
    }

    /// What kind of trouble it is.
    pub const fn fault(&self) -> StorageFault {
        self.fault
    }

    /// Whether the same operation may succeed a little later.
    pub const fn is_retryable(&self) -> bool {
        self.fault.is_retryable()
    }

    /// What the operator can do about it.
    pub const fn hint(&self) -> &'static str {
        self.fault.hint()
    }
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.fault, self.fault.hint())
    }
}

impl Error for StorageError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<io::Error> for StorageError {
    fn from(error: io::Error) -> Self {
        Self::new(fault_of_io(error.kind()), error)
    }
}

impl From<KeyError> for StorageError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Shredded { .. } => Self::new(StorageFault::Erased, error),
            KeyError::Store(KeyStoreError::Storage(cause)) => match cause.downcast::<Self>() {
                Ok(storage) => *storage,
                Err(cause) => Self::new(StorageFault::KeysUnavailable, cause),
            },
            error => Self::new(StorageFault::KeysUnavailable, error),
        }
    }
}

impl From<OpenError> for StorageError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Shredded { .. } => Self::new(StorageFault::Erased, error),
            error => Self::new(StorageFault::Damaged, error),
        }
    }
}

impl From<SealError> for StorageError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Shredded { .. } => Self::new(StorageFault::Erased, error),
            error => Self::new(StorageFault::KeysUnavailable, error),
        }
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        Self::new(fault_of_sql(&error), error)
    }
}

fn fault_of_io(kind: io::ErrorKind) -> StorageFault {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StorageFault::Full
        }
        io::ErrorKind::ReadOnlyFilesystem => StorageFault::ReadOnly,
        io::ErrorKind::PermissionDenied => StorageFault::PermissionDenied,
        _ => StorageFault::Disk,
    }
}

fn fault_of_sql(error: &sqlx::Error) -> StorageFault {
    match error {
        sqlx::Error::Database(error) => {
            fault_of_sqlite(error.code().and_then(|code| code.parse().ok()).unwrap_or_default())
        }
        sqlx::Error::Io(error) => fault_of_io(error.kind()),
        sqlx::Error::PoolTimedOut => StorageFault::Busy,
        sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => StorageFault::Closed,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StorageFault::Damaged,
        _ => StorageFault::Internal,
    }
}

/// The faults of SQLite's result codes; the primary code is the low byte (<https://sqlite.org/rescode.html>).
fn fault_of_sqlite(extended: u32) -> StorageFault {
    match extended & 0xff {
        5 | 6 => StorageFault::Busy,
        3 | 23 => StorageFault::PermissionDenied,
        8 => StorageFault::ReadOnly,
        10 | 14 => StorageFault::Disk,
        11 | 26 => StorageFault::Damaged,
        13 => StorageFault::Full,
        _ => StorageFault::Internal,
    }
}
