//! Operations: what is measured on live traffic ([`measure`]), the turn that books every request exactly once ([`turn`]),
//! and the embedder that is booked although nobody asked for it by name ([`embedder`]).

pub mod embedder;
pub mod measure;
pub mod turn;

#[cfg(test)]
mod testing;

pub use embedder::BookedEmbedder;
pub use turn::{Turn, TurnBook};
