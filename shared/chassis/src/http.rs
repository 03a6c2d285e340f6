//! Serving HTTP until the soft stop: requests in hand are answered, streams end, and no connection
//! is left behind.

use crate::tasks::Tasks;
use axum::Router;
use axum::serve::ListenerExt;
use futures::stream::{Stream, StreamExt};
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Serves `router` on `listener` as an essential task of `tasks`, until its soft stop; the task ends
/// when the last connection has. Handlers can ask for the peer's address with `ConnectInfo`.
///
/// A response that never ends by itself, a stream of events, holds the stop up: send it through
/// [`until_stop`].
pub fn serve(tasks: &Tasks, name: &str, listener: TcpListener, router: Router) {
    let stop = tasks.stop().clone();
    let listener = listener.tap_io(|connection| {
        // Answers are small and whole: waiting to fill a packet only delays them.
        if let Err(problem) = connection.set_nodelay(true) {
            debug!(%problem, "a connection keeps its packets together");
        }
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tasks.spawn_essential(name, async move {
        axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
    });
}

/// The same stream, which ends at the stop.
pub fn until_stop<S: Stream>(
    stream: S,
    stop: &CancellationToken,
) -> impl Stream<Item = S::Item> + use<S> {
    stream.take_until(stop.clone().cancelled_owned())
}
