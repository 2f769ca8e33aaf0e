//! Facts that the cards of stage 5 alone ask about.

use crate::fact::Source::{Measured, Plan, Told};
use crate::fact::facts;
use crate::measured::{Reading, Series};

facts! {
    pub(super),
    PRIVATE_DATA = "private_data", YesNo, "answers need documents that no public model knows", [Told("true or false")];
    CHANGES_WEEKLY = "knowledge_changes", YesNo, "what is true changes from week to week", [Told("true or false")];
    STRICT_FORMAT = "strict_format", YesNo, "answers must have a strict form or tone", [Told("true for JSON schemas, clauses, a house style")];
    EXAMPLES = "labelled_examples", Count, "good examples with their answers", [Told("how many")];
    RAG_MEETS = "retrieval_meets_the_bar", YesNo, "answers from documents meet the quality target", [Told("measured on the golden set")];
    MULTI_STEP = "several_steps", YesNo, "a task takes several steps with tools", [Told("true or false")];
    EASY_SHARE = "easy_share", Share, "the share of questions that a small model answers well", [Plan("economics.easy_share"), Told("on the golden set")];
    INTENT_LABELS = "intent_labels", Count, "questions with their intent", [Told("lines of labels.csv")];
    INTENT_ACCURACY = "intent_accuracy", Score, "how often the classifier of intents is right", [Told("mainstay train intent labels.csv --test test.csv")];
    REGENERATED = "asked_again", Share, "the share of answers of small models that were asked for again", [Measured(Reading::Ratio { of: Series::all("mainstay_cascade_asked_again_total"), among: Series::all("mainstay_cascade_answers_total"), scale: 1.0 })];
    GOLDEN_SET = "golden_set", Count, "questions of the golden set with answers by people", [Told("how many")];
    CONTEXT_RECALL = "context_recall", Score, "the share of needed passages that are found", [Told("mainstay eval retrieval GOLDEN")];
}
