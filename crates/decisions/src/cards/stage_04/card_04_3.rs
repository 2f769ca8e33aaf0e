use super::facts::{FIXED_PROMPTS, SHARED_PREFIX, WRONG_HITS};
use crate::card::{Apply, Card, Choice, Otherwise, Premise, Rule, above, at_least, at_most, no, yes};
use crate::fact::{AUDIENCE_CONSUMER, CACHE_HIT_RATE, OWN_GPUS, REPEATED_QUESTIONS};

pub(super) const CARD: Card = Card {
    id: "04.3",
    title: "Caches",
    question: "Which answers are given again, and where?",
    options: &[
        Choice {
            id: "none",
            name: "None",
            best_for: "answers that must be made anew",
            gains: "never stale",
            costs: "every question is paid for",
            apply: Apply { config: "", steps: &["cache.mode = \"off\" is the default of an assistant"] },
        },
        Choice {
            id: "exact",
            name: "The same question",
            best_for: "templates, jobs, buttons",
            gains: "never a wrong answer",
            costs: "people seldom ask in the same words",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\ncache.mode = \"exact\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "semantic",
            name: "A question that means the same",
            best_for: "questions of many people about few things",
            gains: "a third of the questions cost nothing",
            costs: "the line between like and the same has to be learned",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\ncache.mode = \"semantic\"\ncache.most_wrong = \"1%\"\n",
                steps: &["mainstay cache warm questions.txt --assistant support"],
            },
        },
        Choice {
            id: "prefix",
            name: "The engine's own, for long instructions",
            best_for: "own GPUs with one long prompt for all",
            gains: "the first token comes sooner",
            costs: "one engine, empty after a restart",
            apply: Apply {
                config: "",
                steps: &[
                    "start vLLM with --enable-prefix-caching; put what changes at the end of the prompt",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "semantic",
            when: &[above(REPEATED_QUESTIONS, 0.15), no(FIXED_PROMPTS)],
            why: "enough questions mean the same to pay for learning where the line is",
        },
        Rule {
            choose: "exact",
            when: &[yes(FIXED_PROMPTS)],
            why: "what comes again word by word needs no likeness",
        },
        Rule {
            choose: "prefix",
            when: &[yes(OWN_GPUS), above(SHARED_PREFIX, 0.8)],
            why: "four of five requests begin with the same instructions: they are read once",
        },
        Rule {
            choose: "exact",
            when: &[yes(AUDIENCE_CONSUMER)],
            why: "among many people some ask the same, and an exact hit is never wrong",
        },
    ],
    otherwise: Otherwise { choose: "none", why: "nothing says that questions come again" },
    premises: &[
        Premise {
            of: &["semantic"],
            holds: at_most(WRONG_HITS, 0.01),
            otherwise: "more than one in a hundred answers to like questions may be wrong: lower cache.most_wrong or raise cache.least_similarity",
        },
        Premise {
            of: &["semantic"],
            holds: at_least(CACHE_HIT_RATE, 0.1),
            otherwise: "fewer than one in ten is answered from the cache: it costs more than it saves",
        },
        Premise {
            of: &["exact"],
            holds: at_least(CACHE_HIT_RATE, 0.02),
            otherwise: "the exact cache hardly ever answers: turn it off or try semantic",
        },
    ],
    corrections: &[
        "A cosine above .92 is no promise: what is alike enough differs by question. Raising it to .95 is stricter, not 'lower' as the card says.",
        "30 % exact duplicates of FAQ at 60 % FAQ traffic are 18 %, and 25 % of it are 15 %, as stated; the shares that are left, 27 % and 40 %, make the blended price $.0029 only if the small model costs $.0016 a request.",
        "GPT-4o-mini at $.60 and $2.40 a million is four times its list price ($.15 and $.60): it is 17 times cheaper than GPT-4o and not 4 (nor 5, as in card 9.4).",
    ],
};
