//! Prometheus: what it scrapes, what it records about promises, and when it alerts.

mod alert;
pub(crate) mod buckets;
mod burn;
mod operational;
mod proof;
pub(crate) mod record;
mod scrape;
pub(crate) mod sli;

use serde_json::{Value, json};

pub(crate) use alert::{Alert, Severity};
pub(crate) use burn::{BurnRow, ROWS};

use crate::blueprint::Blueprint;
use crate::names::{self, Names};
use crate::{GeneratedFile, yaml};

/// The rules and the configuration.
pub(crate) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    let mut files = scrape::files(blueprint, names);
    // A file for each promise: their tests read no rules but its own.
    for objective in &blueprint.objectives {
        let name = format!("slo-{}", names::slo(&objective.name));
        files.push(rules(&name, record::COMMENT, &record::groups(blueprint, names, objective)));
        files.push(proof::file(blueprint, names, objective, &name));
    }
    let alerts: Vec<_> = operational::alerts(blueprint, names);
    let group = json!({ "name": format!("{}-operations", names.product), "rules": rendered(&alerts, blueprint, names) });
    files.push(rules("operations", "What is wrong now, whatever was promised.", &[group]));
    files
}

/// Every alert, for the runbooks.
pub(crate) fn alerts(blueprint: &Blueprint, names: &Names) -> Vec<Alert> {
    let promised =
        blueprint.objectives.iter().flat_map(|objective| burn::alerts(blueprint, names, objective).0);
    promised.chain(operational::alerts(blueprint, names)).collect()
}

fn rules(name: &str, comment: &str, groups: &[Value]) -> GeneratedFile {
    GeneratedFile {
        path: format!("prometheus/rules/{name}.yaml"),
        text: yaml::documents(comment, &[json!({ "groups": groups })]),
    }
}

fn rendered(alerts: &[Alert], blueprint: &Blueprint, names: &Names) -> Vec<Value> {
    alerts.iter().map(|alert| alert.rule(blueprint, names)).collect()
}

/// A number as PromQL and people read it.
pub(crate) fn number(value: f64) -> String {
    // Nine digits: 1 − 0.999 is 0.001 and not 0.0010000000000000009.
    let rounded = format!("{value:.9}");
    let rounded = rounded.trim_end_matches('0').trim_end_matches('.');
    if rounded.is_empty() || rounded == "0" || rounded == "-0" {
        value.to_string()
    } else {
        rounded.to_owned()
    }
}

/// The number that [`number`] writes: for formats that want a number and not a text.
pub(crate) fn rounded(value: f64) -> f64 {
    number(value).parse().unwrap_or(value)
}
