use crate::cards::tests::assert_decides;
use crate::fact::{AVAILABILITY_TARGET, BREAKER_OSCILLATIONS, OWN_GPUS, PEAK_REQUESTS_PER_SECOND, TIERS};

use super::facts::{
    BUDGET_LEFT, HAS_STAGING, JOURNEYS, QUALITY_TARGETED, SAFETY, SAMPLED, SLOW_RECOVERY, WORKLOADS,
};

#[test]
fn quality_that_is_promised_is_an_objective() {
    assert_decides("09.1", &[(QUALITY_TARGETED, 1.0), (JOURNEYS, 1.0), (SAMPLED, 10.0)], "four");
}

#[test]
fn a_clinic_opens_at_the_second_failure() {
    assert_decides("09.2", &[(SAFETY, 1.0), (SLOW_RECOVERY, 1.0)], "aggressive");
}

#[test]
fn much_traffic_without_false_opens_stays_as_it_is() {
    assert_decides("09.2", &[(PEAK_REQUESTS_PER_SECOND, 500.0), (BREAKER_OSCILLATIONS, 0.0)], "hybrid");
}

#[test]
fn chat_and_training_do_not_share_gpus() {
    assert_decides("09.3", &[(OWN_GPUS, 1.0), (WORKLOADS, 3.0), (TIERS, 2.0)], "pools");
}

#[test]
fn without_budget_left_production_is_not_broken_on_purpose() {
    assert_decides(
        "09.4",
        &[(HAS_STAGING, 1.0), (AVAILABILITY_TARGET, 0.999), (BUDGET_LEFT, 0.1)],
        "staging",
    );
}
