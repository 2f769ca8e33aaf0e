//! Who is let in, and to what: keys, the identity providers of the configuration, and the policies.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use mainstay_domain::config::Secret;
use mainstay_domain::{Clock, Deadline};
use mainstay_policy::Policies;
use mainstay_providers::http::{Endpoint, Expected, HttpClient, Network, Timeouts, TransportError};
use mainstay_security::tokens::{IssuerClient, IssuerError, IssuerSettings, KeySource, PublicKeys};
use mainstay_security::{
    Access, KeyTable, LoginSettings, Logins, Revocations, Tenants, TokenVerifier, Tokens,
};
use mainstay_store::SqliteRevocations;

use crate::config::sections::identity::{Issuer, IssuerKeys};
use crate::config::sections::security::TeamPolicies;
use crate::config::{Checked, Surroundings};

/// What an identity provider may answer with, in bytes.
const LARGEST_ANSWER: usize = 1 << 20;

/// The longest that a fetch takes.
const LONGEST_FETCH: std::time::Duration = std::time::Duration::from_secs(10);

/// Who is let in, and to what.
pub(super) async fn open_access(
    config: &Checked,
    keys: Arc<KeyTable>,
    tenants: Arc<Tenants>,
    revocations: SqliteRevocations,
    client: Arc<dyn IssuerClient>,
    clock: Clock,
) -> anyhow::Result<Access> {
    let tokens = match token_verifier(config, client, clock)? {
        None => None,
        Some(verifier) => {
            let longest = config.issuers.values().map(|issuer| issuer.longest_lifetime + issuer.leeway).max();
            let longest = longest.unwrap_or_default();
            let revocations = Revocations::open(revocations, longest, clock).await?;
            Some(Tokens { verifier, revocations: Arc::new(revocations) })
        }
    };
    Ok(Access {
        keys,
        tenants,
        tokens,
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

fn token_verifier(
    config: &Checked,
    client: Arc<dyn IssuerClient>,
    clock: Clock,
) -> anyhow::Result<Option<TokenVerifier>> {
    if config.issuers.is_empty() {
        return Ok(None);
    }
    let secrets = Surroundings::of(&config.folder);
    let issuers = config.issuers.iter().map(|(name, issuer)| settings_of(name, issuer, &secrets));
    let issuers = issuers.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Some(TokenVerifier::new(issuers, client, clock)?))
}

/// What speaks with identity providers.
pub(super) fn issuer_client(config: &Checked, clock: Clock) -> Arc<dyn IssuerClient> {
    let timeouts = Timeouts { total: LONGEST_FETCH, ..Timeouts::default() };
    let client = HttpClient::new(Arc::new(Network::new(config.security.outbound.clone())), timeouts, clock);
    Arc::new(Fetched { client, clock })
}

/// Where people sign in to the console.
pub(super) fn logins(
    config: &Checked,
    client: Arc<dyn IssuerClient>,
    clock: Clock,
) -> anyhow::Result<Logins> {
    let secrets = Surroundings::of(&config.folder);
    let with_login =
        config.issuers.iter().filter_map(|(name, issuer)| Some((name, issuer, issuer.login.as_ref()?)));
    let settings = with_login.map(|(name, issuer, login)| {
        let client_secret = login.client_secret.as_ref().map(|secret| secret.resolve(&secrets)).transpose();
        Ok(LoginSettings {
            provider: name.clone(),
            issuer: issuer.issuer.clone(),
            client_id: login.client_id.clone(),
            client_secret: client_secret
                .with_context(|| format!("nobody can sign in at the identity provider {name:?}"))?,
            redirect_url: login.redirect_url.clone(),
            scopes: login.scopes.clone(),
        })
    });
    Ok(Logins::new(settings.collect::<anyhow::Result<Vec<_>>>()?, client, clock))
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

/// Speaks with identity providers over HTTP, without following a redirect.
struct Fetched {
    client: HttpClient,
    clock: Clock,
}

#[async_trait]
impl IssuerClient for Fetched {
    async fn fetch(&self, url: &str) -> Result<Vec<u8>, IssuerError> {
        let endpoint = Endpoint { uri: uri_of(url)?, headers: HeaderMap::new() };
        let deadline = Deadline::after(&self.clock, LONGEST_FETCH);
        let (status, body) =
            self.client.get(&endpoint, LARGEST_ANSWER, deadline).await.map_err(issuer_error)?;
        if status == StatusCode::OK { Ok(body.to_vec()) } else { Err(IssuerError::Status(status.as_u16())) }
    }

    async fn exchange(
        &self,
        url: &str,
        form: &Secret,
        authorization: Option<&Secret>,
    ) -> Result<Vec<u8>, IssuerError> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = authorization {
            let mut value = HeaderValue::from_str(authorization.expose())
                .map_err(|_| IssuerError::Unreachable("its password is no header".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let endpoint = Endpoint { uri: uri_of(url)?, headers };
        let deadline = Deadline::after(&self.clock, LONGEST_FETCH);
        let body = form.expose().to_owned().into();
        let answer =
            self.client.post(&endpoint, body, Expected::Whole, deadline).await.map_err(issuer_error)?;
        if answer.status != StatusCode::OK {
            return Err(IssuerError::Status(answer.status.as_u16()));
        }
        let body = answer.body.read_to_end(LARGEST_ANSWER, LONGEST_FETCH).await.map_err(issuer_error)?;
        Ok(body.to_vec())
    }
}

fn uri_of(url: &str) -> Result<Uri, IssuerError> {
    url.parse().map_err(|_| IssuerError::Unreachable("its address is no URL".to_owned()))
}

fn issuer_error(error: TransportError) -> IssuerError {
    if matches!(error, TransportError::TimedOut(_)) {
        IssuerError::TimedOut(LONGEST_FETCH)
    } else {
        IssuerError::Unreachable(error.to_string())
    }
}
