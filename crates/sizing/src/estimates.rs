//! Estimates for a table of rows: one result per row, in the order of the rows.

use serde::Serialize;

use crate::catalogue::Catalogue;
use crate::rows::{CsvError, read_rows};
use crate::service_time::ServiceTimes;

/// The estimate of one row, or why there is none. Times are milliseconds with the ends of their 90 % intervals.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the fields are the two times and their lower and upper ends")]
pub enum RowEstimate {
    /// The row got its times.
    Estimated {
        id: String,
        ttft_ms: f64,
        ttft_low: f64,
        ttft_high: f64,
        tpot_ms: f64,
        tpot_low: f64,
        tpot_high: f64,
    },
    /// The row got none, for the reason in words.
    Refused { id: String, refused: String },
}

/// Estimates every row of a CSV text in the columns of the published measurements, with the model that ships.
///
/// # Errors
/// The text has no readable header or lacks a needed column.
pub fn estimate_csv(text: &str) -> Result<Vec<RowEstimate>, CsvError> {
    estimate_csv_with(text, Catalogue::built_in(), ServiceTimes::built_in())
}

/// Estimates every row with a catalogue and a model of one's own, for instance a calibrated one.
///
/// # Errors
/// The text has no readable header or lacks a needed column.
pub fn estimate_csv_with(
    text: &str,
    catalogue: &Catalogue,
    times: &ServiceTimes,
) -> Result<Vec<RowEstimate>, CsvError> {
    let rows = read_rows(text, catalogue)?;
    let estimates = rows.into_iter().map(|row| match row {
        Err((id, refused)) => RowEstimate::Refused { id, refused },
        Ok(row) => match times.estimate(&row.deployment, &row.load) {
            Err(refusal) => RowEstimate::Refused { id: row.id, refused: refusal.to_string() },
            Ok(time) => RowEstimate::Estimated {
                id: row.id,
                ttft_ms: time.ttft_ms.value,
                ttft_low: time.ttft_ms.low,
                ttft_high: time.ttft_ms.high,
                tpot_ms: time.tpot_ms.value,
                tpot_low: time.tpot_ms.low,
                tpot_high: time.tpot_ms.high,
            },
        },
    });
    Ok(estimates.collect())
}
