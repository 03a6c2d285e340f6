//! Connection to Redis, opened on demand, replaced on failure, with a timeout on every call.

use paihao_cache::Unavailable;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError,
    RedisResult, ScriptInvocation, ServerErrorKind,
};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// Retry rule for a command whose result is unknown: it may be repeated only if it is idempotent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Yes,
    No,
}

/// A request to Redis.
pub(crate) enum Request<'a> {
    Command(Cmd),
    /// Commands whose answers tell nothing but that they were carried out.
    Pipeline(Pipeline),
    Script(ScriptInvocation<'a>),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(&self, mut to: MultiplexedConnection) -> RedisResult<T> {
        match self {
            Request::Command(command) => command.query_async(&mut to).await,
            Request::Pipeline(pipeline) => pipeline.query_async(&mut to).await,
            Request::Script(script) => script.invoke_async(&mut to).await,
        }
    }
}

const INITIAL_RECONNECT_DELAY: Duration = Duration::from_millis(20);
const MAX_RECONNECT_DELAY: Duration = Duration::from_millis(500);

pub(crate) struct Connection {
    client: Client,
    timeout: Duration,
    state: Mutex<State>,
}

struct State {
    connection: Option<MultiplexedConnection>,
    /// Number of the connection, so that only the failed one is replaced.
    generation: u64,
    /// Earliest time of the next connection attempt, shared by all callers.
    next_attempt: Instant,
    reconnect_delay: Duration,
}

impl Connection {
    pub(crate) fn new(client: Client, timeout: Duration) -> Self {
        let state = State {
            connection: None,
            generation: 0,
            next_attempt: Instant::now(),
            reconnect_delay: INITIAL_RECONNECT_DELAY,
        };
        Connection { client, timeout, state: Mutex::new(state) }
    }

    /// Sends a request within the time limit. While Redis is unavailable it keeps trying to connect
    /// until then, because a command that was never sent is safe to send.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        retry: Retry,
        request: Request<'_>,
    ) -> Result<T, Unavailable> {
        let mut in_use = None;
        let mut last_error = "it does not answer".to_owned();
        let attempts = async {
            loop {
                let (generation, connection) = self.connection(&mut last_error).await;
                in_use = Some(generation);
                match request.send(connection).await {
                    Ok(response) => return Ok(response),
                    Err(error) => {
                        in_use = None;
                        let text = describe_error(&error);
                        if !is_connection_error(&error) {
                            return Err(Unavailable(text));
                        }
                        self.discard(generation).await;
                        if retry == Retry::No {
                            return Err(Unavailable(text));
                        }
                        last_error = text;
                    }
                }
            }
        };
        let result = timeout(self.timeout, attempts).await;
        match result {
            Ok(response) => response,
            Err(_) => {
                // A connection without a response may be dead without notice. The time is up, so
                // this does not wait for the lock: its holder is replacing the connection, or the
                // next call will.
                if let (Some(generation), Ok(mut state)) = (in_use, self.state.try_lock())
                    && state.generation == generation
                {
                    state.connection = None;
                }
                Err(Unavailable(format!("{last_error} (gave up after {:?})", self.timeout)))
            }
        }
    }

    /// Returns the open connection, or a new one as soon as there is one.
    async fn connection(&self, last_error: &mut String) -> (u64, MultiplexedConnection) {
        loop {
            let mut state = self.state.lock().await;
            if let Some(open) = &state.connection {
                return (state.generation, open.clone());
            }
            sleep_until(state.next_attempt).await;
            state.next_attempt = Instant::now() + state.reconnect_delay;
            state.reconnect_delay = (state.reconnect_delay * 2).min(MAX_RECONNECT_DELAY);
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(self.timeout))
                .set_response_timeout(Some(self.timeout));
            match self.client.get_multiplexed_async_connection_with_config(&config).await {
                Ok(open) => {
                    tracing::debug!("connected to Redis");
                    state.reconnect_delay = INITIAL_RECONNECT_DELAY;
                    state.generation += 1;
                    state.connection = Some(open.clone());
                    return (state.generation, open);
                }
                Err(error) => *last_error = describe_error(&error),
            }
        }
    }

    async fn discard(&self, generation: u64) {
        let mut state = self.state.lock().await;
        if state.generation == generation {
            state.connection = None;
        }
    }
}

/// True if the connection is at fault, rather than the command. A replica that was a primary
/// answers `READONLY` for ever: the host name may lead to another server by now.
fn is_connection_error(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => true,
        ErrorKind::Server(_) => false,
        _ => true,
    }
}

/// Error text of Redis or the socket; it never contains an address, a key or a value.
fn describe_error(error: &RedisError) -> String {
    if error.is_timeout() {
        return "it does not answer".to_owned();
    }
    match error.kind() {
        ErrorKind::Server(_) => {
            format!("Redis refused: {}", error.code().unwrap_or("without a code"))
        }
        ErrorKind::AuthenticationFailed => "Redis refused the password".to_owned(),
        kind => format!("no connection to Redis: {kind:?}"),
    }
}
