//! One number down to its inputs.

use mainstay_domain::config::closest;
use mainstay_planner::Plan;
use serde_json::json;

use super::range;
use crate::terminal::{self, BadInput};

/// The swings that are shown: what comes after moves little.
const SWINGS: usize = 8;

/// Shows how a number comes about, where it may lie, and what moves it most.
pub(super) fn explain(plan: &Plan, name: &str, as_json: bool) -> anyhow::Result<()> {
    let (Some(explanation), Some(row)) = (plan.sheet.explain(name), plan.sheet.row(name)) else {
        return Err(BadInput(unknown(plan, name)).into());
    };
    let swings = plan.sheet.tornado(name);
    if as_json {
        let found = json!({ "explanation": explanation, "moved_by": swings });
        return Ok(terminal::say(format_args!("{found:#}"))?);
    }
    terminal::say(explanation.to_string().trim_end())?;
    let range = range(plan, row);
    if !range.is_empty() {
        terminal::say(format_args!("\nIn nine of ten draws of what is uncertain: {range}"))?;
    }
    if swings.is_empty() {
        return Ok(());
    }
    let mut table = terminal::table(&["what moves it most", "from", "to", "then from", "to"]);
    for swing in swings.iter().take(SWINGS) {
        let unit = plan.sheet.row(&swing.input).map_or(row.unit, |input| input.unit);
        table.add_row([
            swing.input.clone(),
            unit.show(swing.from),
            unit.show(swing.to),
            row.unit.show(swing.at_low),
            row.unit.show(swing.at_high),
        ]);
    }
    terminal::say(format_args!("\n{table}"))?;
    Ok(())
}

fn unknown(plan: &Plan, name: &str) -> String {
    let names = || plan.sheet.rows().iter().map(|row| row.name.as_str());
    match closest(name, names()) {
        Some(near) => format!("the plan has no number {name:?}: {near} is one"),
        None => format!("the plan has no number {name:?}: it has {}", names().collect::<Vec<_>>().join(", ")),
    }
}
