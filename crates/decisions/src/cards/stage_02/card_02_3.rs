use super::facts::{LOAD_STEADY, ML_OPS};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, below, yes};
use crate::fact::{
    API_COST_PER_MONTH, BREAK_EVEN_TOKENS_PER_DAY, DATA_RESIDENCY, PROVIDERS, SELF_HOSTED_COST_PER_MONTH,
    TOKENS_PER_DAY,
};

pub(super) const CARD: Card = Card {
    id: "02.3",
    title: "API or own GPUs",
    question: "Is a model called at a provider or run on GPUs of one's own?",
    options: &[
        Choice {
            id: "api",
            name: "A provider",
            best_for: "loads that vary, below break-even",
            gains: "nothing to operate, any load at once",
            costs: "a price per token; data leaves",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "self_hosted",
            name: "GPUs of one's own",
            best_for: "steady loads above break-even, data that may not leave",
            gains: "a fixed cost, full control",
            costs: "an engineer or two, nights, upgrades",
            apply: Apply {
                config: "[providers.own]\nkind = \"openai-compatible\"\nbase_url = \"http://vllm:8000/v1\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"own/llama-3.1-70b\"\n",
                steps: &["mainstay plan files --out deploy writes the deployment"],
            },
        },
        Choice {
            id: "hybrid",
            name: "Both: easy requests at home",
            best_for: "mixed questions at a price",
            gains: "most of the saving, the large model where it matters",
            costs: "a router and two systems",
            apply: Apply {
                config: "[providers.own]\nkind = \"openai-compatible\"\nbase_url = \"http://vllm:8000/v1\"\n[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\ncascade = [\"own/llama-3.1-8b\", \"openai/gpt-4o\"]\n",
                steps: &[],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "self_hosted",
            when: &[yes(DATA_RESIDENCY), at_least(ML_OPS, 1.0), below(PROVIDERS, 1.0)],
            why: "data must stay in its region, no provider there is configured, and somebody can run models",
        },
        Rule {
            choose: "self_hosted",
            when: &[
                Condition::above_fact(API_COST_PER_MONTH, SELF_HOSTED_COST_PER_MONTH, 1.0),
                at_least(ML_OPS, 1.0),
                yes(LOAD_STEADY),
            ],
            why: "all in all, one's own GPUs cost less, the load keeps them busy, and somebody can run them",
        },
        Rule {
            choose: "hybrid",
            when: &[
                Condition::above_fact(API_COST_PER_MONTH, SELF_HOSTED_COST_PER_MONTH, 0.5),
                at_least(ML_OPS, 1.0),
            ],
            why: "providers cost more than half of what a fleet would: easy requests at home pay for it",
        },
    ],
    otherwise: Otherwise {
        choose: "api",
        why: "below break-even a provider is cheaper than the engineer who would look after GPUs",
    },
    premises: &[
        Premise {
            of: &["api"],
            holds: Condition::at_most_fact(TOKENS_PER_DAY, BREAK_EVEN_TOKENS_PER_DAY, 1.0),
            otherwise: "the traffic is past break-even: `mainstay plan --explain economics.break_even_tokens_per_day`",
        },
        Premise {
            of: &["self_hosted"],
            holds: Condition::at_most_fact(SELF_HOSTED_COST_PER_MONTH, API_COST_PER_MONTH, 1.0),
            otherwise: "the fleet costs more than a provider would: fewer GPUs at night, or back to the API",
        },
    ],
    corrections: &[
        "The 'break-even after 45 days' does not follow from two daily costs: without a cost that is paid once, whatever is cheaper is cheaper from the first day. The plan counts the set-up and says the month.",
        "50 M tokens a day at 60/40 are $275 a day at GPT-4o's prices against $853 for two A100 and a salary, as the scenario says; the table's '50 to 100 M' is therefore too early: break-even is near 370 M.",
        "50 M tokens of 4 bytes are 200 MB, 2 cents of egress a day, not 200 GB and $18.",
    ],
};
