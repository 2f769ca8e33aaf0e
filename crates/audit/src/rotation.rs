//! Another key takes over: the log says so in a record that both sign.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::files;
use crate::log::{AuditLog, SyncError, next_key};
use crate::signing::{KeyError, PublicKey, SigningKey};

/// Why the key was not changed, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum RotateKeyError {
    /// No new key could be made.
    #[error("the audit log keeps its key: no new one could be made")]
    Key(#[from] KeyError),
    /// The disk refused the record.
    #[error("the audit log keeps its key: the change could not be recorded")]
    Refused(#[source] io::Error),
    /// The new key signs, and waits beside the old one's file for the log to be on disk.
    #[error(
        "the new key of the audit log signs, and the log is not on disk yet: the next start or rotation finishes it"
    )]
    NotSynced(#[from] SyncError),
    /// The same, for the file.
    #[error(
        "the new key of the audit log signs, and could not take the place of {path:?}: the next start finishes it"
    )]
    NotReplaced {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl AuditLog {
    /// Makes a new signing key and lets it sign from here on. The change is a record that the old key signs, so whoever
    /// trusts the old key may trust the new one; the old key's file is replaced. Returns the new public key.
    pub fn rotate_key(&self) -> Result<PublicKey, RotateKeyError> {
        let _alone = self.alone();
        self.finish_rotation()?;
        let next = next_key(self.key_path());
        let key = SigningKey::create(&next)?;
        let public = key.public();
        let changed = {
            let mut chain = self.chain();
            let now = self.now();
            // The old key's last word, then the new one's first.
            chain.checkpoint(now).and_then(|()| chain.change_key(key, now)).map(|_| chain.checkpoint(now))
        };
        match self.note_append(changed) {
            Ok(signed) => drop(self.note_append(signed)),
            Err(error) => {
                let _ = fs::remove_file(&next);
                return Err(RotateKeyError::Refused(error));
            }
        }
        self.finish_rotation()?;
        Ok(public)
    }

    /// The new key's file takes the place of the old one's only when the record about it is on disk: whichever of the two
    /// files a crash leaves, the one that the log asks for is there.
    fn finish_rotation(&self) -> Result<(), RotateKeyError> {
        let path = self.key_path();
        let next = next_key(path);
        let failed = |source| RotateKeyError::NotReplaced { path: path.to_owned(), source };
        if files::is_missing(&next).map_err(failed)? {
            return Ok(());
        }
        let signs = SigningKey::load(&next)?.is_some_and(|key| self.public_key() == Some(key.public()));
        if !signs {
            // Left by an attempt that was refused.
            return fs::remove_file(&next).map_err(failed);
        }
        self.force_and_keep_head()?;
        fs::rename(&next, path).and_then(|()| files::sync_folder_of(path)).map_err(failed)
    }
}
