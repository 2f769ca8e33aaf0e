//! The objects of Kubernetes: Mainstay, models on GPUs, what may connect to what, and what scales.

mod autoscaling;
mod network;
mod pod;
mod product;
mod serving;

use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::names::Names;
use crate::{GeneratedFile, yaml};

/// The port of vLLM.
pub(crate) const VLLM_PORT: u16 = 8000;

/// The objects of one region.
pub(crate) struct Site<'a> {
    pub(crate) blueprint: &'a Blueprint,
    pub(crate) names: &'a Names,
    /// Nodes of this region only.
    pub(crate) region: Option<&'a str>,
}

/// Objects that belong into one file.
pub(crate) struct Part {
    /// The file's name without extension.
    pub(crate) name: String,
    pub(crate) comment: String,
    pub(crate) objects: Vec<Value>,
}

/// All files of Kubernetes objects, in one folder per region.
pub(crate) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    let regions: Vec<_> = blueprint.regions.iter().map(|region| Some(region.as_str())).collect();
    let regions = if regions.is_empty() { vec![None] } else { regions };
    let mut files = Vec::new();
    for region in regions {
        let folder = region.map_or_else(|| "kubernetes".to_owned(), |region| format!("kubernetes/{region}"));
        let site = Site { blueprint, names, region };
        files.push(GeneratedFile {
            path: format!("{folder}/namespace.yaml"),
            text: yaml::documents(
                "Apply this file first. Pods that do not meet the restricted standard are refused.",
                &[namespace(names)],
            ),
        });
        files.extend(site.parts().into_iter().map(|part| GeneratedFile {
            path: format!("{folder}/{}.yaml", part.name),
            text: yaml::documents(&part.comment, &part.objects),
        }));
    }
    files
}

impl Site<'_> {
    /// Everything but the namespace.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let mut parts = vec![product::part(self), network::part(self)];
        parts.extend(self.blueprint.serving.iter().map(|serving| serving::part(self, serving)));
        let autoscaling = autoscaling::part(self);
        if !autoscaling.objects.is_empty() {
            parts.push(autoscaling);
        }
        parts
    }

    fn metadata(&self, name: &str, labels: &Value) -> Value {
        json!({ "name": name, "namespace": self.names.namespace, "labels": labels })
    }
}

fn namespace(names: &Names) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": names.namespace,
            "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
        },
    })
}

/// The labels of a workload's objects; those of [`selector`] among them.
fn labels(name: &str, component: &str, product: &str) -> Value {
    json!({
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": product,
    })
}

/// What finds the pods of a workload.
fn selector(name: &str) -> Value {
    json!({ "app.kubernetes.io/name": name })
}
