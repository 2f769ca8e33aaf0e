use super::facts::{BOOT_SECONDS, BUSIEST_MINUTE, FLASH_FACTOR, GPUS, RAMP_SECONDS, SPIKES_KNOWN};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{
    AUDIENCE_CONSUMER, BACKPRESSURE, LOAD_STEADY, PEAK_FACTOR, PEAK_REQUESTS_PER_SECOND, REQUESTS_WAITING,
    SHED_SHARE,
};

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
                config: "[limits]\nadaptive = true\n",
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
                steps: &[
                    "mainstay plan files --out deploy writes the KEDA cron floors",
                    "floors rise a quarter of an hour before the spike, and more than the model takes to load",
                ],
            },
        },
        Choice {
            id: "queue",
            name: "A queue in front (KEDA)",
            best_for: "bursts without a date",
            gains: "bursts wait instead of failing",
            costs: "waiting is felt; needs a position to be bearable",
            apply: Apply {
                config: "[limits]\nconcurrency = 200\nlongest_wait = \"30s\"\n[limits.tiers.paying]\npriority = 1\nmax_waiting = 500\n[limits.tiers.free]\npriority = 2\nmax_waiting = 1000\nannounces_place = true\n",
                steps: &[
                    "mainstay plan files --out deploy writes the ScaledObject",
                    "reduced_model of an assistant answers while the queue is long",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "queue",
            when: &[Condition::above_fact(FLASH_FACTOR, PEAK_FACTOR, 1.0)],
            why: "a burst without a date is higher than the peak that is planned for: it has to wait somewhere",
        },
        Rule {
            choose: "queue",
            when: &[at_least(FLASH_FACTOR, 10.0)],
            why: "no fleet boots fast enough for ten times the load: it has to wait somewhere",
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
            choose: "queue",
            when: &[Condition::above_fact(BOOT_SECONDS, RAMP_SECONDS, 1.0)],
            why: "the load doubles before a replica has booted, and nobody knows when",
        },
        Rule {
            choose: "reactive",
            when: &[at_least(RAMP_SECONDS, 600.0)],
            why: "the load grows over ten minutes and more: replicas that are started then are in time",
        },
        Rule {
            choose: "scheduled",
            when: &[at_least(PEAK_FACTOR, 2.0), above(BOOT_SECONDS, 180.0)],
            why: "the day has a clear shape and replicas take minutes to boot",
        },
        Rule {
            choose: "scheduled",
            when: &[yes(AUDIENCE_CONSUMER), at_least(PEAK_FACTOR, 2.0)],
            why: "the public comes at the same hours each day",
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
            of: &["scheduled", "fixed"],
            holds: Condition::at_most_fact(BUSIEST_MINUTE, PEAK_REQUESTS_PER_SECOND, 1.0),
            otherwise: "the busiest minute is above the planned peak: the pattern has moved; `mainstay plan autoscaling --trace trace.csv`",
        },
        Premise {
            of: &["queue"],
            holds: at_most(REQUESTS_WAITING, 500.0),
            otherwise: "five hundred wait: answer with the reduced_model until replicas are there, and limit the free tier (limits.tiers.free)",
        },
        Premise {
            of: &["queue"],
            holds: at_most(BACKPRESSURE, 2.0),
            otherwise: "the queue is at its limit: more replicas, or a smaller model while it lasts ([service])",
        },
    ],
    corrections: &[
        "A ScaledJob has no cron schedule, and a cooldown applies to scaling to zero alone, which minReplicaCount: 2 rules out: the generated files use a cron trigger as a floor and a scale-down behaviour instead.",
        "13:00 UTC is 9:00 in New York only while daylight saving lasts; by EST it is 14:00 UTC. A cron trigger names its time zone.",
        "10 GPUs at $.50 an hour for 2.5 hours cost $12.50, as stated; at the $3.50 of the other cards it is $87.50 a week, of \
         which $70 are extra, as two of the ten run anyway.",
    ],
};
