//! The real binary, as its users start and call it.
#![expect(clippy::unwrap_used, reason = "an unexpected failure is to be shown where it happens")]

mod api;
mod chunking;
mod command_line;
mod content;
mod corpus;
mod crossing;
mod evaluation;
mod filters;
mod identity;
mod kill;
mod login;
mod provider_sim;
mod remote;
mod reranking;
mod running;
mod strangers;
mod warming;
