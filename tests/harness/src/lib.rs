//! Test harness: real servers, and the ways in which they fail.
//!
//! A server listens on a free loopback port, keeps its data in its own directory, and can be
//! killed, frozen, and restarted on the same port with the same data. A [`Proxy`] can be placed in
//! front of any of them and cut. All functions except [`wait_until`] block while they wait, so that
//! they can be used with and without a runtime.

#![expect(clippy::disallowed_methods, reason = "waits in real time, whatever a test's clock does")]

mod acme;
mod browser;
mod certificates;
mod clock_offset;
mod nats;
mod nats_cluster;
mod redis;

mod power;
mod preload;
mod proxy;
mod wait;

mod ports;
mod process;
mod program;
mod syncs;
mod tools;

pub use acme::{AcmeServer, wait_for_https_port};
pub use browser::ChromeDriver;
pub use certificates::Certificates;
pub use clock_offset::ClockOffset;
pub use nats::{NatsServer, NatsSetup, SavedData};
pub use nats_cluster::NatsCluster;
pub use ports::free_port;
pub use power::{PowerCut, SyncedFiles};
pub use program::Program;
pub use proxy::Proxy;
pub use redis::RedisServer;
pub use syncs::{count_syncs, synced_files};
pub use tools::{
    blackbox_exporter, kubectl, kubernetes_validate, nats_server, nats_server_oldest, nginx,
    prometheus, promtool, python, python_packages, redis_server, schemathesis,
};
pub use wait::wait_until;
