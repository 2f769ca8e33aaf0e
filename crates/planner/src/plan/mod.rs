//! The plan: what the requirements come to, number by number.
//!
//! Every number is a row of one [`Sheet`], so `mainstay plan --explain NAME` can show it down to its inputs.

mod capacity;
mod contradictions;
mod fleet;
mod money;

use mainstay_economics::ApiPrice;
use mainstay_formula::{Sheet, Simulation};
use mainstay_traffic::arrivals::{Burst, Rates, Shape as Arrivals};

use crate::requirements::{Audience, Constraints, Planning, Shape, Slo, Traffic};
pub use contradictions::{Contradiction, FASTEST_BURN, Kind};
pub use fleet::{FleetPlan, Scaling, USUAL_MODEL};
pub use money::Money;

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Who uses the product.
    pub audience: Audience,
    /// What is aimed at.
    pub slo: &'a Slo,
    /// How much there is to serve.
    pub traffic: &'a Traffic,
    /// What no design may break.
    pub constraints: &'a Constraints,
    /// What the plan may choose from.
    pub planning: &'a Planning,
    /// Whether prompts carry passages of documents.
    pub with_passages: bool,
    /// Dimensions of the corpus's vectors.
    pub dimensions: u32,
    /// Providers that fail independently and that every assistant can fall back to; `None` where no model is called.
    pub independent_providers: Option<u32>,
    /// What the provider's model costs that would answer; `None` where its price is not known.
    pub price: Option<&'a ApiPrice>,
}

/// What the requirements come to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every number.
    pub sheet: Sheet,
    /// What many draws of the uncertain inputs made of them.
    pub simulation: Simulation,
    /// Requests in a second over a week, with the bursts that the file names.
    pub week: Rates,
    /// The same without bursts: what a schedule can know.
    pub usual_week: Rates,
    /// A fleet for a model of one's own; none where the catalogue has no such model.
    pub fleet: Option<FleetPlan>,
    /// Costs ahead.
    pub money: Money,
    /// Requirements that do not fit together.
    pub contradictions: Vec<Contradiction>,
}

/// Draws of a simulation: the 5 % quantile of a result is known to about a tenth of its distance from the median.
const DRAWS: usize = 4_000;
/// The same plan always has the same ranges.
const SEED: u64 = 2;

/// Plans. `None` where the spec does not say how much there is to serve.
pub fn plan(spec: &Spec<'_>) -> Option<Plan> {
    let shape = arrivals(spec);
    let week = shape.week(1.0);
    let peak = capacity::Peak {
        factor: week.peak_factor(),
        busy_share: 1.0 / week.sustained_factor(),
        why: format!("the shape of the load: {}", shape_of(spec).as_str()),
    };
    let mut sheet = Sheet::new();
    let capacity = capacity::enter(&mut sheet, spec.traffic, spec.audience, &peak, spec.with_passages)?;
    capacity::enter_storage(&mut sheet, &capacity, spec.planning, spec.dimensions);
    capacity::enter_streams(&mut sheet, &capacity, spec.slo);
    let usual_week = shape.week(sheet.value("capacity.average_requests_per_second")?);
    let week = with_bursts(&usual_week, spec.traffic.burst_requests_per_second);
    let fleet = fleet::enter(&mut sheet, spec, &capacity, &week, &usual_week);
    money::enter(&mut sheet, spec, &capacity);
    let simulation = sheet.simulate(DRAWS, SEED);
    let contradictions = contradictions::find(spec, &sheet, &simulation, fleet.as_ref());
    let money = Money::ahead(spec, &sheet);
    Some(Plan { sheet, simulation, week, usual_week, fleet, money, contradictions })
}

/// Minutes until a burst is at its height, and at it.
const BURST_MINUTES: (usize, usize) = (2, 15);

/// A week with a burst up to this rate in the busiest minute of every day: at the worst time there is.
fn with_bursts(usual: &Rates, most: Option<f64>) -> Rates {
    const DAY: usize = 1_440;
    let Some(most) = most else { return usual.clone() };
    let days = usual.per_minute.chunks(DAY).enumerate();
    days.fold(usual.clone(), |week, (day, rates)| {
        let busiest = rates.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((minute, rate)) = busiest.filter(|(_, rate)| **rate > 0.0 && **rate < most) else {
            return week;
        };
        let (ramp, lasts) = BURST_MINUTES;
        week.with(&Burst { minute: day * DAY + minute, ramp, lasts, factor: most / rate })
    })
}

/// What the file says of the load's shape, else what is usual for the audience.
fn shape_of(spec: &Spec<'_>) -> Shape {
    spec.traffic.shape.unwrap_or(match spec.audience {
        Audience::Consumer => Shape::ConsumerEvening,
        Audience::Enterprise | Audience::Internal => Shape::BusinessHours,
    })
}

fn arrivals(spec: &Spec<'_>) -> Arrivals {
    match shape_of(spec) {
        Shape::BusinessHours => Arrivals::BusinessHours,
        Shape::ConsumerEvening => Arrivals::ConsumerEvening,
        Shape::GlobalFlat => Arrivals::GlobalFlat,
    }
}

#[cfg(test)]
mod tests;
