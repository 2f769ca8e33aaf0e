//! Objects of Kubernetes: what every pod has, who scales, and what a blueprint must not ask for.

use serde_json::{Value, json};

use super::{documents, files_of, objects};
use crate::*;

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

fn workloads(objects: &[Value]) -> Vec<&Value> {
    objects.iter().filter(|object| object["spec"].get("template").is_some()).collect()
}

#[test]
fn the_configuration_arrives_byte_for_byte() {
    for (name, blueprint) in examples::all() {
        let objects = objects(&blueprint);
        let maps: Vec<_> = of_kind(&objects, "ConfigMap").collect();
        assert_eq!(maps.len(), blueprint.regions.len().max(1), "{name}");
        assert!(maps.iter().all(|map| map["data"]["mainstay.toml"] == blueprint.config_text), "{name}");
    }
}

#[test]
fn a_changed_configuration_starts_new_pods() {
    let sum = |blueprint: &Blueprint| {
        workloads(&objects(blueprint))[0]["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
            .clone()
    };
    let changed = Blueprint { config_text: "[product]\n".to_owned(), ..examples::small() };
    assert_ne!(sum(&examples::small()), sum(&changed));
}

#[test]
fn no_pod_may_do_more_than_the_restricted_standard() {
    for (name, blueprint) in examples::all() {
        for workload in workloads(&objects(&blueprint)) {
            let pod = &workload["spec"]["template"]["spec"];
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
            assert_ne!(pod["securityContext"]["runAsUser"], 0);
            for container in pod["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["readOnlyRootFilesystem"], true);
                assert_eq!(security["allowPrivilegeEscalation"], false);
                assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
                assert!(container["resources"]["limits"]["memory"].is_string());
                for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                    assert!(container[probe]["httpGet"]["path"].is_string(), "{name}: {probe}");
                }
                let volumes = pod["volumes"].as_array().unwrap();
                let claims = workload["spec"]["volumeClaimTemplates"].as_array().cloned().unwrap_or_default();
                for mount in container["volumeMounts"].as_array().unwrap() {
                    let is_there = volumes.iter().any(|volume| volume["name"] == mount["name"])
                        || claims.iter().any(|claim| claim["metadata"]["name"] == mount["name"]);
                    assert!(is_there, "{name}: nothing is mounted as {}", mount["name"]);
                }
            }
        }
    }
}

#[test]
fn a_selector_finds_the_pods_of_its_workload_and_no_other() {
    for (name, blueprint) in examples::all() {
        let objects = objects(&blueprint);
        let pods: Vec<_> = workloads(&objects)
            .iter()
            .map(|workload| {
                let labels = workload["spec"]["template"]["metadata"]["labels"].as_object().unwrap().clone();
                (workload["metadata"]["name"].clone(), labels)
            })
            .collect();
        for service in of_kind(&objects, "Service") {
            let wanted = service["spec"]["selector"].as_object().unwrap();
            let found: std::collections::BTreeSet<_> = pods
                .iter()
                .filter(|(_, labels)| wanted.iter().all(|(key, value)| labels.get(key) == Some(value)))
                .map(|(name, _)| name.to_string())
                .collect();
            assert_eq!(found.len(), 1, "{name}: {}", service["metadata"]["name"]);
        }
    }
}

#[test]
fn a_pod_outlives_the_streams_that_it_may_finish() {
    let blueprint = Blueprint { shutdown_grace_seconds: 300, ..examples::fleet() };
    for workload in workloads(&objects(&blueprint)) {
        let pod = &workload["spec"]["template"]["spec"];
        let announced = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
        assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > 300 + announced);
    }
}

#[test]
fn a_model_may_take_longer_to_start_than_planned() {
    let objects = objects(&examples::fleet());
    let models = of_kind(&objects, "Deployment")
        .filter(|object| object["spec"]["template"]["spec"]["containers"][0]["name"] == "vllm");
    let mut count = 0;
    for model in models {
        count += 1;
        let container = &model["spec"]["template"]["spec"]["containers"][0];
        let probe = &container["startupProbe"];
        let patience = probe["periodSeconds"].as_u64().unwrap() * probe["failureThreshold"].as_u64().unwrap();
        let boot = if model["metadata"]["name"] == "harbour-qwen3-32b" { 240 } else { 90 };
        assert!(patience > boot, "{patience} s for a start of {boot} s");
        assert!(model["spec"]["progressDeadlineSeconds"].as_u64().unwrap() > patience);
        assert_eq!(
            container["resources"]["limits"]["nvidia.com/gpu"],
            container["resources"]["requests"]["nvidia.com/gpu"]
        );
    }
    assert_eq!(count, 4, "two models in two regions");
}

#[test]
fn gpus_that_are_not_split_are_stages_of_a_pipeline() {
    let objects = objects(&examples::awkward());
    let text = objects.iter().map(Value::to_string).collect::<String>();
    assert!(
        text.contains("--tensor-parallel-size=4") && text.contains("--pipeline-parallel-size=2"),
        "{text}"
    );
}

#[test]
fn embedded_storage_is_one_pod_that_a_drain_can_move() {
    let objects = objects(&examples::small());
    let sets: Vec<_> = of_kind(&objects, "StatefulSet").collect();
    assert_eq!(sets.len(), 1);
    assert_eq!(sets[0]["spec"]["replicas"], 1);
    assert_eq!(
        sets[0]["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"],
        "50Gi"
    );
    assert_eq!(of_kind(&objects, "PodDisruptionBudget").count(), 0);
    assert_eq!(of_kind(&objects, "HorizontalPodAutoscaler").count(), 0);
}

#[test]
fn a_disruption_budget_always_allows_one() {
    for (name, blueprint) in examples::all() {
        for budget in of_kind(&objects(&blueprint), "PodDisruptionBudget") {
            assert_eq!(budget["spec"]["maxUnavailable"], 1, "{name}");
            assert!(budget["spec"].get("minAvailable").is_none());
        }
    }
    assert_eq!(of_kind(&objects(&examples::fleet()), "PodDisruptionBudget").count(), 4);
}

#[test]
fn a_workload_has_one_autoscaler_and_then_no_fixed_number() {
    for (name, blueprint) in examples::all() {
        for (path, text) in files_of(&blueprint).iter().filter(|(path, _)| path.starts_with("kubernetes/")) {
            let folder = path.rsplit_once('/').unwrap().0;
            let targets: Vec<_> = documents(text)
                .iter()
                .filter_map(|object| object["spec"].get("scaleTargetRef").cloned())
                .map(|target| target["name"].as_str().unwrap().to_owned())
                .collect();
            let unique: std::collections::BTreeSet<_> = targets.iter().collect();
            assert_eq!(unique.len(), targets.len(), "{name}: two autoscalers in {path}");
            let beside = files_of(&blueprint)
                .iter()
                .filter(|(path, _)| path.rsplit_once('/').unwrap().0 == folder)
                .flat_map(|(_, text)| documents(text))
                .collect::<Vec<_>>();
            for target in &targets {
                let workloads: Vec<_> = workloads(&beside).into_iter().cloned().collect();
                let scaled = workloads.iter().find(|workload| workload["metadata"]["name"] == **target);
                let scaled = scaled.unwrap_or_else(|| panic!("{name}: {target} does not exist"));
                assert!(scaled["spec"].get("replicas").is_none(), "{name}: {target} has a fixed number too");
            }
        }
    }
}

/// The rules by which ScaledObjects go wrong.
fn keda_lint(object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let mut problems = Vec::new();
    if spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"].is_null() {
        problems.push("nothing slows it down: the cooldown period is for the step to zero alone".to_owned());
    }
    if !spec["cooldownPeriod"].is_null() && spec["minReplicaCount"].as_u64() > Some(0) {
        problems.push("a cooldown period that does nothing".to_owned());
    }
    for trigger in spec["triggers"].as_array().unwrap() {
        let metadata = trigger["metadata"].as_object().unwrap();
        for (key, value) in metadata {
            if !value.is_string() {
                problems.push(format!("{key} is no text"));
            }
        }
        let mut demand = |key: &str| {
            if !metadata.contains_key(key) {
                problems.push(format!("{} without {key}", trigger["type"]));
            }
        };
        match trigger["type"].as_str().unwrap() {
            "prometheus" => {
                demand("activationThreshold");
                if metadata.get("ignoreNullValues") != Some(&json!("false")) {
                    problems.push("a lost target looks like no load".to_owned());
                }
            }
            "redis-streams" => {
                demand("lagCount");
                demand("activationLagCount");
                if metadata.contains_key("pendingEntriesCount") || metadata.contains_key("streamLength") {
                    problems.push("does not come down to zero".to_owned());
                }
            }
            "cron" => {
                demand("timezone");
                if metadata["start"] == metadata["end"] {
                    problems.push("a floor of no time".to_owned());
                }
            }
            other => problems.push(format!("an unknown trigger {other}")),
        }
    }
    problems
}

#[test]
fn scaled_objects_obey_the_lint_rules() {
    let mut count = 0;
    for (_, blueprint) in examples::all() {
        for object in of_kind(&objects(&blueprint), "ScaledObject") {
            assert_eq!(keda_lint(object), [""; 0], "{object}");
            count += 1;
        }
    }
    assert_eq!(count, 4);
}

#[test]
fn only_listed_connections_are_allowed() {
    let objects = objects(&examples::fleet());
    let policies: Vec<_> = of_kind(&objects, "NetworkPolicy").collect();
    let named = |suffix: &str| {
        policies
            .iter()
            .find(|policy| policy["metadata"]["name"] == format!("harbour-{suffix}"))
            .unwrap_or_else(|| panic!("{suffix}"))
    };
    let deny = &named("deny-all")["spec"];
    assert_eq!((&deny["podSelector"], deny.get("ingress"), deny.get("egress")), (&json!({}), None, None));
    let product = named("mainstay")["spec"].to_string();
    for allowed in [
        "ingress-nginx",
        "monitoring",
        "10.20.0.0/16",
        "qdrant",
        "\"port\":5432",
        "\"port\":8000",
        "\"port\":443",
    ] {
        assert!(product.contains(allowed), "{allowed}");
    }
    assert!(product.contains("\"except\":[\"169.254.0.0/16\"]"), "the credentials of the node are in reach");
}

#[test]
fn each_region_has_nodes_of_its_own() {
    let files = files_of(&examples::fleet());
    for region in ["eu-central-1", "us-east-1"] {
        let text = &files[&format!("kubernetes/{region}/mainstay.yaml")];
        let deployment = documents(text).into_iter().find(|object| object["kind"] == "Deployment").unwrap();
        let terms = &deployment["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
            ["nodeSelectorTerms"];
        assert_eq!(terms[0]["matchExpressions"][0]["values"], json!([region]));
        assert!(files.contains_key(&format!("prometheus/prometheus-{region}.yaml")));
    }
    assert!(!files.contains_key("kubernetes/mainstay.yaml"));
}

#[test]
fn secrets_are_named_and_never_contained() {
    let objects = objects(&examples::small());
    assert_eq!(of_kind(&objects, "Secret").count(), 0);
    let environment = &workloads(&objects)[0]["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(
        environment[0]["valueFrom"]["secretKeyRef"],
        json!({ "name": "acme-providers", "key": "OPENAI_API_KEY" })
    );
}

#[test]
fn what_cannot_run_is_refused_with_a_reason() {
    let small = examples::small;
    let fleet = examples::fleet;
    let floor = |start: &str, end: &str, replicas| {
        let floor =
            CronFloor { start: start.to_owned(), end: end.to_owned(), timezone: "UTC".to_owned(), replicas };
        Scaling::Keda(vec![Trigger::Cron(floor)])
    };
    let with_model = |change: &dyn Fn(&mut Serving)| {
        let mut blueprint = fleet();
        change(&mut blueprint.serving[0]);
        blueprint
    };
    let latency = |seconds| Measure::Latency { of: LatencyOf::Turn, seconds, share: 0.9 };
    let promising = |measure| {
        let objective = Objective { name: "x".to_owned(), tier: None, measure, runbook: None };
        Blueprint { objectives: vec![objective], ..small() }
    };
    let cases = [
        (Blueprint { replicas: Replicas { least: 2, most: 2 }, ..small() }, "embedded storage"),
        (Blueprint { scaling: Scaling::HpaCpu { percent: 60 }, ..small() }, "embedded storage"),
        (Blueprint { replicas: Replicas { least: 0, most: 3 }, ..fleet() }, "at least one replica"),
        (Blueprint { replicas: Replicas { least: 4, most: 3 }, ..fleet() }, "not below the fewest"),
        (Blueprint { scaling: Scaling::Fixed, ..fleet() }, "the same number"),
        (
            Blueprint { scaling: floor("0 8 * * *", "0  8 * * *", 4), ..fleet() },
            "another time than its start",
        ),
        (Blueprint { scaling: floor("0 8 * * *", "0 9 * *", 4), ..fleet() }, "five fields"),
        (Blueprint { scaling: floor("0 8 * * *", "0 9 * * *", 40), ..fleet() }, "the most replicas"),
        (Blueprint { product: "  ".to_owned(), ..small() }, "product is empty"),
        (Blueprint { regions: vec!["eu".to_owned(), "eu".to_owned()], ..small() }, "two regions"),
        (Blueprint { regions: vec!["../x".to_owned()], ..small() }, "a region"),
        (with_model(&|model| model.tensor_parallel = 3), "divides the GPUs"),
        (with_model(&|model| model.name = "llama 8b".to_owned()), "two models"),
        (with_model(&|model| model.scaling = Scaling::HpaCpu { percent: 5 }), "keeps at least one"),
        (
            with_model(&|model| {
                model.scaling = Scaling::Keda(vec![Trigger::Prometheus {
                    server: "http://p".to_owned(),
                    query: "up".to_owned(),
                    threshold: 1.0,
                    activation: 0.0,
                }]);
            }),
            "from zero only a queue or a time",
        ),
        (promising(latency(0.00005)), "smallest boundary"),
        (promising(latency(f64::NAN)), "smallest boundary"),
        (promising(Measure::ErrorRate { most: 0.0 }), "no error budget"),
        (promising(Measure::Availability { least: 1.0 }), "no error budget"),
        (promising(Measure::CostPerRequest { most_usd: -1.0 }), "above 0"),
    ];
    for (blueprint, reason) in cases {
        let error = generate(&blueprint).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error:?} does not say {reason:?}");
    }
}
