//! What holds for every file that is generated, whatever the blueprint.

use std::collections::{BTreeMap, BTreeSet};

use promql_parser::parser::{self, Expr};
use serde_json::Value;

use crate::naming::is_dns_label;
use crate::*;

mod kubernetes;
mod promises;

/// Metrics of vLLM's V1 engine.
const VLLM: &[&str] = &[
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:kv_cache_usage_perc",
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:request_queue_time_seconds",
    "vllm:prefix_cache_queries_total",
    "vllm:prefix_cache_hits_total",
    "vllm:num_preemptions_total",
];

/// Metrics of the cluster and of Prometheus itself.
const CLUSTER: &[&str] = &[
    "up",
    "ALERTS",
    "kube_pod_container_status_restarts_total",
    "container_memory_working_set_bytes",
    "container_cpu_usage_seconds_total",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
];

pub(super) fn files_of(blueprint: &Blueprint) -> BTreeMap<String, String> {
    let files = generate(blueprint).unwrap_or_else(|error| panic!("{error}"));
    files.into_iter().map(|file| (file.path, file.text)).collect()
}

/// Every document of a YAML file.
pub(super) fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Every object of Kubernetes of a blueprint, without the chart.
pub(super) fn objects(blueprint: &Blueprint) -> Vec<Value> {
    let files = files_of(blueprint);
    files
        .iter()
        .filter(|(path, _)| path.starts_with("kubernetes/"))
        .flat_map(|(_, text)| documents(text))
        .collect()
}

/// Every rule of Prometheus of a blueprint.
pub(super) fn rules(blueprint: &Blueprint) -> Vec<Value> {
    let files = files_of(blueprint);
    let texts = files.iter().filter(|(path, _)| path.starts_with("prometheus/rules/"));
    texts
        .flat_map(|(_, text)| documents(text))
        .flat_map(|file| file["groups"].as_array().cloned().unwrap_or_default())
        .flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default())
        .collect()
}

fn names_in(expression: &Expr, names: &mut BTreeSet<String>) {
    match expression {
        Expr::VectorSelector(selector) => names.extend(selector.name.clone()),
        Expr::MatrixSelector(matrix) => names.extend(matrix.vs.name.clone()),
        Expr::Aggregate(aggregate) => {
            names_in(&aggregate.expr, names);
            aggregate.param.iter().for_each(|param| names_in(param, names));
        }
        Expr::Unary(unary) => names_in(&unary.expr, names),
        Expr::Binary(binary) => {
            names_in(&binary.lhs, names);
            names_in(&binary.rhs, names);
        }
        Expr::Paren(paren) => names_in(&paren.expr, names),
        Expr::Subquery(subquery) => names_in(&subquery.expr, names),
        Expr::Call(call) => call.args.args.iter().for_each(|argument| names_in(argument, names)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

/// The metrics that a query looks at.
fn metrics_of(query: &str) -> BTreeSet<String> {
    let expression = parser::parse(query).unwrap_or_else(|error| panic!("{error}\n{query}"));
    let mut names = BTreeSet::new();
    names_in(&expression, &mut names);
    assert!(!query.contains('{') || !names.is_empty(), "no names found in {query}");
    names
}

/// What Mainstay exports, with the suffixes of histograms.
fn exported() -> BTreeSet<String> {
    let rows = include_str!("../../../docs/metrics.md").lines().filter_map(|line| {
        let mut cells = line.split('|').map(str::trim);
        let name = cells.nth(1)?.strip_prefix('`')?.strip_suffix('`')?;
        Some((name.to_owned(), cells.next()?.to_owned()))
    });
    let names: BTreeSet<_> = rows
        .flat_map(|(name, kind)| match kind.as_str() {
            "histogram" => vec![format!("{name}_bucket"), format!("{name}_count"), format!("{name}_sum")],
            _ => vec![name],
        })
        .collect();
    assert!(names.len() > 50 && names.contains("mainstay_turns_total"), "{names:?}");
    names
}

/// Every query of rules, runbooks, dashboards, autoscalers and OpenSLO, with where it stands.
fn queries(blueprint: &Blueprint) -> Vec<(String, String)> {
    fn collect(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(query)
                            if key == "expr" || (key == "query" && query != "prometheus") =>
                        {
                            found.push((path.to_owned(), query.clone()));
                        }
                        other => collect(path, other, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(path, item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for (path, text) in files_of(blueprint) {
        if path.ends_with(".json") {
            collect(&path, &serde_json::from_str(&text).unwrap(), &mut found);
        } else if path.ends_with(".yaml") && !path.starts_with("helm/") {
            documents(&text).iter().for_each(|document| collect(&path, document, &mut found));
        } else if path.starts_with("runbooks/") {
            let blocks = text.split("```promql\n").skip(1).filter_map(|block| block.split_once("\n```"));
            // Queries of several lines are one alert's expression; the others are one to a line.
            found.extend(blocks.flat_map(|(block, _)| {
                let lines = if block.contains("\nand\n") || parser::parse(block).is_ok() {
                    vec![block.to_owned()]
                } else {
                    block.lines().map(str::to_owned).collect()
                };
                lines.into_iter().map(|line| (path.clone(), line)).collect::<Vec<_>>()
            }));
        }
    }
    found
}

#[test]
fn every_query_is_promql_over_metrics_that_exist() {
    let exported = exported();
    for (name, blueprint) in examples::all() {
        let recorded: BTreeSet<_> =
            rules(&blueprint).iter().filter_map(|rule| rule["record"].as_str().map(str::to_owned)).collect();
        let queries = queries(&blueprint);
        assert!(queries.len() > 60, "{name}: {}", queries.len());
        for (path, query) in queries {
            for metric in metrics_of(&query) {
                let base =
                    ["_bucket", "_count", "_sum"].iter().find_map(|suffix| metric.strip_suffix(suffix));
                let exists = exported.contains(&metric)
                    || recorded.contains(&metric)
                    || CLUSTER.contains(&metric.as_str())
                    || VLLM.contains(&metric.as_str())
                    || base.is_some_and(|base| VLLM.contains(&base) && base.ends_with("_seconds"));
                assert!(exists, "{name}: {path} asks for `{metric}`, which nobody exports: {query}");
            }
        }
    }
}

#[test]
fn the_same_blueprint_gives_the_same_bytes_by_path() {
    for (name, blueprint) in examples::all() {
        let files = generate(&blueprint).unwrap();
        assert_eq!(files, generate(&blueprint.clone()).unwrap(), "{name}");
        assert!(files.is_sorted(), "{name}");
        let paths: BTreeSet<_> = files.iter().map(|file| &file.path).collect();
        assert_eq!(paths.len(), files.len(), "{name}: two files of one path");
        assert!(files.iter().all(|file| file.text.ends_with('\n') && !file.text.is_empty()), "{name}");
        for path in paths {
            let is_safe = path.chars().all(|char| char.is_ascii_alphanumeric() || "-_./".contains(char));
            assert!(is_safe && !path.contains(".."), "{path}");
        }
    }
}

#[test]
fn every_alert_links_to_a_runbook_that_is_there() {
    for (name, blueprint) in examples::all() {
        let files = files_of(&blueprint);
        let mut seen = BTreeSet::new();
        for rule in rules(&blueprint).iter().filter(|rule| rule.get("alert").is_some()) {
            let link = rule["annotations"]["runbook_url"].as_str().unwrap();
            let file = link.strip_prefix("https://wiki.example/").unwrap();
            let page = files.get(file).unwrap_or_else(|| panic!("{name}: {file} is missing"));
            assert!(page.contains("## Do\n\n1. "), "{name}: {file} says nothing to do");
            seen.insert(file.to_owned());
        }
        let pages: BTreeSet<_> = files.into_keys().filter(|path| path.starts_with("runbooks/")).collect();
        assert_eq!(pages, seen, "{name}: runbooks without an alert");
    }
}

#[test]
fn every_alert_reaches_a_receiver_that_exists() {
    for (name, blueprint) in examples::all() {
        let files = files_of(&blueprint);
        let config = &documents(&files["alertmanager/alertmanager.yaml"])[0];
        let receivers: BTreeSet<_> = config["receivers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|receiver| &receiver["name"])
            .map(Value::to_string)
            .collect();
        let page = &config["route"]["routes"][0];
        let by_tier = page["routes"].as_array().cloned().unwrap_or_default();
        for route in [&config["route"], page].into_iter().chain(&by_tier) {
            assert!(receivers.contains(&route["receiver"].to_string()), "{name}: {route}");
        }
        assert_eq!(page["matchers"][0], "severity=\"page\"");
        for (tier, route) in
            blueprint.receivers.page_by_tier.keys().zip(&by_tier).filter(|_| by_tier.len() == 1)
        {
            let label = rules(&blueprint).iter().find_map(|rule| {
                let slo = rule["annotations"]["summary"].as_str()?;
                (slo.starts_with("速さ")).then(|| rule["labels"]["tier"].as_str().unwrap().to_owned())
            });
            assert_eq!(route["matchers"][0], format!("tier=\"{}\"", label.unwrap()), "{tier}");
        }
    }
}

#[test]
fn names_are_dns_labels_whatever_the_product_is_called() {
    for product in ["Acme Support!", "日本", "-", "9 lives", "no", &"long ".repeat(40)] {
        let blueprint =
            Blueprint { product: product.to_owned(), namespace: product.to_owned(), ..examples::fleet() };
        for object in objects(&blueprint) {
            let name = object["metadata"]["name"].as_str().unwrap();
            assert!(is_dns_label(name), "{name} of {product:?}");
            if object["kind"] != "Namespace" {
                assert!(is_dns_label(object["metadata"]["namespace"].as_str().unwrap()));
            }
        }
    }
}

#[test]
fn dashboards_have_stable_ids_and_panels_that_do_not_overlap() {
    for (name, blueprint) in examples::all() {
        let files = files_of(&blueprint);
        let mut uids = BTreeSet::new();
        for board in ["operations", "data", "quality", "product"] {
            let dashboard: Value = serde_json::from_str(&files[&format!("grafana/{board}.json")]).unwrap();
            let uid = dashboard["uid"].as_str().unwrap().to_owned();
            assert!(uid.len() <= 40, "{uid}");
            assert!(uids.insert(uid), "{name}: two dashboards of one uid");
            assert_eq!(dashboard["templating"]["list"][0]["type"], "datasource");
            let panels = dashboard["panels"].as_array().unwrap();
            assert!(panels.len() >= 8, "{name} {board}");
            let mut cells = BTreeSet::new();
            for (index, panel) in panels.iter().enumerate() {
                assert_eq!(panel["id"], index + 1);
                assert!(!panel["targets"].as_array().unwrap().is_empty());
                let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
                assert!(at("x") + at("w") <= 24);
                for x in at("x")..at("x") + at("w") {
                    for y in at("y")..at("y") + at("h") {
                        assert!(cells.insert((x, y)), "{name} {board}: panel {} lies on another", index + 1);
                    }
                }
            }
        }
    }
}

#[test]
fn thresholds_of_dashboards_are_the_promises() {
    let files = files_of(&examples::small());
    let board: Value = serde_json::from_str(&files["grafana/operations.json"]).unwrap();
    let panel = |title: &str| {
        let panels = board["panels"].as_array().unwrap();
        panels
            .iter()
            .find(|panel| panel["title"] == title)
            .unwrap_or_else(|| panic!("no panel {title}"))
            .clone()
    };
    let steps = |title: &str| panel(title)["fieldConfig"]["defaults"]["thresholds"]["steps"].clone();
    assert_eq!(steps("Time to first token")[1]["value"], 0.5);
    assert_eq!(steps("Turns that fail, whoever is to blame")[1]["value"], 0.001);
    assert_eq!(steps("Time of a search").as_array().unwrap().len(), 1, "nothing is promised of it");
    let product: Value = serde_json::from_str(&files["grafana/product.json"]).unwrap();
    assert!(product.to_string().contains("\"value\":0.005"));
}

#[test]
fn openslo_names_refer_to_what_is_there() {
    for (name, blueprint) in examples::all() {
        let files = files_of(&blueprint);
        let all: Vec<_> = files
            .iter()
            .filter(|(path, _)| path.starts_with("openslo/"))
            .flat_map(|(_, text)| documents(text))
            .collect();
        let named = |kind: &str, name: &Value| {
            all.iter().any(|object| object["kind"] == kind && object["metadata"]["name"] == *name)
        };
        let slos: Vec<_> = all.iter().filter(|object| object["kind"] == "SLO").collect();
        assert_eq!(slos.len(), blueprint.objectives.len(), "{name}");
        for slo in slos {
            let spec = &slo["spec"];
            assert!(
                named("Service", &spec["service"]) && named("SLI", &spec["indicatorRef"]),
                "{name}: {slo}"
            );
            for policy in spec["alertPolicies"].as_array().unwrap() {
                assert!(named("AlertPolicy", &policy["alertPolicyRef"]), "{name}: {policy}");
            }
            let target = spec["objectives"][0]["target"].as_f64().unwrap();
            assert!(target > 0.0 && target < 1.0);
        }
        for policy in all.iter().filter(|object| object["kind"] == "AlertPolicy") {
            let conditions = policy["spec"]["conditions"].as_array().unwrap();
            assert_eq!(conditions.len(), 1);
            assert!(named("AlertCondition", &conditions[0]["conditionRef"]));
        }
        let sources = all.iter().filter(|object| object["kind"] == "SLI").flat_map(|sli| {
            let text = sli.to_string();
            text.match_indices("metricSourceRef").count().checked_sub(1)
        });
        assert_eq!(sources.count(), blueprint.objectives.len(), "{name}: an SLI without a source");
    }
}

#[test]
fn the_chart_takes_its_values_out_of_the_objects() {
    for (name, blueprint) in examples::all() {
        let files = files_of(&blueprint);
        let values = &documents(&files["helm/values.yaml"])[0];
        assert_eq!(values["config"], blueprint.config_text, "{name}");
        assert_eq!(values["image"], blueprint.image, "{name}");
        let models = values["models"].as_object().map_or(0, |models| models.len());
        assert_eq!(models, blueprint.serving.len(), "{name}");
        let templates = files.iter().filter(|(path, _)| path.starts_with("helm/templates/"));
        let text: String = templates.map(|(_, text)| text.as_str()).collect();
        for reference in [
            "{{ .Values.config | toJson | replace ",
            "{{ .Values.image | toJson }}",
            "{{ .Release.Namespace }}",
        ] {
            assert!(text.contains(reference), "{name}: {reference}");
        }
        assert!(!text.contains(&blueprint.image), "{name}: the image stands in a template");
    }
}

#[test]
fn a_system_without_gpus_or_promises_is_complete() {
    let blueprint = Blueprint { objectives: Vec::new(), ..examples::small() };
    let files = files_of(&blueprint);
    assert!(!files.keys().any(|path| path.contains("model-") || path.starts_with("openslo/")));
    assert!(!files.values().any(|text| text.contains("vllm")));
    assert!(!files.keys().any(|path| path.contains("/slo-")));
    assert!(files.contains_key("runbooks/MainstayAbsent.md"));
}
