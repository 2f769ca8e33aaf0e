//! Answers that were given before.
//!
//! A question is looked up inside a [`Partition`]: everything but the question that an answer depends on, the tenant first.
//! Nothing is ever found across partitions. Within one, the *exact* layer knows the same question word for word; the
//! *semantic* layer knows questions that mean the same, gives an answer only where its [`Gate`] finds the same numbers,
//! names, negations and directions in both, and only after checks on live traffic have shown that it errs more rarely than
//! the configured bound ([`semantic`]).

mod answer;
mod cache;
mod flight;
mod gate;
mod partition;
mod semantic;
#[cfg(test)]
mod tests;

pub use answer::{CachedAnswer, Freshness, is_cacheable};
pub use cache::{AnswerCache, CacheSettings, Found, Inquiry, Layer, Mode, Stats, Wish};
pub use gate::Gate;
pub use partition::{Partition, Surroundings};
pub use semantic::error_bound;
