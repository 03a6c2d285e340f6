//! The ledger on NATS JetStream, for roles in separate processes.
//!
//! A log is a stream with a subject for each subject of the log; an append is one publish that
//! carries its expectation and waits for the acknowledgement. A work queue is a stream that keeps
//! each message until it is done. Streams and consumers are made when they are first needed and
//! again when they are found missing. While the server is away every call ends within its time,
//! and followers and workers wait and then go on.
//!
//! Supported servers: [`MIN_SERVER_VERSION`] to [`MAX_TESTED_SERVER_VERSION`]; the whole suite of the port runs
//! against both. How safe an acknowledged entry is against a power cut is the server's business:
//! three replicas, or `sync_interval: always` in its configuration.

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

mod backoff;
mod message;
mod naming;

pub use inspect::{ServerInfo, StreamInfo, inspect};
pub use ledger::NatsLedger;
pub use options::{ConnectError, MAX_TESTED_SERVER_VERSION, MIN_SERVER_VERSION, NatsOptions};
