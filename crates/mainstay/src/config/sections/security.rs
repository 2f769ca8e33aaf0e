//! `[security]`: who may do what, and what takes two people.

use std::path::{Path, PathBuf};

use mainstay_domain::Permission;
use mainstay_domain::config::{Findings, KeyPath};
use mainstay_policy::Environment;
use schemars::JsonSchema;
use serde::Deserialize;

/// Who may do what, and what takes two people.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawSecurity {
    /// What this Mainstay is for, as policies know it.
    environment: Option<RawEnvironment>,
    /// A file of Cedar policies of the team's own; a relative path starts at the folder of this file.
    #[schemars(example = "policies.cedar", length(min = 1))]
    policies: Option<String>,
    /// Whether they stand in place of the built-in roles instead of beside them. The boundaries between tenants stay.
    replace_roles: Option<bool>,
    /// Permissions whose use changes something only after a second person has agreed.
    #[schemars(example = ["index.rebuild", "service.manage"], extend("uniqueItems" = true), inner(length(min = 1)))]
    two_person: Option<Vec<String>>,
}

/// What a Mainstay is for.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum RawEnvironment {
    /// People depend on it.
    Production,
    /// Changes are tried here first.
    Staging,
}

/// The team's own policies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum TeamPolicies {
    /// There are none.
    None,
    /// Beside the built-in roles.
    Beside(PathBuf),
    /// In place of them.
    Instead(PathBuf),
}

/// Who may do what, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Security {
    /// What this Mainstay is for.
    pub(crate) environment: Environment,
    /// The team's own policies.
    pub(crate) policies: TeamPolicies,
    /// What takes two people.
    pub(crate) two_person: Vec<Permission>,
}

impl RawSecurity {
    /// The section, checked. Whether the policies can be read is found out when they are.
    pub(crate) fn check(
        self,
        at: &KeyPath,
        folder: &Path,
        has_issuers: bool,
        findings: &mut Findings,
    ) -> Security {
        let replaces = self.replace_roles.unwrap_or(false);
        let policies = match self.policies {
            None => {
                if replaces {
                    findings.report(
                        &at.key("replace_roles"),
                        "there is nothing to take the place of the built-in roles",
                        "name a file: policies = \"policies.cedar\"",
                    );
                }
                TeamPolicies::None
            }
            Some(path) if path.is_empty() => {
                findings.report(
                    &at.key("policies"),
                    "a file is needed",
                    "For example: policies = \"policies.cedar\"",
                );
                TeamPolicies::None
            }
            Some(path) if replaces => TeamPolicies::Instead(folder.join(path)),
            Some(path) => TeamPolicies::Beside(folder.join(path)),
        };
        let mut two_person = Vec::new();
        for name in &self.two_person.unwrap_or_default() {
            match Permission::from_name(name) {
                Some(permission) => two_person.push(permission),
                None => {
                    let known = Permission::ALL.map(Permission::as_str).join(", ");
                    findings.report(
                        &at.key("two_person"),
                        format!("{name:?} is no permission"),
                        format!("the permissions are: {known}"),
                    );
                }
            }
        }
        if !two_person.is_empty() && !has_issuers {
            findings.report(
                &at.key("two_person"),
                "nobody could be told apart: it is for an identity provider to say who people are",
                "name one: [identity.issuers.<name>]",
            );
        }
        let environment = match self.environment {
            Some(RawEnvironment::Staging) => Environment::Staging,
            Some(RawEnvironment::Production) | None => Environment::Production,
        };
        Security { environment, policies, two_person }
    }
}
