//! Which GPUs, how many and at what price: searches the catalogue for deployments that keep a workload's targets.
//!
//! A candidate is a GPU, a precision, a tensor parallel degree and a number of requests in flight. It is kept if it
//! fits, if the times at the asked percentile keep their targets, and if its price keeps the limit. By Little's law one
//! replica completes `concurrency / (ttft + output tokens · tpot)` requests a second; replicas cover the peak with
//! headroom. The search asks for percentiles by a spread of lengths: a request at percentile `p` of normally spread
//! lengths is `mean · (1 + z(p) · variation)` tokens long.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalogue::{Catalogue, Gpu, Model};
use crate::deployment::{Deployment, Engine, Load, Parallelism, Precision, Serving};
use crate::memory::plan_memory;
use crate::service_time::{Basis, Estimate, ServiceTimes};

/// Stage of a candidate whose time per output token is more than twice the limit.
const HOPELESS: u8 = 3;
const DEGREES: [u32; 4] = [1, 2, 4, 8];
const CONCURRENCIES: [u32; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// What a fleet has to serve and within which limits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Workload {
    /// Requests a second at the peak.
    pub peak_requests_per_second: f64,
    /// Mean tokens of a prompt.
    pub input_tokens: f64,
    /// Mean tokens of an answer.
    pub output_tokens: f64,
    /// Standard deviation over mean of both lengths.
    pub variation: f64,
    /// Limit of the time to first token, milliseconds.
    pub ttft_ms: f64,
    /// Limit of the time per output token, milliseconds.
    pub tpot_ms: f64,
    /// Percentile at which both limits hold, between 0.5 and 1, such as 0.95.
    pub percentile: f64,
    /// Most dollars an hour for the whole fleet.
    pub most_usd_per_hour: Option<f64>,
    /// Share of a replica's throughput that the peak may use, such as 0.7.
    pub utilisation: f64,
    /// Whether the upper ends of the intervals must keep the limits, not the likeliest values.
    pub cautious: bool,
    /// Engines to consider; none means all.
    pub engines: Vec<Engine>,
    /// Number formats to consider; none means all.
    pub precisions: Vec<Precision>,
}

/// One way to serve the workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FleetOption {
    /// GPU.
    pub gpu: String,
    /// Engine.
    pub engine: Engine,
    /// Number format of the weights.
    pub precision: Precision,
    /// GPUs of one replica.
    pub gpus_per_replica: u32,
    /// Requests that one replica keeps in flight.
    pub concurrency: u32,
    /// Time to first token at the percentile.
    pub ttft_ms: Estimate,
    /// Time per output token.
    pub tpot_ms: Estimate,
    /// Whether the combination was measured.
    pub basis: Basis,
    /// Requests a second that one replica completes when full.
    pub requests_per_second: f64,
    /// Replicas needed.
    pub replicas: u32,
    /// Price of the fleet.
    pub usd_per_hour: f64,
    /// Price of a million tokens, prompts and answers together, at the peak.
    pub usd_per_million_tokens: f64,
}

/// How fast a replica is that holds so many requests at once, at mean lengths.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pace {
    /// Requests in flight.
    pub concurrency: u32,
    /// Time to first token, milliseconds.
    pub ttft_ms: f64,
    /// Time per output token, milliseconds.
    pub tpot_ms: f64,
}

/// Result of a search.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fleet {
    /// The cheapest option.
    pub cheapest: Option<FleetOption>,
    /// Options that no other beats in price, time to first token and time per output token at once; by price.
    pub frontier: Vec<FleetOption>,
    /// For every GPU without an option: why its nearest candidate failed.
    pub rejected: BTreeMap<String, String>,
}

/// A workload whose numbers make no sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the workload's {field} is {value}, expected {expected}")]
pub struct InvalidWorkload {
    field: &'static str,
    value: f64,
    expected: &'static str,
}

/// Searches all GPUs of the catalogue.
///
/// # Errors
/// A number of the workload is not usable; the error names it.
pub fn size_fleet(
    model: &Model,
    workload: &Workload,
    catalogue: &Catalogue,
    times: &ServiceTimes,
) -> Result<Fleet, InvalidWorkload> {
    check(workload)?;
    let mut options = Vec::new();
    let mut rejected = BTreeMap::new();
    for gpu in catalogue.gpus() {
        let (mut found, nearest) = options_on(gpu, model, workload, times);
        if found.is_empty() {
            rejected.insert(gpu.name.clone(), nearest.1);
        }
        options.append(&mut found);
    }
    options.sort_by(|left, right| {
        left.usd_per_hour
            .total_cmp(&right.usd_per_hour)
            .then(left.ttft_ms.value.total_cmp(&right.ttft_ms.value))
    });
    let frontier: Vec<FleetOption> =
        options.iter().filter(|option| !options.iter().any(|other| beats(other, option))).cloned().collect();
    Ok(Fleet { cheapest: options.into_iter().next(), frontier, rejected })
}

impl FleetOption {
    /// The paces of one of its replicas at every number of requests in flight up to its own, ascending. Empty where the
    /// catalogue has lost its GPU.
    pub fn paces(
        &self,
        model: &Model,
        workload: &Workload,
        catalogue: &Catalogue,
        times: &ServiceTimes,
    ) -> Vec<Pace> {
        let Ok(gpu) = catalogue.gpu(&self.gpu) else { return Vec::new() };
        let serving = Serving::Aggregated(Parallelism::tensor(self.gpus_per_replica));
        let (engine, precision) = (self.engine, self.precision);
        let deployment = Deployment { model, gpu, engine, version: None, precision, serving };
        let within = CONCURRENCIES.into_iter().filter(|concurrency| *concurrency <= self.concurrency);
        let paces = within.filter_map(|concurrency| {
            let time = times.estimate(&deployment, &load(workload, 0.0, concurrency)).ok()?;
            Some(Pace { concurrency, ttft_ms: time.ttft_ms.value, tpot_ms: time.tpot_ms.value })
        });
        paces.collect()
    }
}

/// Options on one GPU, and how far the best failed candidate came with what stopped it.
fn options_on(
    gpu: &Gpu,
    model: &Model,
    workload: &Workload,
    times: &ServiceTimes,
) -> (Vec<FleetOption>, (u8, String)) {
    let mut options = Vec::new();
    let mut nearest = (0, "no precision of the search runs on it".to_owned());
    let engines: &[Engine] = if workload.engines.is_empty() { &Engine::ALL } else { &workload.engines };
    let mut failed = |stage: u8, reason: String| {
        if stage > nearest.0 {
            nearest = (stage, reason);
        }
    };
    let context = workload.input_tokens + workload.output_tokens / 2.0;
    let wanted =
        |precision: &Precision| workload.precisions.is_empty() || workload.precisions.contains(precision);
    for precision in Precision::ALL.into_iter().filter(wanted).filter(|precision| runs_on(*precision, gpu)) {
        for tp in DEGREES.into_iter().filter(|tp| *tp <= gpu.gpus_per_link_domain.max(1)) {
            let parallelism = Parallelism::tensor(tp);
            let plan = match plan_memory(model, gpu, precision, &parallelism, context) {
                Ok(plan) => plan,
                Err(refusal) => {
                    failed(1, refusal.to_string());
                    continue;
                }
            };
            for &engine in engines {
                let serving = Serving::Aggregated(parallelism);
                let deployment = Deployment { model, gpu, engine, version: None, precision, serving };
                for concurrency in
                    CONCURRENCIES.into_iter().filter(|concurrency| *concurrency <= plan.sequences)
                {
                    match option(&deployment, concurrency, workload, times) {
                        Ok(found) => options.push(found),
                        Err((stage, reason)) => {
                            failed(stage, reason);
                            // Both times grow with the requests in flight; at twice the limit more will not help.
                            if stage == HOPELESS {
                                break;
                            }
                        }
                    }
                }
            }
        }
    }
    (options, nearest)
}

/// Evaluates one candidate; the error says how far it came and what stopped it.
fn option(
    deployment: &Deployment<'_>,
    concurrency: u32,
    workload: &Workload,
    times: &ServiceTimes,
) -> Result<FleetOption, (u8, String)> {
    let z = normal_quantile(workload.percentile);
    let long = load(workload, z, concurrency);
    let slow = times.estimate(deployment, &long).map_err(|refusal| (2, refusal.to_string()))?;
    let pick = |estimate: &Estimate| if workload.cautious { estimate.high } else { estimate.value };
    let what =
        format!("{} with {concurrency} in flight on {} GPUs", deployment.precision.name(), gpus(deployment));
    let (ttft, tpot) = (pick(&slow.ttft_ms), pick(&slow.tpot_ms));
    if tpot > workload.tpot_ms {
        let stage = if tpot > 2.0 * workload.tpot_ms { HOPELESS } else { 4 };
        return Err((
            stage,
            format!("time per output token {tpot:.1} ms exceeds {:.1} ms ({what})", workload.tpot_ms),
        ));
    }
    if ttft > workload.ttft_ms {
        return Err((
            4,
            format!("time to first token {ttft:.0} ms exceeds {:.0} ms ({what})", workload.ttft_ms),
        ));
    }
    let typical = load(workload, 0.0, concurrency);
    let time = times.estimate(deployment, &typical).map_err(|refusal| (2, refusal.to_string()))?;
    let seconds = (pick(&time.ttft_ms) + workload.output_tokens * pick(&time.tpot_ms)) / 1e3;
    let requests_per_second = f64::from(concurrency) / seconds;
    let needed = workload.peak_requests_per_second / (requests_per_second * workload.utilisation);
    let replicas = needed.ceil().clamp(1.0, f64::from(u32::MAX)) as u32;
    let usd_per_hour = f64::from(replicas) * f64::from(gpus(deployment)) * deployment.gpu.usd_per_hour;
    if let Some(most) = workload.most_usd_per_hour.filter(|most| usd_per_hour > *most) {
        return Err((
            5,
            format!(
                "{replicas} replicas cost {usd_per_hour:.2} USD an hour, the limit is {most:.2} ({what})"
            ),
        ));
    }
    let tokens =
        workload.peak_requests_per_second * (workload.input_tokens + workload.output_tokens) * 3600.0;
    Ok(FleetOption {
        gpu: deployment.gpu.name.clone(),
        engine: deployment.engine,
        precision: deployment.precision,
        gpus_per_replica: gpus(deployment),
        concurrency,
        ttft_ms: slow.ttft_ms,
        tpot_ms: slow.tpot_ms,
        basis: time.basis,
        requests_per_second,
        replicas,
        usd_per_hour,
        usd_per_million_tokens: usd_per_hour / tokens * 1e6,
    })
}

fn gpus(deployment: &Deployment<'_>) -> u32 {
    deployment.serving.decode().gpus()
}

/// The load at `z` standard deviations of the lengths.
fn load(workload: &Workload, z: f64, concurrency: u32) -> Load {
    let longer = 1.0 + z * workload.variation;
    let tokens = |mean: f64| (mean * longer).round().clamp(1.0, f64::from(u32::MAX)) as u32;
    Load {
        input_tokens: tokens(workload.input_tokens),
        output_tokens: tokens(workload.output_tokens),
        concurrency,
    }
}

/// Whether the GPU computes in the precision, or at least holds its weights usefully (integers always work).
fn runs_on(precision: Precision, gpu: &Gpu) -> bool {
    match precision {
        Precision::Bf16 | Precision::Int4 => true,
        Precision::Fp8 => gpu.fp8_tflops.is_some(),
        Precision::Fp4 => gpu.fp4_tflops.is_some(),
    }
}

/// Whether one option is at least as good in every respect and better in one.
fn beats(one: &FleetOption, other: &FleetOption) -> bool {
    let of = |option: &FleetOption| [option.usd_per_hour, option.ttft_ms.value, option.tpot_ms.value];
    let (one, other) = (of(one), of(other));
    one.iter().zip(&other).all(|(left, right)| left <= right)
        && one.iter().zip(&other).any(|(left, right)| left < right)
}

fn check(workload: &Workload) -> Result<(), InvalidWorkload> {
    let above = |field, value: f64| {
        if value.is_finite() && value > 0.0 {
            Ok(())
        } else {
            Err(InvalidWorkload { field, value, expected: "a number above 0" })
        }
    };
    above("peak_requests_per_second", workload.peak_requests_per_second)?;
    above("input_tokens", workload.input_tokens)?;
    above("output_tokens", workload.output_tokens)?;
    above("ttft_ms", workload.ttft_ms)?;
    above("tpot_ms", workload.tpot_ms)?;
    let between = |field, value: f64, low: f64, high: f64, expected| {
        if (low..=high).contains(&value) { Ok(()) } else { Err(InvalidWorkload { field, value, expected }) }
    };
    between("variation", workload.variation, 0.0, 5.0, "a share between 0 and 5")?;
    between("percentile", workload.percentile, 0.5, 0.9999, "a share between 0.5 and 0.9999")?;
    between("utilisation", workload.utilisation, 0.01, 1.0, "a share between 0.01 and 1")
}

/// The normal distribution's quantile (Abramowitz and Stegun, formula 26.2.23, error below 5·10⁻⁴).
fn normal_quantile(share: f64) -> f64 {
    if share <= 0.5 {
        return 0.0;
    }
    let t = (-2.0 * (1.0 - share).ln()).sqrt();
    t - (2.515517 + 0.802853 * t + 0.010328 * t * t)
        / (1.0 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t * t * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload {
            peak_requests_per_second: 20.0,
            input_tokens: 1024.0,
            output_tokens: 512.0,
            variation: 0.3,
            ttft_ms: 2_000.0,
            tpot_ms: 60.0,
            percentile: 0.95,
            most_usd_per_hour: None,
            utilisation: 0.7,
            cautious: false,
            engines: vec![Engine::Vllm],
            precisions: Vec::new(),
        }
    }

    fn search(workload: &Workload) -> Fleet {
        let catalogue = Catalogue::built_in();
        let model = catalogue.model("Llama-3.1-70B").expect("known");
        size_fleet(model, workload, catalogue, ServiceTimes::built_in()).expect("the workload is valid")
    }

    #[test]
    fn the_cheapest_option_keeps_the_targets_and_covers_the_peak() {
        let workload = workload();
        let cheapest = search(&workload).cheapest.expect("a large GPU can");
        assert!(cheapest.ttft_ms.value <= workload.ttft_ms && cheapest.tpot_ms.value <= workload.tpot_ms);
        let served = f64::from(cheapest.replicas) * cheapest.requests_per_second * workload.utilisation;
        assert!(served >= workload.peak_requests_per_second, "{cheapest:?}");
    }

    #[test]
    fn a_small_gpu_is_rejected_with_the_numbers() {
        let fleet = search(&workload());
        let reason = &fleet.rejected["L4"];
        assert!(reason.contains("does not fit") && reason.contains("GB"), "{reason}");
    }

    #[test]
    fn no_option_of_the_frontier_is_beaten_and_prices_rise() {
        let fleet = search(&workload());
        assert!(fleet.frontier.len() > 1);
        for option in &fleet.frontier {
            assert!(!fleet.frontier.iter().any(|other| beats(other, option)));
        }
        assert!(fleet.frontier.is_sorted_by(|left, right| left.usd_per_hour <= right.usd_per_hour));
    }

    #[test]
    fn caution_and_tighter_targets_never_make_it_cheaper() {
        let price = |workload: &Workload| {
            search(workload).cheapest.map_or(f64::INFINITY, |option| option.usd_per_hour)
        };
        let plain = price(&workload());
        assert!(price(&Workload { cautious: true, ..workload() }) >= plain);
        assert!(price(&Workload { tpot_ms: 20.0, ..workload() }) >= plain);
        assert!(price(&Workload { peak_requests_per_second: 200.0, ..workload() }) > plain);
    }

    #[test]
    fn the_paces_of_an_option_end_with_its_own() {
        let (catalogue, times) = (Catalogue::built_in(), ServiceTimes::built_in());
        let model = catalogue.model("Llama-3.1-70B").expect("known");
        let cheapest = search(&workload()).cheapest.expect("a large GPU can");
        let paces = cheapest.paces(model, &workload(), catalogue, times);
        let last = paces.last().expect("it has one");
        assert_eq!(last.concurrency, cheapest.concurrency);
        assert!(paces[0].tpot_ms <= last.tpot_ms, "{paces:?}");
        let completes = f64::from(last.concurrency) / (last.ttft_ms + 512.0 * last.tpot_ms) * 1e3;
        assert!((completes / cheapest.requests_per_second - 1.0).abs() < 1e-9);
    }

    #[test]
    fn an_impossible_price_rejects_every_gpu() {
        let fleet = search(&Workload { most_usd_per_hour: Some(0.01), ..workload() });
        assert_eq!(fleet.cheapest, None);
        assert_eq!(fleet.rejected.len(), Catalogue::built_in().gpus().len());
    }

    #[test]
    fn a_number_that_makes_no_sense_is_named() {
        let catalogue = Catalogue::built_in();
        let model = catalogue.model("Llama-3.1-8B").expect("known");
        let refused = size_fleet(
            model,
            &Workload { ttft_ms: f64::NAN, ..workload() },
            catalogue,
            ServiceTimes::built_in(),
        );
        assert!(refused.expect_err("not a number").to_string().contains("ttft_ms"));
    }
}
