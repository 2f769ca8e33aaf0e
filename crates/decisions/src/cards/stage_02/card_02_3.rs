use super::facts::{IN_REGION, OWN_WEIGHTS};
use crate::card::{
    Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, at_most, below, no, yes,
};
use crate::fact::{
    API_COST_PER_MONTH, BREAK_EVEN_TOKENS_PER_DAY, DATA_RESIDENCY, DATA_STAYS_INSIDE, ESCALATED_SHARE,
    ML_ENGINEERS, MONTHLY_BUDGET, PEAK_FACTOR, SELF_HOSTED_COST_PER_MONTH, TOKENS_PER_DAY,
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
            costs: "an engineer or two, nights, upgrades: two or three times what the GPUs cost",
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
                steps: &["write prices.\"own/llama-3.1-8b\": a model without a price is held to no budget"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "self_hosted",
            when: &[yes(DATA_STAYS_INSIDE)],
            why: "no provider may see the data, whatever it costs",
        },
        Rule {
            choose: "self_hosted",
            when: &[yes(DATA_RESIDENCY), no(IN_REGION)],
            why: "data must stay in its region, and no provider works there",
        },
        Rule {
            choose: "self_hosted",
            when: &[yes(OWN_WEIGHTS), at_least(ML_ENGINEERS, 1.0)],
            why: "nobody else serves the model that is needed, and somebody can run it",
        },
        Rule {
            choose: "api",
            when: &[below(TOKENS_PER_DAY, 10_000_000.0)],
            why: "below ten million tokens a day the smallest fleet stands idle",
        },
        Rule {
            choose: "self_hosted",
            when: &[
                Condition::above_fact(API_COST_PER_MONTH, SELF_HOSTED_COST_PER_MONTH, 1.0),
                at_least(ML_ENGINEERS, 1.0),
                at_most(PEAK_FACTOR, 3.0),
            ],
            why: "all in all, one's own GPUs cost less, the load keeps them busy, and somebody can run them",
        },
        Rule {
            choose: "hybrid",
            when: &[
                Condition::above_fact(API_COST_PER_MONTH, SELF_HOSTED_COST_PER_MONTH, 0.5),
                at_least(ML_ENGINEERS, 1.0),
            ],
            why: "providers cost more than half of what a fleet would: easy requests at home pay for it",
        },
        Rule {
            choose: "hybrid",
            when: &[at_most(ESCALATED_SHARE, 0.3), at_least(ML_ENGINEERS, 1.0)],
            why: "a small model answers seven of ten questions well enough, and one GPU carries it",
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
            of: &["api"],
            holds: Condition::at_most_fact(API_COST_PER_MONTH, MONTHLY_BUDGET, 1.0),
            otherwise: "providers will charge more than the budget: cache first, then a cascade, then own GPUs (`mainstay decide --card 12.4`)",
        },
        Premise {
            of: &["self_hosted"],
            holds: Condition::at_most_fact(SELF_HOSTED_COST_PER_MONTH, API_COST_PER_MONTH, 1.0),
            otherwise: "the fleet costs more than a provider would: fewer GPUs at night, or, if data may leave, back to the API",
        },
        Premise {
            of: &["self_hosted", "hybrid"],
            holds: at_least(ML_ENGINEERS, 1.0),
            otherwise: "nobody can run models: a GPU that fails at night stays down until somebody is found",
        },
        Premise {
            of: &["hybrid"],
            holds: at_most(ESCALATED_SHARE, 0.6),
            otherwise: "more than six of ten answers of a small model go on to a larger one and are paid twice: `mainstay train intent labels.csv`, or start at the larger",
        },
    ],
    corrections: &[
        "The 'break-even after 45 days' does not follow from two daily costs: without a cost that is paid once, whatever is cheaper is cheaper from the first day. The plan counts the set-up and says the month.",
        "$853 a day of two A100 and a salary against $5.50 per million tokens (60/40 at GPT-4o's prices) break even at 155 M \
         tokens a day, if the two GPUs carry them, not at 300 M; against GPT-4o-mini's $.33 it is 2.6 G, so the table's 50 to \
         100 M for a 7B model is more than twenty times too early: 100 M cost $33 a day there, and one A100 alone $84.",
        "50 M tokens of 4 bytes are 200 MB, 2 cents of egress a day, not 200 GB and $18. One A100 at $3.50 an hour is $2,520 a \
         month, not $700.",
        "The three savings do not add up to 72 %: after the cache has taken 30 % a cascade saves 30 % of the rest, $168,000 and \
         not $240,000, and 100 M tokens a day at $4.38 a million are $160,000 a year, so $50,000 of GPUs a month lose money. \
         30 % and then 30 % leave $392,000 of $800,000, a saving of 51 %.",
    ],
};
