use crate::cards::tests::assert_decides;
use crate::fact::{
    API_COST_PER_MONTH, AUDIENCE_CONSUMER, CACHE_HIT_RATE, DATA_RESIDENCY, DATA_STAYS_INSIDE,
    ESCALATED_SHARE, Fact, LOAD_STEADY, ML_ENGINEERS, MONTHLY_BUDGET, PEAK_FACTOR, PEAK_REQUESTS_PER_SECOND,
    SELF_HOSTED_COST_PER_MONTH, TOKENS_PER_DAY,
};

use super::facts::{
    BOOT_SECONDS, FLASH_FACTOR, GPU_MEMORY, GPUS, HAS_TRACE, IN_REGION, MEMORY_NEEDED, QUALITY_CRITICAL,
    RAMP_SECONDS, SPIKES_KNOWN, WORTH_ASKED,
};

#[test]
fn a_trace_beats_a_range() {
    assert_decides("02.1", &[(HAS_TRACE, 1.0), (MONTHLY_BUDGET, 1000.0)], "measured");
}

#[test]
fn a_thousand_hot_documents_are_sized_by_what_the_cache_leaves_even_with_a_trace() {
    assert_decides("02.1", &[(HAS_TRACE, 1.0), (CACHE_HIT_RATE, 0.95)], "after_cache");
    assert_decides("02.1", &[(HAS_TRACE, 1.0), (CACHE_HIT_RATE, 0.3)], "measured");
}

#[test]
fn a_business_case_begins_with_the_price() {
    assert_decides("02.1", &[(WORTH_ASKED, 1.0), (MONTHLY_BUDGET, 9000.0)], "revenue");
}

/// 70 B parameters in 16 bits with their running answers, against a GPU of 80 GB.
const SEVENTY_BILLION: [(&Fact, f64); 2] = [(MEMORY_NEEDED, 161.0), (GPU_MEMORY, 80.0)];

#[test]
fn seventy_billion_parameters_in_16_bits_do_not_fit_on_80_gigabytes() {
    let [model, gpu] = SEVENTY_BILLION;
    assert_decides("02.2", &[model, gpu, (QUALITY_CRITICAL, 0.0)], "quantise");
    assert_decides("02.2", &[(MEMORY_NEEDED, 24.0), gpu], "one_gpu");
}

#[test]
fn where_quality_is_critical_the_model_is_split_instead() {
    let [model, gpu] = SEVENTY_BILLION;
    assert_decides("02.2", &[model, gpu, (QUALITY_CRITICAL, 1.0)], "tensor_parallel");
}

#[test]
fn the_same_model_takes_fewer_bits_a_pair_or_a_node_by_its_traffic() {
    let [model, gpu] = SEVENTY_BILLION;
    for (rate, choice) in [(2.0, "quantise"), (20.0, "tensor_parallel"), (100.0, "whole_node")] {
        let known = [model, gpu, (QUALITY_CRITICAL, 1.0), (PEAK_REQUESTS_PER_SECOND, rate)];
        assert_decides("02.2", &known, choice);
    }
}

#[test]
fn what_takes_six_gpus_is_not_helped_by_fewer_bits() {
    assert_decides(
        "02.2",
        &[(MEMORY_NEEDED, 480.0), (GPU_MEMORY, 80.0), (QUALITY_CRITICAL, 0.0)],
        "whole_node",
    );
}

#[test]
fn fifty_million_tokens_a_day_stay_at_the_provider() {
    assert_decides(
        "02.3",
        &[
            (TOKENS_PER_DAY, 50e6),
            (API_COST_PER_MONTH, 8250.0),
            (SELF_HOSTED_COST_PER_MONTH, 25590.0),
            (ML_ENGINEERS, 1.0),
            (PEAK_FACTOR, 2.0),
        ],
        "api",
    );
}

#[test]
fn fifty_million_tokens_of_which_a_small_model_answers_most_are_shared() {
    assert_decides(
        "02.3",
        &[
            (TOKENS_PER_DAY, 50e6),
            (API_COST_PER_MONTH, 8250.0),
            (SELF_HOSTED_COST_PER_MONTH, 25590.0),
            (ML_ENGINEERS, 1.0),
            (ESCALATED_SHARE, 0.25),
        ],
        "hybrid",
    );
}

#[test]
fn without_anybody_to_run_it_nothing_is_self_hosted() {
    assert_decides(
        "02.3",
        &[
            (API_COST_PER_MONTH, 90000.0),
            (SELF_HOSTED_COST_PER_MONTH, 25590.0),
            (ML_ENGINEERS, 0.0),
            (PEAK_FACTOR, 2.0),
        ],
        "api",
    );
}

#[test]
fn a_bursty_load_past_break_even_is_shared_and_a_steady_one_is_moved() {
    for (peak, choice) in [(2.0, "self_hosted"), (8.0, "hybrid")] {
        assert_decides(
            "02.3",
            &[
                (API_COST_PER_MONTH, 90000.0),
                (SELF_HOSTED_COST_PER_MONTH, 25590.0),
                (ML_ENGINEERS, 2.0),
                (PEAK_FACTOR, peak),
            ],
            choice,
        );
    }
}

#[test]
fn a_region_takes_own_gpus_only_where_no_provider_works_there() {
    assert_decides("02.3", &[(DATA_RESIDENCY, 1.0), (IN_REGION, 0.0)], "self_hosted");
    assert_decides("02.3", &[(DATA_RESIDENCY, 1.0), (IN_REGION, 1.0)], "api");
    assert_decides("02.3", &[(DATA_STAYS_INSIDE, 1.0), (TOKENS_PER_DAY, 1e6)], "self_hosted");
}

#[test]
fn monday_at_nine_is_scheduled() {
    assert_decides("02.4", &[(SPIKES_KNOWN, 1.0), (PEAK_FACTOR, 5.0)], "scheduled");
}

#[test]
fn a_launch_waits_in_a_queue_although_the_days_are_known() {
    assert_decides("02.4", &[(SPIKES_KNOWN, 1.0), (FLASH_FACTOR, 10.0)], "queue");
}

#[test]
fn a_burst_within_the_planned_peak_needs_no_queue() {
    assert_decides("02.4", &[(FLASH_FACTOR, 4.0), (PEAK_FACTOR, 5.0), (LOAD_STEADY, 1.0)], "fixed");
    assert_decides("02.4", &[(FLASH_FACTOR, 4.0), (PEAK_FACTOR, 3.0), (LOAD_STEADY, 1.0)], "queue");
}

#[test]
fn what_grows_slowly_is_followed_and_what_outruns_the_boot_is_buffered() {
    assert_decides("02.4", &[(RAMP_SECONDS, 1800.0), (BOOT_SECONDS, 240.0)], "reactive");
    assert_decides("02.4", &[(RAMP_SECONDS, 60.0), (BOOT_SECONDS, 240.0)], "queue");
    assert_decides("02.4", &[(RAMP_SECONDS, 60.0), (BOOT_SECONDS, 240.0), (GPUS, 2.0)], "fixed");
}

#[test]
fn the_public_has_a_daily_curve() {
    assert_decides("02.4", &[(AUDIENCE_CONSUMER, 1.0), (PEAK_FACTOR, 3.0), (GPUS, 12.0)], "scheduled");
}
