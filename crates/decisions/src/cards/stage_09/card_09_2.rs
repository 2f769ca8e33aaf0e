use super::facts::{SAFETY, SLOW_RECOVERY};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::{BREAKER_OPENS, BREAKER_OSCILLATIONS, PEAK_REQUESTS_PER_SECOND};

pub(super) const CARD: Card = Card {
    id: "09.2",
    title: "Breakers",
    question: "When is a failing dependency no longer called?",
    options: &[
        Choice {
            id: "hybrid",
            name: "A count or a rate, whichever is first",
            best_for: "most systems",
            gains: "quick at little traffic, calm at much",
            costs: "two thresholds",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[reliability.breaker]\nfailures = 3\nerror_rate = \"10%\"\nwindow = \"10s\"\nrecovery = \"60s\"\nprobes = 3\n",
                steps: &[],
            },
        },
        Choice {
            id: "aggressive",
            name: "At the second failure",
            best_for: "where a bad answer harms",
            gains: "nobody sees a degraded service",
            costs: "opens for nothing now and then",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[reliability.breaker]\nfailures = 2\nerror_rate = \"5%\"\nwindow = \"10s\"\nrecovery = \"60s\"\nprobes = 3\n",
                steps: &[],
            },
        },
        Choice {
            id: "conservative",
            name: "At a rate over a longer window",
            best_for: "a thousand requests a second",
            gains: "bursts do not open it",
            costs: "some fail before it opens",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[reliability.breaker]\nfailures = 10\nerror_rate = \"20%\"\nwindow = \"30s\"\nrecovery = \"60s\"\nprobes = 3\n",
                steps: &[],
            },
        },
        Choice {
            id: "slow",
            name: "With a long rest",
            best_for: "providers that come back slowly",
            gains: "does not hammer what is waking up",
            costs: "minutes without it",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[reliability.breaker]\nfailures = 3\nerror_rate = \"10%\"\nwindow = \"10s\"\nrecovery = \"5m\"\nlongest_recovery = \"15m\"\nprobes = 3\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "aggressive",
            when: &[yes(SAFETY)],
            why: "a degraded answer harms somebody: fail at once",
        },
        Rule { choose: "slow", when: &[yes(SLOW_RECOVERY)], why: "the provider takes minutes to come back" },
        Rule {
            choose: "conservative",
            when: &[above(PEAK_REQUESTS_PER_SECOND, 100.0), above(BREAKER_OSCILLATIONS, 3.0)],
            why: "at so much traffic a burst of errors has opened it for nothing",
        },
    ],
    otherwise: Otherwise {
        choose: "hybrid",
        why: "a count is quick where there is little traffic, a rate is calm where there is much",
    },
    premises: &[
        Premise {
            of: &["hybrid", "aggressive", "conservative", "slow"],
            holds: at_most(BREAKER_OSCILLATIONS, 3.0),
            otherwise: "breakers open again soon after they closed: longer recovery, or another provider",
        },
        Premise {
            of: &["hybrid", "aggressive", "slow"],
            holds: at_most(BREAKER_OPENS, 12.0),
            otherwise: "breakers have opened more than a dozen times: talk to the provider, or take another",
        },
    ],
    corrections: &[
        "At 100 requests a second a share of 10 % in 10 s is 100 failures; at one a second it is one. So a rate needs a least number of calls (min_calls), which the card leaves out.",
    ],
};
