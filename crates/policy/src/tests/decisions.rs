//! What a team's own policies add, and how a decision is kept and explained.

use cedar_policy as cedar;
use mainstay_domain::id::{RegionName, TenantId, TierName, UserId};
use mainstay_domain::identity::Permission;

use super::{may, somebody, team};
use crate::question::{Environment, ResourceKind, Via};
use crate::situation::Axes;
use crate::{EXAMPLE, Policies, SCHEMA};

#[test]
fn a_role_of_the_teams_own_does_what_its_policy_says() {
    let policies = Policies::with(EXAMPLE, "example.cedar").unwrap();
    let editor = |name: &str| {
        let mut situation = somebody(&["handbook_editor"], Permission::DocumentsWrite);
        situation.name = Some(name.to_owned());
        situation
    };
    assert!(may(&policies, &editor("handbook")));
    assert!(!may(&policies, &editor("contracts")));
    assert!(!may(&policies, &editor("handbook").elsewhere()));
    assert!(policies.roles().iter().any(|role| role.as_str() == "handbook_editor"));
}

#[test]
fn an_attribute_that_is_looked_at_makes_a_difference_after_a_decision_is_kept() {
    let policies = Policies::with(EXAMPLE, "example.cedar").unwrap();
    let mut rebuild = somebody(&["engineer"], Permission::IndexRebuild);
    assert!(!may(&policies, &rebuild));
    rebuild.approved = true;
    assert!(may(&policies, &rebuild));
    rebuild.approved = false;
    rebuild.environment = Environment::Staging;
    assert!(may(&policies, &rebuild));
    rebuild.region = Some(RegionName::new("eu-west-1"));
    assert!(!may(&policies, &rebuild));
    rebuild.here = Some(RegionName::new("eu-west-1"));
    assert!(may(&policies, &rebuild));
    rebuild.here = Some(RegionName::new("us-east-1"));
    assert!(!may(&policies, &rebuild));

    let mut keys = somebody(&["admin"], Permission::KeysManage);
    assert!(may(&policies, &keys));
    keys.via = Via::Key;
    assert!(!may(&policies, &keys));
}

#[test]
fn users_tiers_kinds_and_tenants_are_told_apart_where_a_policy_names_them() {
    let policies = team(
        r#"
        permit (principal, action == Mainstay::Action::"costs.read", resource)
        when { principal has user && principal.user == "alice" && principal has tier && principal.tier == "gold" };
        forbid (principal, action == Mainstay::Action::"documents.read", resource)
        when { resource["k\u{69}nd"] == Mainstay::Kind::"document" && principal.tenant == Mainstay::Tenant::"acme" };
        "#,
    );
    let mut costs = somebody(&[], Permission::CostsRead);
    costs.tier = Some(TierName::new("gold"));
    assert!(may(&policies, &costs));
    costs.user = Some(UserId::new("bob"));
    assert!(!may(&policies, &costs));
    costs.user = Some(UserId::new("alice"));
    costs.tier = None;
    assert!(!may(&policies, &costs));

    let mut read = somebody(&["viewer"], Permission::DocumentsRead);
    assert!(may(&policies, &read));
    read.kind = ResourceKind::Document;
    assert!(!may(&policies, &read));
    read.tenants = (TenantId::new("globex"), TenantId::new("globex"));
    assert!(may(&policies, &read));
}

#[test]
fn questions_that_differ_in_what_no_policy_looks_at_are_the_same_question() {
    let policies = Policies::builtin().unwrap();
    let one = somebody(&["viewer", "of-another-system"], Permission::AnswersAsk);
    let mut other = one.clone();
    other.roles.reverse();
    other.tenants = (TenantId::new("globex"), TenantId::new("globex"));
    other.user = None;
    other.via = Via::Key;
    other.name = Some("handbook".to_owned());
    other.environment = Environment::Staging;
    assert_eq!(policies.lens.facts(&one.question()), policies.lens.facts(&other.question()));
    other.permission = Permission::DocumentsRead;
    assert_ne!(policies.lens.facts(&one.question()), policies.lens.facts(&other.question()));
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies_what_others_permit() {
    let policies = team(
        r#"@id("overflows")
        forbid (principal, action == Mainstay::Action::"answers.ask", resource)
        when { 9223372036854775807 + 1 > 0 };"#,
    );
    let decision = policies.decide(&somebody(&["viewer"], Permission::AnswersAsk).question());
    assert!(!decision.allowed);
    assert_eq!(decision.because, []);
    assert!(
        decision.errors[0].contains("overflow") && decision.errors[0].contains("overflows"),
        "{decision:?}"
    );
    assert!(may(&policies, &somebody(&["viewer"], Permission::DocumentsRead)));
}

#[test]
fn every_question_is_one_that_the_schema_allows() {
    let policies = Policies::with(EXAMPLE, "example.cedar").unwrap();
    let (schema, warnings) = cedar::Schema::from_cedarschema_str(SCHEMA).unwrap();
    assert_eq!(warnings.count(), 0);
    let mut axes = Axes::new(&policies.reads);
    axes.kinds = ResourceKind::ALL.to_vec();
    let step = (axes.len() / 2_000).max(1);
    // An odd step meets every value of every part.
    for number in (0..axes.len()).step_by(step as usize | 1) {
        let situation = axes.situation(number);
        let put = policies.asker.put(&policies.lens, &situation.question(), Some(&schema));
        assert!(put.is_ok(), "{situation:?}: {}", put.err().unwrap().0);
    }
    let actions = schema.action_entities().unwrap().len();
    assert_eq!(actions, Permission::ALL.len(), "the schema has an action that is no permission");
}

#[test]
fn the_schema_lists_the_same_names_as_the_code() {
    let fragment = cedar::SchemaFragment::from_cedarschema_str(SCHEMA).unwrap().0.to_json_value().unwrap();
    let listed = |kind: &str| fragment["Mainstay"]["entityTypes"][kind]["enum"].clone();
    let names = |names: Vec<&str>| serde_json::Value::from(names);
    assert_eq!(listed("Via"), names(Via::ALL.iter().map(|one| one.as_str()).collect()));
    assert_eq!(listed("Environment"), names(Environment::ALL.iter().map(|one| one.as_str()).collect()));
    assert_eq!(listed("Kind"), names(ResourceKind::ALL.iter().map(|one| one.as_str()).collect()));
    assert_eq!(Via::from_name("token"), Some(Via::Token));
    assert_eq!(Via::from_name("Token"), None);
}

#[test]
fn an_explanation_says_what_decided_and_who_would_be_allowed() {
    let policies = Policies::with(EXAMPLE, "example.cedar").unwrap();
    let explain =
        |situation: crate::situation::Situation| policies.explain(&situation.question()).to_string();
    let texts = [
        explain(somebody(&["viewer"], Permission::AnswersAsk)),
        explain(somebody(&["viewer"], Permission::DocumentsWrite)),
        explain(somebody(&["engineer"], Permission::IndexRebuild)),
        explain(somebody(&["admin"], Permission::AnswersAsk).elsewhere().operating()),
        explain(somebody(&[], Permission::TenantsRead).elsewhere().operating()),
    ];
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn the_roles_with_a_permission_are_told() {
    let policies = Policies::builtin().unwrap();
    let names =
        |permission| policies.roles_with(permission).iter().map(|role| role.as_str()).collect::<Vec<_>>();
    assert_eq!(names(Permission::DocumentsWrite), ["engineer", "admin", "ingester", "customer_admin"]);
    assert_eq!(names(Permission::TenantsManage), ["admin"]);
}
