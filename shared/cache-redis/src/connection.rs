//! The one connection, made when needed, thrown away when it fails, and never waited for too long.

use paihao_cache::Unavailable;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult,
    ScriptInvocation, ServerErrorKind,
};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// Whether a command whose fate is unknown may be sent again: it may, if doing it twice is the
/// same as once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retry {
    Yes,
    No,
}

/// What is asked of Redis.
pub(crate) enum Request<'a> {
    Command(Cmd),
    Script(ScriptInvocation<'a>),
}

impl Request<'_> {
    async fn send<T: FromRedisValue>(&self, mut to: MultiplexedConnection) -> RedisResult<T> {
        match self {
            Request::Command(command) => command.query_async(&mut to).await,
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
    /// Tells one connection from the next, so that only the one that failed is thrown away.
    generation: u64,
    /// All callers together try to connect no more often than this allows.
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

    /// Asks Redis. Ends within the limit: while Redis is away it goes on trying to connect
    /// until then, because what was never sent can always be sent.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        retry: Retry,
        request: Request<'_>,
    ) -> Result<T, Unavailable> {
        let mut in_use = None;
        let mut last = "it does not answer".to_owned();
        let tries = async {
            loop {
                let (generation, connection) = self.connection(&mut last).await;
                in_use = Some(generation);
                match request.send(connection).await {
                    Ok(answer) => return Ok(answer),
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
                        last = text;
                    }
                }
            }
        };
        let ended = timeout(self.timeout, tries).await;
        match ended {
            Ok(answer) => answer,
            Err(_) => {
                // A connection that swallowed a command may be dead without knowing it. Time is up,
                // so this does not wait: who holds the lock is replacing it, or the next call will.
                if let (Some(generation), Ok(mut state)) = (in_use, self.state.try_lock())
                    && state.generation == generation
                {
                    state.connection = None;
                }
                Err(Unavailable(format!("{last} (gave up after {:?})", self.timeout)))
            }
        }
    }

    /// The open connection, or a new one as soon as there is one.
    async fn connection(&self, last: &mut String) -> (u64, MultiplexedConnection) {
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
                Err(error) => *last = describe_error(&error),
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

/// Whether the connection, rather than the command, is to blame. A replica that was a primary
/// answers `READONLY` for ever: the name may lead to another one by now.
fn is_connection_error(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly) => true,
        ErrorKind::Server(_) => false,
        _ => true,
    }
}

/// What Redis or the socket said; never holds an address, a key or a value.
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
