//! What running models costs: by the token, by the GPU, or both; today and under growth (cards 2.3, 5.2, 12.3 and 12.4).
//!
//! Costs are rows of a [`Sheet`](mainstay_formula::Sheet), so that each can be explained down to its inputs; [`enter`] puts them there.
//! [`forecast`] looks ahead month by month, [`trend`] at what a ledger says. Amounts are floats: they are estimates, and nothing
//! is booked from them.

mod costs;
pub mod forecast;
pub mod levers;
pub mod trend;

pub use costs::{ApiPrice, Demand, OwnFleet, People, enter};
