//! GPUs for a model of one's own, and how their number follows the load (cards 2.2 and 2.4).

use std::collections::BTreeMap;

use mainstay_formula::{Expr, Input, Sheet, Unit};
use mainstay_sizing::{
    Basis, Catalogue, Engine as Serving, FleetOption, Model, Parallelism, Precision as Bits, ServiceTimes,
    Workload, plan_memory, size_fleet, weight_bytes,
};
use mainstay_traffic::arrivals::Rates;
use mainstay_traffic::autoscaling::{self, Outcome};
use mainstay_traffic::queueing::Queue;
use mainstay_traffic::simulation::{self, BatchPoint};
use serde::Serialize;

use super::Spec;
use super::capacity::Capacity;
use crate::requirements::{Engine, LatencyTargets, Percentile, Precision};

/// A fleet that meets the targets, and what else there is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct FleetPlan {
    /// The model.
    pub model: String,
    /// Whether the file names the model; else it is the usual one.
    pub named: bool,
    /// The cheapest that meets the targets; none where nothing does.
    pub cheapest: Option<FleetOption>,
    /// What no other beats in price, first token and pace at once, by price.
    pub frontier: Vec<FleetOption>,
    /// Why each GPU without an option has none.
    pub rejected: BTreeMap<String, String>,
    /// What callers would see at the peak; none where there is no fleet.
    pub at_peak: Option<AtPeak>,
    /// How the fleet follows the load; none where there is no fleet.
    pub scaling: Option<Scaling>,
}

/// What callers see of the fleet at the peak: a simulation of requests that come at random, with lengths that vary, to replicas that
/// are slower the more they hold. Seconds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct AtPeak {
    /// Until the first token, for half of the requests.
    pub first_token_p50: f64,
    /// For 95 of a hundred.
    pub first_token_p95: f64,
    /// For 99 of a hundred.
    pub first_token_p99: f64,
    /// Until the last token, for 95 of a hundred.
    pub answer_p95: f64,
    /// Answers that a replica has under way on average.
    pub running: f64,
}

/// Policies that were run against the week, and which was chosen.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Scaling {
    /// What was scaled.
    pub fleet: autoscaling::Fleet,
    /// The share of requests that may be lost.
    pub may_lose: f64,
    /// What became of each.
    pub outcomes: Vec<Outcome>,
    /// Which of them is the cheapest that loses no more than may fail.
    pub chosen: usize,
}

/// What is self-hosted where nobody says what.
pub const USUAL_MODEL: &str = "Llama-3.1-70B";

/// Targets where the file sets none: what people bear at a screen.
const USUAL_FIRST_TOKEN: f64 = 2_000.0;
const USUAL_PACE: f64 = 50.0;
/// Over the peak, where nobody says how much.
const USUAL_HEADROOM: f64 = 1.3;
/// Standard deviation over mean of the lengths of prompts and answers: they vary about as much as they are long.
const VARIATION: f64 = 0.7;
/// Replicas of a simulation at most: those of a larger fleet are alike, so a part of it with its part of the traffic tells the same.
const SIMULATED_REPLICAS: f64 = 50.0;
/// Requests of a simulation: the 99 % quantile is known to a few percent.
const SIMULATED: usize = 20_000;
/// One replica may fail.
const LEAST_REPLICAS: f64 = autoscaling::USUAL_LEAST as f64;

/// Searches a fleet for the peak and enters what follows from it.
pub(super) fn enter(
    sheet: &mut Sheet,
    spec: &Spec<'_>,
    capacity: &Capacity,
    week: &Rates,
    usual_week: &Rates,
) -> Option<FleetPlan> {
    let peak = sheet.value("capacity.peak_requests_per_second")?;
    let (input, output) = (sheet.value("traffic.input_tokens")?, sheet.value("traffic.output_tokens")?);
    let catalogue = available(spec);
    let named = spec.planning.self_hosted_model.is_some();
    let model = catalogue.model(spec.planning.self_hosted_model.as_deref().unwrap_or(USUAL_MODEL)).ok()?;
    let workload = workload(spec, peak, input, output);
    let fleet = size_fleet(model, &workload, &catalogue, ServiceTimes::built_in()).ok()?;
    let mut plan = FleetPlan {
        model: model.name.clone(),
        named,
        cheapest: fleet.cheapest,
        frontier: fleet.frontier,
        rejected: fleet.rejected,
        at_peak: None,
        scaling: None,
    };
    if let Some(option) = &plan.cheapest {
        enter_memory(sheet, &catalogue, model, option, input + output);
        let each = enter_times(sheet, capacity, option);
        enter_replicas(sheet, spec, capacity, &workload, option, &each);
        enter_price(sheet, spec, &catalogue, option);
        plan.scaling = scale(sheet, spec, week, usual_week);
        let replicas = sheet.value("sizing.replicas").unwrap_or(LEAST_REPLICAS);
        plan.at_peak = at_peak(model, &workload, &catalogue, option, replicas);
    }
    Some(plan)
}

/// The catalogue with the GPUs that can be had, at the team's prices.
pub(super) fn available(spec: &Spec<'_>) -> Catalogue {
    let all = Catalogue::built_in();
    let named = |names: &[String]| -> Vec<&str> {
        names.iter().filter_map(|name| all.gpu(name).ok()).map(|gpu| gpu.name.as_str()).collect()
    };
    let wanted = named(&spec.planning.gpus);
    let mut prices = BTreeMap::new();
    for (name, price) in &spec.planning.gpu_prices {
        if let Ok(gpu) = all.gpu(name) {
            prices.insert(gpu.name.clone(), price.as_dollars_lossy());
        }
    }
    all.restricted(|gpu| wanted.is_empty() || wanted.contains(&gpu.name.as_str()), &prices)
}

/// The highest percentile that has a target, and its limit in milliseconds.
fn tightest(targets: &LatencyTargets) -> Option<(Percentile, f64)> {
    targets.iter().last().map(|(percentile, limit)| (percentile, limit.as_secs_f64() * 1000.0))
}

fn workload(spec: &Spec<'_>, peak: f64, input: f64, output: f64) -> Workload {
    let first = tightest(&spec.slo.ttft);
    let pace = tightest(&spec.slo.time_per_output_token);
    let percentile = first.or(pace).map_or(Percentile::P95, |(percentile, _)| percentile);
    Workload {
        peak_requests_per_second: peak,
        input_tokens: input,
        output_tokens: output,
        variation: VARIATION,
        ttft_ms: first.map_or(USUAL_FIRST_TOKEN, |(_, limit)| limit),
        tpot_ms: pace.map_or(USUAL_PACE, |(_, limit)| limit),
        percentile: percentile.quantile(),
        most_usd_per_hour: None,
        utilisation: 1.0 / spec.planning.headroom.unwrap_or(USUAL_HEADROOM).max(1.0),
        cautious: false,
        engines: vec![serving(spec.planning.engine)],
        precisions: spec.planning.precisions.iter().map(|precision| bits(*precision)).collect(),
    }
}

const fn serving(engine: Engine) -> Serving {
    match engine {
        Engine::Vllm => Serving::Vllm,
        Engine::Sglang => Serving::Sglang,
        Engine::Trtllm => Serving::Trtllm,
    }
}

const fn bits(precision: Precision) -> Bits {
    match precision {
        Precision::Bf16 => Bits::Bf16,
        Precision::Fp8 => Bits::Fp8,
        Precision::Fp4 => Bits::Fp4,
        Precision::Int4 => Bits::Int4,
    }
}

/// What the model needs and what a GPU has.
fn enter_memory(sheet: &mut Sheet, catalogue: &Catalogue, model: &Model, option: &FleetOption, tokens: f64) {
    let Ok(gpu) = catalogue.gpu(&option.gpu) else { return };
    let weights = weight_bytes(model, option.precision) / 1e9;
    let source = format!("{} in {}", model.name, option.precision.name());
    let weights =
        sheet.input("sizing.weights_gb", Unit::Count, "gigabytes of weights", Input::given(weights, source));
    let alone = Parallelism::tensor(option.gpus_per_replica);
    let plan = plan_memory(model, gpu, option.precision, &alone, tokens);
    let each = plan.map_or(0.0, |plan| plan.sequence_bytes) * f64::from(option.gpus_per_replica) / 1e9;
    let each = Input::given(each, "layers, heads and numbers of the model");
    let each = sheet.input("sizing.answer_gb", Unit::Count, "gigabytes of a running answer", each);
    let running = f64::from(option.concurrency);
    let running = sheet.input(
        "sizing.concurrency",
        Unit::Count,
        "answers that a replica keeps running",
        Input::given(running, "the search for the cheapest fleet"),
    );
    let needed = sheet.define(
        "sizing.memory_gb",
        Unit::Count,
        "gigabytes that weights and running answers need",
        weights + &running * each,
    );
    let memory = Input::given(gpu.memory_gb, format!("{}: {}", gpu.name, gpu.source));
    let memory = sheet.input("sizing.gpu_memory_gb", Unit::Count, "gigabytes of a GPU", memory);
    let fits = mainstay_formula::call("is at most", [needed, memory], |v| f64::from(u8::from(v[0] <= v[1])));
    sheet.define("sizing.fits_one_gpu", Unit::YesNo, "whether it fits on one GPU", fits);
}

/// What a replica does for one answer.
struct OneAnswer {
    /// Until its first token.
    first: Expr,
    /// Until its last.
    whole: Expr,
}

/// How long an answer takes.
fn enter_times(sheet: &mut Sheet, capacity: &Capacity, option: &FleetOption) -> OneAnswer {
    let sure = match option.basis {
        Basis::Measured => "measured for this model, GPU and engine",
        Basis::Extrapolated => "extrapolated from other models and GPUs",
    };
    let source = format!("the service-time model, {sure}");
    let mut time = |name: &str, what: &str, estimate: mainstay_sizing::Estimate| {
        let seconds = Input::assumed(estimate.value / 1e3, source.clone());
        sheet.input(name, Unit::Seconds, what, seconds.between(estimate.low / 1e3, estimate.high / 1e3))
    };
    let first =
        time("sizing.time_to_first_token", "until the first token, at the percentile", option.ttft_ms);
    let each = time("sizing.time_per_output_token", "for each further token", option.tpot_ms);
    let whole = sheet.define(
        "sizing.answer_seconds",
        Unit::Seconds,
        "for a whole answer",
        &first + &capacity.output_tokens * each,
    );
    OneAnswer { first, whole }
}

/// As many replicas as the peak needs, and as keep it from waiting.
fn enter_replicas(
    sheet: &mut Sheet,
    spec: &Spec<'_>,
    capacity: &Capacity,
    workload: &Workload,
    option: &FleetOption,
    answer: &OneAnswer,
) {
    let Some(running) = sheet.expr("sizing.concurrency") else { return };
    let speed = sheet.define(
        "sizing.requests_per_replica",
        Unit::PerSecond,
        "requests that a full replica completes",
        &running / &answer.whole,
    );
    let headroom = match spec.planning.headroom {
        Some(headroom) => Input::given(headroom, "planning.headroom"),
        None => Input::assumed(USUAL_HEADROOM, "a third more than the peak").between(1.1, 2.0),
    };
    let headroom = sheet.input("planning.headroom", Unit::Times, "what is provided over the peak", headroom);
    let limit = match tightest(&spec.slo.ttft) {
        Some(_) => Input::given(workload.ttft_ms / 1e3, "slo.ttft"),
        None => Input::assumed(workload.ttft_ms / 1e3, "what people bear at a screen"),
    };
    let limit =
        sheet.input("sizing.first_token_limit", Unit::Seconds, "until the first token, at most", limit);
    let may_wait = sheet.define(
        "sizing.may_wait",
        Unit::Seconds,
        "that a request may wait for a place, at the percentile",
        (limit - &answer.first).max(&Expr::constant(0.0)),
    );
    let percentile = workload.percentile;
    let erlang = mainstay_formula::call(
        "fewest places by Erlang C with Allen and Cunneen's variability",
        [capacity.peak_rate.clone(), answer.whole.clone(), may_wait],
        move |v| {
            let queue = Queue { rate: v[0], service: v[1], variability: VARIATION * VARIATION, servers: 1 };
            f64::from(queue.servers_for(percentile, v[2]))
        },
    );
    let places = sheet.define(
        "sizing.places",
        Unit::Count,
        "answers under way at once that keep the wait for a place within that",
        erlang,
    );
    let exact = sheet.define(
        "sizing.replicas_exact",
        Unit::Count,
        "replicas before rounding up: for the peak with headroom, and for the wait",
        (&capacity.peak_rate * &headroom / speed).max(&(places / &running)),
    );
    let least = Input::assumed(LEAST_REPLICAS, "one may fail");
    let least = sheet.input("sizing.least_replicas", Unit::Count, "replicas that there must be", least);
    let replicas =
        sheet.define("sizing.replicas", Unit::Count, "replicas at the peak", exact.ceil().max(&least));
    let size = f64::from(option.gpus_per_replica);
    let name = format!(
        "{} on {}× {}, {}",
        option.precision.name(),
        option.gpus_per_replica,
        option.gpu,
        option.engine.name()
    );
    let size =
        sheet.input("sizing.gpus_per_replica", Unit::Count, "GPUs of a replica", Input::given(size, name));
    sheet.define("sizing.gpus", Unit::Count, "GPUs at the peak", replicas * &size);
}

/// What a GPU costs.
fn enter_price(sheet: &mut Sheet, spec: &Spec<'_>, catalogue: &Catalogue, option: &FleetOption) {
    let Ok(gpu) = catalogue.gpu(&option.gpu) else { return };
    let own = spec
        .planning
        .gpu_prices
        .keys()
        .any(|name| catalogue.gpu(name).is_ok_and(|priced| priced.name == gpu.name));
    let price = if own {
        Input::given(gpu.usd_per_hour, "planning.gpu_prices")
    } else {
        let source = format!("{}, rough public price of {}", gpu.name, gpu.price_as_of);
        Input::assumed(gpu.usd_per_hour, source).between(gpu.usd_per_hour * 0.6, gpu.usd_per_hour * 1.6)
    };
    sheet.input("sizing.gpu_price", Unit::DollarsPerHour, "a GPU", price);
}

/// Simulates the peak.
fn at_peak(
    model: &Model,
    workload: &Workload,
    catalogue: &Catalogue,
    option: &FleetOption,
    replicas: f64,
) -> Option<AtPeak> {
    let paces = option.paces(model, workload, catalogue, ServiceTimes::built_in());
    let point = |pace: &mainstay_sizing::Pace| BatchPoint {
        sequences: pace.concurrency,
        first_token: pace.ttft_ms / 1e3,
        each_token: pace.tpot_ms / 1e3,
    };
    let points: Vec<_> = paces.iter().map(point).collect();
    if points.is_empty() {
        return None;
    }
    // A log-normal length with this mean and variation.
    let spread = (1.0 + VARIATION * VARIATION).ln().sqrt();
    let middle = workload.output_tokens.ln() - spread * spread / 2.0;
    let part = replicas.clamp(1.0, SIMULATED_REPLICAS);
    let served = simulation::serve_batches(
        workload.peak_requests_per_second * part / replicas.max(1.0),
        part as usize,
        &points,
        |rng| {
            let length = |rng: &mut _, middle: f64| (middle + spread * simulation::normal(rng)).exp();
            // Prompts vary around their mean, which the paces are for.
            (length(rng, -spread * spread / 2.0), length(rng, middle))
        },
        SIMULATED,
        1,
    );
    Some(AtPeak {
        first_token_p50: served.first_token.at(0.5),
        first_token_p95: served.first_token.at(0.95),
        first_token_p99: served.first_token.at(0.99),
        answer_p95: served.answer.at(0.95),
        running: served.running,
    })
}

/// Runs the policies against the week and enters what the chosen one saves.
fn scale(sheet: &mut Sheet, spec: &Spec<'_>, week: &Rates, usual_week: &Rates) -> Option<Scaling> {
    let value = |name: &str| sheet.value(name);
    let headroom = value("planning.headroom")?;
    let replicas = value("sizing.replicas")?;
    let fleet = autoscaling::Fleet {
        capacity: value("sizing.requests_per_replica")?,
        boot: autoscaling::USUAL_BOOT,
        patience: spec
            .slo
            .ttft
            .at(Percentile::P95)
            .map_or(autoscaling::USUAL_PATIENCE, |limit| limit.as_secs_f64()),
        least: autoscaling::USUAL_LEAST,
        most: (replicas * headroom).ceil() as u32 + 2,
        hourly: value("sizing.gpu_price")? * value("sizing.gpus_per_replica")?,
    };
    let may_lose = spec.slo.errors.rate.map_or(autoscaling::USUAL_LOSS, |rate| rate.as_f64());
    let policies = autoscaling::usual_policies();
    let (outcomes, chosen) = autoscaling::choose(&policies, week, usual_week, &fleet, may_lose);
    let share = (outcomes[chosen].average_replicas / replicas).min(1.0);
    let why = format!("the week's load with {} scaling", outcomes[chosen].policy.name());
    let share = Input::assumed(share, why).between((share * 0.9).min(1.0), (share * 1.2).min(1.0));
    sheet.input(
        "autoscaling.hours_share",
        Unit::Share,
        "GPU hours over those of a fleet that always has its peak",
        share,
    );
    Some(Scaling { fleet, may_lose, outcomes, chosen })
}
