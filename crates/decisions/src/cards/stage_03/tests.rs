use crate::cards::tests::assert_decides;
use crate::decide::decide;
use crate::fact::{
    AUDIENCE_CONSUMER, HIGH_STAKES, JUDGE_AGREEMENT, Origin, STALENESS_TARGET, Situation, Source,
};
use crate::measured::Samples;

use super::card_03_2;
use super::facts::{
    CONSUMERS, EVENTS_PER_SECOND, FEEDBACK_PER_DAY, FOREIGN_FEATURES, NEEDS_REPLAY, ONLY_LOOKED_AT,
    REFUSED_SHARE, SHARED_TABLES, TEXT_KEPT, THIRD_PARTY, TRAINS, USER_WAITS, WINDOWS,
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
fn last_clicks_are_summed_in_batches_only_where_a_minute_is_allowed() {
    assert_decides("03.1", &[(WINDOWS, 1.0), (STALENESS_TARGET, 300.0)], "micro_batch");
    assert_decides("03.1", &[(WINDOWS, 1.0), (STALENESS_TARGET, 10.0)], "stream");
}

#[test]
fn a_hospital_stops_what_was_not_checked_whoever_writes_the_tables() {
    assert_decides("03.2", &[(HIGH_STAKES, 1.0), (SHARED_TABLES, 1.0), (THIRD_PARTY, 0.0)], "hard_stops");
}

#[test]
fn where_data_comes_from_says_which_gate_is_one_s_own() {
    assert_decides("03.2", &[(SHARED_TABLES, 1.0), (THIRD_PARTY, 0.0), (FOREIGN_FEATURES, 1.0)], "storage");
    assert_decides("03.2", &[(FOREIGN_FEATURES, 1.0), (THIRD_PARTY, 1.0), (SHARED_TABLES, 0.0)], "serving");
    assert_decides("03.2", &[(THIRD_PARTY, 1.0), (SHARED_TABLES, 0.0)], "ingestion");
    assert_decides("03.2", &[(THIRD_PARTY, 1.0), (SHARED_TABLES, 1.0)], "all_gates");
}

#[test]
fn a_source_that_changed_its_format_breaks_the_premise_as_the_server_counts_it() {
    let metrics = "mainstay_documents_ingested_total{result=\"accepted\"} 80\n\
                   mainstay_documents_ingested_total{result=\"refused\"} 20\n";
    let Source::Measured(reading) = REFUSED_SHARE.from[0] else { panic!("measured") };
    let share = Samples::parse(metrics).read(&reading).expect("a share");
    let mut situation = Situation::new();
    situation.learn(REFUSED_SHARE, share, Origin::Measured);
    let decision = decide(&card_03_2::CARD, &situation);
    let broken: Vec<_> = decision.broken().map(|standing| standing.premise.holds.fact.id).collect();
    assert_eq!((share, broken), (0.2, vec!["refused_documents"]));
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
fn words_that_may_not_be_kept_leave_clicks_but_never_for_what_harms() {
    assert_decides("03.3", &[(TEXT_KEPT, 0.0), (JUDGE_AGREEMENT, 0.6)], "signals");
    assert_decides("03.3", &[(TEXT_KEPT, 0.0), (HIGH_STAKES, 1.0)], "people");
}

#[test]
fn training_comes_before_a_promise() {
    assert_decides("03.4", &[(TRAINS, 1.0), (STALENESS_TARGET, 60.0)], "point_in_time");
}

#[test]
fn an_old_value_is_refused_accepted_or_watched_by_what_is_done_with_it() {
    assert_decides("03.4", &[(HIGH_STAKES, 1.0), (TRAINS, 1.0)], "refuse_stale");
    assert_decides("03.4", &[(ONLY_LOOKED_AT, 1.0), (STALENESS_TARGET, 60.0)], "accept");
    assert_decides("03.4", &[(STALENESS_TARGET, 60.0)], "freshness");
}
