use super::facts::{CHANGES_WEEKLY, EXAMPLES, MULTI_STEP, PRIVATE_DATA, RAG_MEETS, STRICT_FORMAT};
use crate::card::{Apply, Card, Choice, Condition, Otherwise, Premise, Rule, at_least, no, yes};
use crate::fact::{FAITHFULNESS, FAITHFULNESS_TARGET, LATENCY_P95_TARGET, RECALL_AT_5};

pub(super) const CARD: Card = Card {
    id: "05.1",
    title: "Prompt, documents, training or agent",
    question: "How does the model learn what it has to know?",
    options: &[
        Choice {
            id: "prompt",
            name: "A prompt",
            best_for: "tasks that the model knows",
            gains: "hours to change, nothing to run",
            costs: "knows nothing private and nothing new",
            apply: Apply {
                config: "[providers.openai]\napi_key = \"env:OPENAI_API_KEY\"\n[assistants.writer]\nmodel = \"openai/gpt-4o-mini\"\nprompt = \"Answer in two sentences.\"\n",
                steps: &[],
            },
        },
        Choice {
            id: "rag",
            name: "Documents at hand",
            best_for: "private or changing knowledge",
            gains: "up to date, with citations",
            costs: "as good as what is found",
            apply: Apply {
                config: "[assistants.support]\ncorpus = \"default\"\nmodel = \"builtin/extractive\"\n",
                steps: &["mainstay ingest FOLDER", "mainstay eval retrieval GOLDEN"],
            },
        },
        Choice {
            id: "fine_tune",
            name: "Training a model",
            best_for: "a strict form, many examples",
            gains: "form and tone, cheaper tokens",
            costs: "examples, and again when knowledge changes",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay trains no language models: fine-tune elsewhere and serve the model as a provider",
                ],
            },
        },
        Choice {
            id: "rag_and_tune",
            name: "Documents, and a model trained for the form",
            best_for: "a strict form over knowledge that changes",
            gains: "both",
            costs: "both to keep up",
            apply: Apply {
                config: "",
                steps: &[
                    "serve the tuned model as a provider (kind = \"openai-compatible\") and name it in the assistant with its corpus",
                ],
            },
        },
        Choice {
            id: "agent",
            name: "Steps with tools",
            best_for: "tasks that cannot be answered in one go",
            gains: "does, not only says",
            costs: "slow, dear, hard to audit",
            apply: Apply {
                config: "",
                steps: &[
                    "Mainstay has no agents yet: its models take tools from your own loop over the OpenAI-compatible API",
                ],
            },
        },
    ],
    rules: &[
        Rule {
            choose: "rag_and_tune",
            when: &[at_least(EXAMPLES, 4000.0), yes(STRICT_FORMAT), yes(CHANGES_WEEKLY)],
            why: "the form is learned from thousands of examples, what is true from documents",
        },
        Rule {
            choose: "fine_tune",
            when: &[at_least(EXAMPLES, 10_000.0), yes(STRICT_FORMAT), no(RAG_MEETS)],
            why: "there are enough examples, the form is strict, and documents alone were measured not to be enough",
        },
        Rule {
            choose: "agent",
            when: &[yes(MULTI_STEP), no(STRICT_FORMAT), at_least(LATENCY_P95_TARGET, 5000.0)],
            why: "the task takes steps, and there is time for them",
        },
        Rule {
            choose: "rag",
            when: &[yes(PRIVATE_DATA)],
            why: "no public model knows it, and a document can be changed in a minute",
        },
        Rule {
            choose: "rag",
            when: &[yes(CHANGES_WEEKLY)],
            why: "a model knows what was true when it was trained",
        },
    ],
    otherwise: Otherwise {
        choose: "prompt",
        why: "the simplest that meets the target wins, and a prompt is the simplest",
    },
    premises: &[
        Premise {
            of: &["prompt", "rag", "fine_tune", "rag_and_tune"],
            holds: Condition::at_most_fact(FAITHFULNESS_TARGET, FAITHFULNESS, 1.0),
            otherwise: "the quality target is missed: look at what is retrieved first (`mainstay eval retrieval GOLDEN`)",
        },
        Premise {
            of: &["rag", "rag_and_tune"],
            holds: at_least(RECALL_AT_5, 0.75),
            otherwise: "what is not found cannot be answered: recall@5 is below .75 (`mainstay decide --card 07.1`)",
        },
    ],
    corrections: &[
        "The function chooses an agent for any task with more than five seconds and a free form, before it looks at private data: that would make an agent of a slow question to documents. Here steps decide it.",
        "10,000 requests a day at $.008 are $29,200 a year and at $.0005 $1,825, as stated, without the GPU that serves the tuned model: an A100 at $3.50 an hour is $30,660 a year, so it does not pay at this volume.",
    ],
};
