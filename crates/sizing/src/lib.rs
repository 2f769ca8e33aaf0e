//! How fast a model answers on which GPUs, what fits into their memory, and how sure that is.
//!
//! A [`Deployment`] (model, GPU, engine, precision, parallelism) under a [`Load`] (lengths, concurrency) gets a
//! [`ServiceTime`]: time to first token and time per output token, each with a 90 % interval, or a [`Refusal`] in words.
//! The estimate is physics (a roofline of prefill and decode) times a correction learned from published measurements.
//! Guarantees: pure and deterministic, no input panics. Limits: `assets/README.md` states the error per stratum.

mod calibration;
mod catalogue;
mod deployment;
mod estimates;
mod features;
mod fleet;
mod learn;
mod least_squares;
mod memory;
mod physics;
mod roofline;
mod rows;
mod service_time;
mod trees;

pub use calibration::{Calibration, OwnFactor, OwnFactors};
pub use catalogue::{
    Architecture, Catalogue, CatalogueError, Experts, Gpu, LatentAttention, LinearAttention, Model,
    SlidingWindow, UnknownName,
};
pub use deployment::{Deployment, Engine, Load, Parallelism, Pool, Precision, Serving};
pub use estimates::{RowEstimate, estimate_csv, estimate_csv_with};
pub use fleet::{Fleet, FleetOption, InvalidWorkload, Pace, Workload, size_fleet};
pub use learn::{HeldOut, Holdout, cross_validate};
pub use memory::{DoesNotFit, MemoryPlan, kv_bytes_per_sequence, plan_memory, weight_bytes};
pub use roofline::{DecodeTerms, PrefillTerms, decode_terms, prefill_terms};
pub use rows::{CsvError, MeasuredRow, ReadRow, read_rows};
pub use service_time::{Basis, Estimate, Refusal, ServiceTime, ServiceTimes};
