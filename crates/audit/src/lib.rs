//! The audit log: who did what, in a chain that nobody can change unseen.
//!
//! Every record holds the hash of the one before it, and every so often the log signs where it stands. Whoever changes,
//! removes, moves or puts in a record afterwards is found by [`verify()`], which needs the folder and a public key.
//!
//! - [`AuditLog`] appends: in microseconds, or on disk when it returns, with many callers sharing one `fsync`.
//! - [`Record`] is what happened, of the six categories that auditors ask for. Content is never in it, and people are
//!   only in it by pseudonym.
//! - [`Pseudonyms`] knows who they are, in a folder of its own, and forgets them on request. The chain is untouched.
//! - [`RetentionPolicy`] says how long bodies are kept. The line stays when its body goes, and the chain stays valid: it
//!   runs over the digest of the body, and 16 random bytes in each body keep anybody from guessing it.
//! - [`Entries`] reads, for exports and searches.
//!
//! What the chain cannot do alone is stand against whoever may write the folder *and* has the signing key, or puts back
//! an old copy of the whole folder. For that the signed head ([`AuditLog::head`]) is to be kept somewhere else, such as a
//! bucket with object lock or another team's mailbox; verification takes it as an anchor.
//!
//! Records behind the last signature, at most some seconds or a thousand, are held by the chain alone: somebody who may
//! write the folder can put others in their place before the log signs the next time. How many an opening took over is in
//! [`Opening::unsigned`] and in its record.
//!
//! The log's own records (keys, checkpoints, expiry) have a category of their own, [`Category::Log`], because they must
//! outlive every retention: without them nothing could be verified.
//!
//! Times are those of the machine's clock, unaltered. The order of records is that of their numbers; where a clock was
//! set back, verification says so and does not take it for a change.

mod chain;
mod commit;
mod files;
mod hash;
mod line;
mod log;
mod opening;
mod read;
mod record;
mod rotation;
mod segment;
mod signing;

pub mod pseudonyms;
pub mod retention;
pub mod verify;

pub use chain::{Receipt, Settings};
pub use hash::{Hash, NotHex};
pub use log::{AppendError, AuditLog, Durability, Health, OpenError, SYNC_INTERVAL, SyncError, Trouble};
pub use opening::{Opening, TornTail};
pub use pseudonyms::{Person, Pseudonym, PseudonymError, PseudonymSettings, Pseudonyms};
pub use read::{Entries, Entry, Filter, ReadError};
pub use record::{Category, MAX_BODY_BYTES, Outcome, Record, RecordFault, Resource};
pub use retention::{ExpireError, LegalHold, RetentionPolicy};
pub use rotation::RotateKeyError;
pub use signing::{Anchor, KeyError, PublicKey, Signature, SignedHead};
pub use verify::{Fault, FaultKind, Gap, Report, VerifyError, VerifyOptions, verify};
