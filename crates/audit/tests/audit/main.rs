//! The log from outside: what a service does with it, and what somebody with write access to its folder may try.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod chain;
mod kill;
mod million;
mod mutation;
mod people;
mod place;
mod retention;
mod signing;
mod tampering;
