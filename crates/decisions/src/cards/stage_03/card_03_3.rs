use super::facts::{FEEDBACK_PER_DAY, HIGH_STAKES, JUDGE_AGREEMENT, LABEL_BUDGET};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, below, yes};
use crate::fact::AUDIENCE_CONSUMER;

pub(super) const CARD: Card = Card {
    id: "03.3",
    title: "Labels from production",
    question: "How does what happens in production become labels?",
    options: &[
        Choice {
            id: "judge",
            name: "A model judges, people check it",
            best_for: "answers in numbers",
            gains: "a cent and less for a label, always the same",
            costs: "takes on the judge's preferences: longer looks better",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\ncitation_judge = \"openai/gpt-4o\"\n",
                steps: &["label one or two of a hundred by hand and hold the judge against them"],
            },
        },
        Choice {
            id: "people",
            name: "People label",
            best_for: "decisions that matter",
            gains: "the best there is",
            costs: "dollars and days for each",
            apply: Apply {
                config: "",
                steps: &["mainstay eval retrieval reads a golden set that people made"],
            },
        },
        Choice {
            id: "signals",
            name: "Clicks and ratings",
            best_for: "ranking for many people",
            gains: "free, and what people really prefer",
            costs: "first, long and loud answers win",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay takes no feedback yet: record clicks beside it, and swap positions at random",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "people",
            when: &[yes(HIGH_STAKES)],
            why: "neither clicks nor models may decide what is safe",
        },
        Rule {
            choose: "people",
            when: &[below(JUDGE_AGREEMENT, 0.7)],
            why: "the judge agrees with people too seldom to be believed",
        },
        Rule {
            choose: "signals",
            when: &[yes(AUDIENCE_CONSUMER), above(FEEDBACK_PER_DAY, 10_000.0)],
            why: "ten thousand signals a day say more about ranking than any judge",
        },
    ],
    otherwise: Otherwise {
        choose: "judge",
        why: "a judge labels in numbers, and a sample by people keeps it honest",
    },
    premises: &[
        Premise {
            of: &["judge"],
            holds: at_least(JUDGE_AGREEMENT, 0.7),
            otherwise: "the judge has drifted from people: calibrate it on a hundred pairs, or label by hand",
        },
        Premise {
            of: &["people"],
            holds: at_least(LABEL_BUDGET, 100.0),
            otherwise: "fewer than a hundred labels a week: let a judge label and people check",
        },
    ],
    corrections: &[],
};
