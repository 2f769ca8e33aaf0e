//! The policies that are in force, and their decisions.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use cedar_policy as cedar;
use mainstay_domain::id::RoleName;
use mainstay_domain::identity::Permission;
use moka::sync::Cache;

use crate::ask::Asker;
use crate::decision::{Cause, Decision, Effect, PolicyId};
use crate::error::{Fault, PolicyError};
use crate::question::Question;
use crate::read::{self, Checked, Rule};
use crate::reads::{Facts, Lens, MAX_ROLES, Reads};
use crate::warning::{self, Warning};

/// What policies can speak of: Cedar's schema, with comments.
pub const SCHEMA: &str = include_str!("../assets/schema.cedarschema");
/// The boundaries between tenants, which are always in force.
pub const BOUNDARIES: &str = include_str!("../assets/boundaries.cedar");
/// The roles that are there from the start.
pub const ROLES: &str = include_str!("../assets/roles.cedar");
/// A team's policies, to begin from.
pub const EXAMPLE: &str = include_str!("../assets/example.cedar");

/// Names of the built-in roles, the most common first.
pub const BUILTIN_ROLES: [&str; 8] =
    ["viewer", "prompter", "engineer", "admin", "auditor", "ingester", "customer_user", "customer_admin"];

/// Most decisions that are kept: the least used go first.
const KEPT_DECISIONS: u64 = 10_000;

/// The policies that are in force. They do not change: whoever reads new ones makes a new value, and decisions that were
/// kept go with the old one.
pub struct Policies {
    rules: Vec<Rule>,
    numbers: HashMap<PolicyId, usize>,
    pub(crate) set: cedar::PolicySet,
    pub(crate) asker: Asker,
    pub(crate) reads: Reads,
    pub(crate) lens: Lens,
    kept: Cache<Facts, Arc<Decision>>,
    /// For each permission, the roles that give it, once somebody has asked.
    pub(crate) granting: OnceLock<Vec<Vec<RoleName>>>,
    warnings: Vec<Warning>,
}

impl Policies {
    /// What Mainstay brings: the boundaries between tenants and the built-in roles.
    pub fn builtin() -> Result<Self, PolicyError> {
        Self::build(&[("boundaries.cedar", BOUNDARIES), ("roles.cedar", ROLES)], None)
    }

    /// What Mainstay brings, and a team's policies besides. `name` is what messages call the team's file.
    pub fn with(team: &str, name: &str) -> Result<Self, PolicyError> {
        Self::build(&[("boundaries.cedar", BOUNDARIES), ("roles.cedar", ROLES)], Some((name, team)))
    }

    /// The boundaries between tenants, and a team's policies instead of the built-in roles.
    pub fn replacing(team: &str, name: &str) -> Result<Self, PolicyError> {
        Self::build(&[("boundaries.cedar", BOUNDARIES)], Some((name, team)))
    }

    fn build(builtin: &[(&str, &str)], team: Option<(&str, &str)>) -> Result<Self, PolicyError> {
        let (schema, _) = cedar::Schema::from_cedarschema_str(SCHEMA)
            .map_err(|error| broken("schema.cedarschema", error.to_string()))?;
        let mut rules = Vec::new();
        let mut checked = Checked::default();
        let first_of_team = {
            for (file, text) in builtin {
                let read = read::read(text, file, &rules)?;
                read::check(&read, text, file, &schema)?;
                rules.extend(read);
            }
            rules.len()
        };
        if let Some((file, text)) = team {
            let read = read::read(text, file, &rules)?;
            checked = read::check(&read, text, file, &schema)?;
            rules.extend(read);
        }
        let mut policies = Self::of(rules)?;
        warning::refuse_lock_out(&policies)?;
        policies.warnings = warning::doubts(&policies, &policies.rules[first_of_team..], &checked);
        Ok(policies)
    }

    fn of(rules: Vec<Rule>) -> Result<Self, PolicyError> {
        let mut reads = Reads::default();
        for rule in &rules {
            reads.add(&rule.reads);
            if reads.roles.len() > MAX_ROLES {
                return Err(PolicyError::Invalid(vec![Fault {
                    file: rule.file.to_string(),
                    line: rule.line,
                    column: 1,
                    message: format!("with this policy, policies name more than {MAX_ROLES} roles"),
                    hint: Some("let roles say what people do, not who they are".to_owned()),
                }]));
            }
        }
        let set = cedar::PolicySet::from_policies(rules.iter().map(|rule| rule.cedar.clone()))
            .map_err(|error| broken("policies", error.to_string()))?;
        Ok(Self {
            numbers: rules.iter().enumerate().map(|(number, rule)| (rule.id.clone(), number)).collect(),
            rules,
            set,
            asker: Asker::new().map_err(|error| broken("schema.cedarschema", error.to_string()))?,
            lens: Lens::new(&reads),
            reads,
            kept: Cache::new(KEPT_DECISIONS),
            granting: OnceLock::new(),
            warnings: Vec::new(),
        })
    }

    /// Whether the caller may, and why. Quick where the same has been asked before: what counts as the same is what the
    /// policies look at.
    pub fn decide(&self, question: &Question<'_>) -> Arc<Decision> {
        let facts = self.lens.facts(question);
        if let Some(decision) = self.kept.get(&facts) {
            return decision;
        }
        let decision = Arc::new(self.evaluate(question));
        self.kept.insert(facts, Arc::clone(&decision));
        decision
    }

    /// The policies in force, in the order in which they stand: the boundaries first, a team's own last.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// What is doubtful about a team's policies, though they are in force.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The roles that policies name: the built-in ones first, then a team's own by name.
    pub fn roles(&self) -> Vec<RoleName> {
        let named = |role: &&str| self.reads.roles.contains(*role);
        let builtin = BUILTIN_ROLES.iter().copied().filter(named);
        let own = self.reads.roles.iter().map(String::as_str).filter(|role| !BUILTIN_ROLES.contains(role));
        builtin.chain(own).map(RoleName::new).collect()
    }

    /// The answer, from the policies themselves.
    pub(crate) fn evaluate(&self, question: &Question<'_>) -> Decision {
        let response = match self.asker.ask(&self.set, &self.lens, question) {
            Ok(response) => response,
            Err(unaskable) => {
                return Decision { allowed: false, because: Vec::new(), errors: vec![unaskable.0] };
            }
        };
        let allowed = response.decision() == cedar::Decision::Allow;
        let errors: Vec<_> = response.diagnostics().errors().map(ToString::to_string).collect();
        // Cedar passes over a policy that fails; but it could have been the one that forbids.
        let because = if allowed && !errors.is_empty() {
            Vec::new()
        } else {
            self.causes(response.diagnostics().reason())
        };
        Decision { allowed: allowed && errors.is_empty(), because, errors }
    }

    fn causes<'c>(&self, applied: impl Iterator<Item = &'c cedar::PolicyId>) -> Vec<Cause> {
        let mut numbers: Vec<_> =
            applied.filter_map(|id| self.numbers.get(&PolicyId::new(id)).copied()).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| self.rules[number].cause()).collect()
    }
}

impl Rule {
    pub(crate) fn cause(&self) -> Cause {
        Cause { policy: self.id.clone(), effect: self.effect, reason: Arc::clone(&self.reason) }
    }

    /// Whether it is a permit or a forbid that applies, for itself. `None` where it cannot be evaluated.
    pub(crate) fn applies(&self, policies: &Policies, question: &Question<'_>) -> Option<bool> {
        let response = policies.asker.ask(&self.alone, &policies.lens, question).ok()?;
        let diagnostics = response.diagnostics();
        let applied = diagnostics.reason().next().is_some();
        diagnostics.errors().next().is_none().then_some(applied)
    }

    /// Whether its scope leaves room for somebody with only this role who wants to do this. Its conditions may not.
    pub(crate) fn concerns(&self, role: &RoleName, permission: Permission) -> bool {
        let is_role = |uid: &cedar::EntityUid| uid.id().as_ref() as &str == role.as_str();
        let is_action = |uid: &cedar::EntityUid| uid.id().as_ref() as &str == permission.as_str();
        let by_role = match self.cedar.principal_constraint() {
            cedar::PrincipalConstraint::In(uid) | cedar::PrincipalConstraint::IsIn(_, uid) => is_role(&uid),
            _ => true,
        };
        by_role
            && match self.cedar.action_constraint() {
                cedar::ActionConstraint::Any => true,
                cedar::ActionConstraint::In(uids) => uids.iter().any(is_action),
                cedar::ActionConstraint::Eq(uid) => is_action(&uid),
            }
    }

    pub(crate) fn forbids(&self) -> bool {
        self.effect == Effect::Forbid
    }
}

/// Counts and names: the texts are the team's to show.
impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.rules.iter().map(|rule| &rule.id).collect();
        f.debug_struct("Policies")
            .field("rules", &ids)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// Something that Mainstay itself brings is broken, which its tests find before anybody else.
fn broken(file: &str, message: String) -> PolicyError {
    PolicyError::Invalid(vec![Fault { file: file.to_owned(), line: 1, column: 1, message, hint: None }])
}
