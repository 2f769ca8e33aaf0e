use super::facts::{ABANDONED, SHED_TOP, WORKLOADS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, at_least, at_most, yes};
use crate::fact::{OWN_GPUS, SHED_SHARE, TIERS};

pub(super) const CARD: Card = Card {
    id: "09.3",
    title: "Failure domains",
    question: "How is one caller kept from hurting the others?",
    options: &[
        Choice {
            id: "shared",
            name: "One queue for all, fair by tenant",
            best_for: "one tier",
            gains: "equal shares whoever asks more",
            costs: "nobody is more important",
            apply: Apply { config: "[limits]\nconcurrency = 200\nmax_waiting = 500\n", steps: &[] },
        },
        Choice {
            id: "tiers",
            name: "A queue for each tier",
            best_for: "contracts",
            gains: "who pays is answered first and turned away last",
            costs: "the last tier waits",
            apply: Apply {
                config: "[limits]\nconcurrency = 200\n[limits.tiers.enterprise]\npriority = 1\n[limits.tiers.free]\npriority = 2\nmax_waiting = 50\nupgrade_url = \"https://example.com/pricing\"\n",
                steps: &["mainstay keys create --tier enterprise"],
            },
        },
        Choice {
            id: "pools",
            name: "Machines of their own",
            best_for: "chat, batch and training on GPUs",
            gains: "a batch cannot take a GPU from a chat",
            costs: "idle machines",
            apply: Apply {
                config: "[limits.tiers.enterprise]\npriority = 1\n[limits.tiers.free]\npriority = 2\n",
                steps: &["mainstay plan files --out deploy: give each kind its own deployment and node pool"],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "pools",
            when: &[yes(OWN_GPUS), at_least(WORKLOADS, 2.0)],
            why: "chat and batch on the same GPUs hurt each other, whatever the queue does",
        },
        Rule {
            choose: "tiers",
            when: &[at_least(TIERS, 2.0)],
            why: "there are tiers, and the dear one must not feel the cheap one",
        },
    ],
    otherwise: Otherwise { choose: "shared", why: "one kind of caller: fair shares are enough" },
    premises: &[
        Premise {
            of: &["tiers", "pools"],
            holds: at_most(SHED_TOP, 0.0),
            otherwise: "requests of the first tier were turned away: that must never be; more capacity, or a smaller last tier",
        },
        Premise {
            of: &["shared", "tiers"],
            holds: at_most(SHED_SHARE, 0.05),
            otherwise: "one in twenty requests is turned away",
        },
        Premise {
            of: &["tiers"],
            holds: at_most(ABANDONED, 0.15),
            otherwise: "more than 15 % leave after they were turned away: give the last tier more",
        },
    ],
    corrections: &[
        "A shed of 30 % with one retry is 91 % answered only if the retry finds the same odds; at the same minute it does not. Retry-After spreads them.",
        "'Your request is queued' is raised when it is not. Who is turned away is told so, with Retry-After.",
        "Draining higher tiers first without a bound starves the last one; here tiers have places of their own (`limits.tiers.NAME.max_running`).",
    ],
};
