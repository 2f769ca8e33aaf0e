use super::facts::{
    ALIKE_LABELS, CHECKED_LABELS, FEEDBACK_PER_DAY, FROZEN_QUESTIONS, LABEL_BUDGET, RECALL_BEFORE, TEXT_KEPT,
};
use crate::card::{
    Apply, Card, Choice, Condition, Otherwise, Premise, Rule, above, at_least, at_most, below, no, yes,
};
use crate::fact::{AUDIENCE_CONSUMER, HIGH_STAKES, JUDGE_AGREEMENT, RECALL_AT_5};

pub(super) const CARD: Card = Card {
    id: "03.3",
    title: "Labels from production",
    question: "How does what happens in production become labels?",
    options: &[
        Choice {
            id: "judge",
            name: "A model judges, people check it",
            best_for: "answers in numbers",
            gains: "a cent and less for a label, always the same",
            costs: "takes on the judge's preferences: longer looks better",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.support]\ncorpus = \"default\"\nmodel = \"openai/gpt-4o-mini\"\ncitation_judge = \"openai/gpt-4o\"\n",
                steps: &[
                    "citation_judge judges each citation while it leaves; Mainstay keeps no questions or answers, so what is to be labelled is kept by the product",
                    "label one or two of a hundred by hand and hold the judge against them",
                    "mix a fifth of old examples into what is trained on, and never safety with quality",
                ],
            },
        },
        Choice {
            id: "people",
            name: "People label",
            best_for: "decisions that matter",
            gains: "the best there is",
            costs: "dollars and days for each",
            apply: Apply {
                config: "",
                steps: &["mainstay eval retrieval reads a golden set that people made"],
            },
        },
        Choice {
            id: "signals",
            name: "Clicks and ratings",
            best_for: "ranking for many people",
            gains: "free, and what people really prefer",
            costs: "first, long and loud answers win",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay takes no feedback yet: record clicks beside it, and swap positions at random",
                    "mainstay_cascade_asked_again_total counts who asked the same again within ten minutes: a signal without a click",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "people",
            when: &[yes(HIGH_STAKES)],
            why: "neither clicks nor models may decide what is safe",
        },
        Rule {
            choose: "signals",
            when: &[no(TEXT_KEPT)],
            why: "a judge and people need the words, which may not be kept; a click needs none",
        },
        Rule {
            choose: "people",
            when: &[below(JUDGE_AGREEMENT, 0.7)],
            why: "the judge agrees with people too seldom to be believed",
        },
        Rule {
            choose: "signals",
            when: &[yes(AUDIENCE_CONSUMER), above(FEEDBACK_PER_DAY, 10_000.0)],
            why: "ten thousand signals a day say more about ranking than any judge",
        },
    ],
    otherwise: Otherwise {
        choose: "judge",
        why: "a judge labels in numbers, and a sample by people keeps it honest",
    },
    premises: &[
        Premise {
            of: &["judge"],
            holds: at_least(JUDGE_AGREEMENT, 0.7),
            otherwise: "the judge has drifted from people: calibrate it on a hundred pairs, or label by hand",
        },
        Premise {
            of: &["judge"],
            holds: at_least(CHECKED_LABELS, 0.01),
            otherwise: "people check less than one label in a hundred: nobody would notice that the judge drifts",
        },
        Premise {
            of: &["people"],
            holds: at_least(LABEL_BUDGET, 100.0),
            otherwise: "fewer than a hundred labels a week: let a judge label and people check",
        },
        Premise {
            of: &["judge", "people", "signals"],
            holds: at_least(FROZEN_QUESTIONS, 500.0),
            otherwise: "with fewer than 500 questions that never change, a loss of three hundredths cannot be told from chance",
        },
        Premise {
            of: &["judge", "people", "signals"],
            holds: Condition::at_most_fact(RECALL_BEFORE, RECALL_AT_5, 1.0 / 0.95),
            otherwise: "recall@5 is down by a twentieth since the last training: go back to the model before",
        },
        Premise {
            of: &["judge", "people", "signals"],
            holds: at_most(ALIKE_LABELS, 0.9),
            otherwise: "nine of ten new labels are nearly old ones: stop labelling and sample elsewhere",
        },
    ],
    corrections: &[
        "$.001 a label is not what the sample pays: 2,000 tokens read and 100 written are $.006 at GPT-4o's prices, $6,000 for \
         a million a day; at GPT-4o-mini's they are $.0004.",
        "The sample gives the judge's words to eval(), which runs whatever stands there as a program: it has to be read as JSON.",
        "A gate of 200 questions cannot tell that recall@5 'holds': around .8 its 95 % interval is .055 to either side, with 500 \
         still .035. Compare the same questions before and after (`mainstay eval retrieval --against`).",
        "A hashed user id and an embedding are still personal data: the one can be linked, and texts can be guessed from the \
         other. And no model can grade an answer from embeddings: the judge needs its words.",
    ],
};
