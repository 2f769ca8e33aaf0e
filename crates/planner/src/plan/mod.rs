//! The plan: what the requirements come to, number by number.
//!
//! Every number is a row of one [`Sheet`], so `mainstay plan --explain NAME` can show it down to its inputs.

mod capacity;
mod contradictions;

use mainstay_formula::{Sheet, Simulation};

use crate::requirements::{Audience, Constraints, Planning, Sla, Slo, Traffic};
pub use contradictions::{Contradiction, FASTEST_BURN, Kind};

/// What a plan is made from.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Who uses the product.
    pub audience: Audience,
    /// What is aimed at.
    pub slo: &'a Slo,
    /// What is promised.
    pub sla: &'a Sla,
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
}

/// What the requirements come to.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every number.
    pub sheet: Sheet,
    /// What many draws of the uncertain inputs made of them.
    pub simulation: Simulation,
    /// Requirements that do not fit together.
    pub contradictions: Vec<Contradiction>,
}

/// Draws of a simulation: the 5 % quantile of a result is known to about a tenth of its distance from the median.
const DRAWS: usize = 4_000;
/// The same plan always has the same ranges.
const SEED: u64 = 2;

/// Plans. `None` where the spec does not say how much there is to serve.
pub fn plan(spec: &Spec<'_>) -> Option<Plan> {
    let mut sheet = Sheet::new();
    let peak =
        capacity::Peak { factor: 3.0, busy_share: 0.5, why: "three times the average, usual".to_owned() };
    let capacity = capacity::enter(&mut sheet, spec.traffic, spec.audience, &peak, spec.with_passages)?;
    capacity::enter_storage(&mut sheet, &capacity, spec.planning, spec.dimensions);
    capacity::enter_streams(&mut sheet, &capacity, spec.slo);
    let simulation = sheet.simulate(DRAWS, SEED);
    let contradictions = contradictions::find(spec, &sheet, &simulation);
    Some(Plan { sheet, simulation, contradictions })
}

#[cfg(test)]
mod tests;
