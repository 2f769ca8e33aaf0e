use crate::cards::tests::assert_decides;
use crate::fact::{TENANTS, TOOLS_WRITE};

use super::facts::{
    AUDITED, CONSENT, DEBUGS_CONTENT, HEALTH, PEOPLE, PERSONAL, PUBLIC, THIRD_PARTY_MODEL, UPLOADS,
};

#[test]
fn an_answer_that_acts_loses_its_power_first() {
    assert_decides("11.1", &[(TOOLS_WRITE, 1.0), (UPLOADS, 1.0), (PUBLIC, 1.0)], "isolation");
}

#[test]
fn uploads_are_scanned() {
    assert_decides("11.1", &[(TOOLS_WRITE, 0.0), (UPLOADS, 1.0)], "layers");
}

#[test]
fn patients_are_not_sent_to_somebody_else_s_model() {
    assert_decides("11.2", &[(HEALTH, 1.0), (PERSONAL, 1.0), (THIRD_PARTY_MODEL, 1.0)], "at_ingestion");
}

#[test]
fn with_a_model_of_one_s_own_they_stay() {
    assert_decides("11.2", &[(HEALTH, 1.0), (PERSONAL, 1.0), (THIRD_PARTY_MODEL, 0.0)], "self_hosted");
}

#[test]
fn five_people_have_roles() {
    assert_decides("11.3", &[(PEOPLE, 5.0), (TENANTS, 1.0)], "roles");
}

#[test]
fn an_auditor_comes_before_curiosity() {
    assert_decides("11.4", &[(AUDITED, 1.0), (DEBUGS_CONTENT, 1.0), (CONSENT, 1.0)], "strict");
}
