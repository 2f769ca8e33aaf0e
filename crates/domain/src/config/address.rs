//! Where to listen, and where others listen.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::value::{ConfigValue, ValueError, config_value};

/// An address of this machine to listen on: `127.0.0.1:8088`, `[::]:8088`, `localhost:8088`. Port 0 lets the system
/// choose one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ListenAddress(pub SocketAddr);

config_value!(ListenAddress, "listen address", {
    "type": "string",
    "examples": ["127.0.0.1:8088", "0.0.0.0:8088"],
});

impl ConfigValue for ListenAddress {
    const EXPECTED: &'static str = "an address and a port such as \"127.0.0.1:8088\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        let port_of_localhost = trimmed.strip_prefix("localhost:").map(str::parse::<u16>);
        let address = match port_of_localhost {
            Some(Ok(port)) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
            _ => trimmed.parse().ok(),
        };
        address.map(Self).ok_or_else(|| ValueError::Malformed {
            text: text.chars().take(60).collect(),
            expected: Self::EXPECTED,
        })
    }

    fn from_number(number: f64) -> Result<Self, ValueError> {
        Err(ValueError::Malformed { text: number.to_string(), expected: Self::EXPECTED })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The base of an HTTP service's URLs: `http` or `https`, a host, perhaps a port and a path, and nothing else. Kept
/// without a slash at the end.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BaseUrl(String);

config_value!(BaseUrl, "base URL", {
    "type": "string",
    "examples": ["https://api.openai.com/v1", "http://localhost:11434/v1"],
});

impl BaseUrl {
    /// The URL without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host with its port, where one is written.
    pub fn authority(&self) -> &str {
        let after_scheme = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        after_scheme.split('/').next().unwrap_or(after_scheme)
    }

    /// The path, with its slash at the front; empty where there is none.
    pub fn path(&self) -> &str {
        let after_scheme = self.0.split_once("://").map_or(self.0.as_str(), |(_, rest)| rest);
        after_scheme.find('/').map_or("", |slash| &after_scheme[slash..])
    }
}

impl ConfigValue for BaseUrl {
    const EXPECTED: &'static str = "a URL such as \"https://api.openai.com/v1\"";

    fn from_text(text: &str) -> Result<Self, ValueError> {
        let malformed =
            || ValueError::Malformed { text: text.chars().take(80).collect(), expected: Self::EXPECTED };
        let url = text.trim().trim_end_matches('/');
        let rest =
            url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).ok_or_else(malformed)?;
        if rest.contains('@') {
            return Err(ValueError::Refused(
                "a URL must not carry a user and a password: secrets do not stand in this file",
            ));
        }
        if rest.contains(['?', '#']) {
            return Err(ValueError::Refused("a base URL has no query and no fragment"));
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let is_path = path.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
        if !is_authority(authority) || !is_path {
            return Err(malformed());
        }
        Ok(Self(url.to_owned()))
    }

    fn from_number(number: f64) -> Result<Self, ValueError> {
        Err(ValueError::Malformed { text: number.to_string(), expected: Self::EXPECTED })
    }
}

/// Whether it is `host` or `host:port`, where a host is a name, an IPv4 address or an IPv6 address in brackets.
fn is_authority(authority: &str) -> bool {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let Some((host, port)) = bracketed.split_once(']') else { return false };
        return host.parse::<std::net::Ipv6Addr>().is_ok()
            && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port));
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let is_host_byte = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    !host.is_empty() && !host.starts_with('.') && host.bytes().all(is_host_byte) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|port| port > 0)
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_name_an_address_and_a_port() {
        for (text, address) in
            [("127.0.0.1:8088", "127.0.0.1:8088"), ("localhost:0", "127.0.0.1:0"), ("[::1]:80", "[::1]:80")]
        {
            assert_eq!(text.parse::<ListenAddress>().expect(text).to_string(), address);
        }
        for text in ["", "8088", ":8088", "localhost", "127.0.0.1", "127.0.0.1:99999", "example.com:80"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn base_urls_are_kept_without_the_last_slash() {
        let url: BaseUrl = "https://api.openai.com:8443/v1/".parse().expect("a URL");
        assert_eq!(
            (url.as_str(), url.authority(), url.path()),
            ("https://api.openai.com:8443/v1", "api.openai.com:8443", "/v1")
        );
        for text in ["http://localhost:11434", "http://[::1]:8000/v1", "https://a-b.example_x.com/x/y"] {
            assert_eq!(text.parse::<BaseUrl>().expect(text).as_str(), text);
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused_and_credentials_are_not_repeated() {
        for text in [
            "",
            "api.openai.com",
            "ftp://host",
            "https://",
            "https:///v1",
            "http://host:0",
            "http://host:x",
            "http://ho st",
            "http://host/a b",
            "http://host?key=1",
            "http://host/#x",
            "http://[::1",
            "http://host/\u{e9}",
        ] {
            assert!(text.parse::<BaseUrl>().is_err(), "{text}");
        }
        let message = "https://user:hunter2@host/".parse::<BaseUrl>().expect_err("credentials").to_string();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
