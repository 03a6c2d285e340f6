//! Infrastructure of every process: clock, randomness, lifecycle with a soft and a hard stop,
//! configuration, sealing of secrets, logs, metrics, and the admin port. It contains no product
//! rules.
//!
//! All other crates take time and randomness from here and start their tasks here, so that a test
//! controls all three.

pub mod checked_clock;
pub mod clock;
pub mod entropy;

pub mod backoff;
pub mod blocking;
pub mod lifecycle;
pub mod permits;
pub mod tasks;

pub mod config;
pub mod sealing;

pub mod metrics;
pub mod telemetry;
pub mod trace;

pub mod admin;
pub mod http;
pub mod memory;
pub mod open_files;

pub use lifecycle::{Exit, Lifecycle};
pub use tasks::Tasks;
pub use tokio_util::sync::CancellationToken;
