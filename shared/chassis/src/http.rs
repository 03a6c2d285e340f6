//! HTTP server with graceful shutdown: requests in progress or on their way are answered, streams
//! end, and no connection is left behind.

mod certificate;
mod connections;
mod network;
mod redirect;

pub use certificate::{Certificate, CertificateError, ServedCertificate};
pub use connections::ConnectionLimits;
pub use network::{CLIENT_NETWORK_BITS, network};
pub use redirect::redirect_to;

use crate::tasks::Tasks;
use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use certificate::CHALLENGE_PROTOCOL;
use connections::{Connections, GuardedBody};
use futures::stream::{Stream, StreamExt};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

/// Timeout of a request's head, and of an idle connection. It exceeds the idle timeout of usual
/// load balancers (a minute), so that the balancer closes first.
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(75);

/// Timeout of a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time after the stop in which open connections are not closed before an answer: a request may be
/// on its way, the first one of a connection that was just accepted or another one of a kept one.
const LINGER: Duration = Duration::from_millis(250);

/// Bound port of HTTP, or of HTTPS if it has a certificate.
pub struct Listener {
    tcp: TcpListener,
    certificate: Option<ServedCertificate>,
}

impl Listener {
    /// Port of HTTPS.
    pub fn https(tcp: TcpListener, certificate: ServedCertificate) -> Listener {
        Listener { tcp, certificate: Some(certificate) }
    }
}

impl From<TcpListener> for Listener {
    fn from(tcp: TcpListener) -> Listener {
        Listener { tcp, certificate: None }
    }
}

/// Serves `router` on `listener` within the limits, as an essential task of `tasks`, until its soft
/// stop; the task ends with the last connection. Handlers can extract the peer's address with
/// `ConnectInfo<SocketAddr>`.
///
/// A response that never ends by itself, such as a stream of events, would delay the stop: wrap it
/// in [`until_stop`].
pub fn serve(
    tasks: &Tasks,
    name: &str,
    listener: impl Into<Listener>,
    router: Router,
    limits: ConnectionLimits,
) {
    let connections = tasks.child(name);
    let listener = listener.into();
    tasks.spawn_essential(name, accept(connections, listener, router, Connections::new(limits)));
}

/// Wraps a stream so that it ends at the stop.
pub fn until_stop<S: Stream>(
    stream: S,
    stop: &CancellationToken,
) -> impl Stream<Item = S::Item> + use<S> {
    stream.take_until(stop.clone().cancelled_owned())
}

async fn accept(tasks: Tasks, listener: Listener, router: Router, connections: Arc<Connections>) {
    let Listener { tcp: listener, certificate } = listener;
    let acceptor = certificate.map(|certificate| certificate.acceptor());
    let router = TowerToHyperService::new(router);
    let graceful = GracefulShutdown::new();
    let stop = tasks.stop().clone();
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, peer)) => {
                let Some(place) = connections.admit(peer.ip().to_canonical()) else {
                    metrics::counter!("paihao_http_connections_closed_total", "reason" => "full")
                        .increment(1);
                    continue;
                };
                let place = Arc::new(place);
                // Responses are small and written at once: waiting to fill a packet only delays
                // them.
                if let Err(problem) = stream.set_nodelay(true) {
                    debug!(%problem, "cannot set TCP_NODELAY on a connection");
                }
                if let Err(problem) = limit_unread_time(&stream, connections.unread_timeout()) {
                    debug!(%problem, "cannot set TCP_USER_TIMEOUT on a connection");
                }
                let router = router.clone();
                let (evicted, used) = (place.evicted(), place.clone());
                let stopping = stop.clone();
                let service = service_fn(move |mut request: Request<Incoming>| {
                    request.extensions_mut().insert(ConnectInfo(peer));
                    let guard = used.begin_request();
                    let response = router.call(request);
                    let stopping = stopping.clone();
                    async move {
                        let mut response = response.await?;
                        if stopping.is_cancelled() {
                            let close = HeaderValue::from_static("close");
                            response.headers_mut().insert(CONNECTION, close);
                        }
                        Ok::<_, Infallible>(
                            response.map(|body| GuardedBody { body, _guard: guard }),
                        )
                    }
                });
                let (acceptor, watcher, stop) =
                    (acceptor.clone(), graceful.watcher(), stop.clone());
                tasks.spawn("connection", async move {
                    let _place = place;
                    let serving = async {
                        let Some(stream) = open(stream, acceptor, &stop).await? else {
                            return Ok(());
                        };
                        let connection = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEADER_READ_TIMEOUT)
                            .serve_connection(TokioIo::new(stream), service);
                        watcher.watch(connection).await.map_err(io::Error::other)
                    };
                    // A connection that the peer breaks off is no error of ours.
                    if let Some(Err(problem)) = evicted.run_until_cancelled(serving).await {
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
    tokio::select! {
        () = tasks.wait() => {}
        () = tokio::time::sleep(LINGER) => {}
    }
    graceful.shutdown().await;
    tasks.wait().await;
}

/// Makes the handshake of TLS where there is a certificate. `None` if the stop comes before, or
/// after the challenge of an authority.
async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    stop: &CancellationToken,
) -> io::Result<Option<Either<TcpStream, TlsStream<TcpStream>>>> {
    let Some(acceptor) = acceptor else { return Ok(Some(Either::Left(stream))) };
    let handshake = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    match stop.run_until_cancelled(handshake).await {
        Some(opened) => {
            let stream = opened??;
            let is_challenge = stream.get_ref().1.alpn_protocol() == Some(CHALLENGE_PROTOCOL);
            Ok((!is_challenge).then_some(Either::Right(stream)))
        }
        None => Ok(None),
    }
}

/// Has the system close a connection whose peer does not acknowledge, or does not read, what was
/// sent to it.
#[cfg(target_os = "linux")]
fn limit_unread_time(stream: &TcpStream, timeout: Duration) -> io::Result<()> {
    let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
    Ok(rustix::net::sockopt::set_tcp_user_timeout(stream, timeout_ms)?)
}

#[cfg(not(target_os = "linux"))]
fn limit_unread_time(_: &TcpStream, _: Duration) -> io::Result<()> {
    Ok(())
}

fn is_peer_error(problem: &io::Error) -> bool {
    matches!(
        problem.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
