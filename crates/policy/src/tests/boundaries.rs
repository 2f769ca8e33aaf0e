//! What no policy of a team can lift.

use mainstay_domain::identity::Permission;
use proptest::prelude::*;

use super::{may, somebody, team};
use crate::decision::Effect;
use crate::reads::Reads;
use crate::situation::Axes;
use crate::{BUILTIN_ROLES, Policies};

const ALL_THAT_CAN_BE_PERMITTED: &str = "permit (principal, action, resource);";

/// What the tenant that operates this Mainstay may do to others, if anybody permits it.
const ADMINISTRATION: [Permission; 9] = [
    Permission::TenantsRead,
    Permission::TenantsManage,
    Permission::ServiceRead,
    Permission::ServiceManage,
    Permission::IndexRebuild,
    Permission::PoliciesRead,
    Permission::CostsRead,
    Permission::AuditRead,
    Permission::ErasureManage,
];

#[test]
fn a_team_that_permits_everything_permits_nothing_in_another_tenant() {
    let policies = team(ALL_THAT_CAN_BE_PERMITTED);
    for permission in Permission::ALL {
        assert!(may(&policies, &somebody(&[], permission)), "{permission:?} in the own tenant");
        assert!(!may(&policies, &somebody(&["admin"], permission).elsewhere()), "{permission:?}");
    }
}

#[test]
fn the_operator_administers_other_tenants_and_never_sees_their_content() {
    let policies = team(ALL_THAT_CAN_BE_PERMITTED);
    for permission in Permission::ALL {
        let allowed = may(&policies, &somebody(&["admin"], permission).elsewhere().operating());
        assert_eq!(allowed, ADMINISTRATION.contains(&permission), "{permission:?}");
    }
}

#[test]
fn a_customer_role_keeps_even_an_admin_of_the_operator_from_operating() {
    let policies = team(ALL_THAT_CAN_BE_PERMITTED);
    for customer in ["customer_user", "customer_admin"] {
        for permission in Permission::ALL {
            let both = || somebody(&["admin", customer], permission).operating();
            assert!(!may(&policies, &both().elsewhere()), "{customer} {permission:?}");
            let operates = [Permission::TenantsRead, Permission::TenantsManage, Permission::ServiceManage];
            assert_eq!(may(&policies, &both()), !operates.contains(&permission), "{customer} {permission:?}");
        }
    }
}

#[test]
fn a_refusal_at_the_boundary_says_which_one_it_was() {
    let policies = team(ALL_THAT_CAN_BE_PERMITTED);
    let decision = policies.decide(&somebody(&["viewer"], Permission::AnswersAsk).elsewhere().question());
    let causes: Vec<_> = decision.because.iter().map(|cause| (cause.policy.as_str(), cause.effect)).collect();
    assert_eq!(causes, [("tenants-are-apart", Effect::Forbid)]);
    assert!(decision.because[0].reason.contains("another tenant"));
}

#[test]
fn a_team_that_writes_the_roles_anew_keeps_the_boundaries() {
    let policies = Policies::replacing(ALL_THAT_CAN_BE_PERMITTED, "team.cedar").unwrap();
    assert!(may(&policies, &somebody(&["admin"], Permission::KeysManage)));
    assert!(!may(&policies, &somebody(&["admin"], Permission::KeysManage).elsewhere()));
}

/// Permissive policies, in all the ways a team may write them.
fn permissive() -> impl Strategy<Value = String> {
    let scopes = prop::sample::select(vec![
        "principal, action, resource",
        "principal in Mainstay::Role::\"admin\", action, resource",
        "principal in Mainstay::Role::\"customer_admin\", action, resource",
        "principal is Mainstay::User, action == Mainstay::Action::\"answers.ask\", resource is Mainstay::Resource",
    ]);
    let conditions = prop::sample::select(vec![
        "",
        "when { principal.tenant != resource.tenant }",
        "when { principal.via == Mainstay::Via::\"key\" || context.approved }",
        "when { principal has user && principal.user like \"a*\" }",
        "when { resource has name && resource.name == \"b\" } unless { principal.operator }",
        "when { principal.tenant == Mainstay::Tenant::\"a\" && resource.tenant == Mainstay::Tenant::\"b\" }",
        "unless { context has region && principal has region && context.region == principal.region }",
    ]);
    let policy =
        (scopes, conditions).prop_map(|(scope, condition)| format!("permit ({scope}) {condition};\n"));
    prop::collection::vec(policy, 1..5).prop_map(|policies| policies.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Every question of a sample, asked by somebody who does not operate this Mainstay, and by the operator about content.
    #[test]
    fn no_team_opens_another_tenant(text in permissive(), numbers in prop::collection::vec(any::<u64>(), 64)) {
        let policies = team(&text);
        let mut reads = Reads::default();
        policies.rules().iter().for_each(|rule| reads.add(&rule.reads));
        let mut axes = Axes::new(&reads);
        axes.roles.extend([BUILTIN_ROLES.map(Into::into).to_vec(), vec!["of the team".into()]]);
        for number in numbers {
            let situation = axes.situation(number % axes.len());
            let (own, other) = &situation.tenants;
            let decision = policies.decide(&situation.question());
            // What is kept is what the policies say.
            prop_assert_eq!(&*decision, &policies.evaluate(&situation.question()));
            let administers = situation.operator && ADMINISTRATION.contains(&situation.permission);
            if own != other && !administers {
                prop_assert!(!decision.allowed, "{:?}", situation);
            }
        }
    }
}
