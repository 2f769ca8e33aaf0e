use super::facts::{CONTEXT_RECALL, GOLDEN_SET};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_least, below, yes};
use crate::fact::{CONTEXT_PRECISION, HIGH_STAKES, JUDGE_AGREEMENT};

pub(super) const CARD: Card = Card {
    id: "05.4",
    title: "Good enough",
    question: "How is it decided that a model is good enough?",
    options: &[
        Choice {
            id: "golden_and_judge",
            name: "A golden set, and a judge held against it",
            best_for: "most products",
            gains: "repeatable, cheap, close to people",
            costs: "the judge has its own taste",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[slo.quality]\nfaithfulness = 0.85\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\ncitation_judge = \"openai/gpt-4o\"\n",
                steps: &["mainstay eval retrieval GOLDEN"],
            },
        },
        Choice {
            id: "automated",
            name: "Automatic measures",
            best_for: "every change, in minutes",
            gains: "free, at once",
            costs: "a faithful answer from a wrong passage scores well",
            apply: Apply {
                config: "[slo.quality]\nrecall_at_5 = 0.75\n",
                steps: &["mainstay eval retrieval GOLDEN in the pipeline: exit code 1 below the target"],
            },
        },
        Choice {
            id: "people",
            name: "People",
            best_for: "the last choice, and where it can harm",
            gains: "the truth",
            costs: "dollars and days",
            apply: Apply {
                config: "[slo.quality]\nfaithfulness = 0.9\n",
                steps: &["let people mark a sample of 100 answers before each release"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "people",
            when: &[yes(HIGH_STAKES)],
            why: "where an answer can harm, people look before it leaves",
        },
        Rule {
            choose: "people",
            when: &[below(JUDGE_AGREEMENT, 0.7)],
            why: "a judge that disagrees with people three times in ten decides nothing",
        },
        Rule {
            choose: "golden_and_judge",
            when: &[at_least(GOLDEN_SET, 200.0)],
            why: "two hundred questions are enough for a judge to be held against",
        },
    ],
    otherwise: Otherwise {
        choose: "automated",
        why: "without a golden set what can be measured is retrieval: begin there and collect questions",
    },
    premises: &[
        Premise {
            of: &["automated"],
            holds: at_least(GOLDEN_SET, 200.0),
            otherwise: "fewer than two hundred questions: draw them from production, a few of each kind, with some that have no answer",
        },
        Premise {
            of: &["golden_and_judge", "automated"],
            holds: at_least(CONTEXT_PRECISION, 0.7),
            otherwise: "what is retrieved is mostly beside the point: faithfulness to it means little",
        },
        Premise {
            of: &["golden_and_judge", "automated"],
            holds: at_least(CONTEXT_RECALL, 0.75),
            otherwise: "a quarter of what is needed is not found: retrieval first, then models",
        },
        Premise {
            of: &["golden_and_judge"],
            holds: at_least(JUDGE_AGREEMENT, 0.75),
            otherwise: "the judge has drifted: calibrate it again on a hundred pairs",
        },
    ],
    corrections: &[],
};
