//! The log of divisions: one subject with what is known about the division that is under way, or
//! was made. Each record is conditional on the one before, so that of two who decide one does.

use crate::append::{PublishOutcome, is_conflict, parse_response, read_message};
use crate::connection::{CallError, Connection, unavailable};
use crate::naming::Namespace;
use async_nats::HeaderMap;
use async_nats::header::NATS_EXPECTED_LAST_SEQUENCE;
use async_nats::jetstream::stream::{Config, StorageType};
use paihao_contracts::partitions::Partitions;
use paihao_ledger::Unavailable;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Step that a division has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Entries are copied while the processes use the ledger.
    Copying,
    /// The processes leave, and wait until it has been made or abandoned.
    Pausing,
    /// It was given up: the ledger is in one partition, and copies may be left.
    Abandoned,
    /// The partitions are the ledger, and its one stream may be left.
    Done,
}

/// Record of a division.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DivisionRecord {
    pub(crate) step: Step,
    /// Number of partitions into which the ledger is divided.
    pub(crate) into: usize,
}

impl DivisionRecord {
    /// Returns whether the streams of a ledger with so many partitions are not the ledger: they are
    /// a copy that is not complete, or what was copied.
    pub(crate) fn supersedes(&self, partitions: usize) -> bool {
        match self.step {
            Step::Copying | Step::Pausing | Step::Abandoned => partitions == self.into,
            Step::Done => partitions == Partitions::ONE.count(),
        }
    }

    /// Returns whether a process that uses so many partitions is to leave.
    pub(crate) fn sends_away(&self, partitions: Partitions) -> bool {
        match self.step {
            Step::Copying | Step::Abandoned => false,
            Step::Pausing => true,
            Step::Done => partitions.count() != self.into,
        }
    }
}

/// Newest record, and its sequence; 0 if there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Newest {
    pub(crate) record: Option<DivisionRecord>,
    pub(crate) sequence: u64,
}

#[derive(Clone)]
pub(crate) struct DivisionLog {
    connection: Arc<Connection>,
    namespace: Namespace,
}

impl DivisionLog {
    pub(crate) fn new(connection: Arc<Connection>, namespace: Namespace) -> DivisionLog {
        DivisionLog { connection, namespace }
    }

    /// Configuration of its stream.
    pub(crate) fn stream_config(namespace: &Namespace, replicas: usize) -> Config {
        Config {
            name: namespace.division_stream(),
            subjects: vec![namespace.division_subject()],
            storage: StorageType::File,
            num_replicas: replicas.max(1),
            max_messages_per_subject: 1,
            ..Config::default()
        }
    }

    pub(crate) async fn newest(&self) -> Result<Newest, Unavailable> {
        let (stream, subject) =
            (self.namespace.division_stream(), self.namespace.division_subject());
        let newest = read_message(&self.connection, &stream, async |stream| {
            stream.get_last_raw_message_by_subject(&subject).await
        });
        let Some(message) = newest.await? else { return Ok(Newest::default()) };
        let record = serde_json::from_slice(&message.payload).map_err(|_| {
            Unavailable("a newer paihao divides the ledger: update this one first".to_owned())
        })?;
        Ok(Newest { record: Some(record), sequence: message.sequence })
    }

    /// Adds a record behind the one with the sequence `after`. Returns its sequence; `None` if
    /// somebody else has added one.
    pub(crate) async fn add(
        &self,
        record: DivisionRecord,
        after: u64,
    ) -> Result<Option<u64>, Unavailable> {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_LAST_SEQUENCE, after.to_string().as_str());
        let payload = serde_json::to_vec(&record).map_err(|e| unavailable(&e))?;
        let subject = self.namespace.division_subject();
        let response = match self.connection.request(subject, headers, payload.into()).await {
            Ok(response) => response,
            Err(CallError::Unavailable(unavailable)) => return Err(unavailable),
            Err(CallError::NoResponders) => {
                return Err(Unavailable("the log of divisions is gone".to_owned()));
            }
        };
        match parse_response(&response.payload)? {
            PublishOutcome::Stored { position, .. } => Ok(Some(position.0)),
            PublishOutcome::Rejected(error) if is_conflict(&error) => Ok(None),
            PublishOutcome::Rejected(error) => Err(unavailable(&error)),
        }
    }

    /// Asks the processes to look at the log. Returns whether any of them still uses the ledger.
    pub(crate) async fn call_processes(&self) -> Result<bool, Unavailable> {
        self.connection.has_listeners(self.namespace.division_call()).await
    }

    /// Subject of those calls.
    pub(crate) fn call_subject(&self) -> String {
        self.namespace.division_call()
    }
}
