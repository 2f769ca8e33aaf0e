//! Accepting connections, and stopping without cutting anybody off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::App;
use crate::context::Peer;
use crate::silent::Impatient;
use crate::tls::Encryption;

/// Serves, encrypted where `tls` says how, until `stop` is cancelled. Then no connection is accepted, running requests go on for the grace period, and
/// streams that are left end with an error event.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Encryption>>,
    app: Arc<App>,
    router: Router,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    let patience = app.settings.body_timeout;
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience).keep_alive(true);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(app.settings.heartbeat * 2);
    loop {
        let (stream, peer) = tokio::select! {
            accepted = accept(&listener, &app) => accepted,
            () = stop.cancelled() => break,
        };
        let router = router.clone();
        let peer = Peer { address: peer.ip(), encrypted: tls.is_some() };
        let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(peer);
            router.clone().call(request)
        });
        let (builder, watcher, clock, tls) = (builder.clone(), graceful.watcher(), app.clock, tls.clone());
        connections.spawn(async move {
            let connection = match tls {
                None => {
                    let stream = TokioIo::new(Impatient::new(stream, patience, clock));
                    watcher.watch(builder.serve_connection(stream, service).into_owned()).await
                }
                Some(tls) => {
                    let Some(stream) = tls.accept(stream, &clock).await else { return };
                    let stream = TokioIo::new(Impatient::new(stream, patience, clock));
                    watcher.watch(builder.serve_connection(stream, service).into_owned()).await
                }
            };
            if let Err(error) = connection {
                // The peer went away or spoke no HTTP: nothing that the operator could mend.
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    app.readiness.stop();
    if app.clock.timeout(app.settings.shutdown_grace, graceful.shutdown()).await.is_none() {
        tracing::warn!(
            "requests were still running after the grace period; their streams end with an error event"
        );
        app.abort.cancel();
        connections.close();
        app.clock.timeout(Duration::from_secs(2), connections.wait()).await;
    }
}

/// The next connection. Without Nagle's delay: a stream's small pieces must leave at once.
async fn accept(listener: &TcpListener, app: &App) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY could not be set");
                }
                return (stream, peer);
            }
            Err(error) => {
                // Out of file descriptors, most likely: connections that end will free some.
                tracing::warn!(%error, "a connection could not be accepted");
                app.clock.sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
