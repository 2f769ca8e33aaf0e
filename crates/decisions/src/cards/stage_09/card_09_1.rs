use super::facts::{BUDGET_LEFT, JOURNEYS, QUALITY_SCORE, QUALITY_TARGETED, SAMPLED};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, yes};
use crate::fact::{
    COST_PER_REQUEST, COST_PER_REQUEST_TARGET, ERROR_RATE, ERROR_RATE_TARGET, FAITHFULNESS_TARGET,
};

pub(super) const CARD: Card = Card {
    id: "09.1",
    title: "What is promised",
    question: "Beside latency, what is an objective?",
    options: &[
        Choice {
            id: "four",
            name: "Latency, errors, quality, cost",
            best_for: "products in production",
            gains: "none is bought with another",
            costs: "a judge, or people, for quality",
            apply: Apply {
                config: "[slo]\nttft.p95 = \"500ms\"\nerrors.rate = \"0.1%\"\ncost.per_request = \"$0.005\"\nquality.faithfulness = 0.82\n",
                steps: &["mainstay plan files --out deploy writes rules and alerts for each"],
            },
        },
        Choice {
            id: "latency_errors",
            name: "Latency and errors",
            best_for: "before there is a golden set",
            gains: "measured at once",
            costs: "a fast wrong answer keeps the promise",
            apply: Apply { config: "[slo]\nttft.p95 = \"500ms\"\nerrors.rate = \"0.1%\"\n", steps: &[] },
        },
        Choice {
            id: "outcomes",
            name: "What people finish",
            best_for: "mature products with measured journeys",
            gains: "closest to the business",
            costs: "hard to tell the model from the page",
            apply: Apply {
                config: "[slo]\nttft.p95 = \"500ms\"\nerrors.rate = \"0.1%\"\nquality.faithfulness = 0.85\n",
                steps: &[
                    "Mainstay takes no outcomes yet: keep them in the product's analytics beside the four",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "outcomes",
            when: &[yes(JOURNEYS), at_least(SAMPLED, 100.0)],
            why: "journeys are measured and quality is sampled: promise what people come for",
        },
        Rule {
            choose: "four",
            when: &[yes(QUALITY_TARGETED)],
            why: "quality is promised, so it is an objective",
        },
        Rule {
            choose: "four",
            when: &[above(FAITHFULNESS_TARGET, 0.0)],
            why: "the file sets a target for quality",
        },
        Rule {
            choose: "four",
            when: &[above(COST_PER_REQUEST_TARGET, 0.0)],
            why: "the file sets a target for cost, which quality must not pay for",
        },
    ],
    otherwise: Otherwise {
        choose: "latency_errors",
        why: "what can be measured today; a golden set makes it four",
    },
    premises: &[
        Premise {
            of: &["four", "outcomes"],
            holds: at_least(QUALITY_SCORE, 0.82),
            otherwise: "the weekly score is below .82: see what changed (`mainstay decide --card 12.2`), page below .75",
        },
        Premise {
            of: &["four", "latency_errors", "outcomes"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "more fails than may: mainstay_turns_total by code",
        },
        Premise {
            of: &["four"],
            holds: Condition::at_most_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0),
            otherwise: "a request costs more than it may: `mainstay decide --card 12.4`",
        },
        Premise {
            of: &["four", "latency_errors"],
            holds: at_least(BUDGET_LEFT, 0.2),
            otherwise: "four fifths of the error budget are spent: stop changes to the path of answers",
        },
    ],
    corrections: &[
        "'At 50 % burn rate, more than twice the expected' mixes a share of the budget with a rate. A burn of 1 spends the budget exactly in its period; alerts here are 14.4, 6, 3 and 1.",
        ".1 % of enterprise traffic is 10,000 answers a day only at 10 M requests a day; at a cent each that is $100, as stated.",
        "The code's budget of an error rate of .1 % is 99.9 % of the month: it takes from 1 what is the budget already.",
        "A cost per request over the average of a counter is no cost per request: both must be rates over the same time.",
    ],
};
