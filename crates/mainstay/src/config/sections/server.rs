//! `[server]`: how the API is served.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mainstay_domain::config::{ByteSize, Findings, HumanDuration, KeyPath, ListenAddress};
use mainstay_server::ServerSettings;
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
}

impl Default for Server {
    /// Of this machine alone: others can reach it only after somebody decided so.
    fn default() -> Self {
        let ServerSettings { body_limit, body_timeout, heartbeat, deadline, shutdown_grace, behind_proxy } =
            ServerSettings::default();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 8088));
        Self { listen, body_limit, body_timeout, heartbeat, deadline, shutdown_grace, behind_proxy }
    }
}

impl RawServer {
    /// The section, checked.
    pub(crate) fn check(self, at: &KeyPath, findings: &mut Findings) -> Server {
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
        }
    }
}
