use super::facts::{BUSIEST_MINUTE, DAILY_SHARE, FOLDER_BYTES, FOLDER_PLANNED, HAS_TRACE, WORTH_ASKED};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, yes};
use crate::fact::{CACHE_HIT_RATE, MONTHLY_BUDGET, PEAK_FACTOR, PEAK_REQUESTS_PER_SECOND, SHED_SHARE};

pub(super) const CARD: Card = Card {
    id: "02.1",
    title: "Estimating load",
    question: "How are requests, storage and bandwidth estimated?",
    options: &[
        Choice {
            id: "users",
            name: "From users",
            best_for: "before there is traffic",
            gains: "needs only what a product manager knows",
            costs: "wrong by a factor of two is fine, by ten is not",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 1_000_000\ndaily_active_share = \"15%\"\nsessions_per_day = 3.0\nrequests_per_session = 2.0\n",
                steps: &["mainstay plan --explain capacity.requests_per_day"],
            },
        },
        Choice {
            id: "measured",
            name: "From a trace",
            best_for: "a product that runs",
            gains: "the peak over the average is what it is",
            costs: "a trace of a week or more",
            apply: Apply {
                config: "[traffic]\nrequests_per_second = 70\nburst_requests_per_second = 210\n[planning]\nheadroom = 2.0\n",
                steps: &["mainstay plan autoscaling --trace trace.csv"],
            },
        },
        Choice {
            id: "percentiles",
            name: "By percentile and range",
            best_for: "decisions where a factor of two matters",
            gains: "says how sure it is",
            costs: "ranges have to be thought about",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 1_000_000\ndaily_active_share = \"15%\"\n",
                steps: &["mainstay plan --html plan.html shows what moves each number most"],
            },
        },
        Choice {
            id: "after_cache",
            name: "What the cache leaves",
            best_for: "few documents that nearly everybody asks about",
            gains: "models are sized for the questions that reach them",
            costs: "an empty cache after a change lets everything through at once",
            apply: Apply {
                config: "[traffic]\nrequests_per_second = 200\n[limits]\nadaptive = true\n[assistants.assistant]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\ncache.mode = \"semantic\"\n",
                steps: &[
                    "put the misses into [traffic]: at 80 % of 1,000 requests a second that are answered again, 200",
                    "mainstay cache warm fills the cache before the rush",
                ],
            },
        },
        Choice {
            id: "revenue",
            name: "From revenue",
            best_for: "the question whether it pays at all",
            gains: "infrastructure is a share of a price",
            costs: "off by any factor where the price per user is a guess",
            apply: Apply {
                config: "[traffic]\nmonthly_active_users = 10_000\n[slo.cost]\nper_request = \"$0.005\"\n",
                steps: &[
                    "a price of $25 a month and a fifth of it for models leave $5 a user: at $.005 a request that is 1,000 requests",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "after_cache",
            when: &[at_least(CACHE_HIT_RATE, 0.8)],
            why: "four of five questions never reach a model, so the other one is what has to be carried",
        },
        Rule { choose: "measured", when: &[yes(HAS_TRACE)], why: "what was measured beats what is assumed" },
        Rule {
            choose: "revenue",
            when: &[yes(WORTH_ASKED)],
            why: "what a user pays bounds what a request may cost, whatever the load",
        },
        Rule {
            choose: "percentiles",
            when: &[above(MONTHLY_BUDGET, 0.0)],
            why: "a budget is held to a range, not to a point",
        },
    ],
    otherwise: Otherwise {
        choose: "users",
        why: "there is no traffic yet: users, visits and requests are what is known",
    },
    premises: &[
        Premise {
            of: &["users", "percentiles", "revenue"],
            holds: at_most(DAILY_SHARE, 0.3),
            otherwise: "ten to thirty of a hundred come on a day; more is usual only for tools of the daily work: take a trace",
        },
        Premise {
            of: &["users", "percentiles"],
            holds: at_most(PEAK_FACTOR, 10.0),
            otherwise: "the peak is ten times the average: take a trace and buffer bursts in a queue",
        },
        Premise {
            of: &["users", "percentiles", "measured", "after_cache", "revenue"],
            holds: Condition::at_most_fact(BUSIEST_MINUTE, PEAK_REQUESTS_PER_SECOND, 2.0),
            otherwise: "the busiest minute is twice the planned peak: write traffic.burst_requests_per_second and plan again, before it is ten times",
        },
        Premise {
            of: &["users", "percentiles", "measured", "revenue"],
            holds: at_most(SHED_SHARE, 0.01),
            otherwise: "one in a hundred requests is turned away: the estimate was too low, or limits.concurrency is",
        },
        Premise {
            of: &["after_cache"],
            holds: at_least(CACHE_HIT_RATE, 0.8),
            otherwise: "more than one question in five reaches a model: plan for them, and fill the cache (`mainstay cache warm`)",
        },
        Premise {
            of: &["users", "percentiles", "measured"],
            holds: Condition::at_most_fact(FOLDER_BYTES, FOLDER_PLANNED, 1.0),
            otherwise: "the data folder is larger than was planned for a year: size the disk anew, and look at storage.embedding_cache",
        },
    ],
    corrections: &[
        "1 M monthly users × 3 sessions × 2 requests are not 6 M requests a day: 15 % of them come on a day, which makes .9 M, 10 a second on average and not 70.",
        "Streams in flight are requests a second times how long an answer takes, not times its first token: 70/s with 8 s are 560, not 35.",
        "1 KB of log a request and 800 tokens of 4 bytes, 3.2 KB, are both given: .9 M requests a day make 2.9 GB a day and \
         1.05 TB a year by the second, 3.2 TB with the factor of three for copies and indexes.",
        "2.8 M requests in a working day of 8 hours are 97 a second on average: that is no peak over 32 yet, and three times \
         it are 292. And 29 streams at 16 a GPU take two GPUs, not four.",
        "1,000 documents of 10 passages are 10,000 vectors, 61 MB at 1,536 numbers of 4 bytes; 5 M is the number of their \
         tokens, and 5 M vectors would be 31 GB, not 30 MB. 200/s at .5 s are 100 streams, 7 GPUs at 16 and not 6.",
    ],
};
