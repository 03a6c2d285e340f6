//! How to reach the servers, and why that may not work.

use paihao_contracts::streams::Log;
use secrecy::SecretString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The oldest server that passes the suite; an older one is refused.
pub const MIN_SERVER_VERSION: (u64, u64, u64) = (2, 9, 10);

/// The newest server that the suite has been run against; a newer one is not refused.
pub const MAX_TESTED_SERVER_VERSION: (u64, u64, u64) = (2, 15, 1);

/// How to reach the servers, and what is kept on them.
#[derive(Clone)]
pub struct NatsOptions {
    /// One or more addresses, with commas between them: `nats://host:4222`, `tls://host:4222`.
    pub url: String,
    /// In front of every stream and subject: lower-case letters, digits and `-`.
    pub namespace: String,
    /// Copies of each stream that the servers keep: 1, 3 or 5.
    pub replicas: usize,
    /// Logs that are kept for longer or shorter than they say of themselves.
    pub retention_overrides: Vec<Log>,
    /// A credentials file as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// User name, where the servers ask for one.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// Every call ends within this time, with an answer or without.
    pub timeout: Duration,
    /// How often a server lets an idle follower know that it is still there. A follower that hears
    /// nothing for three times as long starts over where it was.
    pub heartbeat: Duration,
}

impl fmt::Debug for NatsOptions {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("namespace", &self.namespace)
            .field("replicas", &self.replicas)
            .field("timeout", &self.timeout)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

impl NatsOptions {
    /// A log as it is kept on these servers.
    pub(crate) fn with_retention(&self, log: Log) -> Log {
        self.retention_overrides.iter().copied().find(|other| other.name == log.name).unwrap_or(log)
    }
}

impl Default for NatsOptions {
    /// A server on this machine, one replica, four seconds for a call.
    fn default() -> Self {
        NatsOptions {
            url: "nats://127.0.0.1:4222".to_owned(),
            namespace: "paihao".to_owned(),
            replicas: 1,
            retention_overrides: Vec::new(),
            credentials: None,
            user: None,
            password: None,
            timeout: Duration::from_secs(4),
            heartbeat: Duration::from_secs(2),
        }
    }
}

/// Why there is no ledger. Only [`ConnectError::Unreachable`] may pass by waiting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No server answered. The addresses are not repeated: they may hold a password.
    #[error("no NATS server answers at the configured address: {0}")]
    Unreachable(String),
    /// The server does not accept who we are.
    #[error("the NATS server refuses the configured user or credentials")]
    NotAllowed,
    /// The server is too old.
    #[error(
        "the NATS server has version {found}, and the oldest supported one is {}.{}.{}: update it",
        MIN_SERVER_VERSION.0, MIN_SERVER_VERSION.1, MIN_SERVER_VERSION.2
    )]
    TooOld {
        /// The version it states.
        found: String,
    },
    /// The server keeps no streams.
    #[error(
        "the NATS server has JetStream disabled: start it with `--jetstream`, or add `jetstream {{}}` to its configuration"
    )]
    NoJetStream,
    /// The configuration cannot work.
    #[error("{0}")]
    Invalid(String),
    /// A stream cannot be made.
    #[error("the NATS server does not make the stream {stream}: {reason}")]
    Stream {
        /// Its name.
        stream: String,
        /// What the server says.
        reason: String,
    },
}
