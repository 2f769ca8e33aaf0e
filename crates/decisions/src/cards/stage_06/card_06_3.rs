use super::facts::{FAILED_ATTEMPTS, IDEMPOTENT, PROVIDER_UPTIME};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, no};
use crate::fact::{AVAILABILITY_TARGET, BREAKER_OPENS, BREAKER_OSCILLATIONS, PROVIDERS};

pub(super) const CARD: Card = Card {
    id: "06.3",
    title: "When a call fails",
    question: "What happens when a provider fails?",
    options: &[
        Choice {
            id: "backoff",
            name: "Retries with backoff and jitter",
            best_for: "one provider, rare errors",
            gains: "spreads the load",
            costs: "each try costs time",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[reliability]\nattempts = 3\nbackoff = \"500ms\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "fallback",
            name: "Retries, breakers, and other providers that are warm",
            best_for: "a promise that one provider cannot keep",
            gains: "an outage is a slower first answer",
            costs: "a second contract, and answers that differ",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[providers.anthropic]\napi_key = \"env:ANTHROPIC_API_KEY\"\n[reliability]\nattempts = 3\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\nfallback = [\"anthropic/claude-3-5-haiku-latest\"]\nwarm_share = \"15%\"\n",
                steps: &["mainstay provider-sim stands in for an outage"],
            },
        },
        Choice {
            id: "none",
            name: "No repetition",
            best_for: "actions that must not happen twice",
            gains: "never done twice",
            costs: "every hiccup is seen",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[reliability]\nattempts = 1\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "none",
            when: &[no(IDEMPOTENT)],
            why: "what must not happen twice is not tried twice without a key that says so",
        },
        Rule {
            choose: "fallback",
            when: &[Condition::above_fact(AVAILABILITY_TARGET, PROVIDER_UPTIME, 1.0)],
            why: "more is promised than one provider gives",
        },
        Rule {
            choose: "fallback",
            when: &[at_least(PROVIDERS, 2.0)],
            why: "a second provider is there: let it stand in",
        },
        Rule {
            choose: "fallback",
            when: &[above(AVAILABILITY_TARGET, 0.999)],
            why: "no provider promises more than 99.9 %",
        },
    ],
    otherwise: Otherwise { choose: "backoff", why: "one provider and no promise beyond its own" },
    premises: &[
        Premise {
            of: &["backoff", "fallback"],
            holds: at_most(FAILED_ATTEMPTS, 0.2),
            otherwise: "a fifth of the calls fail: a provider is down or its limits are too low (mainstay_failed_attempts_total by code)",
        },
        Premise {
            of: &["fallback"],
            holds: at_most(BREAKER_OSCILLATIONS, 5.0),
            otherwise: "breakers swing: raise longest_recovery, or the provider is half broken in one region",
        },
        Premise {
            of: &["backoff"],
            holds: at_most(BREAKER_OPENS, 3.0),
            otherwise: "the breaker has opened more than three times: take a second provider (`fallback`)",
        },
    ],
    corrections: &[
        "Three providers at 99.5 % fail together .005³ of the time if they fail independently: 99.9999875 %. What is in front of them, and the time until a breaker opens, decide long before that.",
        "99.5 % of 30 days leaves 3.6 hours, as stated, and 99.9 % 43 minutes.",
        "15 % of 200 requests a second are 78 million a month: $389,000 at half a cent each, not $3,000. What the warm share adds is the difference of the two prices, and that may be nothing.",
        "The breaker in the card opens at the third failure of its life, because a success does not clear the others: 'consecutive' needs that.",
    ],
};
