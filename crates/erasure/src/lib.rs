//! Erasure, as the GDPR's article 17 asks for it: a person, a document or a whole tenant goes from every store, what is left
//! is searched for afterwards, and a signed certificate names each store.
//!
//! Every step may be repeated, and what is to be erased is written down before the first one, in a file of its own that
//! goes with the last one: an erasure that is interrupted goes on at the next start ([`Eraser::resume`]). What must not be
//! erased is held ([`mainstay_store::LegalHold`]).
//!
//! The audit chain stays as it is: people are in it by pseudonyms, and what is erased is the table that says whose they were.

mod certificate;
mod eraser;
mod expiry;
mod plan;
mod search;
mod subject;

pub use certificate::{Certificate, Statement, StoreErased};
pub use eraser::{Eraser, ErasureError, Stores};
pub use subject::Subject;
