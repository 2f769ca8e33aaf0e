use super::facts::{CONTEXT_SHARE, QUALITY_LOSS, WAITS_NOT};
use crate::card::{
    Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, below, no, yes,
};
use crate::fact::{
    API_COST_PER_MONTH, CACHE_HIT_RATE, CASCADE_MODELS, COST_PER_REQUEST, COST_PER_REQUEST_TARGET,
    ESCALATED_SHARE, REPEATED_QUESTIONS, SELF_HOSTED_COST_PER_MONTH, SEMANTIC_CACHE, TOKENS_PER_DAY,
};

pub(super) const CARD: Card = Card {
    id: "12.4",
    title: "Making it cheaper",
    question: "What is done first to spend less?",
    options: &[
        Choice {
            id: "cache",
            name: "Answers again",
            best_for: "questions that repeat",
            gains: "nothing is lost, a week's work",
            costs: "only what repeats",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\ncache.mode = \"semantic\"\n",
                steps: &["mainstay cache warm questions.txt --assistant support"],
            },
        },
        Choice {
            id: "cascade",
            name: "Cheap models first",
            best_for: "much that is easy",
            gains: "40 to 60 % of what can be routed",
            costs: "four weeks, and labels",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\ncascade = [\"openai/gpt-4o-mini\", \"openai/gpt-4o\"]\n",
                steps: &["mainstay train intent labels.csv"],
            },
        },
        Choice {
            id: "compression",
            name: "Fewer tokens",
            best_for: "long retrieved context",
            gains: "a third of the prompt",
            costs: "a sentence that mattered",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\nretrieval.compression = true\n",
                steps: &["faithfulness before and after on the golden set"],
            },
        },
        Choice {
            id: "batch",
            name: "Batches",
            best_for: "what nobody waits for",
            gains: "half the price",
            costs: "time",
            apply: Apply {
                config: "",
                steps: &["Mainstay has no batches API yet: send such work to the provider's batch endpoint"],
            },
        },
        Choice {
            id: "self_host",
            name: "GPUs of one's own",
            best_for: "hundreds of millions of tokens a day",
            gains: "a fixed cost",
            costs: "last: an engineer or two",
            apply: Apply { config: "", steps: &["mainstay plan, `mainstay decide --card 02.3`"] },
        },
    ],
    rules: &[
        Rule {
            choose: "self_host",
            when: &[
                Condition::above_fact(API_COST_PER_MONTH, SELF_HOSTED_COST_PER_MONTH, 1.0),
                above(TOKENS_PER_DAY, 300_000_000.0),
                yes(SEMANTIC_CACHE),
            ],
            why: "what a cache saves is saved already, and all in all GPUs cost less",
        },
        Rule {
            choose: "cache",
            when: &[above(REPEATED_QUESTIONS, 0.15), no(SEMANTIC_CACHE)],
            why: "enough questions repeat, and none is answered again",
        },
        Rule {
            choose: "cascade",
            when: &[above(CACHE_HIT_RATE, 0.05), below(CASCADE_MODELS, 2.0)],
            why: "the cache works, and one model still answers everything",
        },
        Rule {
            choose: "compression",
            when: &[above(CONTEXT_SHARE, 0.6)],
            why: "most of what is paid for is retrieved text",
        },
        Rule { choose: "batch", when: &[above(WAITS_NOT, 0.2)], why: "nobody waits for a fifth of it" },
    ],
    otherwise: Otherwise {
        choose: "cache",
        why: "a cache costs a week and nothing else: find out how much repeats",
    },
    premises: &[
        Premise {
            of: &["cache"],
            holds: at_least(CACHE_HIT_RATE, 0.1),
            otherwise: "fewer than one in ten is answered again",
        },
        Premise {
            of: &["cascade"],
            holds: at_most(ESCALATED_SHARE, 0.6),
            otherwise: "more than 60 % escalate: it saves nothing",
        },
        Premise {
            of: &["compression", "cascade"],
            holds: at_most(QUALITY_LOSS, 0.02),
            otherwise: "the saving cost more than two points of quality",
        },
        Premise {
            of: &["cache", "cascade", "compression", "batch", "self_host"],
            holds: Condition::at_most_fact(COST_PER_REQUEST, COST_PER_REQUEST_TARGET, 1.0),
            otherwise: "a request still costs more than it may: pull the next lever",
        },
    ],
    corrections: &[
        "At .87 of 100,000 answers a day 13,000 are not faithful and at .84 16,000, as stated; that counts answers as if each were whole or not, while faithfulness is a share of statements.",
        "The cache takes a week in the table and two in the text; and the code compresses before it routes, so that local answers pay for it too.",
    ],
};
