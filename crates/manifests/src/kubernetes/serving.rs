//! Models on GPUs of the cluster, served by vLLM.

use serde_json::{Value, json};

use super::pod::{self, ANNOUNCE_SECONDS, put};
use super::{Part, Site, VLLM_PORT, labels, selector};
use crate::blueprint::{Scaling, Serving};

/// Where weights and compiled kernels are kept.
const CACHE_FOLDER: &str = "/cache";

/// How often a starting container is asked whether it answers.
const START_PERIOD: u32 = 10;

/// One model: a service and its pods.
pub(super) fn part(site: &Site<'_>, serving: &Serving) -> Part {
    let name = site.names.serving(serving);
    Part {
        comment: format!(
            "{}, served by vLLM on {} x {} per replica. Mainstay's base URL for it: http://{name}.{}/v1",
            serving.model,
            serving.gpus_per_replica,
            serving.gpu.product_label(),
            site.names.namespace,
        ),
        objects: vec![service(site, &name), deployment(site, serving, &name)],
        name: format!("model-{name}"),
    }
}

fn service(site: &Site<'_>, name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": site.metadata(name, &labels(name, "vllm", &site.names.product)),
        "spec": {
            "selector": selector(name),
            "ports": [{ "name": "http", "port": 80, "targetPort": "http" }],
        },
    })
}

fn deployment(site: &Site<'_>, serving: &Serving, name: &str) -> Value {
    let labels = labels(name, "vllm", &site.names.product);
    let mut spec = json!({});
    if serving.scaling == Scaling::Fixed {
        put(&mut spec, "replicas", Some(serving.replicas.least.into()));
    }
    put(&mut spec, "selector", Some(json!({ "matchLabels": selector(name) })));
    // A new replica waits for free GPUs; the old ones answer meanwhile.
    put(&mut spec, "strategy", Some(json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } })));
    // Longer than a slow start, which is no failed rollout.
    let progress = start_budget(serving).saturating_mul(2).saturating_add(600);
    put(&mut spec, "progressDeadlineSeconds", Some(progress.into()));
    let mut pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": pod::pod_security(),
        "terminationGracePeriodSeconds": ANNOUNCE_SECONDS + site.blueprint.shutdown_grace_seconds + 30,
        "nodeSelector": { "nvidia.com/gpu.product": serving.gpu.product_label() },
        "tolerations": [{ "key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule" }],
        "containers": [container(serving)],
        "volumes": [
            { "name": "cache", "emptyDir": { "sizeLimit": format!("{}Gi", serving.weights_gib) } },
            { "name": "tmp", "emptyDir": {} },
            // Processes of one replica hand tensors to each other here; the default of 64 MiB is too little.
            { "name": "shm", "emptyDir": { "medium": "Memory", "sizeLimit": "8Gi" } },
        ],
    });
    put(&mut pod, "affinity", site.affinity());
    put(&mut pod, "topologySpreadConstraints", pod::spread(name, serving.replicas));
    put(&mut spec, "template", Some(json!({ "metadata": { "labels": labels }, "spec": pod })));
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": site.metadata(name, &labels),
        "spec": spec,
    })
}

/// Twice the expected time and a minute: nodes pull images and load weights at different speeds.
fn start_budget(serving: &Serving) -> u32 {
    serving.boot_seconds.saturating_mul(2).saturating_add(60)
}

fn container(serving: &Serving) -> Value {
    let mut resources = pod::resources(serving.resources);
    for kind in ["requests", "limits"] {
        put(&mut resources[kind], "nvidia.com/gpu", Some(serving.gpus_per_replica.into()));
    }
    json!({
        "name": "vllm",
        "image": serving.image,
        "command": ["vllm"],
        "args": arguments(serving),
        "env": environment(serving),
        "ports": [{ "name": "http", "containerPort": VLLM_PORT }],
        "startupProbe": pod::probe("/health", "http", START_PERIOD, start_budget(serving).div_ceil(START_PERIOD)),
        "readinessProbe": pod::probe("/health", "http", 5, 2),
        "livenessProbe": pod::probe("/health", "http", 10, 6),
        "lifecycle": pod::lifecycle(),
        "resources": resources,
        "securityContext": pod::container_security(),
        "volumeMounts": [
            { "name": "cache", "mountPath": CACHE_FOLDER },
            { "name": "tmp", "mountPath": "/tmp" },
            { "name": "shm", "mountPath": "/dev/shm" },
        ],
    })
}

fn arguments(serving: &Serving) -> Value {
    let mut arguments = vec![
        "serve".to_owned(),
        serving.model.clone(),
        format!("--served-model-name={}", serving.name),
        format!("--port={VLLM_PORT}"),
        format!("--tensor-parallel-size={}", serving.tensor_parallel),
        format!("--max-num-seqs={}", serving.max_num_seqs),
        format!("--max-model-len={}", serving.max_model_len),
    ];
    let stages = serving.gpus_per_replica / serving.tensor_parallel.max(1);
    if stages > 1 {
        arguments.push(format!("--pipeline-parallel-size={stages}"));
    }
    arguments
        .extend(serving.quantisation.iter().map(|quantisation| format!("--quantization={quantisation}")));
    arguments.into()
}

fn environment(serving: &Serving) -> Value {
    let mut environment = vec![
        json!({ "name": "HOME", "value": CACHE_FOLDER }),
        json!({ "name": "HF_HOME", "value": format!("{CACHE_FOLDER}/huggingface") }),
        // The user has no entry in the image's list of users, and PyTorch asks for a name.
        json!({ "name": "USER", "value": "vllm" }),
        json!({ "name": "LOGNAME", "value": "vllm" }),
    ];
    environment.extend(serving.token_secret.iter().map(|secret| {
        json!({
            "name": "HF_TOKEN",
            "valueFrom": { "secretKeyRef": { "name": secret, "key": "HF_TOKEN" } },
        })
    }));
    environment.into()
}
