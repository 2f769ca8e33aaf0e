use crate::cards::tests::assert_decides;
use crate::fact::{
    BREAK_EVEN_TOKENS_PER_DAY, HIGH_STAKES, LATENCY_P95_TARGET, LOAD_STEADY, ML_ENGINEERS, TOKENS_PER_DAY,
};

use super::facts::{
    CHANGES_WEEKLY, EASY_SHARE, EXAMPLES, GOLDEN_SET, INTENT_ACCURACY, INTENT_LABELS, MULTI_STEP,
    PRIVATE_DATA, RAG_MEETS, STRICT_FORMAT,
};

#[test]
fn two_hundred_examples_are_no_reason_to_train() {
    assert_decides(
        "05.1",
        &[(PRIVATE_DATA, 1.0), (STRICT_FORMAT, 1.0), (EXAMPLES, 200.0), (RAG_MEETS, 0.0)],
        "rag",
    );
}

#[test]
fn a_lawyer_s_form_over_new_documents_takes_both() {
    assert_decides(
        "05.1",
        &[(PRIVATE_DATA, 1.0), (STRICT_FORMAT, 1.0), (EXAMPLES, 4000.0), (CHANGES_WEEKLY, 1.0)],
        "rag_and_tune",
    );
}

#[test]
fn time_alone_makes_no_agent_of_a_question_to_documents() {
    assert_decides(
        "05.1",
        &[(PRIVATE_DATA, 1.0), (MULTI_STEP, 0.0), (STRICT_FORMAT, 0.0), (LATENCY_P95_TARGET, 8000.0)],
        "rag",
    );
}

#[test]
fn steps_make_an_agent_of_a_task_with_documents() {
    assert_decides(
        "05.1",
        &[(PRIVATE_DATA, 1.0), (MULTI_STEP, 1.0), (STRICT_FORMAT, 0.0), (LATENCY_P95_TARGET, 8000.0)],
        "agent",
    );
}

#[test]
fn past_break_even_without_engineers_stays_outside() {
    assert_decides(
        "05.2",
        &[
            (TOKENS_PER_DAY, 400000000.0),
            (BREAK_EVEN_TOKENS_PER_DAY, 370000000.0),
            (LOAD_STEADY, 1.0),
            (ML_ENGINEERS, 0.0),
            (EASY_SHARE, 0.6),
        ],
        "hybrid",
    );
}

#[test]
fn fifty_million_tokens_stay_at_the_provider() {
    assert_decides(
        "05.2",
        &[
            (TOKENS_PER_DAY, 50000000.0),
            (BREAK_EVEN_TOKENS_PER_DAY, 370000000.0),
            (LOAD_STEADY, 1.0),
            (ML_ENGINEERS, 1.0),
            (EASY_SHARE, 0.6),
        ],
        "api",
    );
}

#[test]
fn labels_that_make_a_poor_classifier_do_not_route() {
    assert_decides("05.3", &[(INTENT_LABELS, 3000.0), (INTENT_ACCURACY, 0.7), (EASY_SHARE, 0.6)], "gate");
}

#[test]
fn medicine_is_judged_by_people() {
    assert_decides("05.4", &[(HIGH_STAKES, 1.0), (GOLDEN_SET, 500.0)], "people");
}
