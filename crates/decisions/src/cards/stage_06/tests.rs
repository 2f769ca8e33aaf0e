use crate::cards::tests::assert_decides;
use crate::fact::{AVAILABILITY_TARGET, AWAITED, PROVIDERS};

use super::facts::{BIDIRECTIONAL, IDEMPOTENT, PROVIDER_UPTIME, REGULATED, SERVICES, TEAMS};

#[test]
fn two_services_of_one_team_need_no_central_gateway() {
    assert_decides("06.1", &[(SERVICES, 3.0), (TEAMS, 1.0)], "thin");
}

#[test]
fn voice_needs_both_directions_and_work_in_the_background_none() {
    assert_decides("06.2", &[(BIDIRECTIONAL, 1.0), (AWAITED, 1.0)], "websocket");
    assert_decides("06.2", &[(AWAITED, 0.0)], "whole");
}

#[test]
fn one_provider_cannot_keep_three_nines_and_a_half() {
    assert_decides("06.3", &[(AVAILABILITY_TARGET, 0.9995), (PROVIDER_UPTIME, 0.995)], "fallback");
}

#[test]
fn payments_are_not_tried_twice() {
    assert_decides("06.3", &[(IDEMPOTENT, 0.0), (PROVIDERS, 3.0)], "none");
}

#[test]
fn triage_is_switched_by_people() {
    assert_decides("06.4", &[(REGULATED, 1.0), (AVAILABILITY_TARGET, 0.999)], "manual");
}
