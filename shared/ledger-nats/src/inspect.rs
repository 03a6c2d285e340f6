//! Read-only inspection of the servers, for an operator before the first start.

use crate::connection::{CallError, Connection, parse_version};
use crate::ledger::all_streams;
use crate::naming::Namespace;
use crate::options::{
    ConnectError, MAX_TESTED_SERVER_VERSION, MIN_SYNC_SERVER_VERSION, NatsOptions,
    UNFIT_SERVER_VERSIONS,
};
use crate::streams::{StreamKind, max_messages_per_subject};
use async_nats::HeaderMap;
use bytes::Bytes;
use paihao_ledger::Unavailable;
use serde::Deserialize;
use std::time::Duration;

/// Facts about the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// Version of the server that responded.
    pub version: String,
    /// True if it is newer than any version that the suite has been run against.
    pub untested: bool,
    /// What this version is known to lose.
    pub unfit: Option<&'static str>,
    /// True if the server can write each entry to the disk before it acknowledges it.
    pub can_sync: bool,
    /// Existing streams of this namespace.
    pub streams: Vec<StreamInfo>,
    /// Missing streams; the first start creates them.
    pub missing: Vec<String>,
}

/// Facts about one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Name on the server.
    pub name: String,
    /// True if it is stored on disk.
    pub on_disk: bool,
    /// True if its retention policy is the one of this version: by age and by number within a
    /// subject, or until acknowledged.
    pub retention_matches: bool,
    /// Number of replicas.
    pub replicas: usize,
}

#[derive(Deserialize)]
struct StreamInfoResponse {
    config: Option<StreamConfig>,
}

/// Durations are nanoseconds on the wire.
#[derive(Deserialize)]
struct StreamConfig {
    storage: String,
    retention: String,
    #[serde(default)]
    max_age: u64,
    /// No limit is -1; an older server leaves it out.
    #[serde(default)]
    max_msgs_per_subject: i64,
    #[serde(default)]
    num_replicas: usize,
}

/// Inspects the servers of these options. A server that is unfit altogether is an error.
pub async fn inspect(options: &NatsOptions) -> Result<ServerInfo, ConnectError> {
    let namespace = Namespace::new(&options.namespace)?;
    let connection = Connection::connect(options).await?;
    let version = connection.server_version();
    let parsed = parse_version(&version);
    let unfit = UNFIT_SERVER_VERSIONS
        .iter()
        .find(|range| parsed.is_some_and(|version| (range.first..=range.last).contains(&version)));
    let mut server = ServerInfo {
        version,
        untested: parsed.is_some_and(|version| version > MAX_TESTED_SERVER_VERSION),
        unfit: unfit.map(|range| range.loss),
        can_sync: parsed.is_some_and(|version| version >= MIN_SYNC_SERVER_VERSION),
        streams: Vec::new(),
        missing: Vec::new(),
    };
    for kind in all_streams() {
        let name = namespace.stream_name(kind.name());
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        let response = match connection.request(subject, HeaderMap::new(), Bytes::new()).await {
            Ok(response) => response,
            Err(CallError::NoResponders) => return Err(ConnectError::NoJetStream),
            Err(CallError::Unavailable(Unavailable(reason))) => {
                return Err(ConnectError::Unreachable(reason));
            }
        };
        let parsed = serde_json::from_slice::<StreamInfoResponse>(&response.payload).ok();
        match parsed.and_then(|response| response.config) {
            Some(config) => server.streams.push(config.to_info(name, kind, options)),
            None => server.missing.push(name),
        }
    }
    Ok(server)
}

impl StreamConfig {
    fn to_info(&self, name: String, kind: StreamKind, options: &NatsOptions) -> StreamInfo {
        let retention_matches = match kind {
            StreamKind::Log(log) => {
                let retention = options.with_retention(log).retention;
                let max_age = retention.map_or(0, |retention: Duration| retention.as_nanos());
                self.retention == "limits"
                    && u128::from(self.max_age) == max_age
                    && self.max_msgs_per_subject.max(0) == max_messages_per_subject(&log)
            }
            StreamKind::Queue(_) => self.retention == "workqueue",
        };
        StreamInfo {
            name,
            on_disk: self.storage == "file",
            retention_matches,
            replicas: self.num_replicas.max(1),
        }
    }
}
