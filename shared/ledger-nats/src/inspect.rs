//! Read-only inspection of the servers, for an operator before the first start.

use crate::connection::{CallError, Connection};
use crate::ledger::all_streams;
use crate::naming::Namespace;
use crate::options::{ConnectError, MAX_TESTED_SERVER_VERSION, NatsOptions};
use crate::streams::StreamKind;
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
    /// True if its retention policy is the one of this version: by age, or until acknowledged.
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
    #[serde(default)]
    num_replicas: usize,
}

/// Inspects the servers of these options. A server that is unfit altogether is an error.
pub async fn inspect(options: &NatsOptions) -> Result<ServerInfo, ConnectError> {
    let namespace = Namespace::new(&options.namespace)?;
    let link = Connection::connect(options).await?;
    let version = link.server_version();
    let untested = crate::connection::parse_version(&version)
        .is_some_and(|version| version > MAX_TESTED_SERVER_VERSION);
    let mut facts = ServerInfo { version, untested, streams: Vec::new(), missing: Vec::new() };
    for kind in all_streams() {
        let name = namespace.stream_name(kind.name());
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        let answer = match link.request(subject, HeaderMap::new(), Bytes::new()).await {
            Ok(answer) => answer,
            Err(CallError::NoResponders) => return Err(ConnectError::NoJetStream),
            Err(CallError::Unavailable(Unavailable(why))) => {
                return Err(ConnectError::Unreachable(why));
            }
        };
        let read = serde_json::from_slice::<StreamInfoResponse>(&answer.payload).ok();
        match read.and_then(|answer| answer.config) {
            Some(config) => facts.streams.push(config.to_info(name, kind, options)),
            None => facts.missing.push(name),
        }
    }
    Ok(facts)
}

impl StreamConfig {
    fn to_info(&self, name: String, kind: StreamKind, options: &NatsOptions) -> StreamInfo {
        let kept_right = match kind {
            StreamKind::Log(log) => {
                let kept = options.with_retention(log).retention;
                let kept = kept.map_or(0, |kept: Duration| kept.as_nanos());
                self.retention == "limits" && u128::from(self.max_age) == kept
            }
            StreamKind::Queue(_) => self.retention == "workqueue",
        };
        StreamInfo {
            name,
            on_disk: self.storage == "file",
            retention_matches: kept_right,
            replicas: self.num_replicas.max(1),
        }
    }
}
