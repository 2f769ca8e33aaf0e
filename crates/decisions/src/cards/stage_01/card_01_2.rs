use super::facts::DAYS_LIVE;
use crate::card::{
    Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, below, no, yes,
};
use crate::fact::{
    AUDIENCE_ENTERPRISE, AWAITED, CASCADE_MODELS, COST_PER_REQUEST, COST_PER_REQUEST_TARGET, ERROR_RATE,
    ERROR_RATE_TARGET, FAITHFULNESS_TARGET, LATENCY_P95_TARGET, SEMANTIC_CACHE, SLA_TIERS, TTFT_P95,
    TTFT_P95_TARGET, TTFT_P99, TTFT_P99_TARGET,
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
                config: "[slo.ttft]\np95 = \"500ms\"\n[slo.errors]\nrate = \"0.1%\"\n[slo.cost]\nper_request = \"$0.005\"\n",
                steps: &[
                    "say of a latency for whom, at what, and against what: from the request's receipt to its first token",
                ],
            },
        },
        Choice {
            id: "p99",
            name: "p99 with an error rate",
            best_for: "premium customers and voice, where one slow answer in a hundred is remembered",
            gains: "the tail that heavy users meet every day is promised",
            costs: "room that is idle most of the time; slow paths have to be found one by one",
            apply: Apply {
                config: "[slo]\nttft.p99 = \"500ms\"\nerrors.rate = \"0.05%\"\navailability.monthly = \"99.95%\"\n",
                steps: &["a contract promises less than the target: 99.95 % aimed at, 99.9 % promised"],
            },
        },
        Choice {
            id: "per_tier",
            name: "Targets by tier, p99 for the highest",
            best_for: "contracts that differ by what customers pay",
            gains: "the dear tier is protected, the free one is cheap",
            costs: "alerts, dashboards and capacity by tier",
            apply: Apply {
                config: "[slo]\nttft.p95 = \"800ms\"\nerrors.rate = \"0.25%\"\ntiers.enterprise.ttft.p99 = \"500ms\"\ntiers.enterprise.errors.rate = \"0.05%\"\ntiers.free.ttft.p90 = \"2s\"\ntiers.free.errors.rate = \"1%\"\n",
                steps: &["only the tiers that pay wake somebody at night"],
            },
        },
        Choice {
            id: "median",
            name: "Median alone",
            best_for: "batch work that nobody waits for",
            gains: "simple to measure",
            costs: "hides every slow request",
            apply: Apply {
                config: "[slo.latency]\np50 = \"30s\"\n[slo.errors]\nrate = \"1%\"\n",
                steps: &[],
            },
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
        Choice {
            id: "provisional",
            name: "A loose target that is tightened",
            best_for: "the first month with users",
            gains: "nobody chases a number that was guessed",
            costs: "promises nothing yet",
            apply: Apply {
                config: "[slo.ttft]\np90 = \"1s\"\n[slo.errors]\nrate = \"1%\"\n",
                steps: &[
                    "after 30 days move to p95, with what was measured; until day 90 targets are provisional",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "per_tier",
            when: &[at_least(SLA_TIERS, 1.0)],
            why: "a contract is only as good as the target that warns before it breaks",
        },
        Rule { choose: "median", when: &[no(AWAITED)], why: "nobody waits, so nobody meets the tail" },
        Rule {
            choose: "median",
            when: &[above(LATENCY_P95_TARGET, 30000.0)],
            why: "nobody waits half a minute at a screen: this is batch work",
        },
        Rule {
            choose: "provisional",
            when: &[below(DAYS_LIVE, 30.0)],
            why: "before a month of real traffic a tight target is a guess",
        },
        Rule {
            choose: "p99",
            when: &[at_most(TTFT_P95_TARGET, 300.0)],
            why: "below 300 ms is what a voice needs, and there every slow answer is heard as a pause",
        },
        Rule {
            choose: "composite",
            when: &[above(FAITHFULNESS_TARGET, 0.0)],
            why: "quality is promised, so it is measured beside time and money",
        },
        Rule {
            choose: "composite",
            when: &[at_least(CASCADE_MODELS, 2.0)],
            why: "a cascade buys money with quality: only a target for each shows how much",
        },
        Rule {
            choose: "composite",
            when: &[yes(SEMANTIC_CACHE)],
            why: "answers to like questions are fast and free, and may be wrong: only a target for quality shows it",
        },
        Rule {
            choose: "p99",
            when: &[yes(AUDIENCE_ENTERPRISE)],
            why: "people who use it all day meet one in a hundred every day",
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
            of: &["p95_pair", "composite"],
            holds: at_most(TTFT_P99, 2000.0),
            otherwise: "one in a hundred waits more than two seconds for the first token, as long as people bear: a code path, not the load; look at cold starts, the cache's misses and long prompts, and leave the target",
        },
        Premise {
            of: &["p99"],
            holds: Condition::at_most_fact(TTFT_P99, TTFT_P99_TARGET, 1.0),
            otherwise: "p99 is missed: mainstay_time_to_first_token_seconds by model says whose tail it is",
        },
        Premise {
            of: &["p95_pair", "p99", "composite", "median", "per_tier"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "a fast system that fails is not reliable: mainstay_turns_total by code says why",
        },
        Premise {
            of: &["composite"],
            holds: Condition::at_most_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0),
            otherwise: "a request costs more than it may: `mainstay decide --card 12.4`",
        },
        Premise {
            of: &["provisional"],
            holds: at_most(DAYS_LIVE, 90.0),
            otherwise: "targets are provisional for ninety days: set them again from what was measured",
        },
    ],
    corrections: &[
        "Errors below .1 % under a contract of 99.9 %, and below .5 % under 99.5 %, are the same number twice: no buffer is \
         left. With half of it, .05 % and .25 %, the target warns before the contract breaks.",
        "The last 1,000 requests at 100 a second are the last ten seconds: they say nothing of a target for a month. Burn \
         rates over an hour and six hours do (14.4 and 6 times the budget).",
        "What fails before its first token is in no histogram of first tokens, so failures make p95 look better: one more \
         reason for the error rate beside it. A gauge of the cost of each request keeps the last one alone; a counter is needed.",
    ],
};
