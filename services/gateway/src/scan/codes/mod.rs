//! QR codes. WeChat creates them; it limits the number of permanent ones, and the calls of a
//! day.
//!
//! - [`permanent`]: permanent codes of queues, each created once and stored in the settings log;
//! - [`page`]: codes that lead to a page of this system instead;
//! - [`pool`]: temporary codes for sessions, created before they are needed;
//! - `source`: the port that creates them;
//! - [`usage`]: the use of WeChat's limits.

pub mod page;
pub mod permanent;
pub mod pool;
mod source;
pub mod usage;

pub(crate) use source::count_created;
pub use source::{CodeSource, DailyCallUsage, UsageSource};
