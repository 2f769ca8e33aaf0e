use super::facts::EASY_SHARE;
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{
    API_COST_PER_MONTH, BREAK_EVEN_TOKENS_PER_DAY, ESCALATED_SHARE, LOAD_STEADY, ML_ENGINEERS,
    SELF_HOSTED_COST_PER_MONTH, TOKENS_PER_DAY,
};

pub(super) const CARD: Card = Card {
    id: "05.2",
    title: "Self-hosting, by unit cost",
    question: "Does a token of one's own cost less than a provider's?",
    options: &[
        Choice {
            id: "api",
            name: "Provider alone",
            best_for: "below 50 M tokens a day",
            gains: "best models, any load at once",
            costs: "the price grows with use",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "hybrid",
            name: "A cascade with a small model at home",
            best_for: "mixed questions, a cost that hurts",
            gains: "60 to 80 % less for what is easy",
            costs: "a router and a fleet",
            apply: Apply {
                config: "[providers.own]\nkind = \"openai-compatible\"\nbase_url = \"http://vllm:8000/v1\"\n[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\ncascade = [\"own/llama-3.1-8b\", \"openai/gpt-4o\"]\n",
                steps: &[],
            },
        },
        Choice {
            id: "self_hosted",
            name: "Everything at home",
            best_for: "hundreds of millions of tokens a day, steady",
            gains: "a fixed cost, data stays",
            costs: "2.5 times the GPUs, all in all",
            apply: Apply {
                config: "[providers.own]\nkind = \"openai-compatible\"\nbase_url = \"http://vllm:8000/v1\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"own/llama-3.1-70b\"\n",
                steps: &["mainstay plan --html plan.html"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "self_hosted",
            when: &[
                Condition::above_fact(TOKENS_PER_DAY, BREAK_EVEN_TOKENS_PER_DAY, 1.0),
                yes(LOAD_STEADY),
                at_least(ML_ENGINEERS, 1.0),
            ],
            why: "the traffic is past break-even, steady, and somebody can run it",
        },
        Rule {
            choose: "hybrid",
            when: &[above(EASY_SHARE, 0.5), above(TOKENS_PER_DAY, 50_000_000.0)],
            why: "more than half of many tokens are for easy questions: they pay for a small model",
        },
    ],
    otherwise: Otherwise { choose: "api", why: "including people, a provider is cheaper at this volume" },
    premises: &[
        Premise {
            of: &["api", "hybrid"],
            holds: Condition::at_most_fact(TOKENS_PER_DAY, BREAK_EVEN_TOKENS_PER_DAY, 1.0),
            otherwise: "the traffic is past break-even: `mainstay plan --explain economics.break_even_tokens_per_day`",
        },
        Premise {
            of: &["hybrid"],
            holds: at_most(ESCALATED_SHARE, 0.6),
            otherwise: "more than 60 % go on to the large model: the small one saves nothing (`mainstay decide --card 05.3`)",
        },
        Premise {
            of: &["self_hosted"],
            holds: Condition::at_most_fact(SELF_HOSTED_COST_PER_MONTH, API_COST_PER_MONTH, 1.0),
            otherwise: "the fleet costs more than a provider would",
        },
    ],
    corrections: &[
        "100 M tokens of 4 bytes are 400 MB a day: 4 cents of egress, not $36.",
        "100 M requests at 20 % through an API at $.002 are $40,000, and one A100 does not serve 60 M requests a month: 23 a second with 300 tokens are 7,000 tokens a second.",
        "An A100 costs $3,500, $7,000 and $2,500 a month in three places of the card; at $3.50 an hour it is $2,555.",
    ],
};
