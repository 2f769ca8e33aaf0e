use crate::cards::tests::assert_decides;
use crate::fact::{CONTEXT_PRECISION, RECALL_AT_5, TTFT_P95_TARGET};

use super::facts::{CLAUSES, CODES, HAS_GPU, LANGUAGES, MAY_LEAVE, PROSE, SYNTHESIS};

#[test]
fn contracts_are_cut_by_clause() {
    assert_decides("07.1", &[(CLAUSES, 1.0), (PROSE, 1.0), (RECALL_AT_5, 0.6)], "clauses");
}

#[test]
fn prose_that_is_found_is_left_as_it_is() {
    assert_decides("07.1", &[(PROSE, 1.0), (RECALL_AT_5, 0.9)], "structural");
}

#[test]
fn two_languages_come_before_codes() {
    assert_decides("07.2", &[(LANGUAGES, 2.0), (CODES, 0.5)], "multilingual");
}

#[test]
fn part_numbers_deserve_a_weight() {
    assert_decides("07.2", &[(CODES, 0.5), (LANGUAGES, 1.0)], "hybrid_tuned");
}

#[test]
fn half_a_second_and_good_precision_rerank_built_in() {
    assert_decides("07.3", &[(TTFT_P95_TARGET, 500.0), (CONTEXT_PRECISION, 0.8)], "builtin");
}

#[test]
fn three_hundred_milliseconds_and_good_precision_do_not() {
    assert_decides("07.3", &[(TTFT_P95_TARGET, 300.0), (CONTEXT_PRECISION, 0.8)], "none");
}

#[test]
fn passages_that_must_stay_are_not_sent_away_to_be_ordered() {
    assert_decides("07.3", &[(CONTEXT_PRECISION, 0.6), (HAS_GPU, 0.0), (MAY_LEAVE, 0.0)], "builtin");
}

#[test]
fn comparisons_read_from_many_documents() {
    assert_decides("07.4", &[(SYNTHESIS, 0.5), (TTFT_P95_TARGET, 200.0)], "diverse");
}
