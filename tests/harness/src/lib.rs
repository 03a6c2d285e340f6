//! Test harness: real servers, and the ways in which they fail.
//!
//! A server listens on a free loopback port, keeps its data in its own directory, and can be
//! killed, frozen, and restarted on the same port with the same data. A [`Proxy`] can be placed in
//! front of any of them and cut. All functions except [`wait_until`] block while they wait, so that
//! they can be used with and without a runtime.

#![expect(clippy::disallowed_methods, reason = "waits in real time, whatever a test's clock does")]

mod browser;
mod nats;
mod redis;

mod proxy;
mod wait;

mod ports;
mod process;
mod program;
mod tools;

pub use browser::ChromeDriver;
pub use nats::{NatsServer, NatsSetup};
pub use ports::free_port;
pub use program::Program;
pub use proxy::Proxy;
pub use redis::RedisServer;
pub use tools::{nats_server, nats_server_oldest, redis_server};
pub use wait::wait_until;
