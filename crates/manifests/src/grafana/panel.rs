//! One panel.

use serde_json::{Value, json};

/// The height of every panel in Grafana's units.
pub(super) const HEIGHT: usize = 8;

/// A panel: what it is called, what it asks, and where its colours change.
pub(super) struct Panel {
    kind: &'static str,
    title: String,
    description: String,
    unit: &'static str,
    /// Queries and the legends of their series.
    targets: Vec<(String, String)>,
    thresholds: Option<Thresholds>,
    pub(super) width: usize,
}

/// Where good ends.
#[derive(Clone, Copy)]
enum Thresholds {
    /// Bad from here on.
    Above(f64),
    /// Bad below this.
    Below(f64),
}

impl Panel {
    /// Series over time.
    pub(super) fn series(title: impl Into<String>, unit: &'static str) -> Self {
        Self {
            kind: "timeseries",
            title: title.into(),
            description: String::new(),
            unit,
            targets: Vec::new(),
            thresholds: None,
            width: 12,
        }
    }

    /// One number.
    pub(super) fn number(title: impl Into<String>, unit: &'static str) -> Self {
        Self { kind: "stat", width: 6, ..Self::series(title, unit) }
    }

    /// A query; `legend` may name labels as `{{label}}`.
    pub(super) fn query(mut self, expression: impl Into<String>, legend: impl Into<String>) -> Self {
        self.targets.push((expression.into(), legend.into()));
        self
    }

    /// What a reader should know.
    pub(super) fn note(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Red from `limit` on.
    pub(super) fn bad_above(mut self, limit: f64) -> Self {
        self.thresholds = Some(Thresholds::Above(limit));
        self
    }

    /// Red below `limit`.
    pub(super) fn bad_below(mut self, limit: f64) -> Self {
        self.thresholds = Some(Thresholds::Below(limit));
        self
    }

    /// The panel as Grafana stores it.
    pub(super) fn json(&self, id: usize, x: usize, y: usize) -> Value {
        let source = json!({ "type": "prometheus", "uid": "${datasource}" });
        let targets: Vec<_> = self
            .targets
            .iter()
            .enumerate()
            .map(|(index, (expression, legend))| {
                json!({
                    "refId": reference(index),
                    "datasource": source,
                    "expr": expression,
                    "legendFormat": legend,
                    "instant": self.kind == "stat",
                    "range": self.kind != "stat",
                })
            })
            .collect();
        let mut defaults = json!({ "unit": self.unit, "thresholds": self.steps() });
        if self.thresholds.is_some() {
            defaults["color"] =
                json!({ "mode": if self.kind == "stat" { "thresholds" } else { "palette-classic" } });
            if self.kind == "timeseries" {
                defaults["custom"] = json!({ "thresholdsStyle": { "mode": "line" } });
            }
        }
        json!({
            "id": id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": source,
            "gridPos": { "x": x, "y": y, "w": self.width, "h": HEIGHT },
            "fieldConfig": { "defaults": defaults, "overrides": [] },
            "options": {},
            "targets": targets,
        })
    }

    fn steps(&self) -> Value {
        let steps = match self.thresholds {
            None => json!([{ "color": "green", "value": null }]),
            Some(Thresholds::Above(limit)) => {
                json!([{ "color": "green", "value": null }, { "color": "red", "value": limit }])
            }
            Some(Thresholds::Below(limit)) => {
                json!([{ "color": "red", "value": null }, { "color": "green", "value": limit }])
            }
        };
        json!({ "mode": "absolute", "steps": steps })
    }
}

/// Grafana's names of queries: A, B, …
fn reference(index: usize) -> String {
    let letter = u8::try_from(index % 26).unwrap_or_default();
    char::from(b'A' + letter).to_string()
}
