//! The data folder: one folder that holds everything Mainstay remembers, opened by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mainstay_vault::{KeyError, MasterKeyId};

use crate::error::StorageError;

/// The layout of the folder that this build reads and writes. It changes when files move or change their meaning; a
/// change of tables is a migration of the database and leaves it as it is.
const FORMAT_VERSION: u32 = 1;

const LOCK_FILE: &str = "lock";
const FORMAT_FILE: &str = "format_version";

/// An open data folder. As long as a clone of it lives, no other process can open the same folder; the operating
/// system releases the lock when the process ends, however it ends.
#[derive(Clone, Debug)]
pub struct DataDir {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Holds the lock; never read again.
    _lock: File,
}

impl DataDir {
    /// Opens the folder, and creates it (readable by its owner only) when it does not exist.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataDirError> {
        let path = path.as_ref();
        let failed = |error: io::Error| DataDirError::Storage { path: path.to_owned(), source: error.into() };
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => return Err(DataDirError::NotAFolder { path: path.to_owned() }),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(DataDirError::NotAFolder { path: path.to_owned() });
            }
            Err(_) => DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?,
        }
        let path = path.canonicalize().map_err(failed)?;
        let lock = lock(&path)?;
        check_format(&path)?;
        Ok(Self { inner: Arc::new(Inner { path, _lock: lock }) })
    }

    /// Where the folder is, as an absolute path without links.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The path of a file or folder in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.inner.path.join(name)
    }

    /// A folder in it, which is created when it does not exist.
    pub fn subfolder(&self, name: &str) -> Result<PathBuf, DataDirError> {
        let path = self.join(name);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|error| DataDirError::Storage { path: path.clone(), source: error.into() })?;
        Ok(path)
    }
}

/// Why a data folder cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it open.
    #[error(
        "the data folder {path:?} is in use by {}; stop that one, or start this one with another `storage.data_dir`",
        holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process that holds it, where it said so.
        holder: Option<u32>,
    },
    /// A newer Mainstay wrote it.
    #[error(
        "{what} of the data folder {path:?} has version {found}, and this build knows versions up to {known}: \
         start the newer Mainstay that wrote it, or restore the backup made before the upgrade"
    )]
    NewerVersion {
        /// The folder.
        path: PathBuf,
        /// Which part of it is newer: the layout, or a database by its file.
        what: String,
        /// The version that was found.
        found: u32,
        /// The newest version that this build knows.
        known: u32,
    },
    /// The path is a file, or leads through one.
    #[error(
        "{path:?} is no folder; `storage.data_dir` must name a folder, or a path at which one can be created"
    )]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The file that says which version wrote the folder is not readable as such.
    #[error("{path:?} does not hold a version number: restore it from a backup")]
    UnreadableFormat {
        /// The file.
        path: PathBuf,
    },
    /// Its content is sealed, and no keys were given.
    #[error(
        "the content of the data folder {path:?} is sealed: set `storage.encryption` again, with the master key {}; \
         nothing is lost",
        listed(masters)
    )]
    Sealed {
        /// The folder.
        path: PathBuf,
        /// The master keys by which its keys are wrapped; none when all keys were destroyed.
        masters: Vec<MasterKeyId>,
    },
    /// Its content is sealed with keys that another master key wrapped.
    #[error(
        "the content of the data folder {path:?} is sealed with keys that the master key {needed} wrapped, and \
         `storage.encryption` names {given}: name that one again, or as a previous one; nothing is lost"
    )]
    WrongMasterKey {
        /// The folder.
        path: PathBuf,
        /// The master key that is needed.
        needed: MasterKeyId,
        /// The ids of those that were given.
        given: String,
    },
    /// Its content is sealed, and the file of the keys is not there, or holds none.
    #[error(
        "content of the data folder is sealed, and {path:?} does not hold its keys: restore that file from the backup of \
         the same day"
    )]
    KeysMissing {
        /// The file of the keys.
        path: PathBuf,
    },
    /// The keys of the tenants cannot be read.
    #[error("the keys of the data folder {path:?} cannot be read")]
    Keys {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: KeyError,
    },
    /// The disk refused.
    #[error("the data folder {path:?} cannot be opened: {source}")]
    Storage {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: StorageError,
    },
}

impl DataDirError {
    /// Whether the same call may succeed a little later: the holder of the folder may be about to end.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::InUse { .. } => true,
            Self::Storage { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}

/// Names of master keys for a message.
fn listed(masters: &[MasterKeyId]) -> String {
    match masters {
        [] => "that it had last".to_owned(),
        masters => masters.iter().map(MasterKeyId::as_str).collect::<Vec<_>>().join(" and "),
    }
}

fn lock(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join(LOCK_FILE);
    let failed = |error: io::Error| DataDirError::Storage { path: path.clone(), source: error.into() };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(DataDirError::InUse { path: folder.to_owned(), holder: read_number(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // For whoever finds the folder locked.
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn check_format(folder: &Path) -> Result<(), DataDirError> {
    let path = folder.join(FORMAT_FILE);
    let failed = |error: io::Error| DataDirError::Storage { path: path.clone(), source: error.into() };
    match File::open(&path) {
        Ok(mut file) => {
            let found = read_number(&mut file)
                .ok_or_else(|| DataDirError::UnreadableFormat { path: path.clone() })?;
            if found > FORMAT_VERSION {
                return Err(DataDirError::NewerVersion {
                    path: folder.to_owned(),
                    what: "the layout".to_owned(),
                    found,
                    known: FORMAT_VERSION,
                });
            }
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_atomically(folder, FORMAT_FILE, format!("{FORMAT_VERSION}\n").as_bytes()).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// The number in a small file; `None` when there is none.
fn read_number(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Writes a file that is either there as a whole or not at all, also after a loss of power.
fn write_atomically(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let partial = folder.join(format!("{name}.partial"));
    let mut file = File::create(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&partial, folder.join(name))?;
    sync_folder(folder)
}

/// Makes the names in a folder durable: a file that was created or renamed survives a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_folder_is_for_its_owner_only_and_opens_again() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        drop(DataDir::open(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_to_string(path.join(FORMAT_FILE)).unwrap(), "1\n");
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_folder_in_use_names_itself_and_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        let error = DataDir::open(folder.path()).unwrap_err();
        assert!(matches!(error, DataDirError::InUse { holder: Some(pid), .. } if pid == std::process::id()));
        assert!(error.is_retryable());
        assert!(error.to_string().contains(folder.path().file_name().unwrap().to_str().unwrap()), "{error}");
        drop(first);
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_from_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FORMAT_FILE), "99\n").unwrap();
        let error = DataDir::open(folder.path()).unwrap_err();
        assert!(
            matches!(error, DataDirError::NewerVersion { found: 99, known: FORMAT_VERSION, .. }),
            "{error}"
        );
        assert_eq!(fs::read_to_string(folder.path().join(FORMAT_FILE)).unwrap(), "99\n");
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for content in ["", "one", "-1", "99999999999"] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(FORMAT_FILE), content).unwrap();
            let error = DataDir::open(folder.path()).unwrap_err();
            assert!(matches!(error, DataDirError::UnreadableFormat { .. }), "{content:?}: {error}");
        }
    }

    #[test]
    fn a_path_that_is_a_file_or_leads_through_one_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path().to_owned(), file.path().join("below")] {
            let error = DataDir::open(&path).unwrap_err();
            assert!(matches!(error, DataDirError::NotAFolder { .. }), "{error}");
        }
    }
}
