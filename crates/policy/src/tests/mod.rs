//! Questions put to policies.

mod boundaries;
mod decisions;
mod refusals;
mod roles;
mod speed;
mod warnings;

use mainstay_domain::id::{RoleName, TenantId, UserId};
use mainstay_domain::identity::Permission;

use crate::question::{Context, Environment, Question, ResourceKind, Via};
use crate::situation::Situation;
use crate::{Policies, PolicyError};

/// Somebody with these roles, who does not operate this Mainstay and asks to do this in the own tenant.
pub(crate) fn somebody(roles: &[&str], permission: Permission) -> Situation {
    Situation {
        roles: roles.iter().map(RoleName::new).collect(),
        permission,
        tenants: (TenantId::new("acme"), TenantId::new("acme")),
        operator: false,
        via: Via::Token,
        environment: Environment::Production,
        approved: false,
        kind: ResourceKind::Corpus,
        user: Some(UserId::new("alice")),
        tier: None,
        region: None,
        here: None,
        name: None,
    }
}

impl Situation {
    pub(crate) fn elsewhere(mut self) -> Self {
        self.tenants.1 = TenantId::new("globex");
        self
    }

    pub(crate) fn operating(mut self) -> Self {
        self.operator = true;
        self
    }
}

pub(crate) fn may(policies: &Policies, situation: &Situation) -> bool {
    policies.decide(&situation.question()).allowed
}

pub(crate) fn team(text: &str) -> Policies {
    Policies::with(text, "team.cedar").unwrap()
}

/// What a refusal says.
pub(crate) fn refusal(text: &str) -> String {
    refused(text).to_string()
}

pub(crate) fn refused(text: &str) -> PolicyError {
    Policies::with(text, "team.cedar").expect_err("the policies are in force")
}

/// Actions and the cells of the matrix are found by the number of a permission.
#[test]
fn permissions_are_numbered_as_they_are_listed() {
    for (number, permission) in Permission::ALL.into_iter().enumerate() {
        assert_eq!(permission as usize, number);
    }
}

/// A question is a plain value: nothing of it is moved by asking.
#[test]
fn a_question_can_be_asked_again_with_one_thing_changed() {
    let policies = Policies::builtin().unwrap();
    let situation = somebody(&["viewer"], Permission::AnswersAsk);
    let question = situation.question();
    let context = Context { approved: true, ..question.context };
    assert!(policies.decide(&question).allowed);
    assert!(policies.decide(&Question { context, ..question }).allowed);
}
