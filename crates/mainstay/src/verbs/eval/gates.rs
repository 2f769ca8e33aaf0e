//! The targets of `slo.quality` that retrieval is held against.

use std::process::ExitCode;

use mainstay_evals::{Estimate, Measure, Measures};
use mainstay_planner::requirements::QualityTargets;
use serde::Serialize;

use super::retrieval::Retrieval;
use crate::terminal;

/// A target, and what was measured.
#[derive(Serialize, PartialEq, Debug)]
pub(super) struct Gate {
    /// The key of mainstay.toml.
    key: &'static str,
    pub(super) measure: &'static str,
    pub(super) target: f64,
    #[serde(flatten)]
    measured: Estimate,
    /// Whether the mean reaches the target.
    pub(super) met: bool,
    /// Whether the interval leaves the target out, so that other questions of this kind would say the same.
    certain: bool,
}

/// Each target that is set, with what was measured.
pub(super) fn gates(targets: &QualityTargets, measures: &Measures<Estimate>) -> Vec<Gate> {
    [
        ("slo.quality.recall_at_5", targets.recall_at_5, Measure::RecallAt5),
        ("slo.quality.recall_at_10", targets.recall_at_10, Measure::RecallAt10),
        ("slo.quality.ndcg_at_10", targets.ndcg_at_10, Measure::NdcgAt10),
        ("slo.quality.mrr_at_10", targets.mrr_at_10, Measure::MrrAt10),
    ]
    .into_iter()
    .filter_map(|(key, target, measure)| {
        Some(Gate::of(key, target?.as_f64(), measure, *measures.get(measure)))
    })
    .collect()
}

impl Gate {
    fn of(key: &'static str, target: f64, measure: Measure, measured: Estimate) -> Self {
        Self {
            key,
            measure: measure.name(),
            target,
            measured,
            met: measured.mean >= target,
            certain: target < measured.low || measured.high < target,
        }
    }

    /// What is said of a target that is missed.
    pub(super) fn shortfall(&self, questions: usize) -> String {
        let Estimate { mean, low, high } = self.measured;
        let certainty = if self.certain {
            "and the interval leaves it out: this is no chance".to_owned()
        } else {
            format!("but the interval contains it: with {questions} questions this may be chance")
        };
        format!(
            "{} is {mean:.3} ({low:.3}–{high:.3}), {:.3} below the target {} of {}, {certainty}",
            self.measure,
            self.target - mean,
            self.target,
            self.key,
        )
    }
}

/// Tells which targets are missed: then the verb ends with 1.
pub(super) fn verdict(results: &[Retrieval]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for one in results {
        for gate in one.gates.iter().filter(|gate| !gate.met) {
            terminal::complain(format_args!("{}: {}", one.set, gate.shortfall(one.questions)));
            code = ExitCode::from(1);
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortfall_says_which_by_how_much_and_how_surely() {
        let gate = |mean, low, high| {
            Gate::of("slo.quality.recall_at_10", 0.9, Measure::RecallAt10, Estimate { mean, low, high })
        };
        assert!(gate(0.95, 0.85, 0.99).met && gate(0.9, 0.8, 0.95).met);
        let sure = gate(0.8, 0.7, 0.85).shortfall(50);
        assert_eq!(
            sure,
            "recall@10 is 0.800 (0.700–0.850), 0.100 below the target 0.9 of slo.quality.recall_at_10, and the \
             interval leaves it out: this is no chance"
        );
        let unsure = gate(0.88, 0.8, 0.95).shortfall(50);
        assert!(unsure.ends_with("contains it: with 50 questions this may be chance"), "{unsure}");
    }
}
