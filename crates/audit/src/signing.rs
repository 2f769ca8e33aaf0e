//! Signatures: who vouches for the chain up to a record.
//!
//! The private key lies in a file of its own, which may be on another volume than the log. Whoever has the public key
//! verifies the log without it.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use mainstay_domain::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::files;
use crate::hash::{Hash, NotHex, hex, parse_hex};

/// An Ed25519 public key: what auditors verify with. Written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this key has signed a statement ([`crate::AuditLog::sign_statement`]).
    pub fn has_signed_statement(&self, statement: &[u8], signature: &Signature) -> bool {
        self.vouches(&statement_message(statement), signature)
    }

    pub(crate) fn vouches(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, &signature.0).is_ok()
    }
}

/// An Ed25519 signature, written as 128 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

macro_rules! written_in_hex {
    ($name:ident, $bytes:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotHex;

            fn from_str(text: &str) -> Result<Self, NotHex> {
                parse_hex(text.as_bytes()).map(Self).ok_or(NotHex(2 * $bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

written_in_hex!(PublicKey, 32);
written_in_hex!(Signature, 64);

/// Why a signing key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the signing key {path:?} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no key.
    #[error("{path:?} holds no Ed25519 key in PKCS#8: restore it from a backup")]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("the signing key {path:?} can be read by others (mode {mode:o}): set its mode to 600")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No key could be made.
    #[error("the operating system gives no random bytes for a signing key")]
    NoRandomness,
}

/// A private key. It never leaves its file and this value.
pub(crate) struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the key of a file; `None` when there is no such file.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        if files::is_missing(path).map_err(failed)? {
            return Ok(None);
        }
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
        let pkcs8 = Zeroizing::new(fs::read(path).map_err(failed)?);
        Self::from_pkcs8(&pkcs8).map(Some).ok_or_else(|| KeyError::Unreadable { path: path.to_owned() })
    }

    /// Makes a key and the file that holds it, durably. It is an error when the file exists.
    pub(crate) fn create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        let pkcs8 =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandomness)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            files::create_folder(folder).map_err(failed)?;
        }
        if !files::is_missing(path).map_err(failed)? {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        // Half a key would be in the way of the next start: it gets its name when it is whole.
        let mut next = files::begin(path).map_err(failed)?;
        next.write_all(pkcs8.as_ref()).and_then(|()| files::finish(path, &next)).map_err(failed)?;
        Self::from_pkcs8(pkcs8.as_ref()).ok_or_else(|| KeyError::Unreadable { path: path.to_owned() })
    }

    fn from_pkcs8(pkcs8: &[u8]) -> Option<Self> {
        // Also without the public key inside, as other tools write it.
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok()?;
        let public = PublicKey(pair.public_key().as_ref().try_into().ok()?);
        Some(Self { pair, public })
    }

    pub(crate) const fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        Signature(bytes)
    }
}

/// What is signed of a statement: with a prefix, so that it can never be taken for something of the log's own.
pub(crate) fn statement_message(statement: &[u8]) -> Vec<u8> {
    [b"mainstay statement 1\0".as_slice(), statement].concat()
}

/// A record that somebody remembers outside of the log: the log must hold it, for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Anchor {
    /// The record's number.
    pub seq: u64,
    /// Its hash, which stands for it and everything before it.
    pub hash: Hash,
}

/// A signed statement: at this time the chain ended in this record.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedHead {
    /// The number of the last record.
    pub seq: u64,
    /// Its hash, which stands for it and everything before it.
    pub hash: Hash,
    /// When it was signed.
    pub at: Timestamp,
    /// The key that signed.
    pub key: PublicKey,
    /// The signature.
    pub signature: Signature,
}

impl SignedHead {
    pub(crate) fn sign(key: &SigningKey, seq: u64, hash: Hash, at: Timestamp) -> Self {
        Self { seq, hash, at, key: key.public(), signature: key.sign(&Self::message(seq, hash, at)) }
    }

    /// Whether the key that it names signed it. Whether that key may be trusted is another question.
    pub fn is_signed(&self) -> bool {
        self.key.vouches(&Self::message(self.seq, self.hash, self.at), &self.signature)
    }

    /// The record that it is about, to be kept somewhere else.
    pub const fn anchor(&self) -> Anchor {
        Anchor { seq: self.seq, hash: self.hash }
    }

    fn message(seq: u64, hash: Hash, at: Timestamp) -> Vec<u8> {
        let domain = b"mainstay audit head 1\0".as_slice();
        [domain, &seq.to_be_bytes(), hash.as_bytes(), &at.as_micros().to_be_bytes()].concat()
    }

    /// As the head file holds it: one exact form, so that no byte of the file is free.
    pub(crate) fn to_file(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).unwrap_or_default();
        text.push(b'\n');
        text
    }

    pub(crate) fn from_file(content: &[u8]) -> Option<Self> {
        let head: Self = serde_json::from_slice(content).ok()?;
        (head.to_file() == content).then_some(head)
    }
}

/// The details of a record that says which key signs from here on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct KeyChange {
    /// The new key.
    pub(crate) key: PublicKey,
    /// The new key's own signature: nobody names a key that is not theirs as the heir of a forged chain.
    pub(crate) possession: Signature,
    /// The key before it, and its signature; the first key has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<PublicKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signature: Option<Signature>,
}

impl KeyChange {
    /// The change to `new` in the record `seq`, which stands behind the one with the hash `prev`.
    pub(crate) fn sign(old: Option<&SigningKey>, new: &SigningKey, seq: u64, prev: Hash) -> Self {
        let message = Self::message(new.public(), seq, prev);
        Self {
            key: new.public(),
            possession: new.sign(&message),
            previous: old.map(SigningKey::public),
            signature: old.map(|old| old.sign(&message)),
        }
    }

    /// Whether the new key agreed, and the current one, where there is one.
    pub(crate) fn is_valid(&self, current: Option<PublicKey>, seq: u64, prev: Hash) -> bool {
        let message = Self::message(self.key, seq, prev);
        let agreed = match (current, self.previous, &self.signature) {
            (None, None, None) => true,
            (Some(current), Some(previous), Some(signature)) => {
                current == previous && current.vouches(&message, signature)
            }
            _ => false,
        };
        agreed && self.key.vouches(&message, &self.possession)
    }

    fn message(key: PublicKey, seq: u64, prev: Hash) -> Vec<u8> {
        let domain = b"mainstay audit key 1\0".as_slice();
        [domain, &seq.to_be_bytes(), prev.as_bytes(), key.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys").join("audit.key");
        assert!(SigningKey::load(&path).unwrap().is_none());
        let made = SigningKey::create(&path).unwrap();
        assert_eq!(SigningKey::load(&path).unwrap().unwrap().public(), made.public());
        assert!(matches!(SigningKey::create(&path), Err(KeyError::Io { .. })), "it is not overwritten");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(SigningKey::load(&path), Err(KeyError::Exposed { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"no key").unwrap();
        assert!(matches!(SigningKey::load(&path), Err(KeyError::Unreadable { .. })));
    }

    #[test]
    fn a_head_is_signed_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::create(&folder.path().join("a")).unwrap();
        let head = SignedHead::sign(&key, 7, Hash::of(b"x"), Timestamp::from_micros(9));
        assert!(head.is_signed());
        assert_eq!(SignedHead::from_file(&head.to_file()), Some(head.clone()));
        for changed in [
            SignedHead { seq: 8, ..head.clone() },
            SignedHead { hash: Hash::of(b"y"), ..head.clone() },
            SignedHead { at: Timestamp::from_micros(8), ..head.clone() },
            SignedHead { key: SigningKey::create(&folder.path().join("b")).unwrap().public(), ..head },
        ] {
            assert!(!changed.is_signed(), "{changed:?}");
        }
    }

    #[test]
    fn a_change_of_keys_needs_the_old_key_and_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new, thief] =
            ["a", "b", "c"].map(|name| SigningKey::create(&folder.path().join(name)).unwrap());
        let prev = Hash::of(b"x");
        let change = KeyChange::sign(Some(&old), &new, 7, prev);
        let is_valid = |change: &KeyChange| change.is_valid(Some(old.public()), 7, prev);
        assert!(is_valid(&change));
        assert!(!change.is_valid(Some(old.public()), 8, prev));
        assert!(!change.is_valid(Some(old.public()), 7, Hash::ZERO));
        assert!(!change.is_valid(None, 7, prev), "there is a key before the first one");

        let stolen = KeyChange::sign(Some(&thief), &thief, 7, prev);
        assert!(!is_valid(&stolen));
        assert!(!is_valid(&KeyChange { previous: Some(old.public()), ..stolen }));
        assert!(!is_valid(&KeyChange { signature: stolen.signature, ..change.clone() }));
        assert!(!is_valid(&KeyChange { possession: stolen.possession, ..change.clone() }));
        assert!(!is_valid(&KeyChange { key: thief.public(), ..change }));
        assert!(!is_valid(&KeyChange::sign(None, &thief, 7, prev)), "a second first key");
        assert!(KeyChange::sign(None, &new, 1, Hash::ZERO).is_valid(None, 1, Hash::ZERO));
    }
}
