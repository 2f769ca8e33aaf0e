//! How calls hold when what they call fails. What is here decides and never waits: it is told what happened and answers
//! what to do, so that every decision can be tested without time passing.

mod breaker;
mod retry;
mod retry_budget;

pub use self::breaker::{Breaker, BreakerSettings, BreakerState, CallResult, Permit};
pub use self::retry::{Failure, Retries, RetryPolicy};
pub use self::retry_budget::RetryBudget;
