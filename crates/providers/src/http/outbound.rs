//! Where connections may go.

use std::sync::Arc;

use http::Uri;
use http::uri::Authority;

/// The hosts that may be connected to. What is not among them is not even looked up in the DNS.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outbound(Option<Arc<[Place]>>);

/// A host, or those below a domain.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Place {
    /// In lower case; an IPv6 address with its brackets.
    host: String,
    /// Whether the hosts below it are meant, and not it.
    below: bool,
    /// The port, where only one is meant.
    port: Option<u16>,
}

/// A text that names no host.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} names no host: write \"api.example.com\", \"*.example.com\" for those below it, or either with a port"
)]
pub struct NoHost(pub String);

impl Outbound {
    /// To these hosts: `api.example.com`, `*.example.com` for those below a domain, either with `:port` where only one port is
    /// meant.
    pub fn to<'a>(places: impl IntoIterator<Item = &'a str>) -> Result<Self, NoHost> {
        places
            .into_iter()
            .map(Place::read)
            .collect::<Result<Arc<[Place]>, NoHost>>()
            .map(|places| Self(Some(places)))
    }

    /// Whether a connection to the host and port of this address may be made.
    pub fn allows(&self, target: &Uri) -> bool {
        let Some(places) = &self.0 else { return true };
        let Some(host) = target.host() else { return false };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let usual = if target.scheme_str() == Some("http") { 80 } else { 443 };
        let port = target.port_u16().unwrap_or(usual);
        places.iter().any(|place| place.covers(&host, port))
    }
}

impl Place {
    fn read(text: &str) -> Result<Self, NoHost> {
        let no_host = || NoHost(text.to_owned());
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let authority: Authority = rest.parse().map_err(|_| no_host())?;
        let host = authority.host().to_ascii_lowercase();
        // A port that is none would be read as a host without one.
        let is_whole = match authority.port_u16() {
            Some(port) => rest.len() == host.len() + 1 + port.to_string().len(),
            None => rest.len() == host.len(),
        };
        let is_name = !host.is_empty() && !host.contains('*') && is_whole;
        if is_name { Ok(Self { host, below, port: authority.port_u16() }) } else { Err(no_host()) }
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        let is_host = if self.below {
            host.strip_suffix(self.host.as_str()).is_some_and(|name| name.len() > 1 && name.ends_with('.'))
        } else {
            host == self.host
        };
        is_host && self.port.is_none_or(|only| only == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_they_may_and_nowhere_else() {
        let places = ["api.openai.com", "*.Example.com", "10.0.0.7:8000", "[::1]:8001", "plain.test:80"];
        let outbound = Outbound::to(places).unwrap();
        for (address, expected) in [
            ("https://api.openai.com/v1", true),
            ("https://API.openai.com:8443/v1", true),
            ("https://api.openai.com./v1", true),
            ("https://openai.com/v1", false),
            ("https://api.openai.com.evil.test/", false),
            ("https://evil-api.openai.com/", false),
            ("https://eu.example.com/", true),
            ("https://a.b.example.com/", true),
            ("https://example.com/", false),
            ("https://.example.com/", false),
            ("https://badexample.com/", false),
            ("http://10.0.0.7:8000/v1", true),
            ("http://10.0.0.7/v1", false),
            ("http://[::1]:8001/", true),
            ("http://[::1]:8002/", false),
            ("http://plain.test/", true),
            ("https://plain.test/", false),
            ("http://169.254.169.254/latest", false),
            ("/relative", false),
        ] {
            let Ok(address) = address.parse::<Uri>() else { continue };
            assert_eq!(outbound.allows(&address), expected, "{address}");
        }
        assert!(Outbound::default().allows(&"https://anywhere.test".parse().unwrap()));
        assert!(!Outbound::to([]).unwrap().allows(&"https://anywhere.test".parse().unwrap()));
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for text in
            ["", "*", "*.", "*.*", "a.*.b", "https://a.b", "a.b/c", "user@a.b", "a.b:", "a.b:x", "a.b:99999"]
        {
            assert_eq!(Outbound::to([text]), Err(NoHost(text.to_owned())), "{text}");
        }
    }
}
