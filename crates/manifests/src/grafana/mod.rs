//! Dashboards of Grafana: operations, data, quality, product. Each looks at the metrics that Mainstay exports, with thresholds
//! from the promises.

mod boards;
mod panel;

use serde_json::{Value, json};

use crate::GeneratedFile;
use crate::blueprint::Blueprint;
use crate::grafana::panel::Panel;
use crate::names::Names;
use crate::naming::dns_label;

/// The version of Grafana's format of dashboards.
const SCHEMA: u32 = 39;

/// The width of a dashboard in Grafana's units.
const WIDTH: usize = 24;

/// One file per dashboard.
pub(crate) fn files(blueprint: &Blueprint, names: &Names) -> Vec<GeneratedFile> {
    [
        ("operations", "now-6h", boards::operations(blueprint, names)),
        ("data", "now-24h", boards::data(blueprint, names)),
        ("quality", "now-7d", boards::quality(blueprint, names)),
        ("product", "now-30d", boards::product(blueprint, names)),
    ]
    .into_iter()
    .map(|(board, since, panels)| GeneratedFile {
        path: format!("grafana/{board}.json"),
        text: format!("{:#}\n", dashboard(blueprint, names, board, since, &panels)),
    })
    .collect()
}

fn dashboard(blueprint: &Blueprint, names: &Names, board: &str, since: &str, panels: &[Panel]) -> Value {
    let mut places = Vec::new();
    let (mut x, mut y) = (0, 0);
    for (index, panel) in panels.iter().enumerate() {
        if x + panel.width > WIDTH {
            (x, y) = (0, y + panel::HEIGHT);
        }
        places.push(panel.json(index + 1, x, y));
        x += panel.width;
    }
    json!({
        // At most 40 characters, and the same at every writing: a dashboard is replaced and not added.
        "uid": dns_label(&format!("{}-{board}", names.product), 40),
        "title": format!("{}: {board}", blueprint.product),
        "tags": ["mainstay", names.product],
        "schemaVersion": SCHEMA,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": { "from": since, "to": "now" },
        "timezone": "browser",
        "templating": { "list": [{
            "name": "datasource",
            "label": "Prometheus",
            "type": "datasource",
            "query": "prometheus",
            "refresh": 1,
            "hide": 0,
        }] },
        "panels": places,
    })
}
