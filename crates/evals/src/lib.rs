//! Measuring what is found and said: [`dataset`]s of questions with judgements, the [`measures`] of a [`ranking`],
//! [`estimate`]s of their means that say how sure they are, [`comparison`]s of two ways, the honest [`tuning`] of settings,
//! whether [`answers`] hold what they should, and whether [`positions`] in a context matter. No I/O but reading a data set,
//! no async.

pub mod answers;
pub mod dataset;

pub mod measures;
pub mod ranking;

pub mod comparison;
pub mod estimate;
pub mod positions;
pub mod tuning;

pub use comparison::Comparison;
pub use dataset::{DataSet, DataSetError, Question};
pub use estimate::Estimate;
pub use measures::{Measure, Measures};
pub use positions::PositionTest;
