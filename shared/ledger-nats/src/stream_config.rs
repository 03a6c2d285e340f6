//! Configuration of each stream: what this program sets, and what it leaves to an operator.

use crate::partitions::description;
use crate::streams::{StreamKind, Streams};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use paihao_contracts::streams::{Keep, Log};
use std::time::Duration;

/// Time for which the server remembers the key of a message.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// Entries of a subject that a log keeps; 0 for no limit.
pub(crate) fn max_messages_per_subject(log: &Log) -> i64 {
    match log.keep {
        Keep::All => 0,
        Keep::Newest => 1,
    }
}

/// The configuration without the limit of its size, if it has one.
pub(crate) fn without_limit(config: &Config) -> Option<Config> {
    (config.max_bytes > 0).then(|| Config { max_bytes: -1, ..config.clone() })
}

/// Returns whether a stream is found as it is expected in everything that this program sets.
pub(crate) fn is_as_expected(found: &Config, expected: &Config) -> bool {
    let set = |config: &Config| {
        (
            config.subjects.clone(),
            config.max_age,
            config.duplicate_window,
            config.num_replicas.max(1),
            // Without a limit it is -1; an older server leaves it out.
            config.max_messages_per_subject.max(0),
            config.discard == DiscardPolicy::New,
        )
    };
    set(found) == set(expected)
        && !changes_limit(found, expected)
        && (found.allow_atomic_publish || !expected.allow_atomic_publish)
}

/// Returns whether a stream gets another limit of its size. Without a limit of ours an operator's
/// is kept.
pub(crate) fn changes_limit(found: &Config, expected: &Config) -> bool {
    expected.max_bytes > 0 && found.max_bytes != expected.max_bytes
}

/// The values that this program sets, with all others as they are found.
pub(crate) fn updated(found: &Config, expected: Config) -> Config {
    Config {
        subjects: expected.subjects,
        max_age: expected.max_age,
        duplicate_window: expected.duplicate_window,
        num_replicas: expected.num_replicas,
        max_messages_per_subject: expected.max_messages_per_subject,
        discard: expected.discard,
        // A server of the cluster that is older than the one asked here has no batches.
        allow_atomic_publish: expected.allow_atomic_publish || found.allow_atomic_publish,
        max_bytes: match expected.max_bytes {
            limit @ 1.. => limit,
            _ => found.max_bytes,
        },
        ..found.clone()
    }
}

impl Streams {
    /// Returns the configuration of a stream.
    pub(crate) fn stream_config(&self, kind: StreamKind) -> Config {
        let common = Config {
            name: self.name(kind),
            storage: StorageType::File,
            num_replicas: self.options().replicas.max(1),
            duplicate_window: DUPLICATE_WINDOW,
            // A full stream refuses what is new, and never drops what it has confirmed.
            discard: DiscardPolicy::New,
            max_bytes: self.max_bytes(kind).unwrap_or(-1),
            ..Config::default()
        };
        match kind {
            StreamKind::Log(log) => Config {
                subjects: vec![self.namespace().log_wildcard(&log)],
                description: description(&log, self.partitions()),
                retention: RetentionPolicy::Limits,
                max_age: self.max_age(log).unwrap_or_default(),
                duplicate_window: self
                    .max_age(log)
                    .unwrap_or(DUPLICATE_WINDOW)
                    .min(DUPLICATE_WINDOW),
                max_messages_per_subject: max_messages_per_subject(&log),
                allow_atomic_publish: self.connection().takes_batches(),
                ..common
            },
            StreamKind::Queue(queue) => Config {
                subjects: vec![self.namespace().queue_subject(&queue)],
                retention: RetentionPolicy::WorkQueue,
                ..common
            },
        }
    }

    fn max_age(&self, log: Log) -> Option<Duration> {
        self.options().with_retention(log).retention
    }

    fn max_bytes(&self, kind: StreamKind) -> Option<i64> {
        let limit = *self.options().max_bytes.get(kind.family())?;
        Some(i64::try_from(limit).unwrap_or(i64::MAX))
    }
}
