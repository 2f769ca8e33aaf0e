//! What comes over the wire: of every fault, of `/control`, and when.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

mod client;
mod control;
mod faults;
mod timing;
