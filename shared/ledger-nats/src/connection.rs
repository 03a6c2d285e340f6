//! Connection to the servers, with a timeout on every call.

use crate::options::{ConnectError, MIN_BATCH_SERVER_VERSION, MIN_SERVER_VERSION, NatsOptions};
use async_nats::client::RequestErrorKind;
use async_nats::connection::State as ClientState;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{
    Client, ConnectErrorKind, ConnectOptions, Event, HeaderMap, Message, ReconnectToServer,
    Request, Server, Subscriber,
};
use bytes::Bytes;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::entropy;
use paihao_ledger::Unavailable;
use parking_lot::Mutex;
use secrecy::ExposeSecret;
use serde_json::Value;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// First delay after a failure.
const MIN_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Longest delay after failures in a row.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);

/// Time in which the server says that nobody listens, which it does at once.
const LISTENER_TIMEOUT: Duration = Duration::from_millis(200);

/// State of the connection, and the number of connections so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConnectionState {
    pub(crate) connected: bool,
    pub(crate) connect_count: u64,
}

/// Errors of a call.
#[derive(Debug)]
pub(crate) enum CallError {
    /// No responder: the called stream or consumer does not exist. The call had no effect.
    NoResponders,
    /// No response in time; the call may have taken effect.
    Unavailable(Unavailable),
}

pub(crate) struct Connection {
    client: Client,
    jetstream: jetstream::Context,
    state: watch::Receiver<ConnectionState>,
    timeout: Duration,
    /// True if there are other servers.
    has_alternatives: bool,
    /// Time of the last change to another server.
    changed_at: Mutex<Option<Instant>>,
    rotation: Arc<Rotation>,
}

/// Turns of the servers after one that was left. By itself the client prefers the server to which
/// the fewest attempts have failed: the one that was left, if the others were away once.
#[derive(Default)]
struct Rotation {
    is_due: AtomicBool,
    turn: AtomicUsize,
}

impl Rotation {
    /// Has the next connection made to the server whose turn it is.
    fn turn(&self) {
        self.is_due.store(true, Ordering::SeqCst);
    }

    /// Server whose turn it is; `None` if the client chooses. In as many turns as there are servers
    /// each is tried.
    fn next(&self, servers: &[Server]) -> Option<ReconnectToServer> {
        if !self.is_due.swap(false, Ordering::SeqCst) {
            return None;
        }
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        let server = servers.get(turn.checked_rem(servers.len())?)?;
        Some(ReconnectToServer { addr: server.addr.clone(), delay: Some(Duration::ZERO) })
    }
}

impl Connection {
    pub(crate) async fn connect(options: &NatsOptions) -> Result<Self, ConnectError> {
        let (sender, state) = watch::channel(ConnectionState::default());
        let rotation = Arc::new(Rotation::default());
        let mut connect = ConnectOptions::new()
            .name("paihao")
            .connection_timeout(options.timeout)
            .request_timeout(Some(options.timeout))
            // A server that keeps the connection open without responding is given up after two of
            // these.
            .ping_interval(Duration::from_secs(10))
            // More messages than the server sends ahead of our flow control.
            .subscription_capacity(1 << 18)
            .reconnect_delay_callback(move |attempts| match attempts {
                0 | 1 => Duration::ZERO,
                more => reconnect_delay(more - 1),
            })
            .event_callback(move |event| {
                record_event(&sender, &event);
                std::future::ready(())
            })
            .reconnect_to_server_callback({
                let rotation = rotation.clone();
                move |servers, _| std::future::ready(rotation.next(&servers))
            });
        if let Some(user) = &options.user {
            let password = options.password.as_ref().map_or("", |p| p.expose_secret());
            connect = connect.user_and_password(user.clone(), password.to_owned());
        }
        if let Some(file) = &options.credentials {
            connect = connect.credentials_file(file).await.map_err(|error| {
                ConnectError::Invalid(format!("the credentials file cannot be used: {error}"))
            })?;
        }
        let servers: Vec<&str> = options.url.split(',').map(str::trim).collect();
        let connect = with_tls(connect, options, &servers)?;
        let client = connect.connect(&servers[..]).await.map_err(|error| match error.kind() {
            ConnectErrorKind::ServerParse => ConnectError::Invalid(
                "the address of the NATS server is not fine: write nats://host:4222".to_owned(),
            ),
            ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation => {
                ConnectError::NotAllowed
            }
            // The kind alone: the source may contain the address.
            kind => ConnectError::Unreachable(kind.to_string()),
        })?;
        let info = client.server_info();
        if parse_version(&info.version).is_none_or(|version| version < MIN_SERVER_VERSION) {
            return Err(ConnectError::TooOld { found: info.version });
        }
        let jetstream =
            jetstream::ContextBuilder::new().timeout(options.timeout).build(client.clone());
        let connection = Connection {
            client,
            jetstream,
            state,
            timeout: options.timeout,
            has_alternatives: servers.len() > 1,
            changed_at: Mutex::default(),
            rotation,
        };
        connection.require_jetstream().await?;
        Ok(connection)
    }

    async fn require_jetstream(&self) -> Result<(), ConnectError> {
        match self.request("$JS.API.INFO".to_owned(), HeaderMap::new(), Bytes::new()).await {
            Ok(answer) => judge_account_info(&answer.payload),
            Err(CallError::NoResponders) => Err(ConnectError::NoJetStream),
            Err(CallError::Unavailable(Unavailable(reason))) => {
                Err(ConnectError::Unreachable(reason))
            }
        }
    }

    /// The JetStream context. Calls on it belong inside [`Connection::with_timeout`].
    pub(crate) fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// Notifies of lost and restored connections.
    pub(crate) fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.clone()
    }

    /// Largest message that the server accepts in bytes, headers included.
    pub(crate) fn max_payload(&self) -> usize {
        self.client.max_payload()
    }

    pub(crate) fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// Returns whether the server takes atomic batches.
    pub(crate) fn takes_batches(&self) -> bool {
        let version = parse_version(&self.server_version());
        version.is_some_and(|version| version >= MIN_BATCH_SERVER_VERSION)
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn new_inbox(&self) -> String {
        self.client.new_inbox()
    }

    /// Waits until everything that was published has been written to the socket.
    pub(crate) async fn flush(&self) {
        let _ = self.with_timeout(self.client.flush()).await;
    }

    /// Runs a call within the timeout, once there is a connection: the client would buffer a call
    /// without one and send it at any later time.
    pub(crate) async fn with_timeout<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, Unavailable> {
        let work = async {
            // The client's state is authoritative; events only tell when to check it.
            if self.client.connection_state() != ClientState::Connected {
                let mut state = self.state.clone();
                state.wait_for(|state| state.connected).await.ok()?;
            }
            Some(call.await)
        };
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Some(result)) => Ok(result),
            Ok(None) => Err(Unavailable("the connection has been closed".to_owned())),
            Err(_) if self.state.borrow().connected => {
                Box::pin(self.change_server()).await;
                Err(Unavailable(format!("no response from NATS within {:?}", self.timeout)))
            }
            Err(_) => Err(Unavailable("no connection to NATS".to_owned())),
        }
    }

    /// Publishes and waits for the response.
    pub(crate) async fn request(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Message, CallError> {
        // One timeout suffices: the one that also counts the wait for a connection.
        let request = Request::new().headers(headers).payload(payload).timeout(None);
        // Pinned here, since each call that takes a future has a place of its own for it.
        let call = pin!(self.client.send_request(subject, request));
        let response = self.with_timeout(call).await;
        response.map_err(CallError::Unavailable)?.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => CallError::NoResponders,
            _ => CallError::Unavailable(Unavailable("the call to NATS failed".to_owned())),
        })
    }

    /// Leaves a server that did not answer a call, if there are others: one that has lost them
    /// keeps its clients and answers their pings. At most once in the time of a call.
    async fn change_server(&self) {
        if !self.has_alternatives {
            return;
        }
        let is_due = {
            let mut changed_at = self.changed_at.lock();
            let is_due = changed_at.is_none_or(|at| at.elapsed() >= self.timeout);
            if is_due {
                *changed_at = Some(Instant::now());
            }
            is_due
        };
        if is_due {
            tracing::warn!("the NATS server does not answer, connecting anew");
            self.rotation.turn();
            let _ = self.client.force_reconnect().await;
        }
    }

    /// Publishes, and returns whether anybody listens on any server.
    pub(crate) async fn has_listeners(&self, subject: String) -> Result<bool, Unavailable> {
        let request = Request::new().timeout(Some(LISTENER_TIMEOUT));
        let response = self.with_timeout(self.client.send_request(subject, request)).await?;
        match response.map_err(|error| error.kind()) {
            Err(RequestErrorKind::NoResponders) => Ok(false),
            Ok(_) | Err(RequestErrorKind::TimedOut) => Ok(true),
            Err(kind) => Err(unavailable(&kind)),
        }
    }

    pub(crate) async fn subscribe(&self, subject: String) -> Result<Subscriber, Unavailable> {
        let subscribed = self.with_timeout(self.client.subscribe(subject)).await?;
        subscribed.map_err(|_| Unavailable("NATS does not accept a subscription".to_owned()))
    }

    /// Publishes with headers and without a response. Belongs inside [`Connection::with_timeout`].
    pub(crate) async fn send(
        &self,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), Unavailable> {
        let sent = self.client.publish_with_headers(subject, headers, payload).await;
        sent.map_err(|_| Unavailable("NATS does not accept a message".to_owned()))
    }

    /// Publishes without a response.
    pub(crate) async fn publish(
        &self,
        subject: impl async_nats::subject::ToSubject,
        reply: Option<String>,
        payload: Bytes,
    ) -> Result<(), Unavailable> {
        let published = match reply {
            Some(reply) => {
                self.with_timeout(self.client.publish_with_reply(subject, reply, payload)).await?
            }
            None => self.with_timeout(self.client.publish(subject, payload)).await?,
        };
        published.map_err(|_| Unavailable("NATS does not accept a message".to_owned()))
    }
}

/// Adds TLS for addresses that begin with `tls://`. The files are opened here, so that a wrong path
/// is told at the start.
fn with_tls(
    connect: ConnectOptions,
    options: &NatsOptions,
    servers: &[&str],
) -> Result<ConnectOptions, ConnectError> {
    let NatsOptions { tls_ca, tls_certificate, tls_key, .. } = options;
    let invalid = |text: &str| Err(ConnectError::Invalid(text.to_owned()));
    let files = [tls_ca, tls_certificate, tls_key].into_iter().flatten();
    let with_tls = servers.iter().filter(|server| server.starts_with("tls://")).count();
    if with_tls == 0 {
        return match files.count() {
            0 => Ok(connect),
            _ => invalid("certificates are for NATS servers whose addresses begin with tls://"),
        };
    }
    if with_tls < servers.len() {
        return invalid("the addresses of all NATS servers begin with tls://, or none of them");
    }
    for file in files {
        std::fs::File::open(file).map_err(|error| {
            ConnectError::Invalid(format!("cannot read {}: {error}", file.display()))
        })?;
    }
    // Servers that the first one names are spoken to in the same way.
    let mut connect = connect.require_tls(true);
    if let Some(ca) = tls_ca {
        connect = connect.add_root_certificates(ca.clone());
    }
    match (tls_certificate, tls_key) {
        (None, None) => Ok(connect),
        (Some(certificate), Some(key)) => {
            Ok(connect.add_client_certificate(certificate.clone(), key.clone()))
        }
        _ => invalid("a certificate for NATS needs its key, and a key its certificate"),
    }
}

/// Delay before a further attempt to connect, after so many failures: 100 ms, doubled each time up
/// to 5 s, and varied by a fifth, so that replicas do not return at the same moment.
fn reconnect_delay(failures: usize) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    entropy::jitter((MIN_RETRY_DELAY * (1 << doublings)).min(MAX_RETRY_DELAY), 0.2)
}

/// Back-off of a follower or a worker.
pub(crate) fn retry_backoff() -> Backoff {
    Backoff::new(MIN_RETRY_DELAY, MAX_RETRY_DELAY)
}

/// Waits until the connection differs from this one.
pub(crate) async fn reconnected(state: &mut watch::Receiver<ConnectionState>, connection: u64) {
    if state.wait_for(|state| state.connect_count != connection).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Converts an error of JetStream.
pub(crate) fn unavailable(error: &dyn std::fmt::Display) -> Unavailable {
    Unavailable(format!("NATS says: {error}"))
}

fn record_event(sender: &watch::Sender<ConnectionState>, event: &Event) {
    match event {
        Event::Connected => {
            sender.send_modify(|state| {
                state.connected = true;
                state.connect_count += 1;
            });
            if sender.borrow().connect_count > 1 {
                tracing::info!("reconnected to NATS");
            }
        }
        Event::Disconnected | Event::Closed => {
            let was_up = sender.send_if_modified(|state| std::mem::take(&mut state.connected));
            if was_up {
                tracing::warn!("lost the connection to NATS, reconnecting");
            }
        }
        Event::LameDuckMode => tracing::info!("the NATS server is shutting down"),
        other => tracing::debug!(event = %other, "event of the NATS connection"),
    }
}

/// Parses versions such as `2.9.10` and `2.12.0-preview.1`, without the preview; `None` for any
/// other text.
pub(crate) fn parse_version(text: &str) -> Option<(u64, u64, u64)> {
    let version = semver::Version::parse(text).ok()?;
    Some((version.major, version.minor, version.patch))
}

/// Judges the answer to a request for the account's information. Only an error matters: the rest
/// of the answer differs between versions.
fn judge_account_info(answer: &[u8]) -> Result<(), ConnectError> {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else {
        return Err(ConnectError::NoJetStream);
    };
    let Some(error) = answer.get("error") else { return Ok(()) };
    let is_off = [ErrorCode::JETSTREAM_NOT_ENABLED, ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT]
        .iter()
        .any(|code| error["err_code"] == code.0);
    // "Not now": servers of a cluster that have not met yet, or elect.
    if error["code"] == 503 && !is_off {
        return Err(ConnectError::Unreachable("JetStream has no leader yet".to_owned()));
    }
    Err(ConnectError::NoJetStream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_a_leader_are_asked_again_and_servers_without_jetstream_are_not() {
        let judge = |answer: &str| judge_account_info(answer.as_bytes());
        let error = |code: u64, err_code: u64| {
            format!(r#"{{"type":"x","error":{{"code":{code},"err_code":{err_code}}}}}"#)
        };
        assert_eq!(judge(r#"{"type":"x","memory":0,"streams":3}"#), Ok(()));
        // A cluster whose servers have not met, and a server that starts.
        for err_code in [10008, 10023] {
            let judged = judge(&error(503, err_code));
            assert!(matches!(judged, Err(ConnectError::Unreachable(_))), "{judged:?}");
        }
        for off in [&*error(503, 10076), &error(503, 10039), &error(400, 10003), "", "+OK"] {
            assert_eq!(judge(off), Err(ConnectError::NoJetStream), "{off}");
        }
    }

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(parse_version("2.9.10"), Some((2, 9, 10)));
        assert_eq!(parse_version("2.12.0-preview.1"), Some((2, 12, 0)));
        assert!(parse_version("2.10.0") > parse_version("2.9.10"));
        for version in ["", "2", "2.9", "v2.9.1", "2.9.1.4", "zero"] {
            assert_eq!(parse_version(version), None, "{version}");
        }
    }
}
