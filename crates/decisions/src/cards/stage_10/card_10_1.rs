use super::facts::{FITS, GPU_BUSY, LOAD_SECONDS, TTFT_IDLE};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_most, below, no};
use crate::fact::{KV_CACHE_USAGE, TTFT_P95, TTFT_P95_TARGET};

pub(super) const CARD: Card = Card {
    id: "10.1",
    title: "Out or up",
    question: "Are replicas added, or larger machines?",
    options: &[
        Choice {
            id: "replicas",
            name: "More replicas",
            best_for: "busy GPUs, good latency for one",
            gains: "linear, and one may fail",
            costs: "each loads the model",
            apply: Apply {
                config: "",
                steps: &["mainstay plan says how many; raise maxReplicas of the generated autoscaler"],
            },
        },
        Choice {
            id: "bigger",
            name: "A larger GPU, or the model split",
            best_for: "slow for a single request, or it does not fit",
            gains: "each token is faster",
            costs: "steps are large, one may fail",
            apply: Apply {
                config: "",
                steps: &[
                    "mainstay plan shows the parallelism; fewer bits are the cheaper way (`mainstay decide --card 02.2`)",
                ],
            },
        },
        Choice {
            id: "both",
            name: "Both",
            best_for: "a large model and much traffic",
            gains: "throughput and latency",
            costs: "the dearest",
            apply: Apply {
                config: "",
                steps: &["split the model over the GPUs of a machine, then add machines"],
            },
        },
        Choice {
            id: "profile",
            name: "Neither: find what else is slow",
            best_for: "idle GPUs and late answers",
            gains: "costs nothing",
            costs: "takes a day",
            apply: Apply {
                config: "",
                steps: &[
                    "compare mainstay_retrieval_duration_seconds, mainstay_rerank_duration_seconds and the first token; look for a network hop",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "both",
            when: &[above(GPU_BUSY, 0.8), Condition::above_fact(TTFT_IDLE, TTFT_P95_TARGET, 1.0)],
            why: "GPUs are busy, and even a single request is late",
        },
        Rule {
            choose: "replicas",
            when: &[above(GPU_BUSY, 0.8)],
            why: "GPUs are busy and a single request is fast: there are too few",
        },
        Rule {
            choose: "replicas",
            when: &[above(KV_CACHE_USAGE, 0.9)],
            why: "the memory for running answers is full: more replicas hold more of them",
        },
        Rule { choose: "bigger", when: &[no(FITS)], why: "the model does not fit on one GPU" },
        Rule {
            choose: "bigger",
            when: &[Condition::above_fact(TTFT_IDLE, TTFT_P95_TARGET, 1.0)],
            why: "a single request on an idle system is late: no number of replicas mends that",
        },
        Rule {
            choose: "profile",
            when: &[below(GPU_BUSY, 0.6), Condition::above_fact(TTFT_P95, TTFT_P95_TARGET, 1.0)],
            why: "GPUs are idle and answers late: something else is in the way",
        },
    ],
    otherwise: Otherwise { choose: "replicas", why: "replicas scale with the load, and one may fail" },
    premises: &[
        Premise {
            of: &["replicas", "both"],
            holds: at_most(GPU_BUSY, 0.85),
            otherwise: "GPUs are busy above 85 %: add replicas before the queue does",
        },
        Premise {
            of: &["replicas", "bigger", "both"],
            holds: Condition::at_most_fact(TTFT_P95, TTFT_P95_TARGET, 1.0),
            otherwise: "the first token is late",
        },
        Premise {
            of: &["replicas"],
            holds: at_most(LOAD_SECONDS, 180.0),
            otherwise: "a replica loads for more than three minutes: keep weights on the node, and two replicas warm",
        },
    ],
    corrections: &[
        "A GPU's memory is not limited to 80 GB: H200 has 141, B200 180 and more. What does not fit an A100 may fit one of those.",
        "'70B = 140 GB from object storage in 3 to 5 minutes' is 470 to 780 MB/s: with several streams and local disks it is half a minute.",
        "vLLM takes 90 % of the memory at its start, whatever it needs: memory that is used says nothing, the share of the cache for running answers does.",
        "An H100 has the 80 GB of the A100 that it is to relieve.",
        "A model that does not fit does not start. A single request is late because of its prompt's length, the GPU's speed or too few GPUs per replica.",
        "An autoscaler on 50 % of the CPU does not see a GPU: scale by requests that wait or run.",
    ],
};
