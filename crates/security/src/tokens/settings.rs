//! What is known of an identity provider: its name in tokens, its keys, and which of its claims mean what.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mainstay_domain::config::Secret;
use mainstay_domain::{RoleName, TenantId};

use super::key::Algorithm;
use super::key_set::KeySetFault;

/// An identity provider whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct IssuerSettings {
    /// What it is called here, in messages, logs and identities.
    pub name: String,
    /// Its `iss`, to the byte.
    pub issuer: String,
    /// What `aud` must name one of. Never empty: a token that was made for another service would count here.
    pub audiences: BTreeSet<String>,
    /// What its tokens are signed with.
    pub keys: KeySource,
    /// How far its clock and ours may be apart.
    pub leeway: Duration,
    /// Tokens that are valid for longer are refused: they outlive every role that is taken away.
    pub longest_lifetime: Duration,
    /// Which of its claims mean what.
    pub claims: ClaimNames,
    /// Whose data its tokens are about.
    pub tenant: TenantRule,
    /// What its roles are called here.
    pub roles: RoleRules,
    /// How its keys are kept up to date, where they are fetched.
    pub refresh: KeyRefresh,
    /// How long a token that was verified is known again without its signature. Its expiry is looked at each time.
    pub remembered: Duration,
}

impl IssuerSettings {
    /// The settings of a provider of which only the least is known; the rest has its defaults: 60 s of leeway, a day of
    /// longest lifetime, the user in `sub`, roles in `roles` under the provider's own names.
    pub fn new(name: &str, issuer: &str, audience: &str, keys: KeySource, tenant: TenantRule) -> Self {
        Self {
            name: name.to_owned(),
            issuer: issuer.to_owned(),
            audiences: BTreeSet::from([audience.to_owned()]),
            keys,
            leeway: Duration::from_secs(60),
            longest_lifetime: Duration::from_secs(24 * 60 * 60),
            claims: ClaimNames::default(),
            tenant,
            roles: RoleRules::default(),
            refresh: KeyRefresh::default(),
            remembered: Duration::from_secs(60),
        }
    }
}

/// What tokens are signed with. Either a secret or public keys: which of the two it is decides what an `alg` can mean, so no
/// token can have a public key taken for a secret.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A secret that the provider and we share; the algorithm is HS256. Whoever has it can make tokens.
    Secret(Secret),
    /// Keys with which tokens are checked and not made.
    Public {
        /// Where they are.
        keys: PublicKeys,
        /// The algorithms that are accepted; never empty.
        algorithms: BTreeSet<Algorithm>,
    },
}

/// Where public keys are.
#[derive(Clone, Debug)]
pub enum PublicKeys {
    /// A JWK set at this address: `https`, or `http` on this machine.
    Url(String),
    /// A JWK set, as JSON. It never changes while the process runs.
    Set(String),
}

/// How fetched keys are kept up to date.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyRefresh {
    /// How long a set of keys counts before it is fetched again.
    pub fresh: Duration,
    /// How long it counts while it cannot be fetched. Then no token of the provider is accepted any more.
    pub stale: Duration,
    /// The longest that a request waits for a fetch.
    pub wait: Duration,
    /// A key that is not in the set has it fetched anew, at most once in this time: tokens with made-up key ids do not
    /// become requests to the provider.
    pub unknown_key_pause: Duration,
}

impl Default for KeyRefresh {
    /// Fresh for 5 minutes, kept for a day, waited for 3 s, 30 s between fetches for unknown keys.
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(300),
            stale: Duration::from_secs(24 * 60 * 60),
            wait: Duration::from_secs(3),
            unknown_key_pause: Duration::from_secs(30),
        }
    }
}

/// Which claims mean what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimNames {
    /// The user: one text.
    pub user: ClaimPath,
    /// How the user is served: one text, where it is there.
    pub tier: Option<ClaimPath>,
    /// What the user is: one text or a list of texts.
    pub role: Option<ClaimPath>,
    /// Where the user's data lies: one text, where it is there.
    pub region: Option<ClaimPath>,
}

impl Default for ClaimNames {
    /// `sub` and `roles`; neither tier nor region.
    fn default() -> Self {
        let path = |name: &str| ClaimPath(vec![name.to_owned()]);
        Self { user: path("sub"), tier: None, role: Some(path("roles")), region: None }
    }
}

/// Whose data tokens are about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TenantRule {
    /// Always this tenant's: the provider serves one.
    Fixed(TenantId),
    /// That of the tenant which the token names. The provider decides who sees whose data.
    Claim {
        /// The claim: one text.
        path: ClaimPath,
        /// The tenants for which the provider may speak; all where nothing is said.
        allowed: Option<BTreeSet<TenantId>>,
    },
}

/// What a provider's roles are called here.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RoleRules {
    /// Our role for each of the provider's; others do not count. Where there is no such table, the provider's names are ours.
    pub names: Option<BTreeMap<String, RoleName>>,
    /// The role of those who have no other. Where there is none, they are refused.
    pub default: Option<RoleName>,
}

/// Where a claim is: a name, or the names of objects one in the other with dots between (`realm_access.roles`). A name that
/// is a URL (`https://example.com/tenant`) keeps its dots; any other dot that belongs to a name is written `\.`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimPath(Vec<String>);

/// Most objects, one in the other, to a claim.
const DEEPEST_PATH: usize = 8;

impl ClaimPath {
    /// The path as it is written in settings.
    pub fn new(text: &str) -> Result<Self, ClaimPathFault> {
        if text.contains("://") {
            return Ok(Self(vec![text.to_owned()]));
        }
        let mut names = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match (character, names.last_mut()) {
                ('.', _) => names.push(String::new()),
                ('\\', Some(name)) => name.push(characters.next().ok_or(ClaimPathFault::Escape)?),
                (_, Some(name)) => name.push(character),
                (_, None) => {}
            }
        }
        if names.iter().any(String::is_empty) {
            return Err(ClaimPathFault::EmptyName);
        }
        if names.len() > DEEPEST_PATH {
            return Err(ClaimPathFault::TooDeep);
        }
        Ok(Self(names))
    }

    /// The names, outermost first; at least one.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// What is wrong with the path of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClaimPathFault {
    /// There is no name where one should be.
    #[error("a claim needs a name before and after each dot; a dot that belongs to a name is written `\\.`")]
    EmptyName,
    /// It ends with a backslash.
    #[error("a claim's name ends with a backslash, which must stand before the character that it protects")]
    Escape,
    /// There are too many names.
    #[error("a claim lies at most {DEEPEST_PATH} objects deep")]
    TooDeep,
}

/// Why an identity provider cannot be used as it is configured.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum IssuerFault {
    /// It has no name.
    #[error("an identity provider has no name")]
    Unnamed,
    /// Two have the same name.
    #[error("two identity providers are called {0:?}: give each its own name")]
    SameName(String),
    /// Two have the same `iss`.
    #[error("the identity providers {0:?} and {1:?} have the same `issuer`: a token would be both's")]
    SameIssuer(String, String),
    /// It has no `iss`.
    #[error("the identity provider {0:?} has no `issuer`: copy `issuer` from its discovery document")]
    NoIssuer(String),
    /// It names no audience.
    #[error(
        "the identity provider {0:?} has no `audiences`, or an empty one: tokens that it makes for other services would \
         be accepted"
    )]
    NoAudience(String),
    /// No algorithm is allowed.
    #[error("the identity provider {0:?} has no `algorithms`: most providers sign with RS256")]
    NoAlgorithm(String),
    /// Its secret can be guessed.
    #[error("the shared secret of the identity provider {0:?} has less than 32 bytes, which HS256 needs")]
    ShortSecret(String),
    /// Its keys would travel unprotected.
    #[error(
        "the identity provider {0:?} must be asked for its keys over https (over http only on this machine)"
    )]
    InsecureUrl(String),
    /// Its key set is none.
    #[error("the key set of the identity provider {name:?} cannot be used")]
    KeySet {
        /// The provider.
        name: String,
        /// Why not.
        #[source]
        fault: KeySetFault,
    },
    /// Nobody could have a role.
    #[error(
        "the identity provider {0:?} has neither a claim for roles nor a default role: nobody could do anything"
    )]
    NoRole(String),
    /// A duration makes no sense.
    #[error("{setting} of the identity provider {name:?} is out of its range: {range}")]
    Duration {
        /// The provider.
        name: String,
        /// Which one.
        setting: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

/// Shortest secret for HS256, in bytes (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;

impl IssuerSettings {
    /// Refuses what would not do what it looks like. The key set itself is read elsewhere.
    pub(super) fn check(&self) -> Result<(), IssuerFault> {
        let name = || self.name.clone();
        if self.name.trim().is_empty() {
            return Err(IssuerFault::Unnamed);
        }
        if self.issuer.trim().is_empty() {
            return Err(IssuerFault::NoIssuer(name()));
        }
        if self.audiences.is_empty() || self.audiences.iter().any(|audience| audience.trim().is_empty()) {
            return Err(IssuerFault::NoAudience(name()));
        }
        match &self.keys {
            KeySource::Secret(secret) if secret.expose().len() < SHORTEST_SECRET => {
                return Err(IssuerFault::ShortSecret(name()));
            }
            KeySource::Public { algorithms, .. } if algorithms.is_empty() => {
                return Err(IssuerFault::NoAlgorithm(name()));
            }
            KeySource::Public { keys: PublicKeys::Url(url), .. } if !is_protected(url) => {
                return Err(IssuerFault::InsecureUrl(name()));
            }
            KeySource::Secret(_) | KeySource::Public { .. } => {}
        }
        if self.claims.role.is_none() && self.roles.default.is_none() {
            return Err(IssuerFault::NoRole(name()));
        }
        self.check_durations()
    }

    fn check_durations(&self) -> Result<(), IssuerFault> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let refresh = &self.refresh;
        for (holds, setting, range) in [
            (self.leeway <= Duration::from_secs(600), "the leeway", "at most 10 minutes"),
            (
                !self.longest_lifetime.is_zero() && self.longest_lifetime <= 400 * DAY,
                "the longest lifetime",
                "above zero, at most 400 days",
            ),
            (
                refresh.fresh >= Duration::from_secs(1) && refresh.fresh <= DAY,
                "how long keys are fresh",
                "a second to a day",
            ),
            (
                refresh.stale >= refresh.fresh && refresh.stale <= 30 * DAY,
                "how long keys are kept",
                "at least as long as they are fresh, at most 30 days",
            ),
            (refresh.wait <= Duration::from_secs(60), "the wait for keys", "at most a minute"),
            (
                refresh.unknown_key_pause >= Duration::from_secs(1),
                "the pause between fetches for unknown keys",
                "at least a second",
            ),
            (self.remembered <= DAY, "how long tokens are remembered", "at most a day"),
        ] {
            if !holds {
                return Err(IssuerFault::Duration { name: self.name.clone(), setting, range });
            }
        }
        Ok(())
    }
}

/// Whether nobody between us and the provider can put answers of their own in the place of the provider's: `https`, or
/// `http` on this machine.
pub fn is_protected(url: &str) -> bool {
    let (is_encrypted, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => return false,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // With user information, what looks like the host would be a user's name; and no password stands in the settings.
    if authority.is_empty() || authority.contains(['@', '\\']) {
        return false;
    }
    if is_encrypted {
        return true;
    }
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_name_or_a_path() {
        let names = |text: &str| ClaimPath::new(text).map(|path| path.0);
        assert_eq!(names("sub").unwrap(), ["sub"]);
        assert_eq!(names("realm_access.roles").unwrap(), ["realm_access", "roles"]);
        assert_eq!(names("https://acme.example/v1.2/tenant").unwrap(), ["https://acme.example/v1.2/tenant"]);
        assert_eq!(names(r"custom\.claim.x\\y").unwrap(), ["custom.claim", r"x\y"]);
        for text in ["", ".", "a.", ".a", "a..b"] {
            assert_eq!(names(text), Err(ClaimPathFault::EmptyName), "{text}");
        }
        assert_eq!(names("a\\"), Err(ClaimPathFault::Escape));
        assert_eq!(names("a.b.c.d.e.f.g.h.i"), Err(ClaimPathFault::TooDeep));
    }

    #[test]
    fn keys_travel_protected_or_not_at_all() {
        for url in [
            "https://login.example.com/keys",
            "http://localhost:8080/keys",
            "http://127.0.0.1/keys",
            "http://[::1]:80/k",
        ] {
            assert!(is_protected(url), "{url}");
        }
        for url in [
            "",
            "http://login.example.com/keys",
            "http://localhost.example.com",
            "http://localhost@example.com/",
            "http://localhost:80@example.com/",
            "https://user:password@example.com/",
            "http://127.0.0.1.example.com",
            "http://localhost\\@example.com",
            "ftp://localhost",
            "file:///etc/keys",
            "https://",
            "https:///keys",
        ] {
            assert!(!is_protected(url), "{url}");
        }
    }
}
