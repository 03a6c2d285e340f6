//! What an operator wants to know of the servers before opening day. Reads only, makes nothing.

use crate::ledger::all;
use crate::link::{CallError, Link};
use crate::naming::Namespace;
use crate::options::{ConnectError, NEWEST_SERVER, NatsOptions};
use crate::streams::Kind;
use async_nats::HeaderMap;
use bytes::Bytes;
use paihao_ledger::Unavailable;
use serde::Deserialize;
use std::time::Duration;

/// What was found on the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// The version of the server that answered.
    pub version: String,
    /// Whether it is newer than any that the suite has been run against.
    pub untested: bool,
    /// The streams of this namespace that are there.
    pub streams: Vec<StreamFacts>,
    /// Those that are not there yet; the first start makes them.
    pub missing: Vec<String>,
}

/// What was found about one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamFacts {
    /// Its name on the server.
    pub name: String,
    /// Whether it is kept on disk.
    pub on_disk: bool,
    /// Whether entries are kept as this version keeps them: by age or until they are done.
    pub kept_right: bool,
    /// Copies that the servers keep.
    pub replicas: usize,
}

#[derive(Deserialize)]
struct Answer {
    config: Option<Config>,
}

/// Durations are nanoseconds on the wire.
#[derive(Deserialize)]
struct Config {
    storage: String,
    retention: String,
    #[serde(default)]
    max_age: u64,
    #[serde(default)]
    num_replicas: usize,
}

/// Looks at the servers of these options. That a server will not do at all is the error.
pub async fn inspect(options: &NatsOptions) -> Result<ServerFacts, ConnectError> {
    let namespace = Namespace::new(&options.namespace)?;
    let link = Link::connect(options).await?;
    let version = link.server_version();
    let untested = crate::link::version(&version).is_some_and(|version| version > NEWEST_SERVER);
    let mut facts = ServerFacts { version, untested, streams: Vec::new(), missing: Vec::new() };
    for kind in all() {
        let name = namespace.stream(kind.name());
        let subject = format!("$JS.API.STREAM.INFO.{name}");
        let answer = match link.call(subject, HeaderMap::new(), Bytes::new()).await {
            Ok(answer) => answer,
            Err(CallError::Nobody) => return Err(ConnectError::NoJetStream),
            Err(CallError::Unavailable(Unavailable(why))) => {
                return Err(ConnectError::Unreachable(why));
            }
        };
        let read = serde_json::from_slice::<Answer>(&answer.payload).ok();
        match read.and_then(|answer| answer.config) {
            Some(config) => facts.streams.push(config.facts(name, kind, options)),
            None => facts.missing.push(name),
        }
    }
    Ok(facts)
}

impl Config {
    fn facts(&self, name: String, kind: Kind, options: &NatsOptions) -> StreamFacts {
        let kept_right = match kind {
            Kind::Log(log) => {
                let kept = options.as_kept(log).kept;
                let kept = kept.map_or(0, |kept: Duration| kept.as_nanos());
                self.retention == "limits" && u128::from(self.max_age) == kept
            }
            Kind::Queue(_) => self.retention == "workqueue",
        };
        StreamFacts {
            name,
            on_disk: self.storage == "file",
            kept_right,
            replicas: self.num_replicas.max(1),
        }
    }
}
