//! QR codes. WeChat creates them; it limits the number of permanent ones, and the calls of a
//! day.
//!
//! - [`permanent`]: permanent codes of queues, each created once and stored in the settings log;
//! - [`page`]: codes that lead to a page of this system instead;
//! - [`pool`]: temporary codes for sessions, created before they are needed;
//! - [`share`]: the share of the day's calls for those who are not known;
//! - `source`: the port that creates them;
//! - [`usage`]: the use of WeChat's limits.

pub mod page;
pub mod permanent;
pub mod pool;
pub mod share;
mod source;
pub mod usage;

pub(crate) use source::count_created;
pub use source::{CodeSource, DailyCallUsage, UsageSource};
