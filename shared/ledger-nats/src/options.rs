//! Connection options, and errors of connecting.

use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::Log;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The oldest server that passes the suite; an older one is refused.
pub const MIN_SERVER_VERSION: (u64, u64, u64) = (2, 9, 10);

/// Versions that lose data. A server of one of them is not refused, and the doctor says so. The
/// streams are lost when processes are killed
/// (<https://github.com/nats-io/nats-server/issues/6888>).
pub const UNFIT_SERVER_VERSIONS: [UnfitVersions; 1] = [UnfitVersions {
    first: (2, 10, 20),
    last: (2, 10, 22),
    loss: "streams can be lost when a server is killed; fixed in 2.10.23",
}];

/// Range of server versions, both ends included, with what they lose.
#[derive(Debug, Clone, Copy)]
pub struct UnfitVersions {
    /// The first such version.
    pub first: (u64, u64, u64),
    /// The last such version.
    pub last: (u64, u64, u64),
    /// What they lose, for the operator.
    pub loss: &'static str,
}

/// The oldest server with `sync_interval: always`, without which a power cut loses what was
/// acknowledged.
pub const MIN_SYNC_SERVER_VERSION: (u64, u64, u64) = (2, 10, 0);

/// The oldest server with atomic batches.
pub const MIN_BATCH_SERVER_VERSION: (u64, u64, u64) = (2, 12, 0);

/// The newest server that the suite has been run against; a newer one is not refused.
pub const MAX_TESTED_SERVER_VERSION: (u64, u64, u64) = (2, 15, 1);

/// Options of the connection and of the streams.
#[derive(Clone)]
pub struct NatsOptions {
    /// One or more addresses, separated by commas: `nats://host:4222`, `tls://host:4222`.
    pub url: String,
    /// Prefix of every stream and subject: lower-case letters, digits and `-`.
    pub namespace: String,
    /// Replicas of each stream: 1, 3 or 5.
    pub replicas: usize,
    /// Partitions of the ledger. A ledger that is there keeps its number.
    pub partitions: Partitions,
    /// Logs with another retention than their own.
    pub retention_overrides: Vec<Log>,
    /// Size in bytes from which a stream takes nothing more, by the family of its log or the name
    /// of its queue. A stream that is not named has no limit.
    pub max_bytes: BTreeMap<String, u64>,
    /// Credentials file as `nsc` writes it.
    pub credentials: Option<PathBuf>,
    /// User name, if the servers require one.
    pub user: Option<String>,
    /// Password of the user.
    pub password: Option<SecretString>,
    /// Certificates of the authority that the servers are verified by, as PEM; those of the machine
    /// without it.
    pub tls_ca: Option<PathBuf>,
    /// Certificate of this client as PEM, if the servers ask for one.
    pub tls_certificate: Option<PathBuf>,
    /// Key of the certificate, as PEM.
    pub tls_key: Option<PathBuf>,
    /// Timeout of every call.
    pub timeout: Duration,
    /// Interval of the server's heartbeats to an idle follower. A follower that receives nothing
    /// for three intervals restarts after its last entry.
    pub heartbeat: Duration,
    /// Creates a stream anew that was there and is gone. Otherwise the ledger is lost from then on
    /// ([`Ledger::until_lost`](paihao_ledger::Ledger::until_lost)).
    pub recreate_lost: bool,
    /// The ledger has been there before: a missing one is not created.
    pub must_exist: bool,
    /// Creates a ledger that is missing, whatever says that it was there.
    pub begin_empty: bool,
}

impl fmt::Debug for NatsOptions {
    /// Prints without the address, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsOptions")
            .field("namespace", &self.namespace)
            .field("replicas", &self.replicas)
            .field("partitions", &self.partitions.count())
            .field("timeout", &self.timeout)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

impl NatsOptions {
    /// The log with its retention on these servers.
    pub(crate) fn with_retention(&self, log: Log) -> Log {
        self.retention_overrides.iter().copied().find(|other| other.name == log.name).unwrap_or(log)
    }
}

impl Default for NatsOptions {
    /// A server on this machine, one replica, a timeout of four seconds.
    fn default() -> Self {
        NatsOptions {
            url: "nats://127.0.0.1:4222".to_owned(),
            namespace: "paihao".to_owned(),
            replicas: 1,
            partitions: Partitions::ONE,
            retention_overrides: Vec::new(),
            max_bytes: BTreeMap::new(),
            credentials: None,
            user: None,
            password: None,
            tls_ca: None,
            tls_certificate: None,
            tls_key: None,
            timeout: Duration::from_secs(4),
            heartbeat: Duration::from_secs(2),
            recreate_lost: false,
            must_exist: false,
            begin_empty: false,
        }
    }
}

/// Errors of connecting. Only [`ConnectError::Unreachable`] may resolve itself with time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// No server responded. The addresses are not repeated: they may contain a password.
    #[error("no NATS server answers at the configured address: {0}")]
    Unreachable(String),
    /// The server refuses our credentials.
    #[error("the NATS server refuses the configured user or credentials")]
    NotAllowed,
    /// The server is too old.
    #[error(
        "the NATS server has version {found}, and the oldest supported one is {}.{}.{}: update it",
        MIN_SERVER_VERSION.0, MIN_SERVER_VERSION.1, MIN_SERVER_VERSION.2
    )]
    TooOld {
        /// Version that the server states.
        found: String,
    },
    /// JetStream is disabled on the server.
    #[error(
        "the NATS server has JetStream disabled: start it with `--jetstream`, or add `jetstream {{}}` to its configuration"
    )]
    NoJetStream,
    /// The options are invalid.
    #[error("{0}")]
    Invalid(String),
    /// The ledger was there and is missing.
    #[error(
        "the stream {stream} was there and is gone: restore a backup of the NATS server, or set `ledger.begin_empty = true` once to begin with an empty ledger"
    )]
    Lost {
        /// Name of the stream.
        stream: String,
    },
    /// The ledger has another number of partitions.
    #[error(
        "the ledger has {found} partitions and `ledger.partitions` is {expected}: set it to {found} (docs/guide/partitions.md)"
    )]
    Partitions {
        /// Number of the ledger.
        found: usize,
        /// Number of the options.
        expected: usize,
    },
    /// A restore has not come to its end.
    #[error(
        "a restore into the namespace {namespace} has not come to its end: wait for it, or repeat it with --discard-partial"
    )]
    Restoring {
        /// Namespace of the options.
        namespace: String,
    },
    /// A stream cannot be created.
    #[error("the NATS server does not create the stream {stream}: {reason}")]
    Stream {
        /// Name of the stream.
        stream: String,
        /// Error of the server.
        reason: String,
    },
}
