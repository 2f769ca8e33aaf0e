use crate::cards::tests::assert_decides;
use crate::fact::{API_COST_PER_MONTH, MONTHLY_BUDGET, PEAK_FACTOR, SELF_HOSTED_COST_PER_MONTH};

use super::facts::{
    FLASH_FACTOR, GPU_MEMORY, HAS_TRACE, LOAD_STEADY, MEMORY_NEEDED, ML_OPS, QUALITY_CRITICAL, SPIKES_KNOWN,
};

#[test]
fn a_trace_beats_a_range() {
    assert_decides("02.1", &[(HAS_TRACE, 1.0), (MONTHLY_BUDGET, 1000.0)], "measured");
}

#[test]
fn seventy_billion_parameters_in_16_bits_do_not_fit_on_80_gigabytes() {
    assert_decides(
        "02.2",
        &[(MEMORY_NEEDED, 161.0), (GPU_MEMORY, 80.0), (QUALITY_CRITICAL, 0.0)],
        "quantise",
    );
}

#[test]
fn where_quality_is_critical_the_model_is_split_instead() {
    assert_decides(
        "02.2",
        &[(MEMORY_NEEDED, 161.0), (GPU_MEMORY, 80.0), (QUALITY_CRITICAL, 1.0)],
        "tensor_parallel",
    );
}

#[test]
fn fifty_million_tokens_a_day_stay_at_the_provider() {
    assert_decides(
        "02.3",
        &[
            (API_COST_PER_MONTH, 8250.0),
            (SELF_HOSTED_COST_PER_MONTH, 25590.0),
            (ML_OPS, 1.0),
            (LOAD_STEADY, 1.0),
        ],
        "api",
    );
}

#[test]
fn without_anybody_to_run_it_nothing_is_self_hosted() {
    assert_decides(
        "02.3",
        &[
            (API_COST_PER_MONTH, 90000.0),
            (SELF_HOSTED_COST_PER_MONTH, 25590.0),
            (ML_OPS, 0.0),
            (LOAD_STEADY, 1.0),
        ],
        "api",
    );
}

#[test]
fn half_the_cost_of_a_fleet_pays_for_a_small_one() {
    assert_decides(
        "02.3",
        &[
            (API_COST_PER_MONTH, 20000.0),
            (SELF_HOSTED_COST_PER_MONTH, 25590.0),
            (ML_OPS, 1.0),
            (LOAD_STEADY, 0.0),
        ],
        "hybrid",
    );
}

#[test]
fn monday_at_nine_is_scheduled() {
    assert_decides("02.4", &[(SPIKES_KNOWN, 1.0), (PEAK_FACTOR, 5.0)], "scheduled");
}

#[test]
fn a_launch_waits_in_a_queue_although_the_days_are_known() {
    assert_decides("02.4", &[(SPIKES_KNOWN, 1.0), (FLASH_FACTOR, 10.0)], "queue");
}
