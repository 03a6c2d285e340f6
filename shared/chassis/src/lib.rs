//! What every process needs and no product rule: a clock, randomness, a lifecycle with a soft and
//! a hard stop, configuration, logs, metrics, and the admin port.
//!
//! The rest of the house asks here for time and chance, and starts its tasks here, so that a test
//! can hold all three still.

pub mod clock;
pub mod entropy;

pub mod backoff;
pub mod lifecycle;
pub mod tasks;

pub mod config;

pub mod metrics;
pub mod telemetry;
pub mod trace;

pub mod admin;
pub mod http;

pub use lifecycle::{Exit, Lifecycle};
pub use tasks::Tasks;
pub use tokio_util::sync::CancellationToken;
