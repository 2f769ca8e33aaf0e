//! From the configuration and its plan to what is generated for a cluster.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_manifests::{
    Alerting, Blueprint, CronFloor, Gpu, LatencyOf, Measure, Network, Objective, QualityOf, Receivers,
    Replicas, Resources, Scaling, SecretReference, Serving, Storage, Trigger,
};
use mainstay_planner::requirements::{LatencyTargets, Slo, TierSlo};
use mainstay_planner::{Plan, Scaling as Planned};
use mainstay_sizing::{FleetOption, Precision};
use mainstay_traffic::autoscaling::{Policy, USUAL_BOOT};

use crate::config::Checked;

/// What a cluster is asked about that no file says.
pub(crate) struct Site {
    /// The namespace.
    pub(crate) namespace: String,
    /// The image of Mainstay.
    pub(crate) image: String,
    /// The base of links to runbooks.
    pub(crate) runbooks_url: String,
}

/// The cluster that the plan comes to. `config_text` is the file as it stands.
pub(crate) fn blueprint(checked: &Checked, plan: &Plan, config_text: String, site: Site) -> Blueprint {
    let gib = |bytes: f64| (bytes / f64::from(1 << 30)).ceil() as u32;
    let kept =
        ["storage.documents", "storage.records_per_year"].iter().filter_map(|name| plan.sheet.value(name));
    let index = plan.sheet.value("index.memory").unwrap_or(0.0);
    let port = if checked.server.listen.port() == 0 { 8088 } else { checked.server.listen.port() };
    Blueprint {
        product: checked.product.name.clone(),
        namespace: site.namespace,
        image: site.image,
        config_text,
        secret: secret(checked),
        port,
        shutdown_grace_seconds: u32::try_from(checked.server.shutdown_grace.as_secs()).unwrap_or(u32::MAX),
        resources: Resources { cpu_millis: 2_000, memory_mib: gib(index) * 1_024 * 3 / 2 + 2_048 },
        storage: Storage::Embedded { gib: gib(kept.sum::<f64>() + index).max(20), class: None },
        replicas: Replicas { least: 1, most: 1 },
        scaling: Scaling::Fixed,
        serving: serving(plan).into_iter().collect(),
        objectives: objectives(&checked.slo),
        alerting: Alerting::default(),
        regions: checked.constraints.residency.clone(),
        network: Network {
            ingress_namespace: "ingress-nginx".to_owned(),
            monitoring_namespace: "monitoring".to_owned(),
        },
        receivers: Receivers {
            page: "page".to_owned(),
            ticket: "ticket".to_owned(),
            page_by_tier: BTreeMap::new(),
        },
        runbooks_url: site.runbooks_url,
    }
}

/// The environment variables that the file takes secrets from.
fn secret(checked: &Checked) -> Option<SecretReference> {
    let variables: BTreeSet<String> = checked
        .provider_secrets()
        .filter_map(|secret| secret.to_string().strip_prefix("env:").map(str::to_owned))
        .collect();
    (!variables.is_empty())
        .then(|| SecretReference { name: "mainstay".to_owned(), variables: variables.into_iter().collect() })
}

/// The model of one's own, where the file names one and some GPU serves it.
fn serving(plan: &Plan) -> Option<Serving> {
    let fleet = plan.fleet.as_ref().filter(|fleet| fleet.named)?;
    let option = fleet.cheapest.as_ref()?;
    let value = |name: &str| plan.sheet.value(name);
    let replicas = value("sizing.replicas")? as u32;
    let least = value("sizing.least_replicas")? as u32;
    let weights = value("sizing.weights_gb")?;
    let tokens = value("traffic.input_tokens")? + value("traffic.output_tokens")?;
    Some(Serving {
        name: fleet.model.to_lowercase().replace(['.', '_', '/'], "-"),
        model: fleet.model.clone(),
        image: "vllm/vllm-openai:v0.11.0".to_owned(),
        gpu: gpu(&option.gpu),
        gpus_per_replica: option.gpus_per_replica,
        tensor_parallel: option.gpus_per_replica,
        max_num_seqs: option.concurrency,
        // Four times the mean holds nearly every request.
        max_model_len: ((tokens * 4.0) as u32).next_multiple_of(1_024).max(8_192),
        quantisation: quantisation(option.precision),
        resources: Resources { cpu_millis: 8_000, memory_mib: 65_536 },
        weights_gib: (weights * 1.3).ceil() as u32,
        token_secret: None,
        replicas: Replicas { least, most: replicas.max(least) },
        scaling: fleet.scaling.as_ref().map_or(Scaling::Fixed, |scaling| scaled(scaling, option, replicas)),
        boot_seconds: USUAL_BOOT as u32,
    })
}

fn quantisation(precision: Precision) -> Option<String> {
    match precision {
        Precision::Bf16 => None,
        Precision::Fp8 => Some("fp8".to_owned()),
        Precision::Fp4 => Some("modelopt_fp4".to_owned()),
        Precision::Int4 => Some("awq".to_owned()),
    }
}

fn gpu(name: &str) -> Gpu {
    match name {
        "A100-SXM-80GB" => Gpu::A100,
        "H100-SXM" => Gpu::H100,
        "H200-SXM" => Gpu::H200,
        "B200-SXM" => Gpu::B200,
        "L40S" => Gpu::L40s,
        "L4" => Gpu::L4,
        other => Gpu::Other(format!("NVIDIA-{other}")),
    }
}

/// The chosen policy as a cluster does it.
fn scaled(scaling: &Planned, option: &FleetOption, replicas: u32) -> Scaling {
    let chosen = &scaling.outcomes[scaling.chosen];
    let busy = |share: f64| Trigger::Prometheus {
        server: "http://prometheus.monitoring:9090".to_owned(),
        query: "sum(vllm:num_requests_running) + sum(vllm:num_requests_waiting)".to_owned(),
        threshold: (f64::from(option.concurrency) * share).max(1.0).round(),
        activation: 1.0,
    };
    match &chosen.policy {
        Policy::Fixed => Scaling::Fixed,
        Policy::Reactive { target } => Scaling::Keda(vec![busy(*target)]),
        Policy::QueueDriven { .. } => Scaling::Keda(vec![busy(1.0)]),
        Policy::Scheduled { target } => {
            let floor = floor(&chosen.hourly_replicas, replicas);
            Scaling::Keda(std::iter::once(busy(*target)).chain(floor.map(Trigger::Cron)).collect())
        }
    }
}

/// The hours of a weekday in which more than half of the peak runs, beginning half an hour earlier.
fn floor(hourly: &[f64], replicas: u32) -> Option<CronFloor> {
    let day = hourly.get(..24)?;
    let busy = |count: &&f64| **count >= f64::from(replicas) * 0.5;
    let first = day.iter().position(|count| busy(&count))?;
    let last = day.iter().rposition(|count| busy(&count))?;
    let floor = day[first..=last].iter().copied().fold(f64::MAX, f64::min) as u32;
    let start = if first == 0 { "0 0 * * 1-5".to_owned() } else { format!("30 {} * * 1-5", first - 1) };
    let end = if last >= 23 { "59 23 * * 1-5".to_owned() } else { format!("0 {} * * 1-5", last + 1) };
    Some(CronFloor { start, end, timezone: "UTC".to_owned(), replicas: floor.max(1) })
}

fn objectives(slo: &Slo) -> Vec<Objective> {
    let mut objectives = Vec::new();
    of_tier(&slo.general(), None, &mut objectives);
    latencies(&slo.time_per_output_token, "time per token", LatencyOf::ChunkGap, None, &mut objectives);
    let mut add = |name: &str, measure: Measure| {
        objectives.push(Objective { name: name.to_owned(), tier: None, measure, runbook: None });
    };
    if let Some(cost) = slo.cost.per_request {
        add("cost of a request", Measure::CostPerRequest { most_usd: cost.as_dollars_lossy() });
    }
    if let Some(score) = slo.quality.faithfulness {
        add("faithfulness", Measure::Quality { of: QualityOf::CitationsVerified, least: score.as_f64() });
    }
    if let Some(staleness) = slo.freshness.staleness {
        add("freshness", Measure::Freshness { seconds: staleness.as_secs_f64(), least: 0.99 });
    }
    for (name, tier) in &slo.tiers {
        of_tier(tier, Some(name), &mut objectives);
    }
    objectives
}

fn of_tier(slo: &TierSlo, tier: Option<&str>, objectives: &mut Vec<Objective>) {
    latencies(&slo.ttft, "first token", LatencyOf::FirstToken, tier, objectives);
    latencies(&slo.latency, "whole answer", LatencyOf::Turn, tier, objectives);
    let mut add = |name: &str, measure: Measure| {
        let name = tier.map_or_else(|| name.to_owned(), |tier| format!("{name} {tier}"));
        objectives.push(Objective { name, tier: tier.map(str::to_owned), measure, runbook: None });
    };
    if let Some(rate) = slo.errors.rate {
        add("errors", Measure::ErrorRate { most: rate.as_f64() });
    }
    if let Some(share) = slo.availability.monthly {
        add("availability", Measure::Availability { least: share.as_f64() });
    }
}

fn latencies(
    targets: &LatencyTargets,
    name: &str,
    of: LatencyOf,
    tier: Option<&str>,
    objectives: &mut Vec<Objective>,
) {
    for (percentile, limit) in targets.iter() {
        let mut name = format!("{name} {}", percentile.as_str());
        if let Some(tier) = tier {
            name = format!("{name} {tier}");
        }
        let measure = Measure::Latency { of, seconds: limit.as_secs_f64(), share: percentile.quantile() };
        objectives.push(Objective { name, tier: tier.map(str::to_owned), measure, runbook: None });
    }
}
