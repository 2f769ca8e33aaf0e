//! The budgets of the configuration, with what the ledger says was spent of them.

use std::sync::Arc;

use mainstay_domain::{Clock, NanoUsd};
use mainstay_ops::Budgets;
use mainstay_ops::budgets::{Attribute, Period};
use mainstay_store::StorageError;
use mainstay_store::ledger::{Dimension, HistoryFilter, HistoryScope, TurnHistory};

use crate::config::Checked;

/// The budgets as they stand now.
pub(super) async fn open_budgets(
    config: &Checked,
    history: &dyn TurnHistory,
    clock: Clock,
) -> Result<Arc<Budgets>, StorageError> {
    let budgets = Budgets::new(config.budgets.values().cloned().collect(), clock);
    if !budgets.is_empty() {
        // What the last run left in the journal was spent too.
        history.settle().await?;
    }
    for (at, budget) in budgets.settings().iter().enumerate() {
        let from = (budget.period != Period::Total).then(|| budget.period.start(clock.now()));
        let filter = HistoryFilter { from, ..HistoryFilter::all(HistoryScope::Everyone) };
        let told_apart_by = budget.for_each.or(budget.only.first().map(|(attribute, _)| *attribute));
        let Some(attribute) = told_apart_by else {
            budgets.restore(at, None, history.totals(&filter).await?.cost);
            continue;
        };
        for (value, totals) in history.totals_by(&filter, dimension_of(attribute)).await? {
            let value = value.unwrap_or_default();
            let is_for_one = budget.only.first().is_some_and(|(_, only)| *only == value);
            if totals.cost > NanoUsd::ZERO && (budget.for_each.is_some() || is_for_one) {
                budgets.restore(at, budget.for_each.is_some().then_some(value), totals.cost);
            }
        }
    }
    Ok(budgets)
}

const fn dimension_of(attribute: Attribute) -> Dimension {
    match attribute {
        Attribute::Tenant => Dimension::Tenant,
        Attribute::Key => Dimension::Key,
        Attribute::Assistant => Dimension::Assistant,
        Attribute::Team => Dimension::Team,
        Attribute::Feature => Dimension::Feature,
    }
}
