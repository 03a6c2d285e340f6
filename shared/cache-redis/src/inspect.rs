//! Read-only inspection of Redis, for an operator before the first start.

use crate::connection::{Request, Retry};
use crate::{RedisCache, Unavailable};
use redis::{InfoDict, cmd};

/// The oldest Redis that has every command in use.
pub const MIN_SERVER_VERSION: (u64, u64) = (6, 2);

/// Facts about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisServerInfo {
    /// Version of the server.
    pub version: String,
    /// True if it is older than [`MIN_SERVER_VERSION`].
    pub too_old: bool,
    /// True if it is a replica and refuses writes.
    pub is_replica: bool,
    /// True if every write goes to the append-only file.
    pub aof_enabled: bool,
    /// True if it writes RDB snapshots by itself; `None` if it does not disclose that.
    pub rdb_enabled: Option<bool>,
    /// True if the last write of either file failed.
    pub write_failed: bool,
    /// Memory limit in bytes; 0 means none.
    pub max_memory: u64,
    /// Eviction policy at that limit: `noeviction` evicts nothing.
    pub eviction_policy: String,
    /// Time of the server, in Unix milliseconds.
    pub time_ms: i64,
}

impl RedisCache {
    /// Inspects the server.
    pub async fn inspect(&self) -> Result<RedisServerInfo, Unavailable> {
        let info: InfoDict = self.connection.run(Retry::Yes, Request::Command(cmd("INFO"))).await?;
        let field = |key: &str| info.get::<String>(key).unwrap_or_default();
        let time_ms = self.server_time().await?;
        // A managed Redis may not have this command.
        let get_save = cmd("CONFIG").arg("GET").arg("save").take();
        let save: Option<Vec<String>> =
            self.connection.run(Retry::Yes, Request::Command(get_save)).await.ok();
        let version = field("redis_version");
        let failed = |key: &str| info.get::<String>(key).is_some_and(|status| status != "ok");
        Ok(RedisServerInfo {
            too_old: parse_version(&version).is_none_or(|version| version < MIN_SERVER_VERSION),
            version,
            is_replica: field("role") == "slave",
            aof_enabled: field("aof_enabled") == "1",
            rdb_enabled: save.map(|pair| pair.get(1).is_some_and(|plan| !plan.is_empty())),
            write_failed: failed("rdb_last_bgsave_status") || failed("aof_last_write_status"),
            max_memory: info.get("maxmemory").unwrap_or(0),
            eviction_policy: field("maxmemory_policy"),
            time_ms,
        })
    }
}

impl RedisCache {
    /// Returns the time of the server, in Unix milliseconds.
    pub(crate) async fn server_time(&self) -> Result<i64, Unavailable> {
        let (seconds, micros): (i64, i64) =
            self.connection.run(Retry::Yes, Request::Command(cmd("TIME"))).await?;
        Ok(seconds * 1000 + micros / 1000)
    }
}

fn parse_version(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("6.0.16") < Some(MIN_SERVER_VERSION));
        assert!(parse_version("10.1.0") > Some(MIN_SERVER_VERSION));
        assert_eq!(parse_version("soon"), None);
    }
}
