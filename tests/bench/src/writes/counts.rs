//! Counters of the stores: messages and deliveries by NATS, requests by Redis, syncs by strace.

use super::deployment::{Shape, WrittenDeployment};
use super::figures::{PartFigures, StepFigures};
use anyhow::Context;
use harness::{NatsCluster, RedisServer, synced_files};
use serde_json::Value;
use std::collections::BTreeMap;

/// Requests to Redis that store nothing.
const READS: [&str; 3] = ["get", "mget", "exists"];

/// Requests to Redis that are about the connection.
const OF_CONNECTION: [&str; 6] = ["info", "ping", "hello", "client|setinfo", "script|load", "auth"];

/// Counters of a deployment at one moment.
#[derive(Default)]
struct Counters {
    /// Messages and bytes by stream, as stored since its beginning.
    stored: BTreeMap<String, (u64, u64)>,
    /// Deliveries by consumer.
    delivered: BTreeMap<String, u64>,
    /// Names of the groups in which servers agree.
    groups: BTreeMap<String, String>,
    redis_writes: u64,
    redis_reads: u64,
}

/// Counts what one act after another writes, for each of them.
pub async fn count(
    shape: Shape,
    step: &'static str,
    times: u32,
    deployment: &mut WrittenDeployment,
    work: impl AsyncFnOnce(&mut WrittenDeployment) -> anyhow::Result<()>,
) -> anyhow::Result<StepFigures> {
    deployment.settle().await;
    let before = Counters::read(deployment)?;
    let messages_before = deployment.messages();
    let pids = deployment.storing_pids();
    let mut result = Ok(());
    let synced = synced_files(&pids, async || {
        result = work(deployment).await;
        deployment.settle().await;
    });
    let synced = synced.await;
    result?;
    let after = Counters::read(deployment)?;
    let each = |count: u64| count as f64 / f64::from(times);
    let mut parts = BTreeMap::<String, PartFigures>::new();
    for (stream, (messages, bytes)) in &after.stored {
        let (messages_before, bytes_before) =
            before.stored.get(stream).copied().unwrap_or_default();
        let part = parts.entry(stream.clone()).or_default();
        part.stored = each(messages - messages_before);
        part.bytes = each(bytes.saturating_sub(bytes_before));
    }
    for (consumer, delivered) in &after.delivered {
        let delivered = delivered - before.delivered.get(consumer).copied().unwrap_or_default();
        parts.entry(consumer.clone()).or_default().delivered = each(delivered);
    }
    for file in &synced {
        parts.entry(after.part_of(file)).or_default().syncs += each(1);
    }
    let is_idle = |part: &PartFigures| part.stored + part.delivered + part.syncs == 0.0;
    parts.retain(|_, part| !is_idle(part));
    let syncs = each(synced.len() as u64);
    Ok(StepFigures {
        shape,
        step,
        times,
        messages: each(deployment.messages() - messages_before),
        syncs,
        redis_writes: each(after.redis_writes - before.redis_writes),
        redis_reads: each(after.redis_reads - before.redis_reads),
        parts,
    })
}

impl Counters {
    fn read(deployment: &WrittenDeployment) -> anyhow::Result<Counters> {
        let mut counters = Counters::default();
        if let Some((nats, redis)) = &deployment.servers {
            counters.add_nats(nats)?;
            counters.add_redis(redis)?;
        }
        Ok(counters)
    }

    fn add_nats(&mut self, nats: &NatsCluster) -> anyhow::Result<()> {
        for server in nats.servers() {
            let page = server.monitor("/jsz?streams=true&consumers=true&raft=true");
            let page: Value = serde_json::from_str(&page.context("no page of JetStream")?)?;
            let accounts = page["account_details"].as_array().context("no account")?;
            let streams = accounts.iter().filter_map(|account| account["stream_detail"].as_array());
            for stream in streams.flatten() {
                let name = part_name(&stream["name"]);
                let number = |field: &str| stream["state"][field].as_u64().unwrap_or_default();
                let stored = self.stored.entry(name.clone()).or_default();
                *stored = (*stored).max((number("last_seq"), number("bytes")));
                let group = stream["stream_raft_group"].as_str().unwrap_or_default();
                self.groups.insert(group.to_owned(), name.clone());
                let groups = stream["consumer_raft_groups"].as_array().into_iter().flatten();
                for group in groups {
                    let consumer = format!("{name} → {}", part_name(&group["name"]));
                    let group = group["raft_group"].as_str().unwrap_or_default();
                    self.groups.insert(group.to_owned(), consumer);
                }
                for consumer in stream["consumer_detail"].as_array().into_iter().flatten() {
                    let number = consumer["delivered"]["consumer_seq"].as_u64().unwrap_or_default();
                    let name = format!("{name} → {}", part_name(&consumer["name"]));
                    let delivered = self.delivered.entry(name).or_default();
                    *delivered = number.max(*delivered);
                }
            }
        }
        Ok(())
    }

    fn add_redis(&mut self, redis: &RedisServer) -> anyhow::Result<()> {
        for (command, calls) in redis.command_counts().context("no statistics of Redis")? {
            if READS.contains(&&*command) {
                self.redis_reads += calls;
            } else if !OF_CONNECTION.contains(&&*command) {
                self.redis_writes += calls;
            }
        }
        Ok(())
    }

    /// Name of the part that a synced file belongs to.
    fn part_of(&self, file: &str) -> String {
        let parts: Vec<_> = file.split('/').collect();
        let after = |folder: &str| {
            let at = parts.iter().position(|part| *part == folder)?;
            parts.get(at + 1).copied()
        };
        if let Some(group) = after("_js_") {
            return self.groups.get(group).cloned().unwrap_or_else(|| "other".to_owned());
        }
        match (after("streams"), after("obs")) {
            (Some(stream), Some(consumer)) => {
                format!("{} → {}", short_name(stream), short_name(consumer))
            }
            (Some(stream), None) => short_name(stream),
            _ => parts.last().map_or_else(String::new, |file| (*file).to_owned()),
        }
    }
}

fn part_name(name: &Value) -> String {
    short_name(name.as_str().unwrap_or_default())
}

/// Name without the namespace.
fn short_name(name: &str) -> String {
    name.strip_prefix("PAIHAO_").unwrap_or(name).to_lowercase()
}
