//! How calls hold when what they call fails. What is here decides and never waits: it is told what happened and answers
//! what to do, so that every decision can be tested without time passing.
//!
//! Where a decision depends on the time, it is told `now`: the time since a start that stays the same for as long as
//! the state lives. A clock that runs backwards is taken to stand still.

mod breaker;
mod degradation;
mod fair_queue;
mod gradient;
mod hedging;
mod pressure;
mod rate;
mod retry;
mod retry_budget;

pub use self::breaker::{Breaker, BreakerReport, BreakerSettings, BreakerState, CallResult, Permit};
pub use self::degradation::{
    Calm, ChangeCause, Degradation, DegradationPolicy, Health, ServiceLevel, Transition, Trigger,
};
pub use self::fair_queue::{
    Arrival, BurstBudget, Decision, FairQueue, QueuePolicy, ShedReason, Ticket, TierPolicy,
};
pub use self::gradient::{GradientLimit, GradientPolicy};
pub use self::hedging::Hedging;
pub use self::pressure::{Level, Pressure, PressureGauge, PressurePolicy, Signal};
pub use self::rate::{Allowance, Bucket, Rate, RateTable, Wait};
pub use self::retry::{Failure, Retries, RetryPolicy};
pub use self::retry_budget::RetryBudget;
