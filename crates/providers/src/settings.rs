//! What is configured of a provider.

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Uri};
use mainstay_domain::config::{BaseUrl, Secret};

use crate::http::Timeouts;
use crate::kind::ProviderKind;

/// A provider as it is configured, checked: from these settings its models and embedders are made without failing.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    name: Arc<str>,
    kind: ProviderKind,
    base_url: String,
    headers: HeaderMap,
    timeouts: Timeouts,
    max_answer_bytes: usize,
}

/// What [`ProviderSettings`] are made of.
#[derive(Clone, Debug)]
pub struct ProviderOptions {
    /// Its name in `mainstay.toml`.
    pub name: String,
    /// Its kind.
    pub kind: ProviderKind,
    /// Where it is; `None` for the place of its kind.
    pub base_url: Option<BaseUrl>,
    /// The key that it knows us by.
    pub api_key: Option<Secret>,
    /// The time limits.
    pub timeouts: Timeouts,
    /// Headers that are added to every request, such as `OpenAI-Organization`.
    pub headers: Vec<(String, String)>,
    /// The largest answer that is read when it is not streamed; 64 MiB by default, for pictures in it.
    pub max_answer_bytes: usize,
}

/// Why a provider cannot be used as it is configured.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SettingsError {
    /// The kind has no place of its own.
    #[error(
        "the provider {name:?} needs base_url: where the server is, such as \"http://localhost:8000/v1\""
    )]
    NoBaseUrl {
        /// The provider.
        name: String,
    },
    /// The kind answers nobody without a key.
    #[error("the provider {name:?} needs api_key, as \"env:NAME\" or \"file:PATH\"")]
    NoApiKey {
        /// The provider.
        name: String,
    },
    /// The URL is none.
    #[error("the base_url of the provider {name:?} is no URL that can be called")]
    BadBaseUrl {
        /// The provider.
        name: String,
    },
    /// The key cannot stand in a header.
    #[error(
        "the api_key of the provider {name:?} has characters that no header can carry: line ends or others"
    )]
    BadApiKey {
        /// The provider.
        name: String,
    },
    /// A header cannot be sent.
    #[error(
        "the header {header:?} of the provider {name:?} cannot be sent: its name or its value has characters that are not allowed, or Mainstay sets it itself"
    )]
    BadHeader {
        /// The provider.
        name: String,
        /// The header's name.
        header: String,
    },
}

impl ProviderOptions {
    /// A provider of that name and kind with nothing else said.
    pub fn new(name: impl Into<String>, kind: ProviderKind) -> Self {
        Self {
            name: name.into(),
            kind,
            base_url: None,
            api_key: None,
            timeouts: Timeouts::default(),
            headers: Vec::new(),
            max_answer_bytes: 64 << 20,
        }
    }
}

impl ProviderSettings {
    /// Checks the options.
    pub fn check(options: ProviderOptions) -> Result<Self, SettingsError> {
        let ProviderOptions { name, kind, base_url, api_key, timeouts, headers: extra, max_answer_bytes } =
            options;
        let capabilities = kind.capabilities();
        let base_url = match (&base_url, capabilities.base_url) {
            (Some(url), _) => url.as_str(),
            (None, Some(url)) => url,
            (None, None) => return Err(SettingsError::NoBaseUrl { name }),
        };
        if base_url.parse::<Uri>().is_err() {
            return Err(SettingsError::BadBaseUrl { name });
        }
        if api_key.is_none() && capabilities.needs_key {
            return Err(SettingsError::NoApiKey { name });
        }
        let mut headers = standard_headers(kind);
        for (header, value) in &extra {
            insert_extra(&mut headers, header, value)
                .ok_or_else(|| SettingsError::BadHeader { name: name.clone(), header: header.clone() })?;
        }
        if let Some(key) = api_key {
            let (header, value) =
                credentials(kind, &key).ok_or_else(|| SettingsError::BadApiKey { name: name.clone() })?;
            headers.insert(header, value);
        }
        let base_url = base_url.to_owned();
        Ok(Self { name: name.into(), kind, base_url, headers, timeouts, max_answer_bytes })
    }

    /// Its name in `mainstay.toml`.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its kind.
    pub fn kind(&self) -> ProviderKind {
        self.kind
    }

    /// The time limits.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// The largest answer that is read when it is not streamed.
    pub fn max_answer_bytes(&self) -> usize {
        self.max_answer_bytes
    }

    /// The headers of every request, credentials included.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The URL of `path`, which starts with the version of the API. A base that ends with that version already, as
    /// some users write it, does not get it twice.
    pub(crate) fn url(&self, version: &str, path: &str) -> String {
        let base = self.base_url.strip_suffix(version).unwrap_or(&self.base_url);
        format!("{base}{version}{path}")
    }

    /// [`ProviderSettings::url`] of a path that is known to be one.
    pub(crate) fn uri(&self, version: &str, path: &'static str) -> Uri {
        self.url(version, path).parse().expect("a checked base and a constant path are a URL")
    }
}

fn standard_headers(kind: ProviderKind) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("mainstay/", env!("CARGO_PKG_VERSION"))));
    match kind {
        ProviderKind::Anthropic => {
            headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        }
        ProviderKind::OpenAi
        | ProviderKind::Gemini
        | ProviderKind::OpenAiCompatible
        | ProviderKind::Cohere
        | ProviderKind::Jina
        | ProviderKind::Tei => {}
    }
    headers
}

/// `None` for a header that cannot be sent, or that describes the body or the connection.
fn insert_extra(headers: &mut HeaderMap, name: &str, value: &str) -> Option<()> {
    let name = HeaderName::try_from(name).ok()?;
    let ours = ["content-length", "transfer-encoding", "connection", "accept-encoding"];
    if name == CONTENT_TYPE || name == HOST || ours.contains(&name.as_str()) {
        return None;
    }
    let mut value = HeaderValue::try_from(value).ok()?;
    // A configured header may be a credential (of a proxy, say): not for debug output, not for HTTP/2's shared table.
    value.set_sensitive(true);
    headers.insert(name, value);
    Some(())
}

fn credentials(kind: ProviderKind, key: &Secret) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = match kind {
        ProviderKind::OpenAi
        | ProviderKind::OpenAiCompatible
        | ProviderKind::Cohere
        | ProviderKind::Jina
        | ProviderKind::Tei => (AUTHORIZATION, HeaderValue::try_from(format!("Bearer {}", key.expose()))),
        ProviderKind::Anthropic => {
            (HeaderName::from_static("x-api-key"), HeaderValue::from_str(key.expose()))
        }
        ProviderKind::Gemini => {
            (HeaderName::from_static("x-goog-api-key"), HeaderValue::from_str(key.expose()))
        }
    };
    let mut value = value.ok()?;
    value.set_sensitive(true);
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(kind: ProviderKind) -> ProviderOptions {
        ProviderOptions { api_key: Some(Secret::new("hunter2")), ..ProviderOptions::new("p", kind) }
    }

    #[test]
    fn each_kind_shows_its_key_in_its_own_header() {
        for (kind, header, value) in [
            (ProviderKind::OpenAi, "authorization", "Bearer hunter2"),
            (ProviderKind::Anthropic, "x-api-key", "hunter2"),
            (ProviderKind::Gemini, "x-goog-api-key", "hunter2"),
            (ProviderKind::Cohere, "authorization", "Bearer hunter2"),
        ] {
            let settings = ProviderSettings::check(options(kind)).unwrap();
            assert_eq!(settings.headers()[header], value);
            assert!(!format!("{settings:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_missing_or_cannot_be_sent_is_refused() {
        use ProviderKind::{OpenAi, OpenAiCompatible};
        let check = |options: ProviderOptions| ProviderSettings::check(options).map(|_| ()).unwrap_err();
        let name = || "p".to_owned();
        assert_eq!(check(ProviderOptions::new("p", OpenAi)), SettingsError::NoApiKey { name: name() });
        assert_eq!(
            check(ProviderOptions::new("p", OpenAiCompatible)),
            SettingsError::NoBaseUrl { name: name() }
        );
        let key = ProviderOptions { api_key: Some(Secret::new("a\nb")), ..options(OpenAi) };
        assert_eq!(check(key), SettingsError::BadApiKey { name: name() });
        for (header, value) in [("bad name", "x"), ("x-a", "a\nb"), ("Content-Length", "1"), ("Host", "h")] {
            let headers = vec![(header.to_owned(), value.to_owned())];
            let error = check(ProviderOptions { headers, ..options(OpenAi) });
            assert_eq!(error, SettingsError::BadHeader { name: name(), header: header.to_owned() });
        }
    }

    #[test]
    fn a_base_may_end_with_the_version_or_not() {
        for base in ["http://localhost:1/anthropic", "http://localhost:1/anthropic/v1"] {
            let base_url = Some(base.parse().unwrap());
            let settings =
                ProviderSettings::check(ProviderOptions { base_url, ..options(ProviderKind::Anthropic) })
                    .unwrap();
            assert_eq!(settings.uri("/v1", "/messages"), "http://localhost:1/anthropic/v1/messages");
        }
    }
}
