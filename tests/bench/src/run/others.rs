//! Share of the processors that was taken by others: by processes that a run did not start.

use crate::process::{machine_cpu_time, own_tree_cpu_time, processors};
use std::time::Duration;
use tokio::time::Instant;

/// Meter that was started at a moment.
pub struct OthersMeter {
    at: Instant,
    own: Duration,
    machine: Duration,
}

impl OthersMeter {
    /// Starts now.
    pub fn start() -> anyhow::Result<OthersMeter> {
        let (own, machine) = (own_tree_cpu_time()?, machine_cpu_time()?);
        Ok(OthersMeter { at: Instant::now(), own, machine })
    }

    /// Share of all processors since then, 0 to 1.
    pub fn share(&self) -> anyhow::Result<f64> {
        let machine = machine_cpu_time()?.saturating_sub(self.machine);
        let own = own_tree_cpu_time()?.saturating_sub(self.own);
        let available = self.at.elapsed().as_secs_f64() * processors() as f64;
        Ok((machine.saturating_sub(own).as_secs_f64() / available).clamp(0.0, 1.0))
    }
}
