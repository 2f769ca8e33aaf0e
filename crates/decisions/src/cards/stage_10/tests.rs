use crate::cards::tests::assert_decides;
use crate::fact::{TIERS, TTFT_P95, TTFT_P95_TARGET};

use super::facts::{
    ASYNC_OK, FAR_LATENCY, GPU_BUSY, LEGAL_ISOLATION, MACHINE_CALLERS, TASK_SECONDS, TTFT_IDLE,
    WRITES_EVERYWHERE,
};

#[test]
fn busy_and_late_for_one_takes_both() {
    assert_decides("10.1", &[(GPU_BUSY, 0.95), (TTFT_IDLE, 900.0), (TTFT_P95_TARGET, 500.0)], "both");
}

#[test]
fn late_for_one_alone_is_not_mended_by_replicas() {
    assert_decides("10.1", &[(GPU_BUSY, 0.6), (TTFT_IDLE, 900.0), (TTFT_P95_TARGET, 500.0)], "bigger");
}

#[test]
fn idle_and_late_is_profiled() {
    assert_decides(
        "10.1",
        &[(GPU_BUSY, 0.3), (TTFT_IDLE, 200.0), (TTFT_P95, 900.0), (TTFT_P95_TARGET, 500.0)],
        "profile",
    );
}

#[test]
fn partners_are_called_back() {
    assert_decides("10.2", &[(TASK_SECONDS, 90.0), (MACHINE_CALLERS, 1.0)], "webhook");
}

#[test]
fn tiers_come_before_patience() {
    assert_decides("10.3", &[(TIERS, 3.0), (ASYNC_OK, 1.0)], "shed");
}

#[test]
fn the_law_comes_before_latency() {
    assert_decides(
        "10.4",
        &[(LEGAL_ISOLATION, 1.0), (WRITES_EVERYWHERE, 1.0), (FAR_LATENCY, 200.0)],
        "isolated",
    );
}
