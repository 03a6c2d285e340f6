//! The ledger on NATS JetStream, for roles in separate processes.
//!
//! A log is a stream with a NATS subject for each subject of the log; an append is one publish that
//! carries its expected sequence and waits for the acknowledgement. A work queue is a stream that
//! keeps each message until it is acknowledged. Streams and consumers are created on first use and
//! again when they are found missing. While the server is unavailable every call ends within its
//! timeout, and followers and workers wait and then continue.
//!
//! Supported servers: [`MIN_SERVER_VERSION`] to [`MAX_TESTED_SERVER_VERSION`]; the whole suite of
//! the port runs against both. Durability of an acknowledged entry in a power cut depends on the
//! server: three replicas, or `sync_interval: always` in its configuration.

mod ledger;
mod options;

mod connection;
mod streams;

mod append;
mod follow;

mod abandoned;
mod consumer;
mod pull_request;

mod inspect;

mod message;
mod naming;

pub use inspect::{ServerInfo, StreamInfo, inspect};
pub use ledger::NatsLedger;
pub use options::{ConnectError, MAX_TESTED_SERVER_VERSION, MIN_SERVER_VERSION, NatsOptions};
