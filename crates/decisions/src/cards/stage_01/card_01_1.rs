use super::facts::{BUDGET_FIXED, TEAM_DRIVES};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, yes};
use crate::fact::{
    AUDIENCE_INTERNAL, COST_PER_REQUEST, COST_PER_REQUEST_TARGET, ERROR_RATE, ERROR_RATE_TARGET, TTFT_P95,
    TTFT_P95_TARGET,
};

pub(super) const CARD: Card = Card {
    id: "01.1",
    title: "What comes first",
    question: "Which requirements shape the design: features, targets, or money?",
    options: &[
        Choice {
            id: "slo_first",
            name: "Targets first",
            best_for: "products whose answers are worth less when they are late",
            gains: "the design is measured from the first day",
            costs: "targets have to be researched and load has to be tested early",
            apply: Apply {
                config: "[slo.ttft]\np95 = \"500ms\"\n[slo.errors]\nrate = \"0.1%\"\n[slo.cost]\nper_request = \"$0.005\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "cost_first",
            name: "Cost first",
            best_for: "internal tools with a ceiling",
            gains: "build or buy is decided early and does not hurt later",
            costs: "may leave no room to grow",
            apply: Apply { config: "[constraints]\nmonthly_budget = \"$50000\"\n", steps: &[] },
        },
        Choice {
            id: "features_first",
            name: "Features first",
            best_for: "products of which nobody knows yet what they are",
            gains: "the scope is bounded early",
            costs: "targets that come late cause rewrites",
            apply: Apply {
                config: "",
                steps: &[
                    "write [slo] as soon as the first users are there: three targets are enough to begin with",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "cost_first",
            when: &[yes(AUDIENCE_INTERNAL), yes(BUDGET_FIXED)],
            why: "an internal tool with a ceiling is decided by the ceiling",
        },
        Rule {
            choose: "slo_first",
            when: &[yes(TEAM_DRIVES)],
            why: "what is late is worth less, so the targets come first",
        },
        Rule {
            choose: "slo_first",
            when: &[above(TTFT_P95_TARGET, 0.0)],
            why: "the file sets a target for the first token: the design is held to it",
        },
    ],
    otherwise: Otherwise {
        choose: "features_first",
        why: "no target is written yet and nobody said that time or money decides",
    },
    premises: &[
        Premise {
            of: &["slo_first"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "the first token is later than promised: `mainstay decide --card 10.1` names the bottleneck",
        },
        Premise {
            of: &["slo_first"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "more requests fail than may: look at mainstay_turns_total by code and at `mainstay decide --card 06.3`",
        },
        Premise {
            of: &["cost_first", "slo_first"],
            holds: Condition::at_most_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0),
            otherwise: "a request costs more than it may: `mainstay decide --card 12.4` orders what makes it cheaper",
        },
        Premise {
            of: &["features_first"],
            holds: above(TTFT_P95_TARGET, 0.0),
            otherwise: "write the three targets to begin with: slo.ttft.p95, slo.errors.rate, slo.cost.per_request",
        },
    ],
    corrections: &[],
};
