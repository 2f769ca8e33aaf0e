use super::facts::{BUDGET_LEFT, DAYS_SINCE_CHAOS, DETECT_MINUTES, HAS_STAGING, ON_KUBERNETES};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_least, at_most, yes};
use crate::fact::AVAILABILITY_TARGET;

pub(super) const CARD: Card = Card {
    id: "09.4",
    title: "Experiments with faults",
    question: "Which failures are tried out, and where?",
    options: &[
        Choice {
            id: "stand_in",
            name: "Against stand-ins",
            best_for: "before launch, in every build",
            gains: "every fault, no risk",
            costs: "not the real network",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\n",
                steps: &["mainstay provider-sim --help", "docs/failures.md says what becomes of each fault"],
            },
        },
        Choice {
            id: "staging",
            name: "All four, monthly, in staging",
            best_for: "systems with a staging like production",
            gains: "the whole chain",
            costs: "staging is never quite production",
            apply: Apply {
                config: "",
                steps: &[
                    "kill a pod, slow the index, take the provider away, fill the GPU's memory; write down how long it took to notice",
                ],
            },
        },
        Choice {
            id: "production",
            name: "A little in production, in calm hours",
            best_for: "promises of three nines and more",
            gains: "the truth",
            costs: "a person ready to stop it",
            apply: Apply {
                config: "",
                steps: &[
                    "a quarter after staging has passed: one pod, then 100 ms of latency, then a provider",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "production",
            when: &[yes(HAS_STAGING), at_least(AVAILABILITY_TARGET, 0.999), at_least(BUDGET_LEFT, 0.5)],
            why: "three nines are promised, staging has passed, and half of the budget is left to try",
        },
        Rule { choose: "staging", when: &[yes(HAS_STAGING)], why: "there is a staging to break" },
        Rule { choose: "staging", when: &[yes(ON_KUBERNETES)], why: "a namespace is a staging" },
    ],
    otherwise: Otherwise {
        choose: "stand_in",
        why: "faults are tried against stand-ins first: it costs nothing",
    },
    premises: &[
        Premise {
            of: &["staging", "production"],
            holds: at_most(DAYS_SINCE_CHAOS, 31.0),
            otherwise: "the last experiment is more than a month ago",
        },
        Premise {
            of: &["staging", "production"],
            holds: at_most(DETECT_MINUTES, 5.0),
            otherwise: "it took more than five minutes to notice: an alert is missing",
        },
    ],
    corrections: &[
        "Experiments are monthly in staging in the text and every ten minutes in production in the file; the fourth, memory of the GPU, is missing there.",
    ],
};
