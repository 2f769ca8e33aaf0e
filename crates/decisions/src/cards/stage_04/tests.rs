use crate::cards::tests::assert_decides;
use crate::fact::{DATA_RESIDENCY, DOCUMENTS, REPEATED_QUESTIONS, RETRIEVAL_P99, STALE_READ_HURTS};

use super::facts::{
    FIXED_PROMPTS, HAS_POSTGRES, MIXED_FEATURES, OPERATES_CLUSTERS, TRAINING_BYTES, TRAINING_ROWS,
};

#[test]
fn a_million_rows_need_no_new_system() {
    assert_decides("04.1", &[(TRAINING_ROWS, 500000.0), (HAS_POSTGRES, 1.0)], "postgres");
}

#[test]
fn terabytes_go_to_a_warehouse_whatever_runs_already() {
    assert_decides(
        "04.1",
        &[(TRAINING_BYTES, 2000000000000.0), (TRAINING_ROWS, 500000.0), (HAS_POSTGRES, 1.0)],
        "warehouse",
    );
}

#[test]
fn a_slow_index_of_600_000_documents_moves() {
    assert_decides("04.2", &[(DOCUMENTS, 600000.0), (RETRIEVAL_P99, 62.0), (HAS_POSTGRES, 1.0)], "qdrant");
}

#[test]
fn a_fast_one_stays_where_it_is() {
    assert_decides("04.2", &[(DOCUMENTS, 600000.0), (RETRIEVAL_P99, 30.0), (HAS_POSTGRES, 1.0)], "embedded");
}

#[test]
fn residency_keeps_vectors_out_of_a_managed_service() {
    assert_decides(
        "04.2",
        &[(DOCUMENTS, 200000000.0), (OPERATES_CLUSTERS, 0.0), (DATA_RESIDENCY, 1.0)],
        "qdrant",
    );
}

#[test]
fn templates_are_cached_exactly_although_they_repeat() {
    assert_decides("04.3", &[(REPEATED_QUESTIONS, 0.4), (FIXED_PROMPTS, 1.0)], "exact");
}

#[test]
fn a_help_desk_caches_by_meaning() {
    assert_decides("04.3", &[(REPEATED_QUESTIONS, 0.4), (FIXED_PROMPTS, 0.0)], "semantic");
}

#[test]
fn fraud_and_ranking_are_not_of_one_class() {
    assert_decides("04.4", &[(MIXED_FEATURES, 1.0), (STALE_READ_HURTS, 1.0)], "by_feature");
}
