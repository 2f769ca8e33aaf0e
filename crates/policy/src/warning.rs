//! What is doubtful about a team's policies, found by trying them.

use std::fmt;
use std::sync::Arc;

use mainstay_domain::config::closest;
use mainstay_domain::id::RoleName;
use mainstay_domain::identity::Permission;

use crate::decision::PolicyId;
use crate::error::PolicyError;
use crate::policies::{BUILTIN_ROLES, Policies};
use crate::question::ResourceKind;
use crate::read::{Checked, Rule};
use crate::reads::Reads;
use crate::situation::{Axes, Situation};

/// Most situations in which one policy is tried. A policy that looks at so much that there are more is not judged.
const TRIES: u64 = 4_096;
/// Most situations in which all policies of a team are tried together: it bounds how long a start takes.
const ALL_TRIES: u64 = 20_000;

/// Something doubtful about a policy that is in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// Which policy.
    pub policy: PolicyId,
    /// The file it stands in.
    pub file: Arc<str>,
    /// The line at which it begins, counted from 1.
    pub line: usize,
    /// What is doubtful.
    pub doubt: Doubt,
}

/// What can be doubtful about a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// It applies to nothing that can be asked.
    NeverApplies,
    /// It permits only what others forbid.
    Shadowed {
        /// The ones that forbid it.
        by: Vec<PolicyId>,
    },
    /// It cannot be evaluated where it should apply, and so everything it is about is denied.
    Fails,
    /// It names a role that is not built in but looks like one that is.
    RoleLikeBuiltin {
        /// The role that is named.
        role: String,
        /// The role that may have been meant.
        meant: &'static str,
    },
    /// It contains a text that looks like another one.
    Confusable(String),
    /// It looks at so much that trying it out would take too long: nothing is known about it.
    NotTried,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, file, line, doubt } = self;
        write!(f, "{file}:{line}: policy {policy:?} ")?;
        match doubt {
            Doubt::NeverApplies => f.write_str("applies to nothing that can be asked"),
            Doubt::Shadowed { by } => {
                let names: Vec<_> = by.iter().map(|id| format!("{id:?}")).collect();
                write!(f, "permits only what is forbidden by {}", names.join(", "))
            }
            Doubt::Fails => f.write_str(
                "cannot be evaluated, so all that it is about is denied: look for numbers that overflow",
            ),
            Doubt::RoleLikeBuiltin { role, meant } => {
                write!(f, "names the role {role:?}, which is not built in: did you mean {meant:?}?")
            }
            Doubt::Confusable(what) => write!(f, "may be read as something else: {what}"),
            Doubt::NotTried => {
                f.write_str("looks at too much to be tried out: whether it ever applies is not known")
            }
        }
    }
}

/// Refuses policies under which no admin of the operating tenant can hand out keys and see the policies.
pub(crate) fn refuse_lock_out(policies: &Policies) -> Result<(), PolicyError> {
    let admin = RoleName::new("admin");
    let own = policies.roles().into_iter().filter(|role| !BUILTIN_ROLES.contains(&role.as_str()));
    let mut axes = Axes::new(&policies.reads);
    axes.roles = vec![vec![admin.clone()], std::iter::once(admin).chain(own).collect()];
    axes.permissions = vec![Permission::KeysManage];
    axes.tenants.retain(|(own, other)| own == other);
    axes.operator = vec![true];
    axes.kinds.truncate(1);
    let needed =
        [(Permission::KeysManage, ResourceKind::Key), (Permission::PoliciesRead, ResourceKind::Policy)];
    let mut blockers: Option<Vec<PolicyId>> = None;
    for mut situation in axes.situations().take(TRIES as usize) {
        let mut may = |(permission, kind)| {
            (situation.permission, situation.kind) = (permission, kind);
            let allowed = policies.evaluate(&situation.question()).allowed;
            if !allowed && blockers.is_none() {
                blockers = Some(against(policies, &situation));
            }
            allowed
        };
        if needed.into_iter().all(&mut may) {
            return Ok(());
        }
    }
    Err(PolicyError::LocksOut { by: blockers.unwrap_or_default() })
}

/// The policies that forbid it, or fail.
fn against(policies: &Policies, situation: &Situation) -> Vec<PolicyId> {
    let question = situation.question();
    let blocks = |rule: &&Rule| match rule.applies(policies, &question) {
        Some(applies) => applies && rule.forbids(),
        None => true,
    };
    policies.rules().iter().filter(blocks).map(|rule| rule.id.clone()).collect()
}

/// What is doubtful about the rules of a team, in the order in which they stand.
pub(crate) fn doubts(policies: &Policies, rules: &[Rule], checked: &Checked) -> Vec<Warning> {
    let mut forbids = Reads::default();
    policies.rules().iter().filter(|rule| rule.forbids()).for_each(|rule| forbids.add(&rule.reads));
    let mut trial = Trial { policies, forbids, left: ALL_TRIES };
    let mut warnings = Vec::new();
    for rule in rules {
        let roles = rule.reads.roles.iter().filter_map(|role| {
            let meant = like_builtin(role)?;
            Some(Doubt::RoleLikeBuiltin { role: role.clone(), meant })
        });
        let confusable = checked.confusable.iter().filter(|(id, _)| *id == rule.id);
        let confusable = confusable.map(|(_, what)| Doubt::Confusable(what.clone()));
        let tried =
            if checked.impossible.contains(&rule.id) { Some(Doubt::NeverApplies) } else { trial.of(rule) };
        let doubts = roles.chain(confusable).chain(tried);
        warnings.extend(doubts.map(|doubt| Warning {
            policy: rule.id.clone(),
            file: Arc::clone(&rule.file),
            line: rule.line,
            doubt,
        }));
    }
    warnings
}

fn like_builtin(role: &str) -> Option<&'static str> {
    if BUILTIN_ROLES.contains(&role) {
        return None;
    }
    // What is written before a role makes another one on purpose: `reviewer`, `co_admin`.
    closest(role, BUILTIN_ROLES).filter(|meant| !role.ends_with(meant))
}

struct Trial<'p> {
    policies: &'p Policies,
    /// What all forbids look at.
    forbids: Reads,
    left: u64,
}

impl Trial<'_> {
    fn of(&mut self, rule: &Rule) -> Option<Doubt> {
        let axes = Axes::new(&rule.reads);
        let complete = axes.len() <= TRIES.min(self.left);
        let (mut applied, mut fails) = (Vec::new(), false);
        for situation in axes.situations().take(TRIES.min(self.left) as usize) {
            self.left -= 1;
            match rule.applies(self.policies, &situation.question()) {
                Some(true) if self.is_effective(rule, &situation) => return None,
                Some(true) => applied.push(situation),
                Some(false) => {}
                None => fails = true,
            }
        }
        match (applied.is_empty(), fails) {
            (true, true) => Some(Doubt::Fails),
            (true, false) if complete => Some(Doubt::NeverApplies),
            (true, false) => Some(Doubt::NotTried),
            (false, _) if complete => self.shadow(rule, applied),
            (false, _) => Some(Doubt::NotTried),
        }
    }

    /// Whether a policy that applies changes what happens: a forbid does, and a permit does where nothing forbids.
    fn is_effective(&self, rule: &Rule, situation: &Situation) -> bool {
        rule.forbids() || self.policies.evaluate(&situation.question()).allowed
    }

    fn is_of(&self, file: &Arc<str>, id: &PolicyId) -> bool {
        self.policies.rules().iter().any(|rule| rule.id == *id && rule.file == *file)
    }

    /// Whether what forbids the permit always does, or only in the situations where it was tried so far: now with all that
    /// forbids look at.
    fn shadow(&mut self, rule: &Rule, applied: Vec<Situation>) -> Option<Doubt> {
        let mut reads = rule.reads.clone();
        reads.add(&self.forbids);
        let mut axes = Axes::new(&reads);
        axes.roles = distinct(applied.iter().map(|situation| situation.roles.clone()));
        axes.permissions = distinct(applied.iter().map(|situation| situation.permission));
        axes.operator = distinct(applied.iter().map(|situation| situation.operator));
        let complete = axes.len() <= TRIES.min(self.left);
        let mut by: Vec<PolicyId> = Vec::new();
        for situation in axes.situations().take(TRIES.min(self.left) as usize) {
            self.left -= 1;
            let decision = self.policies.evaluate(&situation.question());
            if rule.applies(self.policies, &situation.question()) != Some(true) {
                continue;
            }
            if decision.allowed {
                return None;
            }
            by.extend(decision.because.into_iter().map(|cause| cause.policy));
        }
        by.sort_unstable();
        by.dedup();
        // In another tenant the boundaries forbid it as well, which is no news where the team forbids it at home.
        let of_team: Vec<_> = by.iter().filter(|id| self.is_of(&rule.file, id)).cloned().collect();
        if !of_team.is_empty() {
            by = of_team;
        }
        Some(if complete { Doubt::Shadowed { by } } else { Doubt::NotTried })
    }
}

fn distinct<T: PartialEq>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.fold(Vec::new(), |mut distinct, value| {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
        distinct
    })
}
