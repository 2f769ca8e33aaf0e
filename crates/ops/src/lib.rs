//! Operations: what is measured on live traffic ([`measure`]), the turn that books every request exactly once ([`turn`]), what
//! may be spent ([`budgets`]), the audit trail ([`trail`]), what is said in some turns of those who agreed to it ([`contents`]), how much memory is used ([`memory`]), and the embedder and the reranker that are booked although
//! nobody asked for them by name ([`embedder`], [`reranker`]).

pub mod budgets;
pub mod contents;
pub mod embedder;
pub mod measure;
pub mod memory;
pub mod reranker;
pub mod trail;
pub mod turn;

mod account;

#[cfg(test)]
mod testing;

pub use budgets::Budgets;
pub use contents::{ContentLog, Recording};
pub use embedder::BookedEmbedder;
pub use reranker::BookedReranker;
pub use trail::{Trail, Unrecorded};
pub use turn::{Turn, TurnBook};
