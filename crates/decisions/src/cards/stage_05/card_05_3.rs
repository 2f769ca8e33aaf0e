use super::facts::{EASY_SHARE, INTENT_ACCURACY, INTENT_LABELS, REGENERATED};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, below};
use crate::fact::{ESCALATED_SHARE, REQUESTS_PER_SECOND};

pub(super) const CARD: Card = Card {
    id: "05.3",
    title: "Cascade",
    question: "Which model is asked first?",
    options: &[
        Choice {
            id: "single",
            name: "One model",
            best_for: "few requests, or all of a kind",
            gains: "nothing to route",
            costs: "everything at one price",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "gate",
            name: "Cheapest first, with a gate",
            best_for: "no labels, answers whose quality shows",
            gains: "works at once",
            costs: "hard questions are answered twice",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\ncascade = [\"openai/gpt-4o-mini\", \"openai/gpt-4o\"]\n",
                steps: &[],
            },
        },
        Choice {
            id: "intents",
            name: "By intent",
            best_for: "known kinds of questions, with labels",
            gains: "microseconds, explicit, auditable",
            costs: "labels, and again for new kinds",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\ncascade = [\"openai/gpt-4o-mini\", \"openai/gpt-4o\"]\n",
                steps: &[
                    "mainstay train intent labels.csv --out intents.json, then routing.intents_file = \"intents.json\"",
                ],
            },
        },
        Choice {
            id: "rules",
            name: "By rules",
            best_for: "words and lengths that tell",
            gains: "nothing to train",
            costs: "length is not difficulty",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\ncascade = [\"openai/gpt-4o-mini\", \"openai/gpt-4o\"]\n[assistants.support.routing.rules.long]\nwords = [\"explain\", \"compare\"]\nlonger_than_words = 60\nstart = \"openai/gpt-4o\"\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "intents",
            when: &[at_least(INTENT_LABELS, 500.0), at_least(INTENT_ACCURACY, 0.85)],
            why: "there are labels, and the classifier that they make is right often enough",
        },
        Rule {
            choose: "rules",
            when: &[above(REQUESTS_PER_SECOND, 1.0), below(INTENT_LABELS, 500.0)],
            why: "there is traffic worth routing and too few labels: words and lengths are a beginning",
        },
        Rule {
            choose: "gate",
            when: &[above(EASY_SHARE, 0.4)],
            why: "much is easy, and a gate finds out what is not",
        },
    ],
    otherwise: Otherwise {
        choose: "single",
        why: "a cascade pays where much is easy and there is much of it",
    },
    premises: &[
        Premise {
            of: &["intents", "rules", "gate"],
            holds: at_most(ESCALATED_SHARE, 0.6),
            otherwise: "more than 60 % escalate: the cascade adds latency and saves nothing; relax the gate, retrain the intents, or take a better small model",
        },
        Premise {
            of: &["intents", "rules", "gate"],
            holds: at_most(REGENERATED, 0.1),
            otherwise: "one in ten answers is asked for again: send some of the easy questions to the large model to compare (routing.compared_share)",
        },
        Premise {
            of: &["intents"],
            holds: at_least(INTENT_ACCURACY, 0.85),
            otherwise: "the classifier is right too seldom: label what it got wrong and train again",
        },
    ],
    corrections: &[
        "5 M × $.003 are $15,000, as stated; 2.5 M × $.0003 + $2,500 are $3,250, and with cache, mini and Sonnet $5,625 in all: $.00113 a request.",
        "A judge at a cent an answer (card 5.4) behind every tier costs twenty times what the first tier does. Here the gate looks at the answer itself, and a judge where one is configured.",
    ],
};
