//! Measuring what is found: [`dataset`]s of questions with judgements, the measures of a [`ranking`], and [`estimate`]s of
//! their means that say how sure they are. No I/O but reading a data set, no async.

pub mod dataset;
pub mod estimate;
pub mod ranking;

pub use dataset::{DataSet, DataSetError, Question};
pub use estimate::Estimate;
