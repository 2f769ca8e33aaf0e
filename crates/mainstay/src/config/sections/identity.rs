//! `[identity.issuers.<name>]`: identity providers whose tokens are accepted beside API keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_domain::config::{
    ConfigValue, Findings, HumanDuration, KeyPath, SecretRef, ValueError, deserialize_value,
};
use mainstay_domain::{RoleName, TenantId};
use mainstay_security::tokens::{Algorithm, ClaimNames, ClaimPath, RoleRules, TenantRule, is_protected};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use super::rules::{check_name, positive};

/// Who says who people are.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawIdentity {
    /// Identity providers whose tokens are accepted, by a name of your choice.
    pub(crate) issuers: BTreeMap<String, RawIssuer>,
}

/// An identity provider.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawIssuer {
    /// Its `iss`, to the byte: copy it from its discovery document.
    #[schemars(example = "https://login.example.com/", length(min = 1))]
    issuer: Option<String>,
    /// What a token's `aud` must name one of.
    #[schemars(example = ["mainstay"], extend("uniqueItems" = true), length(min = 1), inner(length(min = 1)))]
    audiences: Option<Vec<String>>,
    /// Where its keys are: `jwks_uri` of its discovery document.
    #[schemars(example = "https://login.example.com/keys", length(min = 1))]
    jwks_url: Option<String>,
    /// A file with its keys, where they are not fetched; a relative path starts at the folder of this file.
    #[schemars(example = "keys.json", length(min = 1))]
    jwks_file: Option<String>,
    /// A secret that it shares with us (HS256): whoever has it can make tokens.
    #[schemars(example = "env:TOKEN_SECRET")]
    secret: Option<SecretRef>,
    /// The algorithms that its keys may sign with.
    #[schemars(example = ["RS256", "ES256"], extend("uniqueItems" = true), length(min = 1), inner(length(min = 1)))]
    algorithms: Option<Vec<String>>,
    /// How far its clock and ours may be apart.
    #[schemars(example = "60s")]
    leeway: Option<HumanDuration>,
    /// Tokens that are valid for longer are refused.
    #[schemars(example = "24h")]
    longest_lifetime: Option<HumanDuration>,
    /// The tenant of all of its people, where it serves one.
    #[schemars(example = &"acme", length(min = 1))]
    tenant: Option<String>,
    /// The tenants that it may speak for, where `claims.tenant` says which.
    #[schemars(example = ["acme", "zoo"], extend("uniqueItems" = true), length(min = 1), inner(length(min = 1)))]
    tenants: Option<Vec<String>>,
    /// Which of its claims mean what.
    claims: RawClaims,
    /// What its roles are called here; without it, they are called the same.
    roles: Option<BTreeMap<String, RoleText>>,
    /// The role of those who have no other; without it, they are refused.
    #[schemars(example = &"customer_user", length(min = 1))]
    default_role: Option<String>,
    /// How people sign in to the console there; without it, they do not.
    login: Option<RawLogin>,
}

/// How people sign in to the console at an identity provider: OpenID Connect.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawLogin {
    /// What this Mainstay is called there.
    #[schemars(example = &"mainstay", length(min = 1))]
    client_id: Option<String>,
    /// Its password there, where it has one.
    #[schemars(example = "env:LOGIN_SECRET")]
    client_secret: Option<SecretRef>,
    /// The address of this Mainstay's /console/login/callback, as it is registered there.
    #[schemars(example = &"https://mainstay.example.com/console/login/callback", length(min = 1))]
    redirect_url: Option<String>,
    /// What is asked for beside `openid`.
    #[schemars(example = ["profile", "groups"], extend("uniqueItems" = true), inner(length(min = 1)))]
    scopes: Option<Vec<String>>,
}

/// Which claims mean what: names, or the names of objects one in the other with dots between.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawClaims {
    /// Who it is.
    #[schemars(example = &"sub")]
    user: Option<String>,
    /// Whose data they may see.
    #[schemars(example = &"org_id")]
    tenant: Option<String>,
    /// What they are: a text or a list.
    #[schemars(example = "realm_access.roles")]
    role: Option<String>,
    /// How they are served.
    #[schemars(example = &"tier")]
    tier: Option<String>,
    /// Where their data has to stay.
    #[schemars(example = &"data_region")]
    region: Option<String>,
}

/// Where an identity provider's keys are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum IssuerKeys {
    /// At an address.
    Url(String),
    /// In a file.
    File(PathBuf),
    /// It is a shared secret.
    Secret(SecretRef),
}

/// An identity provider, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Issuer {
    /// Its `iss`.
    pub(crate) issuer: String,
    /// What `aud` must name one of.
    pub(crate) audiences: BTreeSet<String>,
    /// Where its keys are.
    pub(crate) keys: IssuerKeys,
    /// What its keys may sign with.
    pub(crate) algorithms: BTreeSet<Algorithm>,
    /// How far its clock and ours may be apart.
    pub(crate) leeway: Duration,
    /// Tokens that are valid for longer are refused.
    pub(crate) longest_lifetime: Duration,
    /// Whose data its tokens are about.
    pub(crate) tenant: TenantRule,
    /// Which of its claims mean what.
    pub(crate) claims: ClaimNames,
    /// What its roles are called here.
    pub(crate) roles: RoleRules,
    /// How people sign in to the console there.
    pub(crate) login: Option<Login>,
}

/// How people sign in to the console at an identity provider, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Login {
    /// What this Mainstay is called there.
    pub(crate) client_id: String,
    /// Its password there.
    pub(crate) client_secret: Option<SecretRef>,
    /// Where browsers come back to.
    pub(crate) redirect_url: String,
    /// What is asked for, with blanks between.
    pub(crate) scopes: String,
}

impl RawIssuer {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, folder: &Path, findings: &mut Findings) -> Issuer {
        check_name(at, findings);
        let Self { issuer, audiences, jwks_url, jwks_file, secret, .. } = self;
        let issuer = issuer.unwrap_or_default();
        if issuer.is_empty() {
            findings.report(
                &at.key("issuer"),
                "it is not said who it is",
                "copy `issuer` from its discovery document",
            );
        }
        let login = self.login.map(|login| login.check(&issuer, &at.key("login"), at, findings));
        let mut audiences: BTreeSet<String> = audiences.unwrap_or_default().into_iter().collect();
        if audiences.is_empty() || audiences.contains("") {
            let hint = "For example: audiences = [\"mainstay\"]; else tokens that it makes for other services would count here";
            findings.report(&at.key("audiences"), "it is not said whom its tokens are for", hint);
        }
        // What says who has signed in is made for whom they sign in to.
        audiences.extend(login.as_ref().map(|login| login.client_id.clone()));
        let keys = match (jwks_url, jwks_file, secret) {
            (Some(url), None, None) => {
                if !is_protected(&url) {
                    let hint = "keys are fetched over https, or over http from this machine";
                    findings.report(
                        &at.key("jwks_url"),
                        format!("{url:?} is not safe to fetch keys from"),
                        hint,
                    );
                }
                IssuerKeys::Url(url)
            }
            (None, Some(path), None) => {
                if path.is_empty() {
                    findings.report(
                        &at.key("jwks_file"),
                        "a file is needed",
                        "For example: jwks_file = \"keys.json\"",
                    );
                }
                IssuerKeys::File(folder.join(path))
            }
            (None, None, Some(secret)) => IssuerKeys::Secret(secret),
            _ => {
                findings.report(
                    &at.key("jwks_url"),
                    "it is not said in one way where its keys are",
                    "name one of jwks_url, jwks_file and secret",
                );
                IssuerKeys::Url(String::new())
            }
        };
        let algorithms = algorithms(self.algorithms, at, findings);
        let mut claim = |name: Option<String>, key: &str| {
            let path = ClaimPath::new(name.as_deref()?);
            path.map_err(|fault| {
                findings.report(
                    &at.key("claims").key(key),
                    fault.to_string(),
                    "For example: realm_access.roles",
                )
            })
            .ok()
        };
        let defaults = ClaimNames::default();
        let claims = ClaimNames {
            user: claim(self.claims.user, "user").unwrap_or(defaults.user),
            role: claim(self.claims.role, "role").or(defaults.role),
            tier: claim(self.claims.tier, "tier"),
            region: claim(self.claims.region, "region"),
        };
        let tenant_claim = claim(self.claims.tenant, "tenant");
        let tenants = self.tenants.map(|tenants| tenants.into_iter().map(TenantId::from).collect());
        let tenant = match (self.tenant, tenant_claim) {
            (Some(tenant), None) if !tenant.is_empty() => TenantRule::Fixed(TenantId::from(tenant)),
            (None, Some(path)) => TenantRule::Claim { path, allowed: tenants },
            _ => {
                findings.report(
                    &at.key("tenant"),
                    "it is not said in one way whose data its people may see",
                    "name one of tenant = \"acme\" and claims.tenant = \"org_id\"",
                );
                TenantRule::Fixed(TenantId::single())
            }
        };
        let role = |name: String| RoleName::from(name);
        Issuer {
            issuer,
            audiences,
            keys,
            algorithms,
            leeway: positive(self.leeway, Duration::from_secs(60), &at.key("leeway"), findings),
            longest_lifetime: positive(
                self.longest_lifetime,
                Duration::from_secs(24 * 60 * 60),
                &at.key("longest_lifetime"),
                findings,
            ),
            tenant,
            claims,
            roles: RoleRules {
                names: self
                    .roles
                    .map(|roles| roles.into_iter().map(|(theirs, ours)| (theirs, role(ours.0))).collect()),
                default: self.default_role.filter(|name| !name.is_empty()).map(role),
            },
            login,
        }
    }
}

impl RawLogin {
    fn check(self, issuer: &str, at: &KeyPath, of_issuer: &KeyPath, findings: &mut Findings) -> Login {
        if !is_protected(issuer) {
            let hint = "people sign in where its discovery document says, which lies at its `issuer`: an https address";
            findings.contradiction(at, &of_issuer.key("issuer"), "nobody could sign in there", hint);
        }
        let client_id = self.client_id.unwrap_or_default();
        if client_id.is_empty() {
            let hint = "register a client at the identity provider, and name it: client_id = \"mainstay\"";
            findings.report(&at.key("client_id"), "it is not said what this Mainstay is called there", hint);
        }
        let redirect_url = self.redirect_url.unwrap_or_default();
        if !is_protected(&redirect_url) || !redirect_url.ends_with("/console/login/callback") {
            findings.report(
                &at.key("redirect_url"),
                "it is not said where browsers come back to",
                "For example: redirect_url = \"https://mainstay.example.com/console/login/callback\"; register the same there",
            );
        }
        let mut scopes = self.scopes.unwrap_or_else(|| vec!["profile".to_owned()]);
        if scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            let hint = "For example: scopes = [\"profile\", \"groups\"]";
            findings.report(&at.key("scopes"), "a scope is one word", hint);
        }
        scopes.retain(|scope| scope != "openid");
        scopes.insert(0, "openid".to_owned());
        Login { client_id, client_secret: self.client_secret, redirect_url, scopes: scopes.join(" ") }
    }
}

/// A role as this file writes it.
pub(crate) struct RoleText(String);

impl ConfigValue for RoleText {
    const EXPECTED: &'static str = "a role such as \"engineer\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        if text.is_empty() {
            Err(ValueError::Refused("a role has a name"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    fn from_number(_: f64) -> Result<Self, ValueError> {
        Err(ValueError::Refused("a role stands in quotes"))
    }
}

impl<'de> Deserialize<'de> for RoleText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_value(deserializer)
    }
}

impl JsonSchema for RoleText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RoleText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "x-value": "role",
            "description": "What the provider's role is called here.",
            "examples": ["engineer", "customer_user"],
        })
    }
}

/// The usual ones where nothing is said.
fn algorithms(names: Option<Vec<String>>, at: &KeyPath, findings: &mut Findings) -> BTreeSet<Algorithm> {
    let Some(names) = names else {
        return BTreeSet::from([Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]);
    };
    let mut algorithms = BTreeSet::new();
    for name in &names {
        match Algorithm::from_name(name) {
            Some(algorithm) => {
                algorithms.insert(algorithm);
            }
            None => {
                let known = Algorithm::ALL.map(|algorithm| algorithm.as_str()).join(", ");
                let hint =
                    format!("the algorithms are: {known}; HS256 comes with `secret`, and `none` is none");
                findings.report(&at.key("algorithms"), format!("{name:?} is no algorithm here"), hint);
            }
        }
    }
    if algorithms.is_empty() {
        findings.report(
            &at.key("algorithms"),
            "nothing could be verified",
            "For example: algorithms = [\"RS256\"]",
        );
    }
    algorithms
}
