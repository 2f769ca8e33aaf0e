//! People who sign in to the console at their identity provider: OpenID Connect Core 1.0, the authorization code flow with
//! PKCE (RFC 7636), endpoints by discovery.
//!
//! What a sign-in needs to be finished lies in a cookie of the browser that began it, and nowhere else: nobody can fill the
//! memory here with sign-ins, and a code that another browser shows is worthless.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainstay_domain::Clock;
use mainstay_domain::config::Secret;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use crate::ring::random_text;
use crate::tokens::{IssuerClient, IssuerError, is_protected};

/// How long a sign-in may take: a password, a second factor, a phone that is in another room.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(600);

/// How long the endpoints of a provider are taken to stay what they are.
const DISCOVERED_FOR: Duration = Duration::from_secs(3_600);

/// How long a provider that could not be asked is left alone: the route is open to everybody.
const LEFT_ALONE_FOR: Duration = Duration::from_secs(5);

/// An identity provider at which people sign in.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// What it is called here.
    pub provider: String,
    /// Its `iss`, which is where its discovery document lies.
    pub issuer: String,
    /// What this Mainstay is called there.
    pub client_id: String,
    /// Its password there, where it has one.
    pub client_secret: Option<Secret>,
    /// Where browsers come back to, as it is registered there.
    pub redirect_url: String,
    /// What is asked for, with blanks between; `openid` is among it.
    pub scopes: String,
}

/// The sign-ins of people.
pub struct Logins {
    providers: Vec<LoginSettings>,
    client: Arc<dyn IssuerClient>,
    /// What is known of the providers' endpoints, by name, and since when.
    discovered: Mutex<Discovered>,
    clock: Clock,
}

/// By provider: since when, and its endpoints; none where it could not be asked.
type Discovered = HashMap<String, (Instant, Option<Arc<Endpoints>>)>;

/// What of a discovery document is needed.
#[derive(Deserialize, Debug)]
struct Endpoints {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// A sign-in that has begun.
pub struct Begun {
    /// Where the browser goes.
    pub url: String,
    /// What it keeps until it comes back.
    pub cookie: Secret,
}

/// What a provider gave for a code. Nothing in it is known to be true.
pub struct IdToken {
    /// The token.
    pub text: Secret,
    /// What it must say besides, if it is of this sign-in.
    pub nonce: String,
    /// Whose it must be.
    pub provider: String,
}

/// Why somebody could not be signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no such provider.
    #[error(
        "nobody signs in at this identity provider; [identity.issuers.<name>.login] of mainstay.toml names those that serve"
    )]
    NoProvider,
    /// This browser has begun no such sign-in, or too long ago.
    #[error("this sign-in was not begun in this browser, or is over; begin again")]
    NotBegun,
    /// The provider refused, and says why.
    #[error("the identity provider did not sign you in ({0})")]
    Refused(String),
    /// The provider cannot be asked, or its answer cannot be used.
    #[error("{0}; try again in a few seconds")]
    Unavailable(String),
}

impl LoginError {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoProvider => "unknown_identity_provider",
            Self::NotBegun => "login_not_begun",
            Self::Refused(_) => "login_refused",
            Self::Unavailable(_) => "identity_provider_unavailable",
        }
    }
}

impl From<IssuerError> for LoginError {
    fn from(error: IssuerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Logins {
    /// Sign-ins at these providers.
    pub fn new(providers: Vec<LoginSettings>, client: Arc<dyn IssuerClient>, clock: Clock) -> Self {
        Self { providers, client, discovered: Mutex::default(), clock }
    }

    /// The names of the providers.
    pub fn providers(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| provider.provider.as_str())
    }

    /// Begins a sign-in.
    pub async fn begin(&self, provider: &str) -> Result<Begun, LoginError> {
        let settings = self.find(provider)?;
        let endpoints = self.endpoints(settings).await?;
        let [state, verifier, nonce] = [(); 3].map(|()| random_text(32));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &settings.client_id)
            .append_pair("redirect_uri", &settings.redirect_url)
            .append_pair("scope", &settings.scopes)
            .append_pair("state", &state)
            .append_pair("nonce", &nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        let address = &endpoints.authorization_endpoint;
        let joint = if address.contains('?') { '&' } else { '?' };
        Ok(Begun {
            url: format!("{address}{joint}{}", query.finish()),
            cookie: Secret::new(&format!("{state}.{verifier}.{nonce}.{provider}")),
        })
    }

    /// Has the code that a browser came back with exchanged for a token. `cookie`: what it was given to keep.
    pub async fn finish(&self, cookie: &str, state: &str, code: &str) -> Result<IdToken, LoginError> {
        let mut parts = cookie.splitn(4, '.');
        let (Some(own), Some(verifier), Some(nonce), Some(provider)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(LoginError::NotBegun);
        };
        if own.is_empty() || !bool::from(own.as_bytes().ct_eq(state.as_bytes())) {
            return Err(LoginError::NotBegun);
        }
        let settings = self.find(provider)?;
        let endpoints = self.endpoints(settings).await?;
        let (form, authorization) = settings.exchange(&endpoints, code, verifier);
        let answer =
            match self.client.exchange(&endpoints.token_endpoint, &form, authorization.as_ref()).await {
                // The code is not good, or we are not who may use it: RFC 6749, section 5.2.
                Err(IssuerError::Status(status @ 400..=499)) => {
                    return Err(LoginError::Refused(format!("status {status} for the code")));
                }
                other => other?,
            };
        let answer: Answer = serde_json::from_slice(&answer).map_err(|_| {
            LoginError::Unavailable("the identity provider answered with no ID token".to_owned())
        })?;
        Ok(IdToken {
            text: Secret::new(&answer.id_token),
            nonce: nonce.to_owned(),
            provider: provider.to_owned(),
        })
    }

    fn find(&self, provider: &str) -> Result<&LoginSettings, LoginError> {
        self.providers.iter().find(|known| known.provider == provider).ok_or(LoginError::NoProvider)
    }

    /// The endpoints of a provider, by its discovery document where that is not known, or from too long ago.
    async fn endpoints(&self, settings: &LoginSettings) -> Result<Arc<Endpoints>, LoginError> {
        let now = self.clock.instant();
        let known = self.lock().get(&settings.provider).cloned();
        match known {
            Some((since, Some(endpoints))) if now.saturating_duration_since(since) < DISCOVERED_FOR => {
                return Ok(endpoints);
            }
            Some((since, None)) if now.saturating_duration_since(since) < LEFT_ALONE_FOR => {
                return Err(LoginError::Unavailable("the identity provider could not be asked".to_owned()));
            }
            _ => {}
        }
        let found = self.discover(settings).await;
        let endpoints = found.as_ref().ok().cloned();
        self.lock().insert(settings.provider.clone(), (self.clock.instant(), endpoints));
        found
    }

    async fn discover(&self, settings: &LoginSettings) -> Result<Arc<Endpoints>, LoginError> {
        let url = format!("{}/.well-known/openid-configuration", settings.issuer.trim_end_matches('/'));
        let document = self.client.fetch(&url).await?;
        let unusable = |what: &str| {
            LoginError::Unavailable(format!(
                "the identity provider's discovery document cannot be used: {what}"
            ))
        };
        let endpoints: Endpoints = serde_json::from_slice(&document)
            .map_err(|_| unusable("it names no authorization_endpoint and token_endpoint"))?;
        if endpoints.issuer != settings.issuer {
            return Err(unusable("its `issuer` is not the one that is configured, to the byte"));
        }
        let addresses = [&endpoints.authorization_endpoint, &endpoints.token_endpoint];
        if !addresses.into_iter().all(|address| is_protected(address)) {
            return Err(unusable("its endpoints must be https, or http on this machine"));
        }
        Ok(Arc::new(endpoints))
    }

    fn lock(&self) -> MutexGuard<'_, Discovered> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoginSettings {
    /// The form by which a code is exchanged, and the header with the password, where it goes there.
    fn exchange(&self, endpoints: &Endpoints, code: &str, verifier: &str) -> (Secret, Option<Secret>) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_url)
            .append_pair("client_id", &self.client_id)
            .append_pair("code_verifier", verifier);
        let mut authorization = None;
        if let Some(secret) = &self.client_secret {
            if endpoints.takes_password_in_header() {
                authorization = Some(basic(&self.client_id, secret));
            } else {
                form.append_pair("client_secret", secret.expose());
            }
        }
        (Secret::new(&form.finish()), authorization)
    }
}

impl Endpoints {
    /// As it does where it says nothing: OpenID Connect Discovery 1.0, section 3.
    fn takes_password_in_header(&self) -> bool {
        self.token_endpoint_auth_methods_supported
            .as_ref()
            .is_none_or(|methods| methods.iter().any(|method| method == "client_secret_basic"))
    }
}

/// What of the answer to a code is needed.
#[derive(Deserialize)]
struct Answer {
    id_token: String,
}

/// The password as RFC 6749, section 2.3.1, writes it into the header.
fn basic(client_id: &str, secret: &Secret) -> Secret {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Secret::new(&format!("{}:{}", encoded(client_id), encoded(secret.expose())));
    Secret::new(&format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair.expose())))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::{Value, json};

    use super::*;

    /// A provider that answers with this, and remembers what it was asked.
    struct Provider {
        document: Value,
        answer: Result<Value, u16>,
        asked: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl IssuerClient for Provider {
        async fn fetch(&self, url: &str) -> Result<Vec<u8>, IssuerError> {
            self.asked.lock().unwrap().push(format!("GET {url}"));
            Ok(self.document.to_string().into_bytes())
        }

        async fn exchange(
            &self,
            url: &str,
            form: &Secret,
            authorization: Option<&Secret>,
        ) -> Result<Vec<u8>, IssuerError> {
            let authorization = authorization.map_or("", |secret| secret.expose());
            self.asked.lock().unwrap().push(format!("POST {url} {authorization} {}", form.expose()));
            match &self.answer {
                Ok(answer) => Ok(answer.to_string().into_bytes()),
                Err(status) => Err(IssuerError::Status(*status)),
            }
        }
    }

    fn document() -> Value {
        json!({
            "issuer": "https://login.example.com/", "authorization_endpoint": "https://login.example.com/auth?realm=1",
            "token_endpoint": "https://login.example.com/token",
        })
    }

    fn logins(document: Value, answer: Result<Value, u16>) -> (Arc<Provider>, Logins) {
        let provider = Arc::new(Provider { document, answer, asked: Mutex::default() });
        let settings = LoginSettings {
            provider: "login".to_owned(),
            issuer: "https://login.example.com/".to_owned(),
            client_id: "main stay".to_owned(),
            client_secret: Some(Secret::new("s:1")),
            redirect_url: "https://m.example/console/login/callback".to_owned(),
            scopes: "openid profile".to_owned(),
        };
        (provider.clone(), Logins::new(vec![settings], provider, Clock::system()))
    }

    fn query(url: &str) -> HashMap<String, String> {
        let query = url.split_once('?').unwrap().1;
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_is_exchanged_with_what_only_the_browser_that_began_has() {
        let (provider, logins) = logins(document(), Ok(json!({ "id_token": "a.b.c", "access_token": "x" })));
        let begun = logins.begin("login").await.unwrap();
        assert!(begun.url.starts_with("https://login.example.com/auth?realm=1&response_type=code&"));
        let asked = query(&begun.url);
        assert_eq!(asked["redirect_uri"], "https://m.example/console/login/callback");
        assert_eq!((asked["scope"].as_str(), asked["client_id"].as_str()), ("openid profile", "main stay"));
        let token = logins.finish(begun.cookie.expose(), &asked["state"], "c 0/1").await.unwrap();
        assert_eq!(
            (token.text.expose(), &token.nonce, token.provider.as_str()),
            ("a.b.c", &asked["nonce"], "login")
        );
        let posted = provider.asked.lock().unwrap().last().unwrap().clone();
        // base64 of main+stay:s%3A1
        assert!(
            posted.starts_with("POST https://login.example.com/token Basic bWFpbitzdGF5OnMlM0Ex "),
            "{posted}"
        );
        let verifier = begun.cookie.expose().split('.').nth(1).unwrap().to_owned();
        assert!(posted.contains("code=c+0%2F1") && posted.contains(&format!("code_verifier={verifier}")));
        assert_eq!(asked["code_challenge"], URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier)));
        assert!(!begun.url.contains(&verifier) && !posted.contains("client_secret"));
        // Its endpoints are known from then on.
        logins.begin("login").await.unwrap();
        let fetched = provider.asked.lock().unwrap().iter().filter(|asked| asked.starts_with("GET")).count();
        assert_eq!(fetched, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_did_not_begin_does_not_finish() {
        let (provider, logins) = logins(document(), Ok(json!({ "id_token": "a.b.c" })));
        let (one, other) = (logins.begin("login").await.unwrap(), logins.begin("login").await.unwrap());
        let state = query(&one.url)["state"].clone();
        for cookie in [other.cookie.expose(), "", "...", ".a.b.login", &state] {
            let finished = logins.finish(cookie, &state, "c").await;
            assert!(matches!(finished, Err(LoginError::NotBegun)), "{cookie}");
        }
        assert!(matches!(logins.finish("...login", "", "c").await, Err(LoginError::NotBegun)));
        assert!(matches!(logins.begin("another").await, Err(LoginError::NoProvider)));
        assert!(!provider.asked.lock().unwrap().iter().any(|asked| asked.starts_with("POST")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_password_goes_where_the_provider_takes_it() {
        let mut document = document();
        document["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
        let (provider, logins) = logins(document, Ok(json!({ "id_token": "a.b.c" })));
        let begun = logins.begin("login").await.unwrap();
        logins.finish(begun.cookie.expose(), &query(&begun.url)["state"], "c").await.unwrap();
        let posted = provider.asked.lock().unwrap().last().unwrap().clone();
        assert!(posted.contains("client_secret=s%3A1") && !posted.contains("Basic"), "{posted}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_is_not_the_one_or_not_safe_is_not_used() {
        for (field, value) in [
            ("issuer", json!("https://login.example.com")),
            ("token_endpoint", json!("http://login.example.com/token")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("authorization_endpoint", json!(null)),
        ] {
            let mut document = document();
            document[field] = value;
            let (provider, logins) = logins(document, Err(400));
            for _ in 0..9 {
                assert!(matches!(logins.begin("login").await, Err(LoginError::Unavailable(_))), "{field}");
            }
            assert_eq!(provider.asked.lock().unwrap().len(), 1, "it is left alone for a while");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_that_is_refused_and_a_provider_that_is_down_are_told_apart() {
        for (answer, code) in [
            (Err(400), "login_refused"),
            (Err(503), "identity_provider_unavailable"),
            (Ok(json!({ "access_token": "x" })), "identity_provider_unavailable"),
        ] {
            let (_, logins) = logins(document(), answer);
            let begun = logins.begin("login").await.unwrap();
            let finished = logins.finish(begun.cookie.expose(), &query(&begun.url)["state"], "c").await;
            assert_eq!(finished.err().unwrap().code(), code);
        }
    }
}
