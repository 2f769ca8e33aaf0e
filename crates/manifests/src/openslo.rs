//! The promises in OpenSLO v1, for tools that read it.
//!
//! Latency, errors and quality count occurrences; availability and freshness count minutes. The average cost of a turn is a
//! threshold on slices of an hour. Each promise has the policies that are alerted on, no others.

use serde_json::{Value, json};

use crate::blueprint::{Blueprint, Measure, Objective};
use crate::names::{self, Names};
use crate::naming::dns_label;
use crate::prometheus::sli::{self, Sli};
use crate::prometheus::{BurnRow, ROWS, Severity, rounded};
use crate::{GeneratedFile, yaml};

/// The version of the format.
const VERSION: &str = "openslo/v1";

/// The data source and the service, and one file per promise.
pub(crate) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    if blueprint.objectives.is_empty() {
        return Vec::new();
    }
    let mut files = vec![GeneratedFile {
        path: "openslo/service.yaml".to_owned(),
        text: yaml::documents(
            "What the promises are about, and where it is measured.",
            &[service(blueprint, names), source(names)],
        ),
    }];
    files.extend(blueprint.objectives.iter().map(|objective| GeneratedFile {
        path: format!("openslo/{}.yaml", names::slo(&objective.name)),
        text: yaml::documents("", &documents(blueprint, names, objective)),
    }));
    files
}

fn object(kind: &str, name: &str, display: &str, spec: Value) -> Value {
    json!({
        "apiVersion": VERSION,
        "kind": kind,
        "metadata": { "name": name, "displayName": display },
        "spec": spec,
    })
}

fn service(blueprint: &Blueprint, names: &Names) -> Value {
    let description = format!("{} on Mainstay", blueprint.product);
    object("Service", &names.product, &blueprint.product, json!({ "description": description }))
}

fn source_name(names: &Names) -> String {
    format!("{}-prometheus", names.product)
}

fn source(names: &Names) -> Value {
    let spec = json!({ "type": "Prometheus", "connectionDetails": { "url": "http://prometheus:9090" } });
    object("DataSource", &source_name(names), "Prometheus", spec)
}

fn documents(blueprint: &Blueprint, names: &Names, objective: &Objective) -> Vec<Value> {
    let indicator = sli::indicator(&names.product, objective.measure, blueprint.alerting);
    let name = format!("{}-{}", names.product, names::slo(&objective.name));
    let name = dns_label(&name, 63);
    let query = |text: &str| {
        json!({ "metricSource": {
            "metricSourceRef": source_name(names),
            "type": "Prometheus",
            "spec": { "query": text },
        } })
    };
    let measured = match &indicator.sli {
        Sli::Events { bad, total } => {
            json!({ "ratioMetric": { "counter": false, "bad": query(bad), "total": query(total) } })
        }
        // A good minute is 1, so a slice is good from 1 on.
        Sli::Minutes { good } => json!({ "thresholdMetric": query(good) }),
        Sli::Average { value, .. } => json!({ "thresholdMetric": query(&value.replace("$window", "1h")) }),
    };
    let rows: Vec<_> = ROWS
        .into_iter()
        .filter(|row| indicator.target.is_some_and(|target| row.is_reachable(target)))
        .filter(|row| indicator.wakes || row.severity == Severity::Ticket)
        .collect();
    let mut spec = json!({
        "description": indicator.words,
        "service": names.product,
        "indicatorRef": name,
        "timeWindow": [{ "duration": "30d", "isRolling": true }],
    });
    let (method, target) = match (&indicator.sli, objective.measure) {
        (Sli::Events { .. }, _) => (
            "Occurrences",
            json!({ "displayName": objective.name, "target": rounded(indicator.target.unwrap_or(0.0)) }),
        ),
        (Sli::Minutes { .. }, _) => (
            "Timeslices",
            json!({
                "displayName": objective.name,
                "op": "gte",
                "value": 1,
                "target": rounded(indicator.target.unwrap_or(0.0)),
                "timeSliceTarget": 1.0,
                "timeSliceWindow": "1m",
            }),
        ),
        (Sli::Average { .. }, measure) => ("Timeslices", average_objective(&objective.name, measure)),
    };
    spec["budgetingMethod"] = method.into();
    spec["objectives"] = json!([target]);
    spec["alertPolicies"] =
        rows.iter().map(|row| json!({ "alertPolicyRef": policy_name(&name, *row) })).collect();
    let mut documents =
        vec![object("SLI", &name, &objective.name, measured), object("SLO", &name, &objective.name, spec)];
    for row in rows {
        documents.extend(policy(&name, &objective.name, row));
    }
    documents
}

/// Every hour's average should be below; the promise is about the average, so 99 of 100 hours is what is meant by it.
fn average_objective(name: &str, measure: Measure) -> Value {
    let most = match measure {
        Measure::CostPerRequest { most_usd } => most_usd,
        _ => 0.0,
    };
    json!({
        "displayName": name,
        "op": "lte",
        "value": rounded(most),
        "target": 0.99,
        "timeSliceTarget": 1.0,
        "timeSliceWindow": "1h",
    })
}

fn policy_name(slo: &str, row: BurnRow) -> String {
    dns_label(&format!("{slo}-{}-{}", row.severity.as_str(), row.long), 63)
}

/// A policy and its condition. OpenSLO allows one condition to a policy, so the short window is when the alert begins.
fn policy(slo: &str, display: &str, row: BurnRow) -> [Value; 2] {
    let name = policy_name(slo, row);
    let condition = json!({
        "description": format!("{} % of the budget of 30 days within {}", row.percent, row.long),
        "severity": row.severity.as_str(),
        "condition": {
            "kind": "burnrate",
            "op": "gt",
            "threshold": row.burn,
            "lookbackWindow": row.long,
            "alertAfter": row.short,
        },
    });
    let policy = json!({
        "description": format!("{display}: burns {} times as fast as allowed", row.burn),
        "alertWhenBreaching": true,
        "alertWhenResolved": true,
        "alertWhenNoData": false,
        "conditions": [{ "conditionRef": name }],
        "notificationTargets": [{ "targetRef": row.severity.as_str() }],
    });
    [object("AlertCondition", &name, display, condition), object("AlertPolicy", &name, display, policy)]
}
