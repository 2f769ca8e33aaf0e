//! Blueprints that differ in every choice there is: what tests and checkers look at.

use std::collections::BTreeMap;

use crate::{
    Alerting, Blueprint, CronFloor, Gpu, HpaMetric, LatencyOf, Measure, Network, Objective, QualityOf,
    Receivers, RedisStream, Replicas, Resources, Scaling, SecretReference, Serving, Storage, Store,
    StorePlace, Trigger,
};

/// All of them, by name.
pub fn all() -> Vec<(&'static str, Blueprint)> {
    vec![("small", small()), ("fleet", fleet()), ("awkward", awkward())]
}

/// One process with everything embedded, and models of providers.
pub fn small() -> Blueprint {
    Blueprint {
        product: "Acme Support!".to_owned(),
        namespace: "acme".to_owned(),
        image: "registry.example/mainstay:0.1.0".to_owned(),
        config_text: "[product]\nname = \"Acme support\"\n\n[slo.ttft]\np95 = \"500ms\"\n".to_owned(),
        secret: Some(SecretReference {
            name: "acme-providers".to_owned(),
            variables: vec!["OPENAI_API_KEY".to_owned(), "ANTHROPIC_API_KEY".to_owned()],
        }),
        port: 8088,
        shutdown_grace_seconds: 30,
        resources: Resources { cpu_millis: 2_000, memory_mib: 4_096 },
        storage: Storage::Embedded { gib: 50, class: None },
        replicas: Replicas { least: 1, most: 1 },
        scaling: Scaling::Fixed,
        serving: Vec::new(),
        objectives: vec![
            objective(
                "ttft p95",
                None,
                Measure::Latency { of: LatencyOf::FirstToken, seconds: 0.5, share: 0.95 },
            ),
            objective("errors", None, Measure::ErrorRate { most: 0.001 }),
            objective("availability", None, Measure::Availability { least: 0.999 }),
            objective("cost", None, Measure::CostPerRequest { most_usd: 0.005 }),
            objective(
                "faithfulness",
                None,
                Measure::Quality { of: QualityOf::CitationsSupported, least: 0.85 },
            ),
            objective("freshness", None, Measure::Freshness { seconds: 60.0, least: 0.99 }),
        ],
        alerting: Alerting::default(),
        regions: Vec::new(),
        network: Network {
            ingress_namespace: "ingress-nginx".to_owned(),
            monitoring_namespace: "monitoring".to_owned(),
        },
        receivers: Receivers {
            page: "on-call".to_owned(),
            ticket: "tickets".to_owned(),
            page_by_tier: BTreeMap::new(),
        },
        runbooks_url: "https://wiki.example/runbooks".to_owned(),
    }
}

/// Replicas in two regions over remote stores, and models on GPUs.
pub fn fleet() -> Blueprint {
    let tiers = [("enterprise", "on-call-enterprise"), ("free", "tickets")];
    let promise = |name, tier: &str, measure| objective(name, Some(tier), measure);
    Blueprint {
        product: "Harbour".to_owned(),
        storage: Storage::Remote {
            scratch_gib: 20,
            stores: vec![
                Store {
                    name: "database".to_owned(),
                    place: StorePlace::Addresses("10.20.0.0/16".to_owned()),
                    port: 5432,
                },
                Store { name: "index".to_owned(), place: StorePlace::Namespace("qdrant".to_owned()), port: 6334 },
            ],
        },
        replicas: Replicas { least: 3, most: 12 },
        scaling: Scaling::Keda(vec![
            Trigger::Prometheus {
                server: "http://prometheus.monitoring:9090".to_owned(),
                query: "sum(mainstay_admitted_requests{job=\"harbour\"}) + sum(mainstay_waiting_requests{job=\"harbour\"})"
                    .to_owned(),
                threshold: 200.0,
                activation: 10.0,
            },
            Trigger::Cron(CronFloor {
                start: "45 8 * * 1-5".to_owned(),
                end: "15 11 * * 1-5".to_owned(),
                timezone: "America/New_York".to_owned(),
                replicas: 6,
            }),
        ]),
        serving: vec![large_model(), small_model()],
        objectives: vec![
            promise("ttft enterprise", "enterprise", Measure::Latency { of: LatencyOf::FirstToken, seconds: 0.8192, share: 0.99 }),
            promise("ttft free", "free", Measure::Latency { of: LatencyOf::FirstToken, seconds: 2.0, share: 0.9 }),
            objective("whole answers", None, Measure::Latency { of: LatencyOf::Turn, seconds: 20.0, share: 0.95 }),
            objective("gaps", None, Measure::Latency { of: LatencyOf::ChunkGap, seconds: 0.25, share: 0.99 }),
            objective("searches", None, Measure::Latency { of: LatencyOf::Retrieval, seconds: 0.2, share: 0.95 }),
            promise("errors enterprise", "enterprise", Measure::ErrorRate { most: 0.001 }),
            promise("errors free", "free", Measure::ErrorRate { most: 0.01 }),
            Objective {
                runbook: Some("https://wiki.example/team/citations".to_owned()),
                ..objective("citations", None, Measure::Quality { of: QualityOf::CitationsVerified, least: 0.97 })
            },
        ],
        regions: vec!["eu-central-1".to_owned(), "us-east-1".to_owned()],
        receivers: Receivers {
            page_by_tier: tiers.map(|(tier, name)| (tier.to_owned(), name.to_owned())).into(),
            ..small().receivers
        },
        ..small()
    }
}

/// Names and texts that no format likes.
pub fn awkward() -> Blueprint {
    Blueprint {
        product: "日本".to_owned(),
        namespace: "日本 prod".to_owned(),
        config_text: "# \u{FEFF}Übersicht\r\n[a]\n\tb = \"{{ .Values }} 'x' \\\" #\"\nno: yes\n---\n\u{85}\u{1F600}\n\n".to_owned(),
        secret: None,
        storage: Storage::Remote { scratch_gib: 5, stores: Vec::new() },
        replicas: Replicas { least: 2, most: 5 },
        scaling: Scaling::HpaCpu { percent: 60 },
        serving: vec![Serving {
            name: "モデル".to_owned(),
            gpus_per_replica: 8,
            tensor_parallel: 4,
            gpu: Gpu::Other("NVIDIA-GH200-480GB".to_owned()),
            replicas: Replicas { least: 1, most: 1 },
            scaling: Scaling::Fixed,
            token_secret: Some("hf-token".to_owned()),
            ..large_model()
        }],
        objectives: vec![
            objective("速さ {{ p95 }}", Some("無料 {{x}}"), Measure::Latency { of: LatencyOf::FirstToken, seconds: 500.0, share: 0.5 }),
            objective("誤り", None, Measure::ErrorRate { most: 0.3 }),
            objective("no", Some("no"), Measure::Availability { least: 0.95 }),
        ],
        receivers: Receivers {
            page_by_tier: [("無料 {{x}}".to_owned(), "no".to_owned())].into(),
            ..small().receivers
        },
        ..small()
    }
}

fn objective(name: &str, tier: Option<&str>, measure: Measure) -> Objective {
    Objective { name: name.to_owned(), tier: tier.map(str::to_owned), measure, runbook: None }
}

/// A model that sleeps when its queue is empty, but for the working day.
fn large_model() -> Serving {
    Serving {
        name: "qwen3-32b".to_owned(),
        model: "Qwen/Qwen3-32B".to_owned(),
        image: "vllm/vllm-openai:v0.11.0".to_owned(),
        gpu: Gpu::H100,
        gpus_per_replica: 2,
        tensor_parallel: 2,
        max_num_seqs: 64,
        max_model_len: 16_384,
        quantisation: Some("fp8".to_owned()),
        resources: Resources { cpu_millis: 8_000, memory_mib: 65_536 },
        weights_gib: 120,
        token_secret: None,
        replicas: Replicas { least: 0, most: 6 },
        scaling: Scaling::Keda(vec![
            Trigger::RedisStream(RedisStream {
                address: "redis.queues:6379".to_owned(),
                stream: "questions".to_owned(),
                consumer_group: "qwen".to_owned(),
                lag: 10,
                activation_lag: 0,
            }),
            Trigger::Cron(CronFloor {
                start: "0 8 * * *".to_owned(),
                end: "0 20 * * *".to_owned(),
                timezone: "Europe/Berlin".to_owned(),
                replicas: 1,
            }),
        ]),
        boot_seconds: 240,
    }
}

fn small_model() -> Serving {
    Serving {
        name: "llama 8b".to_owned(),
        model: "meta-llama/Llama-3.1-8B-Instruct".to_owned(),
        gpu: Gpu::L4,
        gpus_per_replica: 1,
        tensor_parallel: 1,
        quantisation: None,
        replicas: Replicas { least: 2, most: 8 },
        scaling: Scaling::HpaMetric(HpaMetric { name: "vllm_num_requests_waiting".to_owned(), target: 2.5 }),
        token_secret: Some("hf-token".to_owned()),
        boot_seconds: 90,
        ..large_model()
    }
}
