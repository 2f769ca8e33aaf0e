use crate::cards::tests::assert_decides;
use crate::fact::{
    API_COST_PER_MONTH, FAITHFULNESS_TARGET, MONTHLY_BUDGET, REPEATED_QUESTIONS, SELF_HOSTED_COST_PER_MONTH,
    SEMANTIC_CACHE, STALENESS_TARGET, TOKENS_PER_DAY,
};

use super::facts::{INCIDENTS, KNOWN_MODES, MONTHS_OF_DATA, RUNBOOKS, TAGGED};

#[test]
fn a_quality_target_is_watched() {
    assert_decides("12.1", &[(FAITHFULNESS_TARGET, 0.85), (STALENESS_TARGET, 60.0)], "with_quality");
}

#[test]
fn without_tried_runbooks_nothing_mends_itself() {
    assert_decides("12.2", &[(KNOWN_MODES, 5.0), (RUNBOOKS, 1.0), (INCIDENTS, 3.0)], "playbook");
}

#[test]
fn three_months_of_tagged_costs_are_the_forecast() {
    assert_decides("12.3", &[(MONTHS_OF_DATA, 6.0), (TAGGED, 0.95), (MONTHLY_BUDGET, 1000.0)], "by_feature");
}

#[test]
fn untagged_costs_are_not() {
    assert_decides("12.3", &[(MONTHS_OF_DATA, 6.0), (TAGGED, 0.5), (MONTHLY_BUDGET, 1000.0)], "scenarios");
}

#[test]
fn gpus_come_last() {
    assert_decides(
        "12.4",
        &[
            (API_COST_PER_MONTH, 90000.0),
            (SELF_HOSTED_COST_PER_MONTH, 40000.0),
            (TOKENS_PER_DAY, 500000000.0),
            (SEMANTIC_CACHE, 0.0),
            (REPEATED_QUESTIONS, 0.3),
        ],
        "cache",
    );
}

#[test]
fn after_the_cache_they_may_come() {
    assert_decides(
        "12.4",
        &[
            (API_COST_PER_MONTH, 90000.0),
            (SELF_HOSTED_COST_PER_MONTH, 40000.0),
            (TOKENS_PER_DAY, 500000000.0),
            (SEMANTIC_CACHE, 1.0),
        ],
        "self_host",
    );
}
