use super::facts::ASYNC_OK;
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_least, at_most, below, yes};
use crate::fact::{BACKPRESSURE, REQUESTS_WAITING, SHED_SHARE, TIERS, TTFT_P95_TARGET};

pub(super) const CARD: Card = Card {
    id: "10.3",
    title: "Backpressure",
    question: "What happens when more comes than can be served?",
    options: &[
        Choice {
            id: "shed",
            name: "The lowest tier is turned away",
            best_for: "contracts",
            gains: "the promise to those who pay holds",
            costs: "some are told to come back",
            apply: Apply {
                config: "[limits]\nconcurrency = 200\nlongest_wait = \"2s\"\n[limits.tiers.enterprise]\npriority = 1\n[limits.tiers.free]\npriority = 2\nmax_waiting = 20\nupgrade_url = \"https://example.com/pricing\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "queue",
            name: "Everybody waits a little",
            best_for: "callers that can wait",
            gains: "nobody is turned away",
            costs: "a wait that grows unseen",
            apply: Apply {
                config: "[limits]\nconcurrency = 200\nmax_waiting = 5000\nlongest_wait = \"2m\"\n[limits.tiers.free]\npriority = 2\nannounces_place = true\n",
                steps: &[],
            },
        },
        Choice {
            id: "signal",
            name: "A signal and an early refusal",
            best_for: "tight targets",
            gains: "no work for answers that come too late",
            costs: "callers must listen",
            apply: Apply {
                config: "[limits]\nconcurrency = 200\nadaptive = true\nlongest_wait = \"1s\"\n",
                steps: &["answers carry X-Backpressure-Level"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "shed",
            when: &[at_least(TIERS, 2.0)],
            why: "there are tiers: the last one waits first",
        },
        Rule { choose: "queue", when: &[yes(ASYNC_OK)], why: "callers can wait for minutes" },
        Rule {
            choose: "signal",
            when: &[below(TTFT_P95_TARGET, 1000.0)],
            why: "whoever waits a second has missed the target already: say so at once",
        },
    ],
    otherwise: Otherwise {
        choose: "queue",
        why: "without tiers and tight targets a bounded wait is kindest",
    },
    premises: &[
        Premise {
            of: &["shed", "queue", "signal"],
            holds: at_most(BACKPRESSURE, 1.0),
            otherwise: "the level is high: more capacity, or a smaller model while it lasts",
        },
        Premise {
            of: &["queue"],
            holds: at_most(REQUESTS_WAITING, 500.0),
            otherwise: "more than five hundred wait: they will not be answered in time",
        },
        Premise {
            of: &["shed", "signal"],
            holds: at_most(SHED_SHARE, 0.05),
            otherwise: "one in twenty is turned away",
        },
    ],
    corrections: &[
        "A gateway that turns a 503 of the inference into a queue must bound it by the deadline: a request whose caller has gone is no work.",
        "A breaker that opens and is answered by a second provider is no pressure: setting the level to 100 % would turn callers away from what works.",
    ],
};
