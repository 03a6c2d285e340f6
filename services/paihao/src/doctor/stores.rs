//! Checks of NATS and Redis: versions, and durability over a restart.

use super::report::Finding;
use super::{ProbeContext, finding, findings};
use crate::config::Ledger;
use crate::plain_http;
use crate::ports::nats_options;
use crate::storage::is_nearly_full;
use paihao_cache_redis::{RedisCache, RedisServerInfo};
use paihao_ledger_nats::{ConnectError, ServerInfo, inspect, loss_by};
use serde_json::Value;
use url::Url;

const LEDGER: &str = "ledger";
const CACHE: &str = "cache";

pub(super) async fn nats(config: &Ledger, context: &ProbeContext) -> Vec<Finding> {
    let sent = context.now_ms();
    match inspect(&nats_options(config)).await {
        Ok(facts) => {
            let mut found = nats_findings(&facts, config.replicas);
            let partitions = facts.partitions.count();
            if partitions != config.partitions {
                let detail = format!("{partitions}, ledger.partitions = {}", config.partitions);
                found.push(finding(LEDGER, findings::NATS_DIVIDED, detail));
            }
            if let Some(remote_ms) = facts.time_ms {
                found.push(context.compare_clock(LEDGER, remote_ms, sent, context.now_ms()));
            }
            found.extend(sync_findings(config, facts.can_sync).await);
            found
        }
        Err(error) => {
            let kind = match error {
                ConnectError::Unreachable(_) => findings::NATS_AWAY,
                ConnectError::TooOld { .. } => findings::NATS_OLD,
                ConnectError::NoJetStream => findings::NATS_NO_JETSTREAM,
                ConnectError::Partitions { .. } => findings::NATS_PARTITIONS,
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
        if is_nearly_full(stream.bytes, stream.limit_bytes) {
            let limit = stream.limit_bytes.unwrap_or(0) >> 20;
            let detail = format!("{name}: {} of {limit} MiB", stream.bytes >> 20);
            findings.push(finding(LEDGER, findings::STORE_NEARLY_FULL, detail));
        }
        if stream.drops_old {
            findings.push(finding(LEDGER, findings::STREAM_DROPS_OLD, name));
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

/// Version of each server, and how it flushes to the disk, which it tells at its monitoring port
/// only.
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
        found.extend(server_findings(monitor, fetch_varz(monitor).await.as_ref()));
    }
    found
}

/// Findings on one server by its `/varz`. The others of a cluster may have other versions than the
/// one that was connected to.
fn server_findings(monitor: &str, varz: Option<&Value>) -> Vec<Finding> {
    let Some(varz) = varz else {
        return vec![finding(LEDGER, findings::NATS_SYNC_UNKNOWN, monitor)];
    };
    let version = varz["version"].as_str().unwrap_or_default();
    let config = &varz["jetstream"]["config"];
    let is_synced = config["sync_always"] == true;
    let sync = if is_synced { findings::NATS_SYNCED } else { findings::NATS_NOT_SYNCED };
    let loss = loss_by(version).map(|loss| {
        finding(LEDGER, findings::NATS_UNFIT, format!("{monitor}, NATS {version}: {loss}"))
    });
    loss.into_iter().chain([finding(LEDGER, sync, monitor)]).collect()
}

/// The `/varz` of a server; `None` if it does not answer as a NATS server with JetStream does.
async fn fetch_varz(monitor: &str) -> Option<Value> {
    let url = Url::parse(monitor).ok()?;
    let address = format!("{}:{}", url.host_str()?, url.port_or_known_default()?);
    let response = plain_http::get(&address, "/varz").await.ok()?;
    let body: Value = serde_json::from_str(response.rsplit("\r\n\r\n").next()?).ok()?;
    body["jetstream"]["config"].is_object().then_some(body)
}

pub(super) async fn redis(redis: &RedisCache, context: &ProbeContext) -> Vec<Finding> {
    let sent = context.now_ms();
    match redis.inspect().await {
        Ok(facts) => {
            let mut findings = redis_findings(&facts);
            let received = context.now_ms();
            findings.push(context.compare_clock(CACHE, facts.time_ms, sent, received));
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
    use paihao_contracts::partitions::Partitions;
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
            bytes: 79,
            limit_bytes: Some(100),
            drops_old: false,
        };
        let facts = ServerInfo {
            version: "2.15.1".into(),
            untested: false,
            unfit: None,
            can_sync: true,
            partitions: Partitions::ONE,
            streams: vec![stream.clone()],
            missing: Vec::new(),
            time_ms: None,
        };
        assert_eq!(codes(&nats_findings(&facts, 1)), ["nats_ok", "streams_ok"]);
        assert_eq!(codes(&nats_findings(&facts, 3)), ["nats_ok", "stream_replicas"]);
        let unfit = ServerInfo { unfit: Some("streams can be lost"), ..facts.clone() };
        assert_eq!(codes(&nats_findings(&unfit, 1)), ["nats_unfit", "streams_ok"]);
        let full = StreamInfo { bytes: 80, drops_old: true, ..stream.clone() };
        let full = ServerInfo { streams: vec![full], ..facts.clone() };
        let both = ["nats_ok", "store_nearly_full", "stream_drops_old"];
        assert_eq!(codes(&nats_findings(&full, 1)), both);
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
    fn each_server_of_a_cluster_is_judged_by_its_own_version() {
        let varz = |version: &str, config: Value| serde_json::json!({ "version": version, "jetstream": { "config": config } });
        let synced = serde_json::json!({ "sync_always": true });
        let found = |varz: Option<Value>| {
            codes(&server_findings("m", varz.as_ref())).into_iter().map(str::to_owned).collect()
        };
        let of: fn(&[&str]) -> Vec<String> =
            |codes| codes.iter().map(|c| (*c).to_owned()).collect();
        let all: Vec<(&str, bool)> = vec![
            ("2.9.10", false),
            ("2.10.19", false),
            ("2.10.20", true),
            ("2.10.21", true),
            ("2.10.22", true),
            ("2.10.23", false),
            ("2.15.1", false),
        ];
        for (version, loses) in all {
            let unfit = if loses { &["nats_unfit"][..] } else { &[] };
            let with_sync: Vec<String> = found(Some(varz(version, synced.clone())));
            assert_eq!(with_sync, of(&[unfit, &["nats_synced"]].concat()), "{version}");
            let without: Vec<String> = found(Some(varz(version, serde_json::json!({}))));
            assert_eq!(without, of(&[unfit, &["nats_not_synced"]].concat()), "{version}");
        }
        let unknown: Vec<String> = found(None);
        assert_eq!(unknown, of(&["nats_sync_unknown"]));
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
