//! Alertmanager: who is told, how soon, and what is not told twice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::naming::dns_label;
use crate::prometheus::Severity;
use crate::{GeneratedFile, yaml};

/// The configuration.
pub(crate) fn file(blueprint: &Blueprint) -> GeneratedFile {
    GeneratedFile {
        path: "alertmanager/alertmanager.yaml".to_owned(),
        text: yaml::documents(
            "Each receiver is a webhook. Put its URL into the file that it names; a URL with a token is a secret.\n\
             `url_file` needs Alertmanager 0.26.",
            &[configuration(blueprint)],
        ),
    }
}

fn configuration(blueprint: &Blueprint) -> Value {
    let receivers = &blueprint.receivers;
    let mut names: BTreeSet<&String> = receivers.page_by_tier.values().collect();
    names.extend([&receivers.page, &receivers.ticket]);
    let receivers: Vec<_> = names.into_iter().map(|name| receiver(name)).collect();
    json!({
        "route": route(blueprint),
        "inhibit_rules": inhibitions(),
        "receivers": receivers,
    })
}

fn receiver(name: &str) -> Value {
    json!({
        "name": name,
        "webhook_configs": [{ "url_file": format!("/etc/alertmanager/receivers/{name}"), "send_resolved": true }],
    })
}

/// Tickets by default: an alert of somebody else's that has no severity wakes nobody.
fn route(blueprint: &Blueprint) -> Value {
    let receivers = &blueprint.receivers;
    // By label: two spellings of one tier are the same tier.
    let tiers: BTreeMap<_, _> =
        receivers.page_by_tier.iter().map(|(tier, receiver)| (dns_label(tier, 63), receiver)).collect();
    let by_tier: Vec<_> = tiers
        .into_iter()
        .map(|(tier, receiver)| json!({ "matchers": [format!("tier=\"{tier}\"")], "receiver": receiver }))
        .collect();
    let mut page = json!({
        "matchers": [format!("severity=\"{}\"", Severity::Page.as_str())],
        "receiver": receivers.page,
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "1h",
    });
    if !by_tier.is_empty() {
        page["routes"] = by_tier.into();
    }
    json!({
        "receiver": receivers.ticket,
        // Replicas and models of one trouble come together.
        "group_by": ["alertname", "product", "region", "slo"],
        "group_wait": "1m",
        "group_interval": "10m",
        "repeat_interval": "1d",
        "routes": [page],
    })
}

/// What is silent while something worse says the same.
fn inhibitions() -> Value {
    let rule = |comment: &str, source: &[&str], target: &[&str], equal: &[&str]| {
        json!({
            yaml::COMMENT: comment,
            "source_matchers": source,
            "target_matchers": target,
            "equal": equal,
        })
    };
    json!([
        rule(
            "A promise that pages needs no ticket.",
            &["severity=\"page\"", "slo!=\"\""],
            &["severity=\"ticket\"", "slo!=\"\""],
            &["product", "region", "slo"],
        ),
        rule(
            "Without a replica that answers, what else is wrong follows from that.",
            &["alertname=~\"MainstayAbsent|MainstayDown\""],
            &["alertname!~\"MainstayAbsent|MainstayDown\"", "severity=\"ticket\""],
            &["product", "region"],
        ),
        rule(
            "All breakers are open: each single one, and the level of service, say no more.",
            &["alertname=\"MainstayAllBreakersOpen\""],
            &["alertname=~\"MainstayBreakerOpen|MainstayServiceEmergency|MainstayServiceReduced\""],
            &["product", "region"],
        ),
        rule(
            "Spent says more than nearly spent.",
            &["alertname=\"MainstayBudgetSpent\""],
            &["alertname=\"MainstayBudgetNearlySpent\""],
            &["product", "region", "budget"],
        ),
    ])
}
