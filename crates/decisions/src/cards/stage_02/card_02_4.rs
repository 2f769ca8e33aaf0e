use super::facts::{BOOT_SECONDS, FLASH_FACTOR, GPUS, LOAD_STEADY, SHED_SHARE, SPIKES_KNOWN};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{BACKPRESSURE, PEAK_FACTOR};

pub(super) const CARD: Card = Card {
    id: "02.4",
    title: "Following the load",
    question: "How does the fleet follow the load over the day?",
    options: &[
        Choice {
            id: "fixed",
            name: "Always as many as the peak needs",
            best_for: "small or level loads",
            gains: "nothing to tune, no cold start",
            costs: "idle hours are paid for",
            apply: Apply { config: "", steps: &["set minReplicas and maxReplicas alike"] },
        },
        Choice {
            id: "reactive",
            name: "Reactive (HPA)",
            best_for: "loads that grow over ten minutes and more",
            gains: "needs no knowledge of the load",
            costs: "minutes of too few until a GPU node has booted",
            apply: Apply {
                config: "",
                steps: &["mainstay plan files --out deploy writes the HorizontalPodAutoscaler"],
            },
        },
        Choice {
            id: "scheduled",
            name: "Scheduled, with a reactive net",
            best_for: "known hours: work, lectures, mails",
            gains: "there before the load",
            costs: "wrong when the pattern moves",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 100_000\nshape = \"business_hours\"\n",
                steps: &["mainstay plan files --out deploy writes the KEDA cron floors"],
            },
        },
        Choice {
            id: "queue",
            name: "A queue in front (KEDA)",
            best_for: "bursts without a date",
            gains: "bursts wait instead of failing",
            costs: "waiting is felt; needs a position to be bearable",
            apply: Apply {
                config: "[limits]\nconcurrency = 200\nlongest_wait = \"30s\"\n",
                steps: &["mainstay plan files --out deploy writes the ScaledObject"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "queue",
            when: &[at_least(FLASH_FACTOR, 5.0)],
            why: "no fleet boots fast enough for such a burst: it has to wait somewhere",
        },
        Rule {
            choose: "scheduled",
            when: &[yes(SPIKES_KNOWN)],
            why: "the hours are known, so the replicas can be there before",
        },
        Rule { choose: "fixed", when: &[yes(LOAD_STEADY)], why: "a level load has nothing to follow" },
        Rule {
            choose: "fixed",
            when: &[at_most(GPUS, 2.0)],
            why: "two GPUs are the floor anyway: one may fail",
        },
        Rule {
            choose: "scheduled",
            when: &[at_least(PEAK_FACTOR, 2.0), above(BOOT_SECONDS, 120.0)],
            why: "the day has a clear shape and replicas take minutes to boot",
        },
    ],
    otherwise: Otherwise {
        choose: "reactive",
        why: "a load without a known pattern is followed as it comes",
    },
    premises: &[
        Premise {
            of: &["reactive", "scheduled", "fixed"],
            holds: at_most(SHED_SHARE, 0.001),
            otherwise: "requests are turned away: raise the floor before the busy hour, or put a queue in front (limits.longest_wait)",
        },
        Premise {
            of: &["reactive"],
            holds: at_most(BOOT_SECONDS, 300.0),
            otherwise: "replicas take more than five minutes: keep images and weights on the node, or schedule floors",
        },
        Premise {
            of: &["queue"],
            holds: at_most(BACKPRESSURE, 2.0),
            otherwise: "the queue is at its limit: more replicas, or a smaller model while it lasts ([service])",
        },
    ],
    corrections: &[
        "A ScaledJob has no cron schedule, and a cooldown applies to scaling to zero alone, which minReplicaCount: 2 rules out: the generated files use a cron trigger as a floor and a scale-down behaviour instead.",
        "10 GPUs at $.50 an hour for 2.5 hours cost $12.50, as stated; at the $3.50 of the other cards it is $87.50 a week.",
    ],
};
