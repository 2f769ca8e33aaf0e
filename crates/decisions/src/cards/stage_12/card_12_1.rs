use super::facts::{BUSINESS, GOLDEN_DAILY, REGENERATION, SCRAPED};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{FAITHFULNESS_TARGET, INDEX_LAG, STALENESS_TARGET};

pub(super) const CARD: Card = Card {
    id: "12.1",
    title: "What is watched",
    question: "Which layers are measured?",
    options: &[
        Choice {
            id: "infrastructure",
            name: "The system",
            best_for: "the first weeks",
            gains: "outages are seen in minutes",
            costs: "worse answers are not",
            apply: Apply {
                config: "",
                steps: &["mainstay plan files --out deploy writes rules, alerts and the operations board"],
            },
        },
        Choice {
            id: "with_data",
            name: "The system and its data",
            best_for: "products with changing documents",
            gains: "a stale index is seen",
            costs: "worse answers are not",
            apply: Apply {
                config: "[slo.freshness]\nstaleness = \"60s\"\n",
                steps: &[
                    "the data board: mainstay_index_lag_seconds, mainstay_quarantined_chunks, cache hits",
                ],
            },
        },
        Choice {
            id: "with_quality",
            name: "System, data and answers",
            best_for: "products in production",
            gains: "a worse model is seen",
            costs: "a golden set and a judge",
            apply: Apply {
                config: "[slo.quality]\nfaithfulness = 0.82\n[slo.freshness]\nstaleness = \"60s\"\n",
                steps: &["run `mainstay eval retrieval GOLDEN` every two hours in the pipeline"],
            },
        },
        Choice {
            id: "all",
            name: "All four, with what people do",
            best_for: "products that earn money",
            gains: "what matters is seen",
            costs: "analytics to keep",
            apply: Apply {
                config: "[slo.quality]\nfaithfulness = 0.82\n[slo.freshness]\nstaleness = \"60s\"\n[attribution]\nrequire = [\"team\", \"feature\"]\n",
                steps: &["join the ledger's features with the product's analytics"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "all",
            when: &[yes(BUSINESS), at_least(GOLDEN_DAILY, 1.0)],
            why: "what people do is measured, and so are answers",
        },
        Rule {
            choose: "with_quality",
            when: &[at_least(GOLDEN_DAILY, 1.0)],
            why: "answers are measured every day",
        },
        Rule {
            choose: "with_quality",
            when: &[above(FAITHFULNESS_TARGET, 0.0)],
            why: "quality is a target, so it is watched",
        },
        Rule {
            choose: "with_data",
            when: &[above(STALENESS_TARGET, 0.0)],
            why: "freshness is a target, so data is watched",
        },
    ],
    otherwise: Otherwise { choose: "infrastructure", why: "begin with what wakes somebody, then go up" },
    premises: &[
        Premise {
            of: &["infrastructure", "with_data", "with_quality", "all"],
            holds: yes(SCRAPED),
            otherwise: "nobody collects the metrics: `mainstay plan files --out deploy`, then scrape /metrics",
        },
        Premise {
            of: &["with_quality", "all"],
            holds: at_least(GOLDEN_DAILY, 1.0),
            otherwise: "the golden set has not run today",
        },
        Premise {
            of: &["with_data", "with_quality", "all"],
            holds: Condition::at_most_fact(INDEX_LAG, STALENESS_TARGET, 2.0),
            otherwise: "documents are twice as late as promised",
        },
        Premise {
            of: &["all"],
            holds: at_most(REGENERATION, 0.1),
            otherwise: "one answer in ten is asked for again",
        },
    ],
    corrections: &[
        "Somebody is woken below .75 in card 9.1, .70 here and .77 in card 12.2. One number, and hysteresis.",
        "'Page for symptoms' and 'any open breaker pages' (card 9.2) contradict each other. Here a breaker is a ticket, and only all of them page.",
    ],
};
