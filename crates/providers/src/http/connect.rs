//! Connections to providers: how one is dialled, and how long that may take.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use mainstay_domain::Clock;
use rustls::{ClientConfig, RootCertStore};
use tower::Service;

use super::outbound::Outbound;

/// Something that opens connections: the network, or a pipe to a stand-in within the process.
pub trait Dial: Send + Sync {
    /// Opens a connection to the host and port of `target`, with TLS where its scheme is `https`.
    fn dial(&self, target: Uri) -> Dialling;
}

/// A connection that is being opened. Dropping it gives up.
pub type Dialling = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

/// An open connection.
pub struct Link {
    io: Box<dyn Duplex>,
    http2: bool,
}

/// Bytes both ways.
trait Duplex: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Duplex for T {}

impl Link {
    /// A connection that speaks HTTP/1.1.
    pub fn http1(io: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), http2: false }
    }

    pub(super) fn is_http2(&self) -> bool {
        self.http2
    }

    /// A connection that speaks HTTP/2.
    pub fn http2(io: impl Read + Write + Send + Unpin + 'static) -> Self {
        Self { io: Box::new(io), http2: true }
    }
}

/// What a client of hyper's connects with.
pub type Connector = HttpsConnector<HttpConnector>;

/// Connections over HTTP/1.1, plain or with TLS, for the verbs' client of Mainstay's own API. `roots` vouch for servers; without
/// them, Mozilla's do.
pub fn connector(roots: Option<Arc<RootCertStore>>) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS");
    let tls = match roots {
        Some(roots) => tls.with_root_certificates(roots),
        None => tls.with_webpki_roots(),
    };
    HttpsConnector::from((tcp, tls.with_no_client_auth()))
}

/// The network: TCP without delay, and TLS with Mozilla's roots. HTTP/2 where the server chooses it (ALPN), else
/// HTTP/1.1.
#[derive(Clone)]
pub struct Network {
    connector: Connector,
    outbound: Outbound,
}

impl Network {
    /// How long the addresses of a host are tried, each its share, so that one that does not answer leaves time for the
    /// next within the usual limit on connecting.
    const TCP_CONNECT: Duration = Duration::from_secs(4);

    /// How long a connection rests before the kernel asks whether the other side is still there.
    const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

    /// The network, of which `outbound` may be reached. One is enough for all providers: they share the store of TLS
    /// sessions.
    pub fn new(outbound: Outbound) -> Self {
        let mut tcp = HttpConnector::new();
        // Without it small writes wait for the other side's delayed acknowledgement: 40 ms.
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Self::TCP_KEEPALIVE));
        tcp.set_connect_timeout(Some(Self::TCP_CONNECT));
        tcp.enforce_http(false);
        let mut tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions of TLS")
            .with_webpki_roots()
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { connector: HttpsConnector::from((tcp, tls)), outbound }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new(Outbound::default())
    }
}

impl Dial for Network {
    fn dial(&self, target: Uri) -> Dialling {
        if !self.outbound.allows(&target) {
            let message = format!(
                "security.outbound of mainstay.toml does not name {}",
                target.authority().map_or("it", |authority| authority.as_str())
            );
            return Box::pin(async { Err(io::Error::new(io::ErrorKind::PermissionDenied, message)) });
        }
        let mut connector = self.connector.clone();
        Box::pin(async move {
            std::future::poll_fn(|cx| connector.poll_ready(cx)).await.map_err(io::Error::other)?;
            let stream = connector.call(target).await.map_err(io::Error::other)?;
            let http2 = stream.connected().is_negotiated_h2();
            Ok(Link { io: Box::new(stream), http2 })
        })
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// It took too long.
    #[error("no connection within {0:?}")]
    TimedOut(Duration),
    /// It was refused, or there is nobody, or TLS failed.
    #[error("no connection")]
    Failed(#[source] io::Error),
}

/// A [`Dial`] with a time limit.
pub(super) struct TimedDial {
    pub(super) dial: Arc<dyn Dial>,
    pub(super) clock: Clock,
    pub(super) limit: Duration,
}

impl TimedDial {
    pub(super) async fn dial(&self, target: Uri) -> Result<Link, DialError> {
        let dialled = self.clock.timeout(self.limit, self.dial.dial(target)).await;
        dialled.ok_or(DialError::TimedOut(self.limit))?.map_err(DialError::Failed)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("http2", &self.http2).finish_non_exhaustive()
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_read(cx, buffer)
    }
}

impl Write for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(cx, slices)
    }
}
