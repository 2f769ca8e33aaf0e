use crate::cards::tests::assert_decides;
use crate::fact::{AUDIENCE_INTERNAL, FAITHFULNESS_TARGET, LATENCY_P95_TARGET, TENANTS, TTFT_P95_TARGET};

use super::facts::{BUDGET_FIXED, CONTRACTS, OWN_WRITES, STALE_HURTS};

#[test]
fn an_internal_tool_with_a_ceiling_is_decided_by_it() {
    assert_decides(
        "01.1",
        &[(AUDIENCE_INTERNAL, 1.0), (BUDGET_FIXED, 1.0), (TTFT_P95_TARGET, 500.0)],
        "cost_first",
    );
}

#[test]
fn a_written_target_is_what_the_design_is_held_to() {
    assert_decides("01.1", &[(TTFT_P95_TARGET, 500.0)], "slo_first");
}

#[test]
fn a_contract_asks_for_targets_by_tier_before_quality_does() {
    assert_decides("01.2", &[(CONTRACTS, 2.0), (FAITHFULNESS_TARGET, 0.85)], "per_tier");
}

#[test]
fn batch_work_needs_no_percentile() {
    assert_decides("01.2", &[(LATENCY_P95_TARGET, 120000.0)], "median");
}

#[test]
fn tenants_are_kept_apart_whatever_the_file_calls_the_audience() {
    assert_decides("01.3", &[(AUDIENCE_INTERNAL, 1.0), (TENANTS, 500.0)], "enterprise");
}

#[test]
fn bills_are_strong_although_their_authors_look_at_once() {
    assert_decides("01.4", &[(STALE_HURTS, 1.0), (OWN_WRITES, 1.0)], "strong");
}

#[test]
fn an_upload_is_found_by_its_author_at_once() {
    assert_decides("01.4", &[(OWN_WRITES, 1.0)], "read_your_writes");
}
