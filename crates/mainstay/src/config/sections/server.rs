//! `[server]`: how the API is served.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use mainstay_domain::config::{ByteSize, Findings, HumanDuration, KeyPath, ListenAddress};
use mainstay_server::ServerSettings;
use mainstay_server::tls::TlsFiles;
use schemars::JsonSchema;
use serde::Deserialize;

use super::rules::positive;

/// How the API is served.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawServer {
    /// The address to listen on; port 0 takes a free one.
    #[schemars(example = "127.0.0.1:8088")]
    listen: Option<ListenAddress>,
    /// The largest body of a request.
    #[schemars(example = "20MiB")]
    body_limit: Option<ByteSize>,
    /// The longest wait for the body of a request.
    #[schemars(example = "30s")]
    body_timeout: Option<HumanDuration>,
    /// A stream that is silent this long gets a comment, so that no proxy gives it up.
    #[schemars(example = "15s")]
    heartbeat: Option<HumanDuration>,
    /// The longest that a request may take in all.
    #[schemars(example = "5m")]
    deadline: Option<HumanDuration>,
    /// How long running requests may go on after a stop was asked for; 0s cuts them off.
    #[schemars(example = "30s")]
    shutdown_grace: Option<HumanDuration>,
    /// Whether a proxy in front says in X-Forwarded-For where requests come from.
    behind_proxy: Option<bool>,
    /// Encryption of the API; without it, plain HTTP.
    tls: Option<RawTls>,
}

/// Encryption of the API. The files may be renewed while Mainstay runs.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields, default)]
struct RawTls {
    /// PEM: the certificate, then those that lead from it to one that clients know.
    #[schemars(example = "tls/server.pem", length(min = 1))]
    certificate: Option<String>,
    /// PEM: the key of the certificate.
    #[schemars(example = "tls/server.key", length(min = 1))]
    key: Option<String>,
    /// PEM: who signs the certificates that clients have to show; without it, they show none.
    #[schemars(example = "tls/clients.pem", length(min = 1))]
    client_ca: Option<String>,
}

impl RawTls {
    fn check(self, at: &KeyPath, folder: &Path, findings: &mut Findings) -> TlsFiles {
        let mut file = |path: Option<String>, key: &str| {
            let path = path.unwrap_or_default();
            if path.is_empty() {
                findings.report(
                    &at.key(key),
                    "a file is needed",
                    format!("For example: {key} = \"tls/server.pem\""),
                );
            }
            folder.join(path)
        };
        TlsFiles {
            certificate: file(self.certificate, "certificate"),
            key: file(self.key, "key"),
            client_ca: self.client_ca.map(|path| file(Some(path), "client_ca")),
        }
    }
}

/// How the API is served, checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// The largest body of a request, in bytes; above 0.
    pub(crate) body_limit: usize,
    /// The longest wait for the body of a request.
    pub(crate) body_timeout: Duration,
    /// How long a stream may be silent before a comment is sent.
    pub(crate) heartbeat: Duration,
    /// The longest that a request may take in all.
    pub(crate) deadline: Duration,
    /// How long running requests may go on after a stop was asked for.
    pub(crate) shutdown_grace: Duration,
    /// Whether a proxy in front says where requests come from.
    pub(crate) behind_proxy: bool,
    /// Encryption.
    pub(crate) tls: Option<TlsFiles>,
}

impl Default for Server {
    /// Of this machine alone: others can reach it only after somebody decided so.
    fn default() -> Self {
        let ServerSettings { body_limit, body_timeout, heartbeat, deadline, shutdown_grace, behind_proxy } =
            ServerSettings::default();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8088));
        Self {
            listen,
            body_limit,
            body_timeout,
            heartbeat,
            deadline,
            shutdown_grace,
            behind_proxy,
            tls: None,
        }
    }
}

impl RawServer {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, folder: &Path, findings: &mut Findings) -> Server {
        let defaults = Server::default();
        if self.body_limit == Some(ByteSize(0)) {
            findings.report(
                &at.key("body_limit"),
                "nothing fits into it",
                "For example: body_limit = \"20MiB\"",
            );
        }
        let body_limit = self.body_limit.map(|ByteSize(bytes)| usize::try_from(bytes).unwrap_or(usize::MAX));
        Server {
            listen: self.listen.map_or(defaults.listen, |ListenAddress(address)| address),
            body_limit: body_limit.unwrap_or(defaults.body_limit),
            body_timeout: positive(
                self.body_timeout,
                defaults.body_timeout,
                &at.key("body_timeout"),
                findings,
            ),
            heartbeat: positive(self.heartbeat, defaults.heartbeat, &at.key("heartbeat"), findings),
            deadline: positive(self.deadline, defaults.deadline, &at.key("deadline"), findings),
            shutdown_grace: self.shutdown_grace.map_or(defaults.shutdown_grace, Duration::from),
            behind_proxy: self.behind_proxy.unwrap_or(defaults.behind_proxy),
            tls: self.tls.map(|tls| tls.check(&at.key("tls"), folder, findings)),
        }
    }
}
