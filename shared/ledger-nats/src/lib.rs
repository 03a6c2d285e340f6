//! The ledger on NATS JetStream, for roles in separate processes.
//!
//! A log is a stream with a NATS subject for each subject of the log; an append is one publish that
//! carries its expected sequence and waits for the acknowledgement, or a message of a batch of them
//! where many would wait for the disk. A work queue is a stream that
//! keeps each message until it is acknowledged. Streams and consumers are created on first use and
//! again when they are found missing. While the server is unavailable every call ends within its
//! timeout, and followers and workers wait and then continue.
//!
//! Supported servers: [`MIN_SERVER_VERSION`] to [`MAX_TESTED_SERVER_VERSION`]; the whole suite of
//! the port runs against both, and against three servers with replicated streams. An acknowledged
//! entry survives a power cut if the server has `sync_interval: always` in its configuration, also
//! with three replicas. Reads by which somebody decides are confirmed by a quorum of the replicas.

mod ledger;
mod options;

mod connection;
mod partitions;
mod quorum;
mod stream_config;
mod streams;

mod append;
mod erase;
mod follow;
mod gather;
mod group_commit;
mod server_time;

mod abandoned;
mod consumer;
mod pull_request;

mod backup_source;
mod division;
mod inspect;
mod log_writer;
mod restore_target;

mod message;
mod naming;

pub use backup_source::NatsBackup;
pub use division::{Division, DivisionError, DivisionProgress};
pub use restore_target::NatsRestore;

pub use inspect::{ServerInfo, StreamInfo, inspect, loss_by};
pub use ledger::NatsLedger;
pub use options::{ConnectError, MAX_TESTED_SERVER_VERSION, MIN_SERVER_VERSION, NatsOptions};
