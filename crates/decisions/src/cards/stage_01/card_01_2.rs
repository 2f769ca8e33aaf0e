use super::facts::{CONTRACTS, DAYS_LIVE};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most};
use crate::fact::{
    ERROR_RATE, ERROR_RATE_TARGET, FAITHFULNESS_TARGET, LATENCY_P95_TARGET, TTFT_P95, TTFT_P95_TARGET,
    TTFT_P99,
};

pub(super) const CARD: Card = Card {
    id: "01.2",
    title: "Which targets",
    question: "At which percentile, and for whom, are targets set?",
    options: &[
        Choice {
            id: "p95_pair",
            name: "p95 with an error rate",
            best_for: "interactive products",
            gains: "covers the tail where people leave, at a bearable price",
            costs: "one in twenty may still wait",
            apply: Apply {
                config: "[slo.ttft]\np95 = \"500ms\"\n[slo.errors]\nrate = \"0.1%\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "per_tier",
            name: "Targets by tier, p99 for the highest",
            best_for: "contracts that differ by what customers pay",
            gains: "the dear tier is protected, the free one is cheap",
            costs: "alerts, dashboards and capacity by tier",
            apply: Apply {
                config: "[slo]\nttft.p95 = \"800ms\"\nerrors.rate = \"0.5%\"\ntiers.enterprise.ttft.p99 = \"500ms\"\ntiers.enterprise.errors.rate = \"0.1%\"\ntiers.free.ttft.p90 = \"2s\"\ntiers.free.errors.rate = \"1%\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "median",
            name: "Median alone",
            best_for: "batch work that nobody waits for",
            gains: "simple to measure",
            costs: "hides every slow request",
            apply: Apply { config: "[slo.latency]\np50 = \"30s\"\n", steps: &[] },
        },
        Choice {
            id: "composite",
            name: "Quality and cost beside latency",
            best_for: "products where a fast wrong answer is no answer",
            gains: "none of them can be bought with another",
            costs: "needs a golden set",
            apply: Apply {
                config: "[slo]\nttft.p95 = \"500ms\"\nerrors.rate = \"0.1%\"\ncost.per_request = \"$0.005\"\nquality.faithfulness = 0.85\n",
                steps: &["mainstay eval retrieval GOLDEN checks what can be checked without a judge"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "per_tier",
            when: &[at_least(CONTRACTS, 1.0)],
            why: "a contract is only as good as the target that warns before it breaks",
        },
        Rule {
            choose: "composite",
            when: &[above(FAITHFULNESS_TARGET, 0.0)],
            why: "quality is promised, so it is measured beside time and money",
        },
        Rule {
            choose: "median",
            when: &[above(LATENCY_P95_TARGET, 30000.0)],
            why: "nobody waits half a minute at a screen: this is batch work",
        },
    ],
    otherwise: Otherwise {
        choose: "p95_pair",
        why: "for people who wait, p95 and an error rate are enough to begin with",
    },
    premises: &[
        Premise {
            of: &["p95_pair", "per_tier", "composite"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "p95 is missed: find the slow path before moving the target",
        },
        Premise {
            of: &["p95_pair", "per_tier", "composite"],
            holds: at_most(TTFT_P99, 4000.0),
            otherwise: "one in a hundred waits more than four seconds for the first token: a code path, not the load; look at cold starts and long prompts",
        },
        Premise {
            of: &["p95_pair", "composite", "median"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "a fast system that fails is not reliable: the error rate is missed",
        },
        Premise {
            of: &["p95_pair", "per_tier"],
            holds: at_most(DAYS_LIVE, 90.0),
            otherwise: "targets are provisional for ninety days: set them again from what was measured",
        },
    ],
    corrections: &[],
};
