//! A Helm chart of the same objects, with the values in which deployments differ: images, replicas, resources, sizes, and the
//! configuration.
//!
//! The chart is made from the objects themselves, so it renders to them with its default values. It has no conditions: what a
//! plan decides, such as a StatefulSet or an autoscaler, is decided by a plan.

use serde_json::{Map, Value, json};

use crate::blueprint::Blueprint;
use crate::kubernetes::{Part, Site};
use crate::names::Names;
use crate::{GeneratedFile, yaml};

/// The chart of the first region, or of wherever the cluster is.
pub(crate) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    let site = Site { blueprint, names, region: blueprint.regions.first().map(String::as_str) };
    let mut values = Map::new();
    let mut files: Vec<_> = site.parts().into_iter().map(|part| template(part, names, &mut values)).collect();
    files.push(GeneratedFile {
        path: "helm/Chart.yaml".to_owned(),
        text: yaml::documents("", &[chart(blueprint, names)]),
    });
    files.push(GeneratedFile {
        path: "helm/values.yaml".to_owned(),
        text: yaml::documents(
            "What deployments of this chart differ in. helm install NAME ./helm --namespace NAMESPACE --create-namespace",
            &[Value::Object(values)],
        ),
    });
    files
}

fn chart(blueprint: &Blueprint, names: &Names) -> Value {
    json!({
        "apiVersion": "v2",
        "name": names.product,
        "description": format!("{} on Mainstay", blueprint.product),
        "type": "application",
        "version": "0.1.0",
        "kubeVersion": ">=1.30.0-0",
    })
}

fn template(part: Part, names: &Names, values: &mut Map<String, Value>) -> GeneratedFile {
    let objects: Vec<_> = part
        .objects
        .into_iter()
        .map(|mut object| {
            parametrise(&mut object, names, values);
            escape(&mut object);
            object
        })
        .collect();
    let comment = part.comment.replace("{{", "{ {");
    GeneratedFile {
        path: format!("helm/templates/{}.yaml", part.name),
        text: yaml::documents(&comment, &objects),
    }
}

/// Whatever Helm would take for its own stays what it is.
fn escape(value: &mut Value) {
    if yaml::expression_of(value).is_some() {
        return;
    }
    match value {
        Value::String(text) if text.contains("{{") => *text = text.replace("{{", "{{ \"{{\" }}"),
        Value::Array(items) => items.iter_mut().for_each(escape),
        Value::Object(map) => map.values_mut().for_each(escape),
        _ => {}
    }
}

/// Takes what deployments differ in out of an object into the values, and puts a reference there.
fn parametrise(object: &mut Value, names: &Names, values: &mut Map<String, Value>) {
    if let Some(namespace) = object.pointer_mut("/metadata/namespace") {
        *namespace = yaml::raw("{{ .Release.Namespace }}");
    }
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let owner = if name.starts_with(&names.product) && name != names.product && kind != "ConfigMap" {
        Owner::Model(name)
    } else {
        Owner::Product
    };
    let pointers: &[(&str, &str)] = match kind.as_str() {
        "ConfigMap" => &[("config", "/data/mainstay.toml")],
        "Deployment" | "StatefulSet" => &[
            ("image", "/spec/template/spec/containers/0/image"),
            ("replicas", "/spec/replicas"),
            ("resources", "/spec/template/spec/containers/0/resources"),
            ("storage", "/spec/volumeClaimTemplates/0/spec/resources/requests/storage"),
        ],
        "HorizontalPodAutoscaler" => {
            &[("leastReplicas", "/spec/minReplicas"), ("mostReplicas", "/spec/maxReplicas")]
        }
        "ScaledObject" => {
            &[("leastReplicas", "/spec/minReplicaCount"), ("mostReplicas", "/spec/maxReplicaCount")]
        }
        _ => &[],
    };
    for (key, pointer) in pointers {
        if let Some(place) = object.pointer_mut(pointer) {
            let value = std::mem::replace(place, yaml::raw(&owner.reference(key)));
            owner.keep(values, key, value);
        }
    }
    if let Some(sum) = object.pointer_mut("/spec/template/metadata/annotations/checksum~1config") {
        *sum = yaml::raw("{{ .Values.config | sha256sum | quote }}");
    }
}

/// Whose value it is.
enum Owner {
    Product,
    Model(String),
}

impl Owner {
    /// JSON is YAML, whatever the value is and wherever it stands, but for U+0085: Helm reads it in a string as the end of a
    /// line. A configuration may have it in a comment.
    fn reference(&self, key: &str) -> String {
        match self {
            Self::Product if key == "config" => {
                "{{ .Values.config | toJson | replace \"\\u0085\" \"\\\\u0085\" }}".to_owned()
            }
            Self::Product => format!("{{{{ .Values.{key} | toJson }}}}"),
            Self::Model(name) => format!("{{{{ index .Values.models \"{name}\" \"{key}\" | toJson }}}}"),
        }
    }

    fn keep(&self, values: &mut Map<String, Value>, key: &str, value: Value) {
        match self {
            Self::Product => values.insert(key.to_owned(), value),
            Self::Model(name) => {
                let models = values.entry("models").or_insert_with(|| json!({}));
                models[name.as_str()][key] = value;
                None
            }
        };
    }
}
