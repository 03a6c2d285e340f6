//! The cache on Redis, shared by every replica.
//!
//! Every call ends within the configured timeout, whatever Redis does; a failed connection is
//! replaced. Compare-and-set and leases are scripts, which Redis runs one at a time.

mod connection;
mod inspect;
mod scripts;
mod tls;

pub use inspect::{MIN_SERVER_VERSION, RedisServerInfo};

use async_trait::async_trait;
use bytes::Bytes;
use connection::{Connection, Request, Retry};
use paihao_cache::{Cache, CacheValue, CasOutcome, Lease, Unavailable};
use redis::{Client, Cmd, IntoConnectionInfo, cmd};
use scripts::Scripts;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Options of the connection to Redis.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://host:port/db`, or `rediss://…` with TLS. It may contain a user and a password,
    /// though [`password`] is the better place for the latter.
    ///
    /// [`password`]: RedisOptions::password
    pub url: String,
    /// Password, if Redis requires one; overrides that in the address.
    pub password: Option<SecretString>,
    /// Prefix of every key, so that several deployments can share one Redis.
    pub namespace: String,
    /// Timeout of a call, including a connection attempt; 1 s by default.
    pub timeout: Duration,
    /// Certificates of the authority that Redis is verified by, as PEM; those of the machine
    /// without it.
    pub tls_ca: Option<PathBuf>,
    /// Certificate of this client as PEM, if Redis asks for one.
    pub tls_certificate: Option<PathBuf>,
    /// Key of the certificate, as PEM.
    pub tls_key: Option<PathBuf>,
}

impl RedisOptions {
    /// Default options for this address.
    pub fn new(url: impl Into<String>) -> Self {
        RedisOptions {
            url: url.into(),
            password: None,
            namespace: "paihao".to_owned(),
            timeout: Duration::from_secs(1),
            tls_ca: None,
            tls_certificate: None,
            tls_key: None,
        }
    }
}

impl fmt::Debug for RedisOptions {
    /// Prints without the address: it may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("namespace", &self.namespace)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// Errors in the options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    /// The address cannot be used. It is not repeated, since it may contain a password.
    #[error("the address of Redis is not of the form redis://host:port/db, or rediss:// with TLS")]
    Address,
    /// The files of TLS cannot be used.
    #[error("TLS of Redis: {0}")]
    Tls(String),
}

/// A cache on Redis 6.2 or newer.
pub struct RedisCache {
    connection: Connection,
    scripts: Scripts,
    namespace: String,
}

impl RedisCache {
    /// Creates a cache at this address. It does not wait for Redis, so that services may start in
    /// any order: the first call connects, and [`Cache::check`] tells whether Redis is available.
    pub fn connect(options: RedisOptions) -> Result<Self, InvalidOptions> {
        let info = options.url.as_str().into_connection_info();
        let mut info = info.map_err(|_| InvalidOptions::Address)?;
        if let Some(password) = &options.password {
            let settings = info.redis_settings().clone().set_password(password.expose_secret());
            info = info.set_redis_settings(settings);
        }
        let client = match tls::certificates(&options)? {
            None => Client::open(info).map_err(|_| InvalidOptions::Address)?,
            Some(certificates) => Client::build_with_tls(info, certificates).map_err(|error| {
                // The client's words are about the files alone.
                InvalidOptions::Tls(error.to_string())
            })?,
        };
        Ok(RedisCache {
            connection: Connection::new(client, options.timeout),
            scripts: Scripts::default(),
            namespace: options.namespace,
        })
    }

    fn key(&self, key: &str) -> String {
        format!("{}:v:{key}", self.namespace)
    }

    fn set_command(&self, key: &str, value: &[u8], ttl: Duration) -> Cmd {
        cmd("SET").arg(self.key(key)).arg(value).arg("PX").arg(ttl_millis(ttl)).take()
    }

    /// Key of the lease, and key of its fencing token, which outlives it. The braces keep both on
    /// one node of a Redis cluster.
    fn lease_keys(&self, name: &str) -> [String; 2] {
        [format!("{}:l:{{{name}}}", self.namespace), format!("{}:f:{{{name}}}", self.namespace)]
    }
}

/// Expiry in the form that Redis accepts: whole milliseconds, at least one, at most ten years.
fn ttl_millis(ttl: Duration) -> u64 {
    const MAX_TTL_MS: u64 = 10 * 365 * 24 * 3600 * 1000;
    u64::try_from(ttl.as_millis()).unwrap_or(MAX_TTL_MS).clamp(1, MAX_TTL_MS)
}

#[async_trait]
impl Cache for RedisCache {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, Unavailable> {
        let command = cmd("GET").arg(self.key(key)).take();
        let found: Option<Vec<u8>> =
            self.connection.run(Retry::Yes, Request::Command(command)).await?;
        Ok(found.map(Bytes::from))
    }

    async fn put(&self, key: &str, value: Bytes, ttl: Duration) -> Result<(), Unavailable> {
        let command = self.set_command(key, &value, ttl);
        self.connection.run(Retry::Yes, Request::Command(command)).await
    }

    async fn put_all(&self, values: Vec<CacheValue>) -> Result<(), Unavailable> {
        if values.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        for CacheValue { key, value, ttl } in values {
            pipeline.add_command(self.set_command(&key, &value, ttl)).ignore();
        }
        self.connection.run(Retry::Yes, Request::Pipeline(pipeline)).await
    }

    async fn put_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Duration,
    ) -> Result<bool, Unavailable> {
        let mut command = cmd("SET");
        command.arg(self.key(key)).arg(&value[..]).arg("PX").arg(ttl_millis(ttl)).arg("NX");
        let stored: Option<String> =
            self.connection.run(Retry::No, Request::Command(command)).await?;
        Ok(stored.is_some())
    }

    async fn compare_and_set(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<CasOutcome, Unavailable> {
        let mut call = self.scripts.compare_and_set.key(self.key(key));
        call.arg(i32::from(expected.is_some())).arg(expected.unwrap_or_default());
        call.arg(&new[..]).arg(ttl_millis(ttl));
        let (is_swapped, found): (bool, Option<Vec<u8>>) =
            self.connection.run(Retry::No, Request::Script(call)).await?;
        Ok(if is_swapped {
            CasOutcome::Swapped
        } else {
            CasOutcome::Mismatch(found.map(Bytes::from))
        })
    }

    async fn remove(&self, key: &str) -> Result<(), Unavailable> {
        let command = cmd("DEL").arg(self.key(key)).take();
        self.connection.run(Retry::Yes, Request::Command(command)).await
    }

    async fn acquire(
        &self,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, Unavailable> {
        let [held, fence] = self.lease_keys(name);
        let mut call = self.scripts.acquire.key(held);
        call.key(fence).arg(holder).arg(ttl_millis(ttl));
        let fence: Option<u64> = self.connection.run(Retry::No, Request::Script(call)).await?;
        let lease = |fence| Lease { name: name.to_owned(), holder: holder.to_owned(), fence };
        Ok(fence.map(lease))
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<bool, Unavailable> {
        let [held, _] = self.lease_keys(&lease.name);
        let mut call = self.scripts.renew.key(held);
        call.arg(scripts::lease_value(lease)).arg(ttl_millis(ttl));
        self.connection.run(Retry::Yes, Request::Script(call)).await
    }

    async fn release(&self, lease: &Lease) -> Result<(), Unavailable> {
        let [held, _] = self.lease_keys(&lease.name);
        let mut call = self.scripts.release.key(held);
        call.arg(scripts::lease_value(lease));
        self.connection.run(Retry::Yes, Request::Script(call)).await
    }

    async fn time(&self) -> Result<Option<i64>, Unavailable> {
        self.server_time().await.map(Some)
    }

    async fn check(&self) -> Result<(), Unavailable> {
        let pong: String = self.connection.run(Retry::Yes, Request::Command(cmd("PING"))).await?;
        match pong.as_str() {
            "PONG" => Ok(()),
            _ => Err(Unavailable("Redis answered something else than PONG".to_owned())),
        }
    }
}
