use super::facts::{GPU_MEMORY, GPUS, GPUS_RUNNING, MEMORY_NEEDED, QUALITY_CRITICAL};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, at_most, below, no};
use crate::fact::{
    FAITHFULNESS, FAITHFULNESS_TARGET, KV_CACHE_USAGE, PEAK_REQUESTS_PER_SECOND, TTFT_P95, TTFT_P95_TARGET,
    TTFT_P99_TARGET,
};

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
            apply: Apply {
                config: "[planning]\nself_hosted_model = \"llama-3.1-8b\"\n",
                steps: &["mainstay plan --explain sizing.replicas"],
            },
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
            name: "Split over two or four GPUs",
            best_for: "models larger than a GPU, and short first tokens",
            gains: "full quality; each token is faster",
            costs: "needs a fast link; replicas come in larger steps",
            apply: Apply {
                config: "[planning]\nself_hosted_model = \"llama-3.1-70b\"\nprecisions = [\"bf16\"]\n",
                steps: &["mainstay plan shows the parallelism that meets the targets at the least cost"],
            },
        },
        Choice {
            id: "whole_node",
            name: "Split over the eight GPUs of a node",
            best_for: "large models at fifty requests a second and more",
            gains: "the weights are held once, and the rest of the memory carries long and many answers",
            costs: "eight GPUs are lost at once, and paid for by day and night",
            apply: Apply {
                config: "[planning]\nself_hosted_model = \"llama-3.1-405b\"\nprecisions = [\"fp8\"]\n",
                steps: &["mainstay plan compares the node with several smaller replicas"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "whole_node",
            when: &[Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 4.0)],
            why: "it takes more than four GPUs, and half the bits would still take more than two",
        },
        Rule {
            choose: "quantise",
            when: &[Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 1.0), no(QUALITY_CRITICAL)],
            why: "it does not fit on one GPU as it is, and fewer bits would make it",
        },
        Rule {
            choose: "quantise",
            when: &[
                Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 1.0),
                below(PEAK_REQUESTS_PER_SECOND, 5.0),
            ],
            why: "below five requests a second a second GPU would hold weights and little else",
        },
        Rule {
            choose: "whole_node",
            when: &[
                Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 1.0),
                at_least(PEAK_REQUESTS_PER_SECOND, 50.0),
            ],
            why: "four pairs would hold the weights four times, and so many running answers need that memory",
        },
        Rule {
            choose: "tensor_parallel",
            when: &[Condition::above_fact(MEMORY_NEEDED, GPU_MEMORY, 1.0)],
            why: "it does not fit on one GPU, and nobody said that quality may be lost",
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
            of: &["one_gpu", "quantise", "tensor_parallel", "whole_node"],
            holds: at_most(KV_CACHE_USAGE, 0.9),
            otherwise: "the memory for running answers is full and requests wait: lower max-num-seqs, share prefixes, shorten contexts, or add a replica",
        },
        Premise {
            of: &["one_gpu", "quantise", "tensor_parallel", "whole_node"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "the first token is late: add replicas if GPUs are busy, else split the model further (`mainstay decide --card 10.1`)",
        },
        Premise {
            of: &["one_gpu", "quantise", "tensor_parallel", "whole_node"],
            holds: Condition::at_most_fact(GPUS, GPUS_RUNNING, 1.0),
            otherwise: "the plan needs more GPUs at the peak than run: `mainstay plan --explain sizing.gpus` says what for",
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
        "The function says neither: (140 + 21)/80 makes it 3 GPUs a node, over which 64 heads cannot be split, 6 streams a \
         node because all 500 tokens have to come within .5 s, and 17 nodes, 51 GPUs.",
        "50 running answers of 800 tokens need 13 GB beside 140 GB of weights (320 KiB a token), and two GPUs at 90 % have \
         144: 4 GB are left, for 15. Likewise 70 GB in 8 bits on one H100 leave 2 GB; 8 bits on two, or 16 on four, have room.",
        "$32 an hour is a node of eight H100 at $4 each, not one of them: 48 of them are six nodes, $1.7 M a year and not $13.4 M, for streams \
         that are counted by their first token as above.",
    ],
};
