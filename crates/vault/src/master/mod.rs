//! The key that wraps keys: it lives outside of the data that it protects.

mod command;
mod file;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

pub use self::command::{CommandError, CommandKms};
pub use self::file::KeyFileError;
use crate::cipher::{EncryptError, Use, decrypt, derive, encrypt};
use crate::key_bytes::KeyBytes;

/// The public name of a master key: safe to print, and stored with every key that it wrapped.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MasterKeyId(Arc<str>);

impl MasterKeyId {
    /// Wraps a text as an id.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(Arc::from(text.as_ref()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// A master key.
#[derive(Clone)]
pub struct MasterKey {
    id: MasterKeyId,
    kind: Arc<Kind>,
}

enum Kind {
    Local(KeyBytes),
    Command(CommandKms),
}

/// The first byte of what a local master key wraps.
const WRAP_FORMAT: [u8; 1] = [1];

impl MasterKey {
    /// The most bytes that a wrapped key may have.
    pub const MAX_WRAPPED_BYTES: usize = 16 << 10;

    /// The key in a file: 32 bytes as 64 hexadecimal digits or in base64. Nobody but the file's owner may have any right to
    /// it. Its id is derived from the key.
    pub fn from_file(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self::local(file::read(path)?))
    }

    /// Makes a new key and its file, readable by its owner only. An existing file is never touched, and a crash leaves the
    /// whole key or no file. Whoever loses the file loses everything that is sealed: keep a copy apart from the data.
    pub fn generate_file(path: &Path) -> Result<Self, KeyFileError> {
        Ok(Self::local(file::generate(path)?))
    }

    /// The key behind a command.
    pub fn command(command: CommandKms) -> Self {
        Self { id: command.id().clone(), kind: Arc::new(Kind::Command(command)) }
    }

    pub(crate) fn local(key: KeyBytes) -> Self {
        let mut derived = [0; 32];
        derive(&key, Use::KeyId, b"", &mut derived);
        let digits: String = derived[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Self { id: MasterKeyId::new(format!("local:{digits}")), kind: Arc::new(Kind::Local(key)) }
    }

    /// Its public name.
    pub const fn id(&self) -> &MasterKeyId {
        &self.id
    }

    pub(crate) async fn wrap(&self, payload: &[u8]) -> Result<Vec<u8>, MasterKeyError> {
        match &*self.kind {
            Kind::Local(key) => Ok(encrypt(key, Use::Wrap, &WRAP_FORMAT, b"", payload)?),
            Kind::Command(command) => Ok(command.wrap(payload).await?),
        }
    }

    pub(crate) async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, MasterKeyError> {
        match &*self.kind {
            Kind::Local(key) => Some(wrapped)
                .filter(|wrapped| wrapped.starts_with(&WRAP_FORMAT))
                .and_then(|wrapped| decrypt(key, Use::Wrap, WRAP_FORMAT.len(), b"", wrapped))
                .map(Zeroizing::new)
                .ok_or_else(|| MasterKeyError::Damaged { master: self.id.clone() }),
            Kind::Command(command) => Ok(command.unwrap(wrapped).await?),
        }
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKey").field(&self.id).finish()
    }
}

/// The master keys at hand: one that wraps, and those that wrapped before and can still unwrap.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    current: MasterKey,
    previous: Vec<MasterKey>,
}

impl MasterKeys {
    /// One master key.
    pub const fn new(current: MasterKey) -> Self {
        Self { current, previous: Vec::new() }
    }

    /// With a master key that is being replaced.
    pub fn and_previous(mut self, previous: MasterKey) -> Self {
        self.previous.push(previous);
        self
    }

    pub(crate) const fn current(&self) -> &MasterKey {
        &self.current
    }

    pub(crate) fn find(&self, id: &MasterKeyId) -> Option<&MasterKey> {
        std::iter::once(&self.current).chain(&self.previous).find(|master| master.id == *id)
    }
}

/// The ids, for messages.
impl fmt::Display for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.current.id)?;
        self.previous.iter().try_for_each(|master| write!(f, ", {}", master.id))
    }
}

/// Why a master key did not wrap or unwrap.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The command behind which it is did not do it.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The key file's key could not wrap.
    #[error(transparent)]
    Encrypt(#[from] EncryptError),
    /// What is stored is not what the key file's key made.
    #[error("the stored key is not what the master key {master} made: restore the key store from a backup")]
    Damaged {
        /// The master key.
        master: MasterKeyId,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> MasterKey {
        MasterKey::local(KeyBytes::copy_of(&[byte; 32]).expect("32 bytes"))
    }

    #[tokio::test]
    async fn what_a_local_key_wraps_only_that_key_unwraps() {
        let wrapped = key(1).wrap(b"payload").await.expect("wraps");
        assert_eq!(*key(1).unwrap(&wrapped).await.expect("the same key"), b"payload");
        assert!(matches!(key(2).unwrap(&wrapped).await, Err(MasterKeyError::Damaged { .. })));
        for index in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[index] ^= 1;
            assert!(key(1).unwrap(&changed).await.is_err(), "byte {index}");
        }
        for short in [&wrapped[..wrapped.len() - 1], &wrapped[..5], &[]] {
            assert!(key(1).unwrap(short).await.is_err());
        }
    }

    #[test]
    fn the_id_of_a_local_key_names_it_without_showing_it() {
        assert_eq!(key(1).id(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        let debug = format!("{:?}", MasterKeys::new(key(0xab)).and_previous(key(0xcd)));
        assert!(debug.contains(key(0xab).id().as_str()), "{debug}");
        assert!(!debug.contains("abab") && !debug.contains("171, 171"), "{debug}");
    }
}
