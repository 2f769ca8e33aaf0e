//! What it costs: providers, a fleet of one's own, and what lies ahead.

use mainstay_economics::forecast::{Forecast, Own, Scenario, Step, Today, forecast};
use mainstay_economics::levers::{self, Pulled};
use mainstay_economics::{Demand, OwnFleet, People, enter as enter_costs};
use mainstay_formula::Sheet;
use serde::Serialize;

use super::Spec;
use super::capacity::Capacity;

/// Costs ahead.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Money {
    /// Month by month, in three scenarios; empty where no price is known.
    pub forecasts: Vec<Forecast>,
    /// What makes requests cheaper, the best return first; empty where no price is known.
    pub levers: Vec<Pulled>,
}

/// Months that are looked ahead where nobody says how many.
const HORIZON: u32 = 24;
/// How much less providers ask for the same quality after a year. The prices of models of one quality have fallen faster; a third is
/// cautious.
const PRICE_DECLINE: f64 = 0.33;

/// Enters the costs.
pub(super) fn enter(sheet: &mut Sheet, spec: &Spec<'_>, capacity: &Capacity) {
    let demand = Demand {
        requests_per_day: capacity.requests_per_day.clone(),
        input_tokens: capacity.input_tokens.clone(),
        output_tokens: capacity.output_tokens.clone(),
        cached_input: capacity.cached_input.clone(),
    };
    let fleet = own_fleet(sheet);
    let people = People {
        engineers: spec.planning.engineers,
        salary: spec.planning.engineer_salary.map(|salary| salary.as_dollars_lossy()),
    };
    enter_costs(sheet, &demand, spec.price, fleet.as_ref(), people);
}

/// The rows of the fleet, where one was sized.
fn own_fleet(sheet: &Sheet) -> Option<OwnFleet> {
    Some(OwnFleet {
        gpus: sheet.expr("sizing.gpus")?,
        hours_share: sheet.expr("autoscaling.hours_share")?,
        hourly: sheet.expr("sizing.gpu_price")?,
    })
}

impl Money {
    /// What lies ahead, from the numbers that the sheet has.
    pub(super) fn ahead(spec: &Spec<'_>, sheet: &Sheet) -> Self {
        let Some(api) = sheet.value("economics.api_per_month") else {
            return Self { forecasts: Vec::new(), levers: Vec::new() };
        };
        let levers = levers::pull(api, levers::usual());
        let today = Today {
            api,
            own: own(sheet),
            growth: sheet.value("traffic.growth_per_month").unwrap_or(0.0),
            price_decline: PRICE_DECLINE,
        };
        let budget = spec.constraints.monthly_budget.map(|budget| budget.as_dollars_lossy());
        let months = spec.planning.horizon_months.unwrap_or(HORIZON);
        let steps = steps(&levers);
        let ahead = |scenario| forecast(&today, scenario, &steps, months, budget);
        Self { forecasts: Scenario::ALL.map(ahead).into(), levers }
    }
}

/// One lever after the other, each in force when its weeks of work are over.
fn steps(levers: &[Pulled]) -> Vec<Step> {
    let mut weeks = 0.0;
    let steps = levers.iter().map(|pulled| {
        weeks += pulled.lever.weeks;
        Step {
            name: pulled.lever.name.to_owned(),
            month: 1 + (weeks * 7.0 / 30.0_f64).ceil() as u32,
            saving: pulled.lever.applies_to * pulled.lever.saves,
        }
    });
    steps.collect()
}

fn own(sheet: &Sheet) -> Option<Own> {
    let value = |name: &str| sheet.value(name);
    let each = value("sizing.gpus_per_replica")? * value("sizing.gpu_price")? * 24.0 * 30.0;
    Some(Own {
        replica: each * value("autoscaling.hours_share")?,
        replicas: value("sizing.replicas_exact")?,
        least: value("sizing.least_replicas")?,
        fixed: value("economics.fixed_per_month")? + value("economics.egress_per_month")?,
        setup: value("economics.setup")?,
    })
}
