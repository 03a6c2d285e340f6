//! Checks of NATS and Redis: versions, and durability over a restart.

use super::report::Finding;
use super::{ProbeContext, clock, finding, findings};
use crate::config::Ledger;
use crate::plain_http;
use crate::ports::nats_options;
use paihao_cache_redis::{RedisCache, RedisServerInfo};
use paihao_ledger_nats::{ConnectError, ServerInfo, inspect};
use serde_json::Value;
use url::Url;

const LEDGER: &str = "ledger";
const CACHE: &str = "cache";

pub(super) async fn nats(config: &Ledger) -> Vec<Finding> {
    match inspect(&nats_options(config)).await {
        Ok(facts) => {
            let mut found = nats_findings(&facts, config.replicas);
            found.extend(sync_findings(config, facts.can_sync).await);
            found
        }
        Err(error) => {
            let kind = match error {
                ConnectError::Unreachable(_) => findings::NATS_AWAY,
                ConnectError::TooOld { .. } => findings::NATS_OLD,
                ConnectError::NoJetStream => findings::NATS_NO_JETSTREAM,
                _ => findings::NATS_REFUSED,
            };
            vec![finding(LEDGER, kind, error.to_string())]
        }
    }
}

fn nats_findings(facts: &ServerInfo, replicas: usize) -> Vec<Finding> {
    let version = format!("NATS {}", facts.version);
    let mut findings = vec![match facts.unfit {
        Some(loss) => finding(LEDGER, findings::NATS_UNFIT, format!("{version}: {loss}")),
        None if facts.untested => finding(LEDGER, findings::NATS_UNTESTED, version),
        None => finding(LEDGER, findings::NATS_OK, version),
    }];
    for stream in &facts.streams {
        let name = &*stream.name;
        if !stream.on_disk {
            findings.push(finding(LEDGER, findings::STREAM_IN_MEMORY, name));
        }
        if !stream.retention_matches {
            findings.push(finding(LEDGER, findings::STREAM_RETENTION, name));
        }
        if stream.replicas != replicas {
            let detail = format!("{name}: {} of {replicas}", stream.replicas);
            findings.push(finding(LEDGER, findings::STREAM_REPLICAS, detail));
        }
    }
    if !facts.missing.is_empty() {
        findings.push(finding(LEDGER, findings::STREAMS_MISSING, facts.missing.join(", ")));
    } else if findings.len() == 1 {
        findings.push(finding(
            LEDGER,
            findings::STREAMS_OK,
            format!("{} streams", facts.streams.len()),
        ));
    }
    findings
}

/// How each server flushes to the disk, which it tells at its monitoring port only.
async fn sync_findings(config: &Ledger, can_sync: bool) -> Vec<Finding> {
    let monitors: Vec<_> =
        config.monitor.split(',').map(str::trim).filter(|monitor| !monitor.is_empty()).collect();
    if !can_sync {
        return vec![finding(LEDGER, findings::NATS_NOT_SYNCED, "this version cannot")];
    }
    if monitors.is_empty() {
        return vec![Finding::new(LEDGER, findings::NATS_SYNC_UNKNOWN)];
    }
    let mut found = Vec::new();
    for monitor in monitors {
        let kind = match fetch_jetstream_config(monitor).await {
            Some(config) if config["sync_always"] == true => findings::NATS_SYNCED,
            Some(_) => findings::NATS_NOT_SYNCED,
            None => findings::NATS_SYNC_UNKNOWN,
        };
        found.push(finding(LEDGER, kind, monitor));
    }
    found
}

/// The `config` of a server's `/jsz`; `None` if it does not answer as a NATS server does.
async fn fetch_jetstream_config(monitor: &str) -> Option<Value> {
    let url = Url::parse(monitor).ok()?;
    let address = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let response = plain_http::get(&address, "/jsz?config=1").await.ok()?;
    let body: Value = serde_json::from_str(response.rsplit("\r\n\r\n").next()?).ok()?;
    body.get("config").cloned()
}

pub(super) async fn redis(redis: &RedisCache, context: &ProbeContext) -> Vec<Finding> {
    let sent = context.now_ms();
    match redis.inspect().await {
        Ok(facts) => {
            let mut findings = redis_findings(&facts);
            findings.push(clock::compare(CACHE, facts.time_ms, sent, context.now_ms()));
            findings
        }
        Err(unavailable) => vec![finding(CACHE, findings::REDIS_AWAY, unavailable.to_string())],
    }
}

fn redis_findings(facts: &RedisServerInfo) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |kind, detail: String| findings.push(finding(CACHE, kind, detail));
    if facts.too_old {
        add(findings::REDIS_OLD, format!("Redis {}", facts.version));
    }
    if facts.is_replica {
        add(findings::REDIS_REPLICA, String::new());
    }
    // The server may refuse to tell about snapshots; that is no finding.
    if !facts.aof_enabled && facts.rdb_enabled == Some(false) {
        add(findings::REDIS_NOT_PERSISTENT, String::new());
    }
    if facts.write_failed {
        add(findings::REDIS_WRITE_FAILED, String::new());
    }
    if facts.max_memory > 0 && facts.eviction_policy != "noeviction" {
        let detail = format!("{}, maxmemory {} MiB", facts.eviction_policy, facts.max_memory >> 20);
        add(findings::REDIS_EVICTS, detail);
    }
    if findings.is_empty() {
        let persistence = match (facts.aof_enabled, facts.rdb_enabled) {
            (true, _) => "AOF",
            (false, Some(_)) => "RDB",
            (false, None) => "?",
        };
        let detail = format!("Redis {}, {persistence}", facts.version);
        findings.push(finding(CACHE, findings::REDIS_OK, detail));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use paihao_ledger_nats::StreamInfo;

    fn codes(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.kind.code).collect()
    }

    #[test]
    fn a_loss_of_data_at_a_restart_is_bad() {
        let stream = StreamInfo {
            name: "PAIHAO_LEDGER".into(),
            on_disk: true,
            retention_matches: true,
            replicas: 1,
        };
        let facts = ServerInfo {
            version: "2.15.1".into(),
            untested: false,
            unfit: None,
            can_sync: true,
            streams: vec![stream.clone()],
            missing: Vec::new(),
        };
        assert_eq!(codes(&nats_findings(&facts, 1)), ["nats_ok", "streams_ok"]);
        assert_eq!(codes(&nats_findings(&facts, 3)), ["nats_ok", "stream_replicas"]);
        let unfit = ServerInfo { unfit: Some("streams can be lost"), ..facts.clone() };
        assert_eq!(codes(&nats_findings(&unfit, 1)), ["nats_unfit", "streams_ok"]);
        let broken = StreamInfo { on_disk: false, retention_matches: false, ..stream };
        let facts = ServerInfo {
            untested: true,
            streams: vec![broken],
            missing: vec!["PAIHAO_NOTICES".into()],
            ..facts
        };
        let all = ["nats_untested", "stream_in_memory", "stream_retention", "streams_missing"];
        assert_eq!(codes(&nats_findings(&facts, 1)), all);
    }

    #[test]
    fn a_redis_that_loses_data_is_found() {
        let healthy = RedisServerInfo {
            version: "7.0.15".into(),
            too_old: false,
            is_replica: false,
            aof_enabled: true,
            rdb_enabled: Some(false),
            write_failed: false,
            max_memory: 0,
            eviction_policy: "allkeys-lru".into(),
            time_ms: 0,
        };
        assert_eq!(codes(&redis_findings(&healthy)), ["redis_ok"]);
        let unknown = RedisServerInfo { aof_enabled: false, rdb_enabled: None, ..healthy.clone() };
        assert_eq!(codes(&redis_findings(&unknown)), ["redis_ok"]);
        let faulty = RedisServerInfo {
            too_old: true,
            is_replica: true,
            aof_enabled: false,
            write_failed: true,
            max_memory: 1 << 30,
            ..healthy
        };
        let all = ["redis_old", "redis_replica", "redis_not_persistent", "redis_write_failed"];
        assert_eq!(codes(&redis_findings(&faulty)), [&all[..], &["redis_evicts"]].concat());
    }
}
