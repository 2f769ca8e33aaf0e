//! Policies that are in force, though they may not say what was meant.

use super::team;
use crate::warning::Doubt;

fn doubts(text: &str) -> Vec<String> {
    team(text).warnings().iter().map(ToString::to_string).collect()
}

#[test]
fn doubtful_policies_are_told_with_their_place() {
    let text = r#"
@id("shadowed")
permit (principal in Mainstay::Role::"temp", action == Mainstay::Action::"costs.read", resource)
when { principal.via == Mainstay::Via::"key" };
@id("no-costs-for-keys")
forbid (principal, action == Mainstay::Action::"costs.read", resource)
when { principal.via == Mainstay::Via::"key" };
@id("across")
permit (principal in Mainstay::Role::"temp", action == Mainstay::Action::"documents.read", resource)
when { principal.tenant != resource.tenant };
@id("never")
permit (principal, action == Mainstay::Action::"costs.read", resource)
when { principal.via == Mainstay::Via::"key" && principal.via == Mainstay::Via::"token" };
@id("nothing")
forbid (principal, action, resource) when { false };
@id("typo")
permit (principal in Mainstay::Role::"enginer", action == Mainstay::Action::"costs.read", resource);
permit (principal in Mainstay::Role::"temp", action == Mainstay::Action::"answers.ask", resource)
when { 9223372036854775807 + 1 > 0 };
@id("fine")
permit (principal in Mainstay::Role::"reviewer", action == Mainstay::Action::"costs.read", resource);
"#;
    insta::assert_snapshot!(doubts(text).join("\n"));
}

#[test]
fn a_permit_that_some_forbids_leave_alone_somewhere_is_not_shadowed() {
    let text = r#"
        permit (principal in Mainstay::Role::"temp", action == Mainstay::Action::"costs.read", resource);
        forbid (principal, action == Mainstay::Action::"costs.read", resource)
        unless { principal has tier && principal.tier == "gold" };
    "#;
    assert_eq!(doubts(text), [""; 0]);
}

#[test]
fn texts_that_look_like_others_are_told() {
    let policies = team(
        "permit (principal, action == Mainstay::Action::\"costs.read\", resource)\n\
         when { principal has user && principal.user == \"аdmin\" };",
    );
    let doubts: Vec<_> = policies.warnings().iter().map(|warning| &warning.doubt).collect();
    assert!(matches!(doubts.as_slice(), [Doubt::Confusable(_)]), "{doubts:?}");
}

#[test]
fn a_policy_that_looks_at_too_much_is_not_judged() {
    let attributes = ["user", "tier", "region"];
    let conditions: Vec<_> = attributes
        .iter()
        .map(|name| format!("principal has {name} && [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\"].contains(principal.{name}) \
                             && principal.{name} == \"h\""))
        .collect();
    let text = format!(
        "permit (principal, action == Mainstay::Action::\"costs.read\", resource) when {{ {} }};",
        conditions.join(" && ")
    );
    let doubts: Vec<_> = team(&text).warnings().iter().map(|warning| warning.doubt.clone()).collect();
    assert_eq!(doubts, [Doubt::NotTried]);
}
