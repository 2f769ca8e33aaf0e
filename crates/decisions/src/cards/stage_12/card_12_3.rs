use super::facts::{FORECAST_MISS, MONTHLY_GROWTH, MONTHS_OF_DATA, TAGGED};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, below};
use crate::fact::MONTHLY_BUDGET;

pub(super) const CARD: Card = Card {
    id: "12.3",
    title: "Forecasts of cost",
    question: "How is the cost of the coming months known?",
    options: &[
        Choice {
            id: "bottom_up",
            name: "From users to tokens",
            best_for: "a first forecast",
            gains: "names what drives it",
            costs: "as good as its assumptions",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 100_000\ngrowth_per_month = \"5%\"\n",
                steps: &["mainstay plan --html plan.html"],
            },
        },
        Choice {
            id: "scenarios",
            name: "Three of them, with ranges",
            best_for: "budgets, boards",
            gains: "says how sure it is",
            costs: "three numbers instead of one",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 100_000\ngrowth_per_month = \"15%\"\n[constraints]\nmonthly_budget = \"$50000\"\n",
                steps: &[
                    "mainstay plan shows bear, base and bull, and the month in which the budget is gone",
                ],
            },
        },
        Choice {
            id: "by_feature",
            name: "From the ledger, by team and feature",
            best_for: "months of costs",
            gains: "who drives it is known",
            costs: "every request has to say its team",
            apply: Apply {
                config: "[attribution]\nrequire = [\"team\", \"feature\"]\n[budgets.each-team]\nlimit = \"$2000\"\nper = \"month\"\nfor_each = \"team\"\n",
                steps: &["mainstay budget list"],
            },
        },
        Choice {
            id: "linear",
            name: "A line",
            best_for: "a level load",
            gains: "at once",
            costs: "misses everything new",
            apply: Apply { config: "", steps: &["mainstay budget list shows what a month costs"] },
        },
    ],
    rules: &[
        Rule {
            choose: "by_feature",
            when: &[at_least(MONTHS_OF_DATA, 3.0), at_least(TAGGED, 0.9)],
            why: "three months of costs say which feature drives them",
        },
        Rule {
            choose: "scenarios",
            when: &[above(MONTHLY_BUDGET, 0.0)],
            why: "a budget is held against a range",
        },
        Rule {
            choose: "scenarios",
            when: &[at_least(MONTHLY_GROWTH, 0.1)],
            why: "at a tenth a month a line is wrong after three",
        },
        Rule {
            choose: "linear",
            when: &[below(MONTHLY_GROWTH, 0.02), at_least(MONTHS_OF_DATA, 3.0)],
            why: "the load is level and its cost is known",
        },
    ],
    otherwise: Otherwise {
        choose: "bottom_up",
        why: "users, visits, tokens and prices are known before anything else",
    },
    premises: &[
        Premise {
            of: &["bottom_up", "scenarios", "by_feature", "linear"],
            holds: at_most(FORECAST_MISS, 0.25),
            otherwise: "the last forecast was a quarter off: see which input was wrong (`mainstay plan --explain economics.api_per_month`)",
        },
        Premise {
            of: &["by_feature"],
            holds: at_least(TAGGED, 0.9),
            otherwise: "a tenth of the cost belongs to nobody: attribution.require",
        },
    ],
    corrections: &[
        "Savings multiply: a cache that answers 30 % and a cascade that saves 40 % of 60 % of the rest leave .7 × .76 = 53 %, not 100 − 30 − 40 = 30 %.",
        "Growth of 15 % a month is 5.4 times in a year and 30 % is 23 times: bull is not twice base.",
    ],
};
