//! Runbooks: for each alert a page that says what it means, how to look, and what to do.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::GeneratedFile;
use crate::blueprint::Blueprint;
use crate::names::Names;
use crate::prometheus::{self, Alert};

/// One page per name of an alert.
pub(crate) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    let mut by_name: BTreeMap<String, Vec<Alert>> = BTreeMap::new();
    for alert in prometheus::alerts(blueprint, names) {
        by_name.entry(alert.name.clone()).or_default().push(alert);
    }
    by_name
        .into_iter()
        .map(|(name, alerts)| GeneratedFile {
            path: format!("runbooks/{name}.md"),
            text: page(&name, &alerts),
        })
        .collect()
}

/// `alerts` differ in their rules alone.
fn page(name: &str, alerts: &[Alert]) -> String {
    let mut text = format!("# {name}\n\n");
    let Some(first) = alerts.first() else { return text };
    let _ = writeln!(text, "{}\n\n## When it fires\n", first.runbook.meaning);
    for alert in alerts {
        let hold = if alert.hold.is_empty() { String::new() } else { format!(", for {}", alert.hold) };
        let _ = writeln!(text, "As a {}{hold}:\n", alert.severity.as_str());
        code(&mut text, "promql", std::slice::from_ref(&alert.expression));
    }
    text.push_str("## Look\n\n");
    if !first.runbook.queries.is_empty() {
        text.push_str("In Prometheus:\n\n");
        code(&mut text, "promql", &first.runbook.queries);
    }
    if !first.runbook.commands.is_empty() {
        text.push_str("On a terminal:\n\n");
        code(&mut text, "sh", &first.runbook.commands);
    }
    text.push_str("## Do\n\n");
    for (index, step) in first.runbook.steps.iter().enumerate() {
        let _ = writeln!(text, "{}. {step}", index + 1);
    }
    if let Some(page) = &first.runbook.page {
        let _ = writeln!(text, "\nThe team's own page: {page}");
    }
    text
}

fn code(text: &mut String, language: &str, lines: &[String]) {
    let _ = writeln!(text, "```{language}\n{}\n```\n", lines.join("\n"));
}
