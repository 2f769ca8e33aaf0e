//! Mainstay itself: configuration, account, services, and the workload.

use serde_json::{Value, json};

use super::pod::{self, ANNOUNCE_SECONDS, put};
use super::{Part, Site, labels, selector};
use crate::blueprint::{Scaling, SecretReference, Storage};
use crate::naming::hash;

/// Where the configuration is mounted.
const CONFIG_FOLDER: &str = "/etc/mainstay";

/// Where the data folder is mounted.
const DATA_FOLDER: &str = "/var/lib/mainstay";

/// After the last stream ended: writing the journal, closing the stores.
const CLOSING_SECONDS: u32 = 10;

/// A start may migrate the data folder of an older version and load an index: five minutes.
const START_FAILURES: u32 = 60;

/// Mainstay in one region.
pub(super) fn part(site: &Site<'_>) -> Part {
    let workload = match &site.blueprint.storage {
        Storage::Embedded { gib, class } => stateful_set(site, *gib, class.as_deref()),
        Storage::Remote { scratch_gib, .. } => deployment(site, *scratch_gib),
    };
    let mut objects = vec![account(site), config_map(site), service(site)];
    if matches!(site.blueprint.storage, Storage::Embedded { .. }) {
        objects.push(governing_service(site));
    }
    objects.push(workload);
    let mut comment = "Mainstay: its account, its configuration, its service and its pods.".to_owned();
    if let Some(SecretReference { name, variables }) = &site.blueprint.secret {
        comment += &format!(
            "\nThe secret `{name}` is not among them: make it with the entries {}.",
            variables.iter().map(|variable| format!("`{variable}`")).collect::<Vec<_>>().join(", ")
        );
    }
    Part { name: "mainstay".to_owned(), comment, objects }
}

impl Site<'_> {
    fn product_labels(&self) -> Value {
        labels(&self.names.product, "mainstay", &self.names.product)
    }
}

fn config_name(site: &Site<'_>) -> String {
    format!("{}-config", site.names.product)
}

fn governing_name(site: &Site<'_>) -> String {
    format!("{}-pods", site.names.product)
}

/// Mainstay never calls the API of Kubernetes, so it has no token.
fn account(site: &Site<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": site.metadata(&site.names.product, &site.product_labels()),
        "automountServiceAccountToken": false,
    })
}

fn config_map(site: &Site<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": site.metadata(&config_name(site), &site.product_labels()),
        "data": { "mainstay.toml": site.blueprint.config_text },
    })
}

fn service(site: &Site<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": site.metadata(&site.names.product, &site.product_labels()),
        "spec": {
            "selector": selector(&site.names.product),
            "ports": [{ "name": "http", "port": 80, "targetPort": "http" }],
        },
    })
}

/// A StatefulSet names its pods in a service without an address.
fn governing_service(site: &Site<'_>) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": site.metadata(&governing_name(site), &site.product_labels()),
        "spec": {
            "clusterIP": "None",
            "selector": selector(&site.names.product),
            "ports": [{ "name": "http", "port": site.blueprint.port, "targetPort": "http" }],
        },
    })
}

fn stateful_set(site: &Site<'_>, gib: u32, class: Option<&str>) -> Value {
    let mut claim = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": { "requests": { "storage": format!("{gib}Gi") } },
    });
    put(&mut claim, "storageClassName", class.map(Value::from));
    json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": site.metadata(&site.names.product, &site.product_labels()),
        "spec": {
            "serviceName": governing_name(site),
            "replicas": 1,
            "selector": { "matchLabels": selector(&site.names.product) },
            "template": template(site, None),
            // Deleting the workload keeps the data.
            "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
            "volumeClaimTemplates": [{ "metadata": { "name": "data" }, "spec": claim }],
        },
    })
}

fn deployment(site: &Site<'_>, scratch_gib: u32) -> Value {
    let data = json!({ "name": "data", "emptyDir": { "sizeLimit": format!("{scratch_gib}Gi") } });
    let mut spec = json!({});
    if site.blueprint.scaling == Scaling::Fixed {
        // What an autoscaler sets is not written: applying this file again must not undo it.
        put(&mut spec, "replicas", Some(site.blueprint.replicas.least.into()));
    }
    put(&mut spec, "selector", Some(json!({ "matchLabels": selector(&site.names.product) })));
    put(&mut spec, "strategy", Some(json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } })));
    put(&mut spec, "template", Some(template(site, Some(data))));
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": site.metadata(&site.names.product, &site.product_labels()),
        "spec": spec,
    })
}

/// `data`: the volume of the data folder, where no claim provides it.
fn template(site: &Site<'_>, data: Option<Value>) -> Value {
    let blueprint = site.blueprint;
    let mut volumes = vec![
        json!({ "name": "config", "configMap": { "name": config_name(site) } }),
        json!({ "name": "tmp", "emptyDir": { "sizeLimit": "1Gi" } }),
    ];
    volumes.extend(data);
    let mut spec = json!({
        "serviceAccountName": site.names.product,
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": pod::pod_security(),
        // The announcement, then the streams that are left, then closing.
        "terminationGracePeriodSeconds": ANNOUNCE_SECONDS + blueprint.shutdown_grace_seconds + CLOSING_SECONDS,
        "containers": [container(site)],
        "volumes": volumes,
    });
    put(&mut spec, "affinity", site.affinity());
    put(&mut spec, "topologySpreadConstraints", pod::spread(&site.names.product, blueprint.replicas));
    json!({
        "metadata": {
            "labels": site.product_labels(),
            // A changed configuration starts new pods: Mainstay reads it once.
            "annotations": { "checksum/config": hash(&blueprint.config_text) },
        },
        "spec": spec,
    })
}

fn container(site: &Site<'_>) -> Value {
    let blueprint = site.blueprint;
    let mut container = json!({
        "name": "mainstay",
        "image": blueprint.image,
        "command": ["mainstay"],
        "args": [
            "serve",
            "--config", format!("{CONFIG_FOLDER}/mainstay.toml"),
            "--listen", format!("0.0.0.0:{}", blueprint.port),
            "--data-dir", DATA_FOLDER,
        ],
        "ports": [{ "name": "http", "containerPort": blueprint.port }],
        "startupProbe": pod::probe("/healthz", "http", 5, START_FAILURES),
        "readinessProbe": pod::probe("/readyz", "http", 5, 2),
        "livenessProbe": pod::probe("/healthz", "http", 10, 6),
        "lifecycle": pod::lifecycle(),
        "resources": pod::resources(blueprint.resources),
        "securityContext": pod::container_security(),
        "volumeMounts": [
            { "name": "config", "mountPath": CONFIG_FOLDER, "readOnly": true },
            { "name": "data", "mountPath": DATA_FOLDER },
            { "name": "tmp", "mountPath": "/tmp" },
        ],
    });
    put(&mut container, "env", blueprint.secret.as_ref().map(environment));
    container
}

fn environment(secret: &SecretReference) -> Value {
    let entry = |variable: &String| json!({ "name": variable, "valueFrom": { "secretKeyRef": { "name": secret.name, "key": variable } } });
    secret.variables.iter().map(entry).collect()
}
