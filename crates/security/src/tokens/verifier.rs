//! The way of a token, from the text that somebody shows to who that is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use mainstay_domain::Clock;
use mainstay_reliability::BreakerReport;
use ring::hmac;
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::claims::{self, Times, TokenIdentity};
use super::compact::{self, Compact};
use super::error::TokenError;
use super::key::Algorithm;
use super::key_set::KeySet;
use super::remote::{Fetches, IssuerClient, NoKeys, RemoteKeys, Search};
use super::settings::{IssuerFault, IssuerSettings, KeySource, PublicKeys};
use super::verified::{Verified, VerifiedTokens};
use crate::logins::IdToken;
use crate::ring::later;
use crate::sessions;

/// Verifies tokens of the configured identity providers.
pub struct TokenVerifier {
    issuers: Vec<Issuer>,
    by_iss: HashMap<String, usize>,
    verified: VerifiedTokens,
    clock: Clock,
    fetches: Fetches,
}

/// An identity provider and its keys.
struct Issuer {
    name: Arc<str>,
    settings: IssuerSettings,
    keys: Keys,
}

/// What tokens are checked with. As in [`KeySource`], a secret is not a public key.
enum Keys {
    Secret(hmac::Key),
    Fixed(BTreeSet<Algorithm>, KeySet),
    Remote(BTreeSet<Algorithm>, Arc<RemoteKeys>),
}

/// The version of keys that never change.
const UNCHANGING: u64 = 0;

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.issuers.iter().map(|issuer| &issuer.name);
        f.debug_struct("TokenVerifier").field("issuers", &names.collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// Checks the settings. Nothing is fetched yet: the first token of a provider has its keys fetched, and a provider that
    /// is down does not keep Mainstay from starting.
    pub fn new(
        settings: Vec<IssuerSettings>,
        source: Arc<dyn IssuerClient>,
        clock: Clock,
    ) -> Result<Self, IssuerFault> {
        let fetches = Fetches::new(source, clock);
        let mut names = HashSet::new();
        let mut by_iss: HashMap<String, usize> = HashMap::new();
        let mut issuers: Vec<Issuer> = Vec::new();
        for settings in settings {
            settings.check()?;
            if !names.insert(settings.name.clone()) {
                return Err(IssuerFault::SameName(settings.name));
            }
            if let Some(other) = by_iss.insert(settings.issuer.clone(), issuers.len()) {
                return Err(IssuerFault::SameIssuer(issuers[other].name.to_string(), settings.name));
            }
            issuers.push(Issuer::new(settings, &fetches)?);
        }
        Ok(Self { issuers, by_iss, verified: VerifiedTokens::new(), clock, fetches })
    }

    /// Who shows this token. Waits only where keys must be fetched first, at most as long as the settings say, twice where
    /// the key turns out to be unknown.
    pub async fn verify(&self, token: &str) -> Result<TokenIdentity, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > compact::LONGEST {
            return Err(TokenError::TooLong { limit: compact::LONGEST });
        }
        let (since, era) = (self.clock.instant(), self.verified.era());
        let digest = VerifiedTokens::digest(token);
        if let Some(known) = self.known(&digest, since) {
            return known;
        }
        let token = Compact::read(token)?;
        let index = *self.by_iss.get(token.issuer()?).ok_or(TokenError::UnknownIssuer)?;
        let issuer = &self.issuers[index];
        let keys = issuer.check_signature(&token, since, self.clock).await?;
        let times = Times::read(&token.claims)?;
        times.check(&issuer.settings, self.clock.now())?;
        let identity = claims::identity(&token.claims, &issuer.settings, &issuer.name, times)?;
        self.verified.insert(
            digest,
            Verified {
                identity: identity.clone(),
                issuer: index,
                keys,
                accepted_until: times.accepted_until(&issuer.settings),
                known_until: since + issuer.settings.remembered,
                era,
            },
        );
        Ok(identity)
    }

    /// Verifies a token that a provider gave for the code of a sign-in, and that it is of this one. Such a token says who
    /// somebody is and is over in minutes; who signed in by it stays for a session, and at most for as long as a token of
    /// that provider may count.
    pub async fn verify_id_token(&self, token: &IdToken) -> Result<TokenIdentity, TokenError> {
        let mut identity = self.verify(token.text.expose()).await?;
        let longest = self.issuers.iter().find(|issuer| issuer.name == identity.issuer);
        let longest = longest.map_or(sessions::LIFETIME, |issuer| issuer.settings.longest_lifetime);
        identity.expires_at = later(self.clock.now(), longest.min(sessions::LIFETIME));
        let claims = Compact::read(token.text.expose())?.claims;
        let nonce = claims.get("nonce").and_then(|nonce| nonce.as_str()).unwrap_or_default();
        let is_of_this = bool::from(nonce.as_bytes().ct_eq(token.nonce.as_bytes()));
        if is_of_this && *identity.issuer == *token.provider {
            Ok(identity)
        } else {
            Err(TokenError::AnotherSignIn)
        }
    }

    /// Forgets all verified tokens: each is verified anew when it is shown next.
    ///
    /// This takes nobody's token away: that is what [`Revocations`](crate::Revocations) are for.
    pub fn forget(&self) {
        self.verified.forget();
    }

    /// Ends the fetches that are under way, for the shutdown. Keys that must be fetched after it are unavailable.
    pub async fn close(&self) {
        self.fetches.close().await;
    }

    /// The answer about a token that was verified a moment ago, with the keys that still count.
    fn known(&self, digest: &[u8; 32], now: Instant) -> Option<Result<TokenIdentity, TokenError>> {
        let known = self.verified.get(digest, now)?;
        if self.issuers[known.issuer].version() != Some(known.keys) {
            return None;
        }
        let has_expired = self.clock.now() >= known.accepted_until;
        Some(if has_expired { Err(TokenError::Expired) } else { Ok(known.identity.clone()) })
    }
}

impl TokenVerifier {
    /// How the identity providers fare whose keys are fetched, by name.
    pub fn breakers(&self) -> Vec<(Arc<str>, BreakerReport)> {
        let remote = self.issuers.iter().filter_map(|issuer| match &issuer.keys {
            Keys::Remote(_, remote) => Some((issuer.name.clone(), remote.breaker())),
            Keys::Secret(_) | Keys::Fixed(..) => None,
        });
        remote.collect()
    }
}

impl Issuer {
    fn new(settings: IssuerSettings, fetches: &Fetches) -> Result<Self, IssuerFault> {
        let name: Arc<str> = Arc::from(settings.name.as_str());
        let keys = match &settings.keys {
            KeySource::Secret(secret) => {
                Keys::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()))
            }
            KeySource::Public { keys: PublicKeys::Set(json), algorithms } => {
                let set = KeySet::read_configured(json.as_bytes())
                    .map_err(|fault| IssuerFault::KeySet { name: settings.name.clone(), fault })?;
                Keys::Fixed(algorithms.clone(), set)
            }
            KeySource::Public { keys: PublicKeys::Url(url), algorithms } => {
                let fetches = fetches.clone();
                let remote = RemoteKeys::new(name.clone(), url.clone(), settings.refresh, fetches);
                Keys::Remote(algorithms.clone(), Arc::new(remote))
            }
        };
        Ok(Self { name, settings, keys })
    }

    fn version(&self) -> Option<u64> {
        match &self.keys {
            Keys::Secret(_) | Keys::Fixed(..) => Some(UNCHANGING),
            Keys::Remote(_, remote) => remote.version(),
        }
    }

    /// Whether this issuer signed the token, and with which version of its keys that was found. `since` is when the
    /// request began.
    async fn check_signature(
        &self,
        token: &Compact<'_>,
        since: Instant,
        clock: Clock,
    ) -> Result<u64, TokenError> {
        match &self.keys {
            Keys::Secret(_) if token.algorithm != "HS256" => Err(TokenError::AlgorithmNotAllowed),
            Keys::Secret(secret) => hmac::verify(secret, token.signed, &token.signature)
                .map(|()| UNCHANGING)
                .map_err(|_| TokenError::BadSignature),
            Keys::Fixed(algorithms, set) => {
                check_by_key(set, token, allowed(algorithms, token)?).map(|()| UNCHANGING)
            }
            Keys::Remote(algorithms, remote) => {
                let algorithm = allowed(algorithms, token)?;
                self.check_by_remote_key(remote, token, algorithm, since, clock).await
            }
        }
    }

    async fn check_by_remote_key(
        &self,
        remote: &Arc<RemoteKeys>,
        token: &Compact<'_>,
        algorithm: Algorithm,
        since: Instant,
        clock: Clock,
    ) -> Result<u64, TokenError> {
        let held = remote.current().await.map_err(|NoKeys| TokenError::KeysUnavailable)?;
        let Err(error) = check_by_key(&held.set, token, algorithm) else { return Ok(held.version) };
        // A key that we have not heard of yet: by its id or, where the provider gives its only key none, by its signature.
        let may_be_new = match error {
            TokenError::UnknownKey => token.key_id.is_some(),
            TokenError::BadSignature => token.key_id.is_none(),
            _ => false,
        };
        if !may_be_new {
            return Err(error);
        }
        // A token that is over by its own word needs no key: those are what clients show long after keys have changed.
        Times::read(&token.claims)?.check(&self.settings, clock.now())?;
        match remote.search(&held, since).await {
            Search::Fetched(held) => check_by_key(&held.set, token, algorithm).map(|()| held.version),
            Search::NotThere => Err(error),
            Search::Unavailable => Err(TokenError::KeysUnavailable),
        }
    }
}

/// The algorithm of the token's header, where the settings allow it: no other text of the token decides how it is checked.
fn allowed(algorithms: &BTreeSet<Algorithm>, token: &Compact<'_>) -> Result<Algorithm, TokenError> {
    Algorithm::from_name(&token.algorithm)
        .filter(|algorithm| algorithms.contains(algorithm))
        .ok_or(TokenError::AlgorithmNotAllowed)
}

fn check_by_key(set: &KeySet, token: &Compact<'_>, algorithm: Algorithm) -> Result<(), TokenError> {
    let key = set.find(token.key_id.as_deref(), algorithm).ok_or(TokenError::UnknownKey)?;
    let holds = key.verifies(algorithm, token.signed, &token.signature);
    if holds { Ok(()) } else { Err(TokenError::BadSignature) }
}
