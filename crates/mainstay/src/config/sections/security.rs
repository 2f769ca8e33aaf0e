//! `[security]`: who may do what, and what takes two people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mainstay_domain::Permission;
use mainstay_domain::config::{BaseUrl, Findings, KeyPath};
use mainstay_policy::Environment;
use mainstay_providers::http::Outbound;
use schemars::JsonSchema;
use serde::Deserialize;

use super::identity::{Issuer, IssuerKeys};
use super::providers::Provider;

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
    /// The hosts that this process may connect to; all where nothing is said.
    #[schemars(example = ["api.openai.com", "*.example.com", "10.0.0.7:8000"], extend("uniqueItems" = true), inner(length(min = 1)))]
    outbound: Option<Vec<String>>,
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
    /// Where this process may connect to.
    pub(crate) outbound: Outbound,
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
        let outbound = match &self.outbound {
            None => Outbound::default(),
            Some(places) => Outbound::to(places.iter().map(String::as_str)).unwrap_or_else(|error| {
                findings.report(
                    &at.key("outbound"),
                    error.to_string(),
                    "For example: outbound = [\"api.openai.com\"]",
                );
                Outbound::default()
            }),
        };
        let environment = match self.environment {
            Some(RawEnvironment::Staging) => Environment::Staging,
            Some(RawEnvironment::Production) | None => Environment::Production,
        };
        Security { environment, policies, two_person, outbound }
    }
}

/// Reports what is configured where it could not be reached: at the start, and not when it is first needed.
pub(crate) fn keep_within(
    outbound: &Outbound,
    providers: &BTreeMap<String, Provider>,
    issuers: &BTreeMap<String, Issuer>,
    findings: &mut Findings,
) {
    let mut expect = |at: &KeyPath, address: &str| {
        let Ok(target) = address.parse::<http::Uri>() else { return };
        if !outbound.allows(&target) {
            let host = target.authority().map_or(address, |authority| authority.as_str());
            let hint = format!("name {host:?} there, or leave this out");
            let outbound = KeyPath::root().key("security").key("outbound");
            findings.contradiction(at, &outbound, "it may not be connected to", hint);
        }
    };
    let at = KeyPath::root().key("providers");
    for (name, provider) in providers {
        let kind: mainstay_providers::ProviderKind = provider.kind.into();
        let base = provider.base_url.as_ref().map(BaseUrl::as_str).or(kind.capabilities().base_url);
        let at = at.key(name);
        let key = if provider.base_url.is_some() { at.key("base_url") } else { at.clone() };
        base.into_iter().for_each(|base| expect(&key, base));
        let metrics = provider.engine_metrics.as_ref();
        metrics.into_iter().for_each(|url| expect(&at.key("engine_metrics"), url.as_str()));
    }
    let at = KeyPath::root().key("identity").key("issuers");
    for (name, issuer) in issuers {
        let at = at.key(name);
        if let IssuerKeys::Url(url) = &issuer.keys {
            expect(&at.key("jwks_url"), url);
        }
        if issuer.login.is_some() {
            expect(&at.key("issuer"), &issuer.issuer);
        }
    }
}
