use crate::cards::tests::assert_decides;
use crate::fact::{AGENTS, TOOLS_WRITE};

use super::facts::{
    AUDITABLE, CODE_EXEC, DELIVERABLE, IRREVERSIBLE, RETURNS, STEPS_KNOWN, TOOL_CALLS, TURNS,
};

#[test]
fn without_tools_there_is_no_agent() {
    assert_decides("08.1", &[(AGENTS, 0.0), (AUDITABLE, 1.0)], "none");
}

#[test]
fn compliance_fixes_the_steps_of_a_report() {
    assert_decides("08.1", &[(AGENTS, 1.0), (AUDITABLE, 1.0), (DELIVERABLE, 1.0)], "graph");
}

#[test]
fn a_due_diligence_of_ten_calls_is_planned() {
    assert_decides(
        "08.1",
        &[(AGENTS, 1.0), (AUDITABLE, 0.0), (STEPS_KNOWN, 0.0), (TOOL_CALLS, 10.0)],
        "plan",
    );
}

#[test]
fn refunds_are_approved_although_they_are_idempotent() {
    assert_decides("08.2", &[(TOOLS_WRITE, 1.0), (IRREVERSIBLE, 1.0)], "two_phase");
}

#[test]
fn an_assistant_for_two_years_remembers() {
    assert_decides("08.3", &[(RETURNS, 1.0), (TURNS, 5.0)], "long_term");
}

#[test]
fn code_runs_in_a_box() {
    assert_decides("08.4", &[(AGENTS, 1.0), (CODE_EXEC, 1.0), (TOOLS_WRITE, 0.0)], "full");
}
