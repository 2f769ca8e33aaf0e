use super::facts::{HAS_TRACE, SHED_SHARE};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::{MONTHLY_BUDGET, PEAK_FACTOR};

pub(super) const CARD: Card = Card {
    id: "02.1",
    title: "Estimating load",
    question: "How are requests, storage and bandwidth estimated?",
    options: &[
        Choice {
            id: "users",
            name: "From users",
            best_for: "before there is traffic",
            gains: "needs only what a product manager knows",
            costs: "wrong by a factor of two is fine, by ten is not",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 1_000_000\n",
                steps: &["mainstay plan --explain capacity.requests_per_day"],
            },
        },
        Choice {
            id: "measured",
            name: "From a trace",
            best_for: "a product that runs",
            gains: "the peak over the average is what it is",
            costs: "a trace of a week or more",
            apply: Apply {
                config: "[traffic]\nrequests_per_second = 70\nburst_requests_per_second = 210\n",
                steps: &["mainstay plan autoscaling --trace trace.csv"],
            },
        },
        Choice {
            id: "percentiles",
            name: "By percentile and range",
            best_for: "decisions where a factor of two matters",
            gains: "says how sure it is",
            costs: "ranges have to be thought about",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 1_000_000\ndaily_active_share = \"15%\"\n",
                steps: &["mainstay plan --html plan.html shows what moves each number most"],
            },
        },
    ],
    rules: &[
        Rule { choose: "measured", when: &[yes(HAS_TRACE)], why: "what was measured beats what is assumed" },
        Rule {
            choose: "percentiles",
            when: &[above(MONTHLY_BUDGET, 0.0)],
            why: "a budget is held to a range, not to a point",
        },
    ],
    otherwise: Otherwise {
        choose: "users",
        why: "there is no traffic yet: users, visits and requests are what is known",
    },
    premises: &[
        Premise {
            of: &["users", "percentiles"],
            holds: at_most(PEAK_FACTOR, 10.0),
            otherwise: "the peak is ten times the average: take a trace and buffer bursts in a queue",
        },
        Premise {
            of: &["users", "percentiles", "measured"],
            holds: at_most(SHED_SHARE, 0.01),
            otherwise: "one in a hundred requests is turned away: the estimate was too low, or limits.concurrency is",
        },
    ],
    corrections: &[
        "1 M monthly users × 3 sessions × 2 requests are not 6 M requests a day: 15 % of them come on a day, which makes .9 M, 10 a second on average and not 70.",
        "Streams in flight are requests a second times how long an answer takes, not times its first token: 70/s with 8 s are 560, not 35.",
    ],
};
