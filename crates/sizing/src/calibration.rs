//! A team's own measurements on top of the model that ships: one factor for decode and one for prefill per combination
//! of model, GPU, engine, precision and mode, and per engine for combinations without rows of their own.
//!
//! The factor is the mean of `ln(measured / estimated)` drawn towards 0 as a normal prior demands
//! (`n·mean / (n + σ²/τ²)`), so that one row moves little and fifty rows decide. Its standard error is stated.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::deployment::Engine;
use crate::rows::MeasuredRow;
use crate::service_time::{ServiceTimes, group_key};

/// Ratio of the variance inside a combination to that between combinations, from the published rows.
const PRIOR_ROWS: f64 = 1.0;
/// Fewest rows whose own spread replaces the general one.
const ROWS_FOR_SPREAD: u32 = 20;

/// Factors fitted to a team's rows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Calibration {
    groups: BTreeMap<String, OwnFactors>,
    engines: BTreeMap<Engine, OwnFactors>,
    /// Rows that were used.
    pub rows_used: u32,
    /// Rows without an estimate, by reason.
    pub rows_refused: BTreeMap<String, u32>,
}

/// The two factors of one combination.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OwnFactors {
    /// Of the time per output token.
    pub decode: OwnFactor,
    /// Of the time to first token.
    pub prefill: OwnFactor,
}

/// A factor with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OwnFactor {
    /// Logarithm of the factor.
    pub log_factor: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Standard deviation of single rows around it.
    pub deviation: f64,
    /// Rows behind it.
    pub rows: u32,
}

impl OwnFactor {
    fn of(logs: &[f64]) -> OwnFactor {
        let rows = logs.len() as f64;
        let mean = logs.iter().sum::<f64>() / rows.max(1.0);
        let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        // A single row says nothing about its own spread: assume a fifth, the usual error inside a combination.
        let deviation = ((squares + 0.04) / rows.max(1.0)).sqrt();
        OwnFactor {
            log_factor: rows * mean / (rows + PRIOR_ROWS),
            standard_error: deviation / (rows + PRIOR_ROWS).sqrt(),
            deviation,
            rows: logs.len() as u32,
        }
    }

    /// The interval around a calibrated estimate: that of the rows themselves once there are enough.
    pub(crate) fn narrowed(&self, general: (f64, f64)) -> (f64, f64) {
        if self.rows < ROWS_FOR_SPREAD {
            return general;
        }
        let half = 1.645 * (self.deviation.powi(2) + self.standard_error.powi(2)).sqrt();
        (-half, half)
    }
}

impl Calibration {
    /// Fits the factors to measured rows. Rows without both times are not used.
    pub fn fit(times: &ServiceTimes, rows: &[MeasuredRow<'_>]) -> Calibration {
        let plain = times.with_calibration(Calibration::default());
        let mut logs: BTreeMap<String, (Engine, Vec<f64>, Vec<f64>)> = BTreeMap::new();
        let mut calibration = Calibration::default();
        for row in rows {
            let (Some(ttft), Some(tpot)) = (row.ttft_ms, row.tpot_ms) else { continue };
            match plain.estimate_unguarded(&row.deployment, &row.load) {
                Ok(estimated) => {
                    let entry = logs
                        .entry(group_key(&row.deployment))
                        .or_insert_with(|| (row.deployment.engine, Vec::new(), Vec::new()));
                    entry.1.push((tpot / estimated.tpot_ms.value).ln());
                    entry.2.push((ttft / estimated.ttft_ms.value).ln());
                    calibration.rows_used += 1;
                }
                Err(refusal) => {
                    let reason = refusal.to_string();
                    let short = reason.split_once(':').map_or(reason.as_str(), |(kind, _)| kind).to_owned();
                    *calibration.rows_refused.entry(short).or_default() += 1;
                }
            }
        }
        let mut by_engine: BTreeMap<Engine, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for (group, (engine, decode, prefill)) in logs {
            let own = OwnFactors { decode: OwnFactor::of(&decode), prefill: OwnFactor::of(&prefill) };
            let means = by_engine.entry(engine).or_default();
            means.0.push(own.decode.log_factor);
            means.1.push(own.prefill.log_factor);
            calibration.groups.insert(group, own);
        }
        for (engine, (decode, prefill)) in by_engine {
            let own = OwnFactors { decode: OwnFactor::of(&decode), prefill: OwnFactor::of(&prefill) };
            calibration.engines.insert(engine, own);
        }
        calibration
    }

    /// The factors of a combination, or of its engine if the combination has no rows.
    pub(crate) fn of(&self, group: &str, engine: Engine) -> Option<OwnFactors> {
        self.groups.get(group).or_else(|| self.engines.get(&engine)).copied()
    }

    /// Factors by combination, for a report.
    pub fn groups(&self) -> &BTreeMap<String, OwnFactors> {
        &self.groups
    }
}
