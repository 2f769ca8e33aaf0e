use super::facts::{MACHINE_CALLERS, OLDEST_JOB, RETRYABLE, TASK_SECONDS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_most, yes};
use crate::fact::TURN_P95;

pub(super) const CARD: Card = Card {
    id: "10.2",
    title: "Now or later",
    question: "Which tasks are done while the caller waits?",
    options: &[
        Choice {
            id: "sync",
            name: "While they wait",
            best_for: "answers, search",
            gains: "simple, seen at once",
            costs: "a long task blocks and times out",
            apply: Apply { config: "[server]\ndeadline = \"60s\"\n", steps: &[] },
        },
        Choice {
            id: "polling",
            name: "Submitted, then asked for",
            best_for: "tasks of more than three seconds, for people",
            gains: "the screen is free; tried again after a failure",
            costs: "a job's state to keep",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay has no jobs API yet: take a queue and call the API from its workers, with a key of the last tier",
                ],
            },
        },
        Choice {
            id: "webhook",
            name: "Submitted, then called back",
            best_for: "programs of partners",
            gains: "no asking",
            costs: "the partner must answer, and twice is possible",
            apply: Apply { config: "", steps: &["Mainstay calls nobody back yet"] },
        },
    ],
    rules: &[
        Rule {
            choose: "webhook",
            when: &[above(TASK_SECONDS, 3.0), yes(MACHINE_CALLERS)],
            why: "it takes longer than a caller should hold a line, and callers can be called",
        },
        Rule {
            choose: "polling",
            when: &[above(TASK_SECONDS, 3.0)],
            why: "more than three seconds is longer than a request should be held",
        },
        Rule {
            choose: "polling",
            when: &[yes(RETRYABLE), above(TASK_SECONDS, 1.0)],
            why: "what may fail and be tried again is better done by a worker",
        },
    ],
    otherwise: Otherwise {
        choose: "sync",
        why: "it is done in less time than a job would take to be submitted",
    },
    premises: &[
        Premise {
            of: &["polling", "webhook"],
            holds: at_most(OLDEST_JOB, 300.0),
            otherwise: "a job waits for more than five minutes: more workers, and a queue for each tier",
        },
        Premise {
            of: &["sync"],
            holds: at_most(TURN_P95, 30_000.0),
            otherwise: "requests take half a minute at p95: submit them instead",
        },
    ],
    corrections: &[
        "An answer that streams for ten seconds is no job: what counts is whether somebody reads along.",
        "10,000 jobs of 10 s are 27.8 worker-hours; ten times as many workers clear two hours in twelve minutes only if the two hours were theirs alone and no new jobs come.",
        "A backlog of 500,000 at 1,000 a minute is done in 8.3 hours: a limit of a day is not at risk before 1.4 million, which the queue of a million does not hold.",
        "A job that is written and then sent is lost when the process ends in between: it takes an outbox, or a worker that reads the table.",
    ],
};
