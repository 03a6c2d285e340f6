//! HTTP server with graceful shutdown: requests in progress are answered, streams end, and no
//! connection is left behind.

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

/// Timeout of a request's head, and of an idle connection. It exceeds the idle timeout of usual
/// load balancers (a minute), so that the balancer closes first.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// Serves `router` on `listener` as an essential task of `tasks`, until its soft stop; the task
/// ends with the last connection. Handlers can extract the peer's address with
/// `ConnectInfo<SocketAddr>`.
///
/// A response that never ends by itself, such as a stream of events, would delay the stop: wrap it
/// in [`until_stop`].
pub fn serve(tasks: &Tasks, name: &str, listener: TcpListener, router: Router) {
    let connections = tasks.child(name);
    tasks.spawn_essential(name, accept(connections, listener, router));
}

/// Wraps a stream so that it ends at the stop.
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
                // Responses are small and written at once: waiting to fill a packet only delays
                // them.
                if let Err(problem) = stream.set_nodelay(true) {
                    debug!(%problem, "cannot set TCP_NODELAY on a connection");
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
                    // A connection that the peer breaks off is no error of ours.
                    if let Err(problem) = watched.await {
                        debug!(%problem, "connection ended");
                    }
                });
            }
            Err(problem) if is_peer_error(&problem) => {
                debug!(%problem, "cannot accept a connection")
            }
            Err(problem) => {
                // Most likely out of file handles: some have to be closed first.
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
