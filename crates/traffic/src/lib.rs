//! How load arrives over a day, what it waits for, and how fleets follow it.
//!
//! [`queueing`] has the closed forms and [`simulation`] what they are held against; [`arrivals`] and [`trace`] say how much comes
//! when; [`autoscaling`] runs policies against that.
//!
//! Everything is deterministic: a simulation is given its seed.

pub mod arrivals;
pub mod autoscaling;
pub mod queueing;
pub mod simulation;
pub mod trace;
