//! What changes the number of replicas, and what keeps enough of them while nodes are drained.

use serde_json::{Value, json};

use super::pod::put;
use super::{Part, Site, labels, selector};
use crate::blueprint::{Replicas, Scaling, Storage, Trigger};
use crate::names::Names;

/// HPA's own default for not following every dip (seconds).
const CALM_SECONDS: u32 = 300;

/// The longest window that an HPA takes.
const LONGEST_WINDOW: u32 = 3_600;

/// A workload that may be scaled.
struct Target<'a> {
    kind: &'static str,
    name: String,
    component: &'static str,
    replicas: Replicas,
    scaling: &'a Scaling,
    /// From a decision to a replica that answers, in seconds.
    boot_seconds: u32,
}

/// Autoscalers and disruption budgets of one region.
pub(super) fn part(site: &Site<'_>) -> Part {
    let mut objects = Vec::new();
    for target in targets(site) {
        objects.extend(autoscaler(site, &target));
        objects.extend(disruption_budget(site, &target));
    }
    Part {
        name: "autoscaling".to_owned(),
        comment: "What scales, and what drains of nodes leave running. A workload has one autoscaler: a ScaledObject of KEDA \
                  makes its own."
            .to_owned(),
        objects,
    }
}

fn targets<'a>(site: &Site<'a>) -> Vec<Target<'a>> {
    let blueprint = site.blueprint;
    let product = Target {
        kind: match blueprint.storage {
            Storage::Embedded { .. } => "StatefulSet",
            Storage::Remote { .. } => "Deployment",
        },
        name: site.names.product.clone(),
        component: "mainstay",
        replicas: blueprint.replicas,
        scaling: &blueprint.scaling,
        boot_seconds: 0,
    };
    let models = blueprint.serving.iter().map(|serving| Target {
        kind: "Deployment",
        name: Names::serving(site.names, serving),
        component: "vllm",
        replicas: serving.replicas,
        scaling: &serving.scaling,
        boot_seconds: serving.boot_seconds,
    });
    std::iter::once(product).chain(models).collect()
}

fn autoscaler(site: &Site<'_>, target: &Target<'_>) -> Option<Value> {
    match target.scaling {
        Scaling::Fixed => None,
        Scaling::HpaCpu { percent } => {
            let cpu =
                json!({ "name": "cpu", "target": { "type": "Utilization", "averageUtilization": percent } });
            Some(hpa(site, target, json!({ "type": "Resource", "resource": cpu })))
        }
        Scaling::HpaMetric(metric) => {
            // Quantities of Kubernetes: thousandths are their finest unit.
            let average = format!("{}m", (metric.target * 1_000.0).round().max(1.0));
            let pods = json!({
                "metric": { "name": metric.name },
                "target": { "type": "AverageValue", "averageValue": average },
            });
            Some(hpa(site, target, json!({ "type": "Pods", "pods": pods })))
        }
        Scaling::Keda(triggers) => Some(scaled_object(site, target, triggers)),
    }
}

fn hpa(site: &Site<'_>, target: &Target<'_>, metric: Value) -> Value {
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(site, target),
        "spec": {
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": target.kind, "name": target.name },
            "minReplicas": target.replicas.least,
            "maxReplicas": target.replicas.most,
            "metrics": [metric],
            "behavior": behaviour(target),
        },
    })
}

fn scaled_object(site: &Site<'_>, target: &Target<'_>, triggers: &[Trigger]) -> Value {
    let mut spec = json!({
        "scaleTargetRef": { "apiVersion": "apps/v1", "kind": target.kind, "name": target.name },
        "minReplicaCount": target.replicas.least,
        "maxReplicaCount": target.replicas.most,
        "pollingInterval": 15,
    });
    if target.replicas.least == 0 {
        // For the step to zero alone; the steps before follow `behavior`.
        put(&mut spec, "cooldownPeriod", Some(CALM_SECONDS.into()));
    }
    let advanced = json!({ "horizontalPodAutoscalerConfig": { "behavior": behaviour(target) } });
    put(&mut spec, "advanced", Some(advanced));
    put(&mut spec, "triggers", Some(triggers.iter().map(trigger_text).collect()));
    json!({
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata(site, target),
        "spec": spec,
    })
}

/// Up at once, because a replica takes its time to start; down slowly, and never while one that was started for the load is
/// still starting.
fn behaviour(target: &Target<'_>) -> Value {
    let calm = target.boot_seconds.saturating_mul(2).clamp(CALM_SECONDS, LONGEST_WINDOW);
    json!({
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [
                { "type": "Percent", "value": 100, "periodSeconds": 60 },
                { "type": "Pods", "value": 2, "periodSeconds": 60 },
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": calm,
            "selectPolicy": "Max",
            "policies": [
                { "type": "Percent", "value": 10, "periodSeconds": 60 },
                { "type": "Pods", "value": 1, "periodSeconds": 60 },
            ],
        },
    })
}

/// Values of KEDA's triggers are texts.
fn trigger_text(trigger: &Trigger) -> Value {
    match trigger {
        Trigger::Prometheus { server, query, threshold, activation } => json!({
            "type": "prometheus",
            "metricType": "AverageValue",
            "metadata": {
                "serverAddress": server,
                "query": query,
                "threshold": threshold.to_string(),
                "activationThreshold": activation.to_string(),
                // The default takes a target that is lost for one without load, and scales down.
                "ignoreNullValues": "false",
            },
        }),
        Trigger::RedisStream(stream) => json!({
            "type": "redis-streams",
            "metadata": {
                "address": stream.address,
                "stream": stream.stream,
                "consumerGroup": stream.consumer_group,
                // The other measures of a stream never come down to zero.
                "lagCount": stream.lag.to_string(),
                "activationLagCount": stream.activation_lag.to_string(),
            },
        }),
        Trigger::Cron(floor) => json!({
            "type": "cron",
            "metadata": {
                "timezone": floor.timezone,
                "start": floor.start,
                "end": floor.end,
                "desiredReplicas": floor.replicas.to_string(),
            },
        }),
    }
}

/// One pod at a time, where two at least run. With one replica there is none: it could not allow the drain of its node.
fn disruption_budget(site: &Site<'_>, target: &Target<'_>) -> Option<Value> {
    (target.replicas.least >= 2).then(|| {
        json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": metadata(site, target),
            "spec": { "maxUnavailable": 1, "selector": { "matchLabels": selector(&target.name) } },
        })
    })
}

fn metadata(site: &Site<'_>, target: &Target<'_>) -> Value {
    site.metadata(&target.name, &labels(&target.name, target.component, &site.names.product))
}
