//! What the product must hold and what is known of it: `[product]`, `[slo]`, `[sla]`, `[traffic]`, `[constraints]`,
//! `[consistency]`, `[planning]`, `[facts]` and `[decisions]` of `mainstay.toml`.
//!
//! Everything here can be measured. Of the seed's checklist (stage 1), functional requirements are what the other
//! sections configure, and what cannot be measured is refused.

mod consistency;
mod constraints;
mod decided;
mod planning;
mod product;
mod sla;
mod slo;
mod traffic;

pub use consistency::{Consistency, ConsistencyClass, RawConsistency};
pub use constraints::{Constraints, RawConstraints, is_region};
pub use decided::{Facts, Pin, RawPin, check_facts, tell};
pub use planning::{Engine, Planning, Precision, RawPlanning};
pub use product::{Audience, Product, RawProduct};
pub use sla::{RawSla, Sla};
pub use slo::{
    AvailabilityTarget, CostTarget, ErrorTarget, LatencyTargets, Percentile, QualityTargets, RawSlo, Slo,
    TierSlo,
};
pub use traffic::{RawTraffic, Shape, Traffic};

#[cfg(test)]
mod tests;
