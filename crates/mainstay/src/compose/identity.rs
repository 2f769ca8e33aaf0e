//! Who is let in, and to what: keys, the identity providers of the configuration, and the policies.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use mainstay_domain::{Clock, Deadline};
use mainstay_policy::Policies;
use mainstay_providers::http::{Endpoint, HttpClient, Network, Timeouts, TransportError};
use mainstay_security::tokens::{IssuerSettings, KeySetError, KeySetSource, KeySource, PublicKeys};
use mainstay_security::{Access, KeyTable, Tenants, TokenVerifier};

use crate::config::sections::identity::{Issuer, IssuerKeys};
use crate::config::sections::security::TeamPolicies;
use crate::config::{Checked, Surroundings};

/// What a key set may have, in bytes.
const LARGEST_KEY_SET: usize = 1 << 20;

/// The longest that a fetch takes.
const LONGEST_FETCH: std::time::Duration = std::time::Duration::from_secs(10);

/// Who is let in, and to what.
pub(super) fn open_access(
    config: &Checked,
    keys: Arc<KeyTable>,
    tenants: Arc<Tenants>,
    clock: Clock,
) -> anyhow::Result<Access> {
    Ok(Access {
        keys,
        tenants,
        tokens: token_verifier(config, clock)?,
        policies: read_policies(&config.security.policies)?,
        environment: config.security.environment,
        residency: config.residency.clone(),
        clock,
    })
}

/// The policies that are in force: the built-in ones, and the team's.
pub(crate) fn read_policies(team: &TeamPolicies) -> anyhow::Result<Policies> {
    let read = match team {
        TeamPolicies::None => Policies::builtin(),
        TeamPolicies::Beside(path) | TeamPolicies::Instead(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the policies {} cannot be read", path.display()))?;
            let name = path.display().to_string();
            if matches!(team, TeamPolicies::Beside(_)) {
                Policies::with(&text, &name)
            } else {
                Policies::replacing(&text, &name)
            }
        }
    };
    let policies = read?;
    for doubt in policies.warnings() {
        tracing::warn!(%doubt, "a policy may not do what it looks like");
    }
    Ok(policies)
}

fn token_verifier(config: &Checked, clock: Clock) -> anyhow::Result<Option<TokenVerifier>> {
    if config.issuers.is_empty() {
        return Ok(None);
    }
    let secrets = Surroundings::of(&config.folder);
    let issuers = config.issuers.iter().map(|(name, issuer)| settings_of(name, issuer, &secrets));
    let issuers = issuers.collect::<anyhow::Result<Vec<_>>>()?;
    let timeouts = Timeouts { total: LONGEST_FETCH, ..Timeouts::default() };
    let client = HttpClient::new(Arc::new(Network::new()), timeouts, clock);
    let source = Arc::new(Fetched { client, clock });
    Ok(Some(TokenVerifier::new(issuers, source, clock)?))
}

fn settings_of(name: &str, issuer: &Issuer, secrets: &Surroundings) -> anyhow::Result<IssuerSettings> {
    let algorithms = issuer.algorithms.clone();
    let keys = match &issuer.keys {
        IssuerKeys::Url(url) => KeySource::Public { keys: PublicKeys::Url(url.clone()), algorithms },
        IssuerKeys::File(path) => {
            let set = std::fs::read_to_string(path).with_context(|| {
                format!("the keys of the identity provider {name:?} in {} cannot be read", path.display())
            })?;
            KeySource::Public { keys: PublicKeys::Set(set), algorithms }
        }
        IssuerKeys::Secret(secret) => {
            let secret = secret
                .resolve(secrets)
                .with_context(|| format!("the identity provider {name:?} cannot be used"))?;
            KeySource::Secret(secret)
        }
    };
    Ok(IssuerSettings {
        audiences: issuer.audiences.clone(),
        leeway: issuer.leeway,
        longest_lifetime: issuer.longest_lifetime,
        claims: issuer.claims.clone(),
        roles: issuer.roles.clone(),
        ..IssuerSettings::new(name, &issuer.issuer, "", keys, issuer.tenant.clone())
    })
}

/// Fetches key sets over HTTP, without following a redirect.
struct Fetched {
    client: HttpClient,
    clock: Clock,
}

#[async_trait]
impl KeySetSource for Fetched {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, KeySetError> {
        let uri = url.parse().map_err(|_| KeySetError::Unreachable("its address is no URL".to_owned()))?;
        let endpoint = Endpoint { uri, headers: HeaderMap::new() };
        let deadline = Deadline::after(&self.clock, LONGEST_FETCH);
        let (status, body) =
            self.client.get(&endpoint, LARGEST_KEY_SET, deadline).await.map_err(|error| {
                if matches!(error, TransportError::TimedOut(_)) {
                    KeySetError::TimedOut(LONGEST_FETCH)
                } else {
                    KeySetError::Unreachable(error.to_string())
                }
            })?;
        if status == StatusCode::OK { Ok(body.to_vec()) } else { Err(KeySetError::Status(status.as_u16())) }
    }
}
