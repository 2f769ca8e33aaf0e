//! What pods of every workload have in common: who they run as, where they run, and what they ask for.

use serde_json::{Value, json};

use super::{Site, selector};
use crate::blueprint::{Replicas, Resources};

/// The user and group of every container: any number but 0 would do.
pub(super) const USER: u32 = 10_001;

/// Time for load balancers to learn that a pod goes away, before it is told to stop and refuses new connections.
pub(super) const ANNOUNCE_SECONDS: u32 = 5;

/// The restricted standard of Kubernetes.
pub(super) fn pod_security() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        // Without this the owner of every file of a large volume is set at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": { "type": "RuntimeDefault" },
    })
}

pub(super) fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": { "drop": ["ALL"] },
    })
}

/// Waits before the signal; the `sleep` action needs no shell in the image (Kubernetes 1.30 and newer).
pub(super) fn lifecycle() -> Value {
    json!({ "preStop": { "sleep": { "seconds": ANNOUNCE_SECONDS } } })
}

pub(super) fn resources(resources: Resources) -> Value {
    let memory = format!("{}Mi", resources.memory_mib);
    json!({
        "requests": { "cpu": format!("{}m", resources.cpu_millis), "memory": memory },
        "limits": { "memory": memory },
    })
}

pub(super) fn probe(path: &str, port: &str, period: u32, failures: u32) -> Value {
    json!({
        "httpGet": { "path": path, "port": port },
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    })
}

/// Replicas in different zones and on different nodes, where there are any.
pub(super) fn spread(name: &str, replicas: Replicas) -> Option<Value> {
    (replicas.most > 1).then(|| {
        let over = |key: &str| {
            json!({
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": { "matchLabels": selector(name) },
            })
        };
        json!([over("topology.kubernetes.io/zone"), over("kubernetes.io/hostname")])
    })
}

impl Site<'_> {
    /// Nodes of the site's region.
    pub(super) fn affinity(&self) -> Option<Value> {
        self.region.map(|region| {
            json!({ "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": [{
                "matchExpressions": [
                    { "key": "topology.kubernetes.io/region", "operator": "In", "values": [region] },
                ],
            }] } } })
        })
    }
}

/// Puts a value into an object where there is one.
pub(super) fn put(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(key.to_owned(), value);
    }
}
