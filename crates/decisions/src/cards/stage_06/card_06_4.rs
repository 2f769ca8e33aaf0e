use super::facts::{REDUCED, REGULATED, SERVICE_SWINGS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, at_most, yes};
use crate::fact::{AVAILABILITY_TARGET, CASCADE_MODELS, ERROR_RATE, ERROR_RATE_TARGET};

pub(super) const CARD: Card = Card {
    id: "06.4",
    title: "Degradation",
    question: "What is offered while something fails?",
    options: &[
        Choice {
            id: "automatic",
            name: "Three levels, switched by themselves",
            best_for: "products with a second model or documents",
            gains: "degrades in seconds, recovers slowly, says so",
            costs: "levels have to be tried out",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[service]\nautomatic = true\ncontact = \"support@example.com\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o\"\nreduced_model = \"openai/gpt-4o-mini\"\n",
                steps: &["mainstay provider-sim --help: faults to try it with"],
            },
        },
        Choice {
            id: "manual",
            name: "Levels that people switch",
            best_for: "regulated answers",
            gains: "nobody is surprised",
            costs: "minutes until somebody does",
            apply: Apply {
                config: "[service]\nautomatic = false\ncontact = \"support@example.com\"\n",
                steps: &["POST /admin/service switches a level"],
            },
        },
        Choice {
            id: "errors",
            name: "Errors that say when to come back",
            best_for: "programs that can wait",
            gains: "never a worse answer",
            costs: "nothing is answered",
            apply: Apply {
                config: "[service]\nautomatic = false\n",
                steps: &["callers get 503 with Retry-After"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "manual",
            when: &[yes(REGULATED)],
            why: "what is said without the model is regulated: a person decides when it is said",
        },
        Rule {
            choose: "automatic",
            when: &[at_least(AVAILABILITY_TARGET, 0.995)],
            why: "the promise is kept by answering something, at once",
        },
        Rule {
            choose: "automatic",
            when: &[at_least(CASCADE_MODELS, 2.0)],
            why: "a smaller model is there: it answers while the large one cannot",
        },
    ],
    otherwise: Otherwise {
        choose: "errors",
        why: "no promise and no second model: an honest error is better than a bad answer",
    },
    premises: &[
        Premise {
            of: &["automatic"],
            holds: at_most(REDUCED, 0.0),
            otherwise: "the service is reduced now: look at mainstay_breaker_state and mainstay_backpressure_level",
        },
        Premise {
            of: &["automatic"],
            holds: at_most(SERVICE_SWINGS, 3.0),
            otherwise: "the level swings: a provider is half up; switch by hand until it is whole",
        },
        Premise {
            of: &["errors"],
            holds: Condition::at_most_fact(ERROR_RATE, ERROR_RATE_TARGET, 1.0),
            otherwise: "too many requests fail: give the assistant a reduced_model",
        },
    ],
    corrections: &[
        "Above 90 % of the GPUs the table and the code go to the emergency, the text to the smaller model. Here the smaller model comes first, and the emergency when no provider answers.",
        "A function of this moment's load has no hysteresis, which the text below it asks for: here it falls at once and recovers slowly.",
    ],
};
