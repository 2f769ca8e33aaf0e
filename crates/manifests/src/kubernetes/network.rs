//! Who may connect to whom: nobody, but for what is listed here.

use serde_json::{Value, json};

use super::{Part, Site, VLLM_PORT, labels, selector};
use crate::blueprint::{Storage, Store, StorePlace};

/// The policies of one region.
pub(super) fn part(site: &Site<'_>) -> Part {
    let mut objects = vec![deny_all(site), names_of_hosts(site), product(site)];
    if !site.blueprint.serving.is_empty() {
        objects.push(serving(site));
    }
    Part {
        name: "network".to_owned(),
        comment: "Connections that are allowed; every other one of the namespace is not.\nAn egress to port 443 goes \
                  anywhere but to the cloud's metadata: policies know addresses, not the names of providers."
            .to_owned(),
        objects,
    }
}

fn policy(site: &Site<'_>, name: &str, spec: Value) -> Value {
    let labels = labels(&site.names.product, "network", &site.names.product);
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": site.metadata(&format!("{}-{name}", site.names.product), &labels),
        "spec": spec,
    })
}

fn deny_all(site: &Site<'_>) -> Value {
    policy(site, "deny-all", json!({ "podSelector": {}, "policyTypes": ["Ingress", "Egress"] }))
}

fn names_of_hosts(site: &Site<'_>) -> Value {
    let ports = json!([{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 53 }]);
    let spec = json!({
        "podSelector": {},
        "policyTypes": ["Egress"],
        "egress": [{ "to": [in_namespace("kube-system")], "ports": ports }],
    });
    policy(site, "dns", spec)
}

fn product(site: &Site<'_>) -> Value {
    let blueprint = site.blueprint;
    let network = &blueprint.network;
    let mut egress = vec![internet()];
    if !blueprint.serving.is_empty() {
        let pods = json!({ "podSelector": { "matchLabels": { "app.kubernetes.io/component": "vllm" } } });
        egress.push(json!({ "to": [pods], "ports": [tcp(VLLM_PORT)] }));
    }
    if let Storage::Remote { stores, .. } = &blueprint.storage {
        egress.extend(stores.iter().map(to_store));
    }
    let spec = json!({
        "podSelector": { "matchLabels": selector(&site.names.product) },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{
            "from": [in_namespace(&network.ingress_namespace), in_namespace(&network.monitoring_namespace)],
            "ports": [tcp(blueprint.port)],
        }],
        "egress": egress,
    });
    policy(site, "mainstay", spec)
}

fn serving(site: &Site<'_>) -> Value {
    let product = json!({ "podSelector": { "matchLabels": selector(&site.names.product) } });
    let spec = json!({
        "podSelector": { "matchLabels": { "app.kubernetes.io/component": "vllm" } },
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{
            "from": [product, in_namespace(&site.blueprint.network.monitoring_namespace)],
            "ports": [tcp(VLLM_PORT)],
        }],
        // The weights.
        "egress": [internet()],
    });
    policy(site, "models", spec)
}

/// HTTPS to any address but that of the cloud's metadata, which hands out credentials of the node.
fn internet() -> Value {
    json!({
        "to": [
            { "ipBlock": { "cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"] } },
            { "ipBlock": { "cidr": "::/0", "except": ["fd00:ec2::254/128"] } },
        ],
        "ports": [tcp(443)],
    })
}

fn to_store(store: &Store) -> Value {
    let peer = match &store.place {
        StorePlace::Namespace(name) => in_namespace(name),
        StorePlace::Addresses(cidr) => json!({ "ipBlock": { "cidr": cidr } }),
    };
    json!({ crate::yaml::COMMENT: store.name, "to": [peer], "ports": [tcp(store.port)] })
}

fn in_namespace(name: &str) -> Value {
    json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } })
}

fn tcp(port: u16) -> Value {
    json!({ "protocol": "TCP", "port": port })
}
