//! Prometheus' own configuration: which pods it asks, under which names, and which rules it has.

use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::names::Names;
use crate::{GeneratedFile, yaml};

/// One file per region, because each region has a Prometheus of its own.
pub(super) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    let comment = "Pods of the namespace by their labels. The job is the name of the workload, which the rules rely on.\n\
                   Prometheus needs the right to list pods there. Keep 30 days: --storage.tsdb.retention.time=31d";
    let file = |path: String, region: Option<&str>| GeneratedFile {
        path,
        text: yaml::documents(comment, &[configuration(blueprint, names, region)]),
    };
    if blueprint.regions.is_empty() {
        return vec![file("prometheus/prometheus.yaml".to_owned(), None)];
    }
    let of_region = |region: &String| file(format!("prometheus/prometheus-{region}.yaml"), Some(region));
    blueprint.regions.iter().map(of_region).collect()
}

fn configuration(blueprint: &Blueprint, names: &Names, region: Option<&str>) -> Value {
    let mut global = json!({ "scrape_interval": "15s", "evaluation_interval": "30s" });
    if let Some(region) = region {
        global["external_labels"] = json!({ "region": region });
    }
    let mut jobs = vec![job(&names.product, names)];
    jobs.extend(blueprint.serving.iter().map(|serving| job(&names.serving(serving), names)));
    json!({
        "global": global,
        "rule_files": ["rules/*.yaml"],
        "alerting": { "alertmanagers": [{ "static_configs": [{ "targets": ["alertmanager:9093"] }] }] },
        "scrape_configs": jobs,
    })
}

fn job(name: &str, names: &Names) -> Value {
    json!({
        "job_name": name,
        "kubernetes_sd_configs": [{ "role": "pod", "namespaces": { "names": [names.namespace] } }],
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_pod_label_app_kubernetes_io_name", "__meta_kubernetes_pod_container_port_name"],
                "regex": format!("{name};http"),
                "action": "keep",
            },
            // A pod that has ended answers nothing, and is no replica that is down.
            { "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "Succeeded|Failed", "action": "drop" },
            { "source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod" },
        ],
    })
}
