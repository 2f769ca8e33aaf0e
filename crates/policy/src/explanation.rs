//! A decision in words, for whoever asks why.

use std::fmt;

use mainstay_domain::id::RoleName;

use crate::decision::{Cause, Decision, Effect};
use crate::policies::Policies;
use crate::question::{Principal, Question};

/// Why a question is answered as it is. Its text is for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// What was asked, in words. Names neither the user nor the resource.
    pub asked: String,
    /// The answer.
    pub decision: Decision,
    /// Policies that permit it, whether or not another one forbids it.
    pub permits: Vec<Cause>,
    /// Policies that forbid it.
    pub forbids: Vec<Cause>,
    /// The roles to any one of which it would be allowed, all else being the same.
    pub roles: Vec<RoleName>,
}

impl Policies {
    /// Explains the answer to a question. Evaluates every policy for itself, so it is for people, not for requests.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let applies = |effect| {
            let rules = self.rules().iter().filter(move |rule| rule.effect == effect);
            rules.filter(|rule| rule.applies(self, question) == Some(true)).map(|rule| rule.cause())
        };
        let may = |role: &RoleName| {
            let principal = Principal { roles: std::slice::from_ref(role), ..question.principal };
            self.evaluate(&Question { principal, ..*question }).allowed
        };
        Explanation {
            asked: in_words(question),
            decision: self.evaluate(question),
            permits: applies(Effect::Permit).collect(),
            forbids: applies(Effect::Forbid).collect(),
            roles: self.roles().into_iter().filter(may).collect(),
        }
    }
}

fn in_words(question: &Question<'_>) -> String {
    let Question { principal, permission, resource, context } = question;
    let roles: Vec<_> = principal.roles.iter().map(|role| role.as_str()).collect();
    let roles = if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") };
    let operator = if principal.operator { ", which operates this Mainstay," } else { "" };
    let whose = if principal.tenant == resource.tenant {
        "the own tenant".to_owned()
    } else {
        format!("the tenant {:?}", resource.tenant)
    };
    let approved = if context.approved { ", approved by somebody else" } else { "" };
    format!(
        "{} ({} of {whose}) by {roles} of the tenant {:?}{operator} via {}, in {}{approved}",
        permission.as_str(),
        resource.kind.as_str(),
        principal.tenant,
        principal.via.as_str(),
        context.environment.as_str(),
    )
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.decision.allowed { "allowed" } else { "denied" };
        write!(f, "{verdict}: {}", self.asked)?;
        for (verb, causes) in [("forbidden", &self.forbids), ("permitted", &self.permits)] {
            for cause in causes {
                write!(f, "\n  {verb} by {:?}", cause.policy)?;
                if !cause.reason.is_empty() {
                    write!(f, ": {}", cause.reason)?;
                }
            }
        }
        for error in &self.decision.errors {
            write!(f, "\n  denied because a policy cannot be evaluated: {error}")?;
        }
        if self.permits.is_empty() {
            f.write_str("\n  no policy permits it")?;
        }
        if self.decision.allowed {
            return Ok(());
        }
        let roles: Vec<_> = self.roles.iter().map(|role| role.as_str()).collect();
        match roles.as_slice() {
            [] => f.write_str("\n  no role would be allowed this"),
            roles => write!(f, "\n  any one of these roles would be allowed: {}", roles.join(", ")),
        }
    }
}
