use super::facts::{GPU_MEMORY, KV_USAGE, MEMORY_NEEDED, QUALITY_CRITICAL};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_most, below, no};
use crate::fact::{FAITHFULNESS, FAITHFULNESS_TARGET, TTFT_P95, TTFT_P95_TARGET, TTFT_P99_TARGET};

pub(super) const CARD: Card = Card {
    id: "02.2",
    title: "Sizing GPUs",
    question: "How does the model fit on GPUs, and how many are there?",
    options: &[
        Choice {
            id: "one_gpu",
            name: "One GPU for each replica",
            best_for: "models that fit with room for their running answers",
            gains: "no communication between GPUs, scales by adding",
            costs: "a model of more than half the memory leaves little room for answers",
            apply: Apply { config: "[planning]\nself_hosted_model = \"llama-3.1-8b\"\n", steps: &[] },
        },
        Choice {
            id: "quantise",
            name: "Fewer bits",
            best_for: "models that would fit with half the bits",
            gains: "half the memory, faster at small batches",
            costs: "a little quality, which is to be measured",
            apply: Apply {
                config: "[planning]\nself_hosted_model = \"llama-3.1-70b\"\nprecisions = [\"fp8\", \"int4\"]\n",
                steps: &["hold the quantised model against the original on the golden set first"],
            },
        },
        Choice {
            id: "tensor_parallel",
            name: "Split over GPUs of a machine",
            best_for: "models larger than a GPU, and short first tokens",
            gains: "each token is faster",
            costs: "needs a fast link; replicas come in larger steps",
            apply: Apply {
                config: "[planning]\nself_hosted_model = \"llama-3.1-70b\"\nprecisions = [\"bf16\"]\n",
                steps: &["mainstay plan shows the parallelism that meets the targets at the least cost"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "quantise",
            when: &[Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 1.0), no(QUALITY_CRITICAL)],
            why: "it does not fit on one GPU as it is, and fewer bits would make it",
        },
        Rule {
            choose: "tensor_parallel",
            when: &[Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 1.0)],
            why: "it does not fit on one GPU, and no quality may be lost",
        },
        Rule {
            choose: "tensor_parallel",
            when: &[below(TTFT_P99_TARGET, 300.0)],
            why: "so short a first token needs the arithmetic of several GPUs",
        },
    ],
    otherwise: Otherwise {
        choose: "one_gpu",
        why: "a replica on one GPU has no communication and scales by adding",
    },
    premises: &[
        Premise {
            of: &["one_gpu", "quantise", "tensor_parallel"],
            holds: at_most(KV_USAGE, 0.9),
            otherwise: "the memory for running answers is full: lower max-num-seqs, shorten contexts, or add a replica",
        },
        Premise {
            of: &["one_gpu", "quantise", "tensor_parallel"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "the first token is late: add replicas if GPUs are busy, else split the model further (`mainstay decide --card 10.1`)",
        },
        Premise {
            of: &["quantise"],
            holds: Condition::at_most_fact(FAITHFULNESS_TARGET, FAITHFULNESS, 1.0),
            otherwise: "the quantised model misses the quality target: take more bits",
        },
    ],
    corrections: &[
        "'2 tokens per ms on an A100' is a rule of thumb for a small model at a large batch; a 70B model in 16 bits reads 140 GB for each step, 35 ms on two A100s: at a batch of 32 that is .9 tokens per ms for the pair.",
        "100 RPS with answers of 500 tokens at 30 ms a token keep 1,500 answers in flight, not 50: two nodes of two H100 are an order of magnitude short.",
    ],
};
