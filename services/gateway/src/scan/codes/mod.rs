//! QR codes that WeChat makes. WeChat limits permanent ones for ever, and all of them by the day.
//!
//! - [`permanent`]: permanent codes of queues, each made once and kept in the settings log;
//! - [`pool`]: temporary codes for sessions, made before they are needed;
//! - `source`: the calls that make them;
//! - [`usage`]: the use of WeChat's limits.

pub mod permanent;
pub mod pool;
mod source;
pub mod usage;

pub(crate) use source::count_created;
pub use source::{CodeSource, DailyCallUsage, UsageSource};
