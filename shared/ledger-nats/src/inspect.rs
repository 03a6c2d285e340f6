//! Read-only inspection of the servers, for an operator before the first start.

use crate::connection::{CallError, Connection, parse_version};
use crate::division::watch::settled_partitions;
use crate::ledger::all_streams;
use crate::naming::Namespace;
use crate::options::{
    ConnectError, MAX_TESTED_SERVER_VERSION, MIN_SYNC_SERVER_VERSION, NatsOptions,
    UNFIT_SERVER_VERSIONS, UnfitVersions,
};
use crate::server_time;
use crate::stream_config::max_messages_per_subject;
use crate::streams::{StreamKind, Streams};
use async_nats::HeaderMap;
use bytes::Bytes;
use paihao_contracts::partitions::Partitions;
use paihao_ledger::{StoreTime, Unavailable};
use serde::Deserialize;
use std::sync::Arc;
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
    /// Partitions of the ledger, which may have been divided since the options were written.
    pub partitions: Partitions,
    /// Existing streams of this namespace.
    pub streams: Vec<StreamInfo>,
    /// Missing streams; the first start creates them.
    pub missing: Vec<String>,
    /// Time of the server, in Unix milliseconds; `None` if it does not tell.
    pub time_ms: Option<i64>,
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
    /// Size in bytes.
    pub bytes: u64,
    /// Size from which nothing more is taken; `None` for no limit.
    pub limit_bytes: Option<u64>,
    /// True if it drops the oldest entries instead of refusing new ones when it is full.
    pub drops_old: bool,
}

#[derive(Deserialize)]
struct StreamInfoResponse {
    config: Option<StreamConfig>,
    state: Option<StreamState>,
}

#[derive(Deserialize)]
struct StreamState {
    bytes: u64,
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
    /// No limit is -1.
    #[serde(default)]
    max_bytes: i64,
    #[serde(default)]
    discard: String,
}

/// What a server of this version is known to lose.
pub fn loss_by(version: &str) -> Option<&'static str> {
    let version = parse_version(version)?;
    let is_unfit = |range: &&UnfitVersions| (range.first..=range.last).contains(&version);
    UNFIT_SERVER_VERSIONS.iter().find(is_unfit).map(|range| range.loss)
}

/// Inspects the servers of these options. A server that is unfit altogether is an error.
pub async fn inspect(options: &NatsOptions) -> Result<ServerInfo, ConnectError> {
    let namespace = Namespace::new(&options.namespace)?;
    let connection = Arc::new(Connection::connect(options).await?);
    let version = connection.server_version();
    let parsed = parse_version(&version);
    let unfit = loss_by(&version);
    let mut server = ServerInfo {
        version,
        untested: parsed.is_some_and(|version| version > MAX_TESTED_SERVER_VERSION),
        unfit,
        can_sync: parsed.is_some_and(|version| version >= MIN_SYNC_SERVER_VERSION),
        partitions: options.partitions,
        streams: Vec::new(),
        missing: Vec::new(),
        time_ms: None,
    };
    let partitions = settled_partitions(&connection, &namespace, options).await?;
    let options = &NatsOptions { partitions, ..options.clone() };
    server.partitions = partitions;
    let streams = Streams::new(connection.clone(), namespace.clone(), options.clone());
    streams.require_partitions().await?;
    for kind in all_streams(options.partitions) {
        let name = namespace.stream_name(kind.name());
        let (parsed, time) = stream_info(&connection, &name).await?;
        if let Some(StoreTime::Now(now_ms)) = time {
            server.time_ms = Some(now_ms);
        }
        let bytes = parsed.as_ref().and_then(|response| Some(response.state.as_ref()?.bytes));
        match parsed.and_then(|response| response.config) {
            Some(config) => {
                let info = config.to_info(name, kind, options, bytes.unwrap_or(0));
                server.streams.push(info);
            }
            None => server.missing.push(name),
        }
    }
    Ok(server)
}

/// Asks a server about a stream. Returns its answer, and the time that it tells.
async fn stream_info(
    connection: &Connection,
    name: &str,
) -> Result<(Option<StreamInfoResponse>, Option<StoreTime>), ConnectError> {
    let subject = format!("$JS.API.STREAM.INFO.{name}");
    match connection.request(subject, HeaderMap::new(), Bytes::new()).await {
        Ok(response) => {
            let parsed = serde_json::from_slice(&response.payload).ok();
            Ok((parsed, server_time::read(&response.payload)))
        }
        Err(CallError::NoResponders) => Err(ConnectError::NoJetStream),
        Err(CallError::Unavailable(Unavailable(reason))) => Err(ConnectError::Unreachable(reason)),
    }
}

impl StreamConfig {
    fn to_info(
        &self,
        name: String,
        kind: StreamKind,
        options: &NatsOptions,
        bytes: u64,
    ) -> StreamInfo {
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
            bytes,
            limit_bytes: u64::try_from(self.max_bytes).ok().filter(|limit| *limit > 0),
            drops_old: self.discard != "new",
        }
    }
}
