//! Fits the whole model of service times to measured rows: the factors of the physics, the learned corrections, and
//! the intervals by cross-validation over whole groups.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use crate::calibration::Calibration;
use crate::features::{columns, version_key};
use crate::least_squares::Problem;
use crate::physics::{self, Situation};
use crate::rows::MeasuredRow;
use crate::service_time::{Basis, Corrections, ServiceTimes, Spread, family, group_key, physical, strata};
use crate::trees::{Forest, Growth};

const FINE: Growth =
    Growth { rounds: 1_200, rate: 0.05, leaves: 31, fewest_rows: 4, row_share: 0.8, column_share: 0.5 };
const COARSE: Growth =
    Growth { rounds: 200, rate: 0.05, leaves: 8, fewest_rows: 40, row_share: 0.8, column_share: 0.5 };

/// How rows are held out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holdout {
    /// Five random parts; rows of one configuration stay together.
    Random,
    /// One model at a time; models of the same dimensions are one.
    Model,
    /// One GPU at a time.
    Gpu,
    /// One pair of model and GPU at a time.
    ModelAndGpu,
}

impl Holdout {
    /// All ways, for a table.
    pub const ALL: [Holdout; 4] = [Holdout::Random, Holdout::Model, Holdout::Gpu, Holdout::ModelAndGpu];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Holdout::Random => "random",
            Holdout::Model => "leave one model out",
            Holdout::Gpu => "leave one GPU out",
            Holdout::ModelAndGpu => "leave one (model, GPU) out",
        }
    }
}

/// A row's estimate by a model that was fitted without it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOut {
    /// Which row.
    pub row: usize,
    /// How near the row was to what the model was fitted on.
    pub basis: Basis,
    /// Time per output token of the whole model, and of the physics alone.
    pub tpot_ms: [f64; 2],
    /// Time to first token of the whole model, and of the physics alone.
    pub ttft_ms: [f64; 2],
}

impl ServiceTimes {
    /// Fits a model to measured rows, with intervals from cross-validation over groups. Takes seconds to minutes.
    /// Rows without both times are left out.
    pub fn fit(rows: &[MeasuredRow<'_>]) -> ServiceTimes {
        let rows: Vec<&MeasuredRow<'_>> = usable(rows);
        let mut model = fit_points(&rows, true);
        model.spreads = spreads(&rows);
        model
    }
}

/// Estimates every row by models fitted without its group.
pub fn cross_validate(rows: &[MeasuredRow<'_>], holdout: Holdout) -> Vec<HeldOut> {
    let rows: Vec<&MeasuredRow<'_>> = usable(rows);
    hold_out(&rows, holdout)
}

fn usable<'r, 'a>(rows: &'r [MeasuredRow<'a>]) -> Vec<&'r MeasuredRow<'a>> {
    rows.iter().filter(|row| row.ttft_ms.is_some() && row.tpot_ms.is_some()).collect()
}

fn hold_out(rows: &[&MeasuredRow<'_>], holdout: Holdout) -> Vec<HeldOut> {
    let parts = parts(rows, holdout);
    let names: BTreeSet<&String> = parts.iter().collect();
    let mut estimates = Vec::with_capacity(rows.len());
    for name in names {
        let kept: Vec<&MeasuredRow<'_>> =
            rows.iter().zip(&parts).filter(|(_, part)| *part != name).map(|(row, _)| *row).collect();
        // Where whole groups are left out, no row is of a measured combination, so the fine correction is not needed.
        let model = fit_points(&kept, holdout == Holdout::Random);
        for (place, row) in rows.iter().enumerate().filter(|(place, _)| parts[*place] == *name) {
            let at = Situation::of(&row.deployment, &row.load);
            let known = model.measured.contains_key(&group_key(&row.deployment));
            let basis = if known { Basis::Measured } else { Basis::Extrapolated };
            let (tpot, ttft) = model.point(&row.deployment, &at, basis);
            let plain = physical(&model.tpot_factors, &model.ttft_factors, &at);
            let (tpot_ms, ttft_ms) = ([tpot, plain.tpot_ms], [ttft, plain.ttft_ms]);
            estimates.push(HeldOut { row: place, basis, tpot_ms, ttft_ms });
        }
    }
    estimates.sort_by_key(|estimate| estimate.row);
    estimates
}

/// The part of every row.
fn parts(rows: &[&MeasuredRow<'_>], holdout: Holdout) -> Vec<String> {
    let mut drawn: BTreeMap<String, usize> = BTreeMap::new();
    let mut rng = Rng::with_seed(1);
    rows.iter()
        .map(|row| {
            let (model, gpu) = (family(&row.deployment.model.name), &row.deployment.gpu.name);
            match holdout {
                Holdout::Random => {
                    let key =
                        format!("{} {:?} {:?}", group_key(&row.deployment), row.deployment.serving, row.load);
                    drawn.entry(key).or_insert_with(|| rng.usize(..5)).to_string()
                }
                Holdout::Model => model.to_owned(),
                Holdout::Gpu => gpu.clone(),
                Holdout::ModelAndGpu => format!("{model} {gpu}"),
            }
        })
        .collect()
}

/// Fits everything but the intervals, and the fine correction only if asked: it takes most of the time.
fn fit_points(rows: &[&MeasuredRow<'_>], with_fine: bool) -> ServiceTimes {
    let situations: Vec<Situation> =
        rows.iter().map(|row| Situation::of(&row.deployment, &row.load)).collect();
    let mut measured: BTreeMap<String, u32> = BTreeMap::new();
    for row in rows {
        *measured.entry(group_key(&row.deployment)).or_default() += 1;
    }
    let (tpot_factors, ttft_factors) = fit_physics(rows, &situations, &measured);
    let versions: Vec<String> =
        rows.iter().map(|row| version_key(&row.deployment)).collect::<BTreeSet<_>>().into_iter().collect();
    let plain: Vec<_> = situations.iter().map(|at| physical(&tpot_factors, &ttft_factors, at)).collect();
    let train = |versions: &[String], growth: Growth| {
        let table: Vec<Vec<f32>> = rows
            .iter()
            .zip(&situations)
            .zip(&plain)
            .map(|((row, at), plain)| columns(&row.deployment, at, plain, versions))
            .collect();
        let target = |measured: fn(&MeasuredRow<'_>) -> Option<f64>,
                      of: fn(&crate::features::Physical) -> f64| {
            rows.iter()
                .zip(&plain)
                .map(|(row, plain)| (measured(row).unwrap_or(1.0) / of(plain)).ln())
                .collect()
        };
        let tpot: Vec<f64> = target(|row| row.tpot_ms, |plain| plain.tpot_ms);
        let ttft: Vec<f64> = target(|row| row.ttft_ms, |plain| plain.ttft_ms);
        Corrections {
            tpot: Forest::train(&table, &tpot, growth, 1),
            ttft: Forest::train(&table, &ttft, growth, 2),
        }
    };
    let fine = train(&versions, if with_fine { FINE } else { Growth { rounds: 0, ..FINE } });
    let coarse = train(&[], COARSE);
    let (spreads, calibration) = (BTreeMap::new(), Calibration::default());
    ServiceTimes { tpot_factors, ttft_factors, versions, fine, coarse, measured, spreads, calibration }
}

/// Fits the factors of the physics. A combination counts by the root of its rows, so that large ones do not decide
/// alone; split deployments, which hide how many instances ran, count half.
fn fit_physics(
    rows: &[&MeasuredRow<'_>],
    situations: &[Situation],
    measured: &BTreeMap<String, u32>,
) -> (Vec<f64>, Vec<f64>) {
    let weights: Vec<f64> = rows
        .iter()
        .zip(situations)
        .map(|(row, at)| {
            let count = measured.get(&group_key(&row.deployment)).copied().unwrap_or(1);
            (if at.aggregated { 1.0 } else { 0.25 }) / f64::from(count)
        })
        .collect();
    let tpot_errors = |factors: &[f64]| -> Vec<f64> {
        let Ok(factors) = factors.try_into() else { return Vec::new() };
        let estimate = |at: &Situation| physics::tpot_ms(factors, at);
        rows.iter()
            .zip(situations)
            .map(|(row, at)| (estimate(at) / row.tpot_ms.unwrap_or(1.0)).ln())
            .collect()
    };
    let problem = Problem {
        errors: &tpot_errors,
        weights: &weights,
        scale: 0.1,
        pull: 1e-3,
        groups: (3e-3, &physics::TPOT_PER_ENGINE),
    };
    let tpot_factors = problem.fit(&physics::TPOT_START, 40);
    let ttft_errors = |factors: &[f64]| -> Vec<f64> {
        let Ok(factors) = factors.try_into() else { return Vec::new() };
        let estimate =
            |row: &MeasuredRow<'_>, at: &Situation| physics::ttft_ms(factors, at, row.tpot_ms.unwrap_or(1.0));
        rows.iter()
            .zip(situations)
            .map(|(row, at)| (estimate(row, at) / row.ttft_ms.unwrap_or(1.0)).ln())
            .collect()
    };
    let problem = Problem { errors: &ttft_errors, groups: (3e-3, &physics::TTFT_PER_ENGINE), ..problem };
    let ttft_factors = problem.fit(&physics::TTFT_START, 40);
    let rounded =
        |factors: Vec<f64>| factors.into_iter().map(|factor| (factor * 1e6).round() / 1e6).collect();
    (rounded(tpot_factors), rounded(ttft_factors))
}

/// Intervals per stratum from held-out rows.
fn spreads(rows: &[&MeasuredRow<'_>]) -> BTreeMap<String, Spread> {
    let mut logs: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for holdout in Holdout::ALL {
        for held in hold_out(rows, holdout) {
            let row = rows[held.row];
            let (Some(tpot), Some(ttft)) = (row.tpot_ms, row.ttft_ms) else { continue };
            if (holdout == Holdout::Random) != (held.basis == Basis::Measured) {
                continue;
            }
            let at = Situation::of(&row.deployment, &row.load);
            let names = strata(&row.deployment, &at, held.basis);
            for name in names {
                let entry = logs.entry(name).or_default();
                entry.0.push((tpot / held.tpot_ms[0]).ln());
                entry.1.push((ttft / held.ttft_ms[0]).ln());
            }
        }
    }
    logs.into_iter()
        .filter(|(_, (tpot, _))| tpot.len() >= 40)
        .map(|(name, (tpot, ttft))| (name, Spread { tpot: quantiles(tpot), ttft: quantiles(ttft) }))
        .collect()
}

/// The 5 % and 95 % quantiles, each one rank further out, as conformal prediction asks for.
fn quantiles(mut logs: Vec<f64>) -> (f64, f64) {
    logs.sort_by(f64::total_cmp);
    let last = logs.len().saturating_sub(1);
    let out = ((logs.len() + 1) as f64 * 0.05).floor() as usize;
    let low = logs.get(out.saturating_sub(1)).copied().unwrap_or(-1.0);
    let high = logs.get(last.saturating_sub(out.saturating_sub(1))).copied().unwrap_or(1.0);
    let rounded = |value: f64| (value * 1e4).round() / 1e4;
    (rounded(low), rounded(high))
}
