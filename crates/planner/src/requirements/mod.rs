//! What the product must hold: `[product]`, `[slo]`, `[traffic]` and `[constraints]` of `mainstay.toml`.
//!
//! Everything here can be measured. Of the seed's checklist (stage 1), functional requirements are what the other
//! sections configure, and what cannot be measured is refused.

mod constraints;
mod product;
mod slo;
mod traffic;

pub use constraints::{Constraints, RawConstraints, is_region};
pub use product::{Audience, Product, RawProduct};
pub use slo::{
    AvailabilityTarget, CostTarget, ErrorTarget, LatencyTargets, Percentile, QualityTargets, RawSlo, Slo,
    TierSlo,
};
pub use traffic::{RawTraffic, Traffic};

#[cfg(test)]
mod tests;
