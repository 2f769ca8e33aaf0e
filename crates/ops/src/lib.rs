//! Operations: what is measured on live traffic ([`measure`]) and the turn that books every request exactly once
//! ([`turn`]).

pub mod measure;
pub mod turn;

pub use turn::{Turn, TurnBook};
