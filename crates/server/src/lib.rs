//! The only crate that knows HTTP. It turns requests into the gateway's domain types and its answers back; it decides
//! nothing about them.
//!
//! [`routes`] lists what there is; [`error`] is the one place where an error becomes a status.

pub mod routes;

mod admin;
mod anthropic;
pub mod app;
mod approvals;
mod audit;
mod console;
mod contents;
mod documents;
mod erasures;
mod keys;
mod openai;
mod operations;
mod policies;
mod quality;
mod search;
mod service;
mod tenants;

mod context;
mod costs;
pub mod error;
mod extract;
pub mod guard;
mod json;
mod silent;
mod sse;
mod stalled;

mod limits;
pub mod listen;
pub mod tls;
mod tokens;

pub use app::{App, Readiness, ServerSettings};
pub use listen::serve;
pub use routes::router;
pub use stalled::Readers;
