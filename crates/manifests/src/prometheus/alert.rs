//! One alert: its rule, and what a person does about it.

use serde_json::{Value, json};

use crate::blueprint::Blueprint;
use crate::names::Names;
use crate::yaml::COMMENT;

/// Who is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Severity {
    /// Somebody is woken.
    Page,
    /// Somebody looks at it in the morning.
    Ticket,
}

impl Severity {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

/// An alert. Several may share a name, and then a runbook.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) severity: Severity,
    /// The promise that it is about.
    pub(crate) slo: Option<String>,
    pub(crate) tier: Option<String>,
    /// The window that it looks at, where several of one name and severity look at different ones: without it they would be one
    /// series of `ALERTS`.
    pub(crate) window: Option<&'static str>,
    pub(crate) expression: String,
    /// How long it must hold, as Prometheus writes it; empty for no time.
    pub(crate) hold: &'static str,
    /// In one line; may use Prometheus' templates, so texts of the blueprint are put in by [`plain`].
    pub(crate) summary: String,
    /// Why the rule is as it is.
    pub(crate) comment: String,
    pub(crate) runbook: Runbook,
}

/// What a person does about an alert.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Runbook {
    pub(crate) meaning: String,
    /// Queries of Prometheus that show it.
    pub(crate) queries: Vec<String>,
    /// Commands that show it.
    pub(crate) commands: Vec<String>,
    /// What to do, in order.
    pub(crate) steps: Vec<String>,
    /// The team's own page about it.
    pub(crate) page: Option<String>,
}

impl Alert {
    /// The rule of Prometheus.
    pub(super) fn rule(&self, blueprint: &Blueprint, names: &Names) -> Value {
        let mut labels = json!({ "severity": self.severity.as_str(), "product": names.product });
        let (slo, tier) = (self.slo.as_deref(), self.tier.as_deref());
        for (label, value) in [("slo", slo), ("tier", tier), ("window", self.window)] {
            if let Some(value) = value {
                labels[label] = value.into();
            }
        }
        let base = plain(blueprint.runbooks_url.trim_end_matches('/'));
        let mut annotations = json!({
            "summary": self.summary,
            "runbook_url": format!("{base}/{}.md", self.name),
        });
        if let Some(page) = &self.runbook.page {
            annotations["team_page"] = plain(page).into();
        }
        let mut rule = json!({});
        if !self.comment.is_empty() {
            rule[COMMENT] = self.comment.as_str().into();
        }
        rule["alert"] = self.name.as_str().into();
        rule["expr"] = self.expression.as_str().into();
        if !self.hold.is_empty() {
            rule["for"] = self.hold.into();
        }
        rule["labels"] = labels;
        rule["annotations"] = annotations;
        rule
    }
}

/// A text that Prometheus' templates leave as it is.
pub(crate) fn plain(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}
