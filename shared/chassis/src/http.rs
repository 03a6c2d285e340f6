//! Serving HTTP until the soft stop: requests in hand are answered, streams end, and no connection
//! is left behind.

use crate::tasks::Tasks;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use futures::stream::{Stream, StreamExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// How long a connection may take to send a request's head, and how long it may sit idle: longer
/// than a load balancer keeps its own (a minute, usually), so that it is the one to close.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// Serves `router` on `listener` as an essential task of `tasks`, until its soft stop; the task ends
/// when the last connection has. Handlers can ask for the peer's address with
/// `ConnectInfo<SocketAddr>`.
///
/// A response that never ends by itself, a stream of events, holds the stop up: send it through
/// [`until_stop`].
pub fn serve(tasks: &Tasks, name: &str, listener: TcpListener, router: Router) {
    let connections = tasks.child(name);
    tasks.spawn_essential(name, accept(connections, listener, router));
}

/// The same stream, which ends at the stop.
pub fn until_stop<S: Stream>(
    stream: S,
    stop: &CancellationToken,
) -> impl Stream<Item = S::Item> + use<S> {
    stream.take_until(stop.clone().cancelled_owned())
}

async fn accept(connections: Tasks, listener: TcpListener, router: Router) {
    let router = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let stop = connections.stop().clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                // Answers are small and whole: waiting to fill a packet only delays them.
                if let Err(problem) = stream.set_nodelay(true) {
                    debug!(%problem, "a connection keeps its packets together");
                }
                let router = router.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(peer));
                    router.call(request)
                });
                let connection = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(HEADER_READ_TIMEOUT)
                    .serve_connection(TokioIo::new(stream), service);
                let watched = graceful.watch(connection);
                connections.spawn("connection", async move {
                    // A peer that goes away in the middle is its own affair.
                    if let Err(problem) = watched.await {
                        debug!(%problem, "connection ended");
                    }
                });
            }
            Err(problem) if is_peer_error(&problem) => debug!(%problem, "connection not accepted"),
            Err(problem) => {
                // Out of file handles, most likely: some have to close before it gets better.
                warn!(%problem, "cannot accept connections");
                stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await;
            }
        }
    }
    drop(listener);
    graceful.shutdown().await;
    connections.wait().await;
}

fn is_peer_error(problem: &io::Error) -> bool {
    matches!(
        problem.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
