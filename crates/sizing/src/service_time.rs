//! Time to first token and time per output token of a deployment under a load, each with a 90 % interval.
//!
//! The estimate is physics with fitted factors times a learned correction. Where the combination of model, GPU, engine,
//! precision and serving mode was measured, a fine correction is used and the interval comes from held-out rows of
//! such combinations. Elsewhere a coarse correction is used and the interval comes from whole models, GPUs and
//! combinations held out. Time per output token is `(end to end − time to first token) / (output tokens − 1)`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::catalogue::Architecture;
use crate::deployment::{Deployment, Load, Serving};
use crate::features::{Physical, columns};
use crate::memory::{DoesNotFit, plan_memory};
use crate::physics::{self, Situation, TPOT_FACTORS, TTFT_FACTORS};
use crate::trees::Forest;

static BUILT_IN: LazyLock<ServiceTimes> = LazyLock::new(|| {
    ServiceTimes::parse(include_str!("../assets/service_time.json"))
        .expect("the built-in model is checked by a test")
});

/// An estimated time with its 90 % interval, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Likeliest value.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Estimate {
    fn times(self, factor: f64) -> Estimate {
        Estimate { value: self.value * factor, low: self.low * factor, high: self.high * factor }
    }
}

/// How near the question is to what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The same model, GPU, engine, precision and serving mode was measured.
    Measured,
    /// The combination was not measured: physics and what holds across combinations.
    Extrapolated,
}

/// What a deployment does under a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ServiceTime {
    /// Time to first token, milliseconds.
    pub ttft_ms: Estimate,
    /// Time per output token, milliseconds.
    pub tpot_ms: Estimate,
    /// How near the question is to what was measured.
    pub basis: Basis,
    /// Sequences that run at once; fewer than the concurrency where the cache is full and requests wait.
    pub running: u32,
}

/// Why no time is given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// The deployment does not fit into the memory.
    #[error(transparent)]
    DoesNotFit(#[from] DoesNotFit),
    /// The load exceeds what was calibrated.
    #[error(
        "not calibrated: {what} is {value}, the model is trusted from {low} to {high}, about twice the measured range; stay inside or measure your own"
    )]
    OutsideRange {
        /// The quantity.
        what: &'static str,
        /// Its value.
        value: u32,
        /// Least value that is trusted.
        low: u32,
        /// Largest value that is trusted.
        high: u32,
    },
    /// Nothing like this GPU was ever measured.
    #[error(
        "not calibrated: no GPU of {gpu}'s vendor was measured with {engine}; measure your own and calibrate"
    )]
    UnmeasuredVendor {
        /// GPU asked for.
        gpu: String,
        /// Engine asked for.
        engine: &'static str,
    },
    /// Far more requests than fit: the time to first token is queueing that depends on how long the load lasts.
    #[error(
        "saturated: {concurrency} requests in flight but the cache holds about {fitting}; the wait grows with the length of the run, lower the concurrency or add replicas"
    )]
    Saturated {
        /// Requests in flight.
        concurrency: u32,
        /// Sequences that fit.
        fitting: u32,
    },
}

/// A trained model of service times, with a user's own calibration if one was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceTimes {
    pub(crate) tpot_factors: Vec<f64>,
    pub(crate) ttft_factors: Vec<f64>,
    pub(crate) versions: Vec<String>,
    pub(crate) fine: Corrections,
    pub(crate) coarse: Corrections,
    /// Rows of each measured combination.
    pub(crate) measured: BTreeMap<String, u32>,
    pub(crate) spreads: BTreeMap<String, Spread>,
    #[serde(default)]
    pub(crate) calibration: Calibration,
}

/// Learned logarithmic corrections of the two times.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Corrections {
    pub(crate) tpot: Forest,
    pub(crate) ttft: Forest,
}

/// Quantiles of `ln(measured / estimated)` on held-out rows of a stratum: 5 % and 95 %.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) tpot: (f64, f64),
    pub(crate) ttft: (f64, f64),
}

/// Requests over the room for them from which the wait cannot be told.
const SATURATED_FROM: f64 = 1.6;
/// Lengths that are trusted, tokens; the measurements have 128 to 15,000.
const TOKENS: (u32, u32) = (64, 32_768);
/// Requests in flight that are trusted; the measurements have 1 to 16,384.
const CONCURRENCY: (u32, u32) = (1, 16_384);

impl ServiceTimes {
    /// The model that ships with the program.
    pub fn built_in() -> &'static ServiceTimes {
        &BUILT_IN
    }

    /// Reads a trained model from its JSON document.
    ///
    /// # Errors
    /// The text is not such a document, or its factors are not as many as the formulas have.
    pub fn parse(text: &str) -> Result<ServiceTimes, serde_json::Error> {
        let model: ServiceTimes = serde_json::from_str(text)?;
        if model.tpot_factors.len() != TPOT_FACTORS || model.ttft_factors.len() != TTFT_FACTORS {
            return Err(serde::de::Error::custom("the number of factors is not that of the formulas"));
        }
        Ok(model)
    }

    /// The same model with a team's own measurements taken into account.
    pub fn with_calibration(&self, calibration: Calibration) -> ServiceTimes {
        ServiceTimes { calibration, ..self.clone() }
    }

    /// Estimates the service time of a deployment under a load.
    ///
    /// # Errors
    /// What does not fit into the memory, lies outside what was calibrated, or is saturated. All published rows are of
    /// one vendor's GPUs; another's are refused until a calibration has rows of that GPU.
    pub fn estimate(&self, deployment: &Deployment<'_>, load: &Load) -> Result<ServiceTime, Refusal> {
        let foreign = matches!(deployment.gpu.architecture, Architecture::Cdna3 | Architecture::Cdna4);
        if foreign && !self.calibration.groups().contains_key(&group_key(deployment)) {
            let (gpu, engine) = (deployment.gpu.name.clone(), deployment.engine.name());
            return Err(Refusal::UnmeasuredVendor { gpu, engine });
        }
        self.estimate_unguarded(deployment, load)
    }

    /// The estimate without asking whether anything like the GPU was measured: a calibration starts from it.
    pub(crate) fn estimate_unguarded(
        &self,
        deployment: &Deployment<'_>,
        load: &Load,
    ) -> Result<ServiceTime, Refusal> {
        let at = Situation::of(deployment, load);
        let group = group_key(deployment);
        let known = self.measured.contains_key(&group);
        if !known {
            let decoder = deployment.serving.decode();
            plan_memory(
                deployment.model,
                deployment.gpu,
                deployment.precision,
                &decoder,
                load.mean_context(),
            )?;
        }
        within("the input length", load.input_tokens, TOKENS)?;
        within("the output length", load.output_tokens, TOKENS)?;
        within("the number of requests in flight", load.concurrency, CONCURRENCY)?;
        if at.aggregated && at.concurrency > SATURATED_FROM * at.fitting.max(1.0) {
            return Err(Refusal::Saturated { concurrency: load.concurrency, fitting: at.fitting as u32 });
        }
        let basis = if known { Basis::Measured } else { Basis::Extrapolated };
        let (tpot, ttft) = self.point(deployment, &at, basis);
        let spread = self.spread(deployment, &at, basis);
        let calibrated = self.calibration.of(&group, deployment.engine);
        let around = |value: f64, (low, high): (f64, f64)| Estimate {
            value,
            low: value * low.min(0.0).exp(),
            high: value * high.max(0.0).exp(),
        };
        let (tpot_ms, ttft_ms) = match calibrated {
            None => (around(tpot, spread.tpot), around(ttft, spread.ttft)),
            Some(own) => (
                around(tpot, own.decode.narrowed(spread.tpot)).times(own.decode.log_factor.exp()),
                around(ttft, own.prefill.narrowed(spread.ttft)).times(own.prefill.log_factor.exp()),
            ),
        };
        let running = at.concurrency.min(if at.fitting >= 1.0 { at.fitting } else { at.concurrency }) as u32;
        Ok(ServiceTime { ttft_ms, tpot_ms, basis, running })
    }

    /// Time per output token and time to first token without calibration.
    pub(crate) fn point(&self, deployment: &Deployment<'_>, at: &Situation, basis: Basis) -> (f64, f64) {
        let physical = physical(&self.tpot_factors, &self.ttft_factors, at);
        let (corrections, versions) = match basis {
            Basis::Measured => (&self.fine, self.versions.as_slice()),
            Basis::Extrapolated => (&self.coarse, [].as_slice()),
        };
        let row = columns(deployment, at, &physical, versions);
        let tpot = physical.tpot_ms * corrections.tpot.value_of(&row).exp();
        let ttft = physical.ttft_ms * corrections.ttft.value_of(&row).exp();
        (tpot, ttft)
    }

    fn spread(&self, deployment: &Deployment<'_>, at: &Situation, basis: Basis) -> Spread {
        strata(deployment, at, basis)
            .iter()
            .find_map(|stratum| self.spreads.get(stratum))
            .copied()
            .unwrap_or(Spread { tpot: (-1.0, 1.0), ttft: (-1.5, 1.5) })
    }
}

/// The estimate of physics alone.
pub(crate) fn physical(tpot_factors: &[f64], ttft_factors: &[f64], at: &Situation) -> Physical {
    let for_tpot: &[f64; TPOT_FACTORS] = tpot_factors.try_into().unwrap_or(&physics::TPOT_START);
    let for_ttft: &[f64; TTFT_FACTORS] = ttft_factors.try_into().unwrap_or(&physics::TTFT_START);
    let tpot_ms = physics::tpot_ms(for_tpot, at);
    Physical {
        step_ms: physics::step_ms(for_tpot, at),
        tpot_ms,
        prefill_ms: physics::prefill_ms(&for_tpot[29..], at),
        ttft_ms: physics::ttft_ms(for_ttft, at, tpot_ms),
    }
}

/// What counts as the same combination: model dimensions, GPU, engine, precision and serving mode.
pub(crate) fn group_key(deployment: &Deployment<'_>) -> String {
    let model = family(&deployment.model.name);
    let engine = deployment.engine.name();
    format!("{model} {} {engine} {} {}", deployment.gpu.name, deployment.precision.name(), mode(deployment))
}

/// Models of the same dimensions count as one.
pub(crate) fn family(model: &str) -> &str {
    if model == "DeepSeek-R1" { "DeepSeek-V3" } else { model }
}

pub(crate) fn mode(deployment: &Deployment<'_>) -> &'static str {
    match deployment.serving {
        Serving::Aggregated(_) => "aggregated",
        Serving::Disaggregated { .. } => "disaggregated",
    }
}

/// Share of the room from which requests begin to wait for each other's cache.
const CROWDED_FROM: f64 = 0.6;

/// Strata whose held-out errors apply, the narrowest first. Crowded engines are strata of their own: their time to
/// first token can be many times the usual.
pub(crate) fn strata(deployment: &Deployment<'_>, at: &Situation, basis: Basis) -> Vec<String> {
    let mode = mode(deployment);
    let engine = deployment.engine.name();
    let crowded = at.aggregated && at.concurrency > CROWDED_FROM * at.fitting;
    let crowd = if crowded { "crowded" } else { "free" };
    match basis {
        Basis::Measured => vec![
            format!("measured {} {crowd}", group_key(deployment)),
            format!("measured {mode} {engine} {crowd}"),
            format!("measured {mode} {crowd}"),
            format!("measured {mode}"),
        ],
        Basis::Extrapolated => vec![
            format!("extrapolated {mode} {engine} {crowd}"),
            format!("extrapolated {mode} {crowd}"),
            format!("extrapolated {mode}"),
        ],
    }
}

fn within(what: &'static str, value: u32, (low, high): (u32, u32)) -> Result<(), Refusal> {
    if (low..=high).contains(&value) { Ok(()) } else { Err(Refusal::OutsideRange { what, value, low, high }) }
}

#[cfg(test)]
#[path = "service_time_tests.rs"]
mod tests;
