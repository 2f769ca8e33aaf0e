//! What the handlers share.

use std::sync::Arc;
use std::time::Duration;

use mainstay_domain::{Clock, Permission};
use mainstay_erasure::Eraser;
use mainstay_gateway::Gateway;
use mainstay_ops::{Budgets, Trail};
use mainstay_rag::Library;
use mainstay_security::{Access, KeyRing, Logins, Sessions, Tenants};
use mainstay_store::ledger::TurnHistory;
use mainstay_store::{SqliteAnchors, SqliteApprovals};
use tokio_util::sync::CancellationToken;

use crate::stalled::Readers;

/// What the handlers share.
pub struct App {
    /// The request path.
    pub gateway: Gateway,
    /// The documents.
    pub library: Arc<Library>,
    /// Who may come in, and to what.
    pub access: Arc<Access>,
    /// The audit trail.
    pub trail: Trail,
    /// The tenants.
    pub tenants: Arc<Tenants>,
    /// Erases people, documents and tenants.
    pub eraser: Arc<Eraser>,
    /// Changes that wait for a second person.
    pub approvals: SqliteApprovals,
    /// What takes two people to change.
    pub two_person: Vec<Permission>,
    /// Heads of the audit chain.
    pub anchors: SqliteAnchors,
    /// The API keys.
    pub keys: Arc<KeyRing>,
    /// What may be spent.
    pub budgets: Arc<Budgets>,
    /// What was spent.
    pub history: Arc<dyn TurnHistory>,
    /// The browsers that have signed in.
    pub sessions: Sessions,
    /// Where people sign in.
    pub logins: Logins,
    /// Limits.
    pub settings: ServerSettings,
    /// Time.
    pub clock: Clock,
    /// Renders the metrics in Prometheus' text format.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Whether requests can be answered.
    pub readiness: Readiness,
    /// The streams that are being read.
    pub readers: Arc<Readers>,
    /// Cancelled when running streams have to end.
    pub abort: CancellationToken,
}

/// Limits of the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerSettings {
    /// Most bytes of a request's body.
    pub body_limit: usize,
    /// Longest wait for a request's body.
    pub body_timeout: Duration,
    /// How long a stream may be silent before a comment is sent, so that no proxy gives it up.
    pub heartbeat: Duration,
    /// How long a request may take in all.
    pub deadline: Duration,
    /// How long running requests may go on after a stop was asked for.
    pub shutdown_grace: Duration,
    /// Whether a proxy in front says where requests come from.
    pub behind_proxy: bool,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            body_limit: 20 << 20,
            body_timeout: Duration::from_secs(30),
            heartbeat: Duration::from_secs(15),
            deadline: Duration::from_secs(300),
            shutdown_grace: Duration::from_secs(30),
            behind_proxy: false,
        }
    }
}

/// Whether requests can be answered, as `/readyz` tells a load balancer.
#[derive(Clone, Default)]
pub struct Readiness {
    stopping: CancellationToken,
}

impl Readiness {
    /// From now on: not ready, because the process is stopping.
    pub fn stop(&self) {
        self.stopping.cancel();
    }

    /// Why requests cannot be answered, if they cannot.
    pub fn obstacle(&self) -> Option<&'static str> {
        self.stopping.is_cancelled().then_some("the server is shutting down")
    }
}
