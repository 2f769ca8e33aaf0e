use crate::cards::tests::assert_decides;
use crate::fact::{AUDIENCE_CONSUMER, STALENESS_TARGET};

use super::facts::{
    CONSUMERS, EVENTS_PER_SECOND, FEEDBACK_PER_DAY, HIGH_STAKES, JUDGE_AGREEMENT, NEEDS_REPLAY,
    SHARED_TABLES, THIRD_PARTY, TRAINS, USER_WAITS,
};

#[test]
fn who_waits_is_answered_at_once() {
    assert_decides("03.1", &[(USER_WAITS, 1.0), (EVENTS_PER_SECOND, 20000.0)], "requests");
}

#[test]
fn another_embedder_and_an_audit_log_need_a_log() {
    assert_decides("03.1", &[(NEEDS_REPLAY, 1.0), (CONSUMERS, 3.0)], "stream");
}

#[test]
fn one_reader_that_replays_needs_no_cluster() {
    assert_decides("03.1", &[(NEEDS_REPLAY, 1.0), (CONSUMERS, 1.0)], "events");
}

#[test]
fn a_hospital_checks_everywhere() {
    assert_decides("03.2", &[(HIGH_STAKES, 1.0), (SHARED_TABLES, 1.0), (THIRD_PARTY, 0.0)], "all_gates");
}

#[test]
fn a_judge_that_disagrees_with_people_is_replaced_by_them() {
    assert_decides(
        "03.3",
        &[(JUDGE_AGREEMENT, 0.6), (AUDIENCE_CONSUMER, 1.0), (FEEDBACK_PER_DAY, 50000.0)],
        "people",
    );
}

#[test]
fn clicks_rank_for_the_public() {
    assert_decides(
        "03.3",
        &[(JUDGE_AGREEMENT, 0.8), (AUDIENCE_CONSUMER, 1.0), (FEEDBACK_PER_DAY, 50000.0)],
        "signals",
    );
}

#[test]
fn training_comes_before_a_promise() {
    assert_decides("03.4", &[(TRAINS, 1.0), (STALENESS_TARGET, 60.0)], "point_in_time");
}
