//! Providers against stand-ins that speak the real wire formats.

mod cancellation;
mod connections;
mod embeddings;
mod faults;
mod reranking;
mod round_trip;
mod support;
mod timeouts;
