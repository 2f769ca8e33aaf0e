use crate::cards::tests::assert_decides;
use crate::fact::{
    API_COST_PER_MONTH, AUDIENCE_ENTERPRISE, AUDIENCE_INTERNAL, AWAITED, CASCADE_MODELS, DATA_STAYS_INSIDE,
    FAITHFULNESS_TARGET, LATENCY_P95_TARGET, MONTHLY_ACTIVE_USERS, MONTHLY_BUDGET, SLA_TIERS,
    STALE_READ_HURTS, STALENESS_TARGET, TENANTS, TTFT_P95_TARGET,
};

use super::facts::{BUDGET_FIXED, DAYS_LIVE, OWN_WRITES, SCOPE_OPEN, TEAM_DRIVES};

#[test]
fn an_internal_tool_with_a_ceiling_is_decided_by_it() {
    assert_decides(
        "01.1",
        &[(AUDIENCE_INTERNAL, 1.0), (BUDGET_FIXED, 1.0), (TTFT_P95_TARGET, 500.0)],
        "cost_first",
    );
}

#[test]
fn a_reviewer_of_code_that_may_not_leave_is_bounded_by_that_before_its_cost() {
    let background = [(AUDIENCE_INTERNAL, 1.0), (AWAITED, 0.0)];
    assert_decides("01.1", &background, "cost_first");
    assert_decides("01.1", &[background[0], background[1], (DATA_STAYS_INSIDE, 1.0)], "constraints_first");
}

#[test]
fn a_hundred_requests_a_second_do_not_fit_into_fifty_thousand_dollars() {
    let money = [(API_COST_PER_MONTH, 1_296_000.0), (MONTHLY_BUDGET, 50_000.0)];
    assert_decides("01.1", &[money[0], money[1], (TEAM_DRIVES, 1.0)], "cost_first");
}

#[test]
fn a_written_target_is_what_the_design_is_held_to() {
    assert_decides("01.1", &[(TTFT_P95_TARGET, 500.0)], "slo_first");
}

#[test]
fn an_open_scope_waits_with_targets_unless_late_answers_are_worth_less() {
    assert_decides("01.1", &[(SCOPE_OPEN, 1.0)], "features_first");
    assert_decides("01.1", &[(SCOPE_OPEN, 1.0), (TEAM_DRIVES, 1.0)], "slo_first");
}

#[test]
fn a_contract_asks_for_targets_by_tier_before_quality_does() {
    assert_decides("01.2", &[(SLA_TIERS, 2.0), (FAITHFULNESS_TARGET, 0.85)], "per_tier");
}

#[test]
fn batch_work_needs_no_percentile() {
    assert_decides("01.2", &[(LATENCY_P95_TARGET, 120_000.0)], "median");
    assert_decides("01.2", &[(AWAITED, 0.0), (AUDIENCE_ENTERPRISE, 1.0)], "median");
}

#[test]
fn the_first_month_is_provisional_and_a_contract_is_not() {
    assert_decides("01.2", &[(DAYS_LIVE, 10.0), (AUDIENCE_ENTERPRISE, 1.0)], "provisional");
    assert_decides("01.2", &[(DAYS_LIVE, 10.0), (SLA_TIERS, 1.0)], "per_tier");
    assert_decides("01.2", &[(DAYS_LIVE, 45.0), (AUDIENCE_ENTERPRISE, 1.0)], "p99");
}

#[test]
fn voice_is_held_to_its_tail_and_a_chat_with_a_cascade_to_its_quality() {
    assert_decides("01.2", &[(TTFT_P95_TARGET, 250.0), (CASCADE_MODELS, 2.0)], "p99");
    assert_decides("01.2", &[(TTFT_P95_TARGET, 500.0), (CASCADE_MODELS, 2.0)], "composite");
}

#[test]
fn tenants_are_kept_apart_whatever_the_file_calls_the_audience() {
    assert_decides("01.3", &[(AUDIENCE_INTERNAL, 1.0), (TENANTS, 500.0)], "enterprise");
}

#[test]
fn a_million_people_are_the_public() {
    assert_decides("01.3", &[(AUDIENCE_INTERNAL, 1.0), (MONTHLY_ACTIVE_USERS, 2_000_000.0)], "consumer");
    assert_decides("01.3", &[(AUDIENCE_INTERNAL, 1.0), (MONTHLY_ACTIVE_USERS, 50_000.0)], "internal");
}

#[test]
fn bills_are_strong_although_their_authors_look_at_once() {
    assert_decides("01.4", &[(STALE_READ_HURTS, 1.0), (OWN_WRITES, 1.0)], "strong");
}

#[test]
fn an_upload_is_found_by_its_author_at_once_however_stale_others_may_read() {
    assert_decides("01.4", &[(OWN_WRITES, 1.0), (STALENESS_TARGET, 120.0)], "read_your_writes");
}

#[test]
fn where_seconds_count_the_kinds_of_data_are_told_apart() {
    assert_decides("01.4", &[(STALENESS_TARGET, 120.0)], "eventual");
    assert_decides("01.4", &[(STALENESS_TARGET, 5.0)], "by_kind");
}
