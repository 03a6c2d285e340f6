//! What an operator wants to know of the servers before opening day. Reads only, makes nothing.

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

/// What was found on the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerInfo {
    /// The version of the server that answered.
    pub version: String,
    /// Whether it is newer than any that the suite has been run against.
    pub untested: bool,
    /// The streams of this namespace that are there.
    pub streams: Vec<StreamInfo>,
    /// Those that are not there yet; the first start makes them.
    pub missing: Vec<String>,
}

/// What was found about one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name on the server.
    pub name: String,
    /// Whether it is kept on disk.
    pub on_disk: bool,
    /// Whether entries are kept as this version keeps them: by age or until they are done.
    pub retention_matches: bool,
    /// Copies that the servers keep.
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

/// Looks at the servers of these options. That a server will not do at all is the error.
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
