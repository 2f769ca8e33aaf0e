//! Data at rest, sealed: what a store writes about a tenant is encrypted with a key of that tenant, and once the key is
//! destroyed, so is the data, wherever a copy of it lies.
//!
//! A [`Sealer`] seals and opens for one tenant. Its data keys are random, kept by a [`KeyStore`] only as [`WrappedKey`]s,
//! and unwrapped by a [`MasterKey`], which lives outside of the data: in a file or behind a command. [`TenantKeys`] makes
//! them, rotates them, wraps them again under another master key, and destroys them.
//!
//! What is guaranteed:
//!
//! - Nobody reads sealed data, or changes it unnoticed, without the data key. Sealed data opens only in the place for
//!   which it was sealed: of its tenant, its purpose (table and column) and its record.
//! - A data key of a tenant that was destroyed never comes back from the key store.
//!
//! What is not: sealed data shows its length, and somebody who writes into the database can delete a record, or put back
//! an older value of the same record. A copy of the key store from before a destruction opens the data again for as long
//! as the master key exists, so backups of it must expire, or the master key must: [`TenantKeys::rewrap`], then destroy
//! the old one.
//!
//! Keys are wiped from memory when they are dropped. `ring` expands a key for the length of one call, on the stack, and
//! does not wipe that.

mod sealed;
mod sealer;

mod keys;
mod rewrap;
mod store;

mod master;

mod cipher;
mod key_bytes;

#[cfg(test)]
mod measure;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use self::cipher::EncryptError;
pub use self::key_bytes::NoRandomness;
pub use self::keys::{KeyError, TenantKeys};
pub use self::master::{
    CommandError, CommandKms, KeyFileError, MasterKey, MasterKeyError, MasterKeyId, MasterKeys,
};
pub use self::rewrap::{KeyCensus, Rewrapped};
pub use self::sealed::{Form, OVERHEAD, is_sealed, unopenable};
pub use self::sealer::{Context, LookupTag, OpenError, Record, SealError, Sealer};
pub use self::store::{KeyStore, KeyStoreError, Shredded, StoredKeys, WrappedKey};
