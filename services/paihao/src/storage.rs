//! Watch over the size of the stores: gauges, and a warning before one is full.

use paihao_chassis::CancellationToken;
use paihao_ledger::{Ledger, StoreUsage};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Interval between two looks.
const INTERVAL: Duration = Duration::from_secs(15);

/// Share of a limit, in percent, from which a warning is due.
pub(crate) const WARNING_PERCENT: u64 = 80;

/// Looks at the sizes until the stop.
pub(crate) async fn watch(ledger: Arc<dyn Ledger>, stop: CancellationToken) {
    let mut warnings = Warnings::default();
    let watching = async {
        loop {
            match ledger.usage().await {
                Ok(usage) => usage.iter().for_each(|part| {
                    record(part);
                    warnings.note(part);
                }),
                Err(error) => tracing::debug!(%error, "cannot read the size of the ledger"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(watching).await;
}

fn record(part: &StoreUsage) {
    let StoreUsage { name, bytes, limit_bytes } = part;
    metrics::gauge!("paihao_store_bytes", "store" => name.clone()).set(*bytes as f64);
    let limit = limit_bytes.map_or(f64::INFINITY, |limit| limit as f64);
    metrics::gauge!("paihao_store_limit_bytes", "store" => name.clone()).set(limit);
}

/// True from [`WARNING_PERCENT`] of the limit on.
pub(crate) fn is_nearly_full(bytes: u64, limit_bytes: Option<u64>) -> bool {
    limit_bytes.is_some_and(|limit| {
        u128::from(bytes) * 100 >= u128::from(limit) * u128::from(WARNING_PERCENT)
    })
}

/// Parts that are nearly full, each of which was warned of once.
#[derive(Default)]
struct Warnings(BTreeSet<String>);

impl Warnings {
    /// Notes the size of a part, and warns when it crosses the share. Returns whether it did.
    fn note(&mut self, part: &StoreUsage) -> bool {
        let StoreUsage { name, bytes, limit_bytes } = part;
        if !is_nearly_full(*bytes, *limit_bytes) {
            if self.0.remove(name) {
                tracing::info!(store = name, bytes, "a part of the ledger has room again");
            }
            return false;
        }
        let is_new = self.0.insert(name.clone());
        if is_new {
            let limit = limit_bytes.unwrap_or(0);
            tracing::warn!(
                store = name,
                bytes,
                limit,
                "a part of the ledger is nearly full, and takes nothing more at its limit"
            );
        }
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_crossing_is_warned_of_once() {
        let mut warnings = Warnings::default();
        let mut note = |name: &str, bytes, limit_bytes| {
            warnings.note(&StoreUsage { name: name.to_owned(), bytes, limit_bytes })
        };
        assert!(!note("ledger", 79, Some(100)));
        assert!(note("ledger", 80, Some(100)));
        assert!(!note("ledger", 95, Some(100)) && !note("ledger", 120, Some(100)));
        assert!(note("history", 80, Some(100)), "each part for itself");
        assert!(!note("ledger", 79, Some(100)));
        assert!(note("ledger", 80, Some(100)), "a second crossing");
        assert!(!note("notices", u64::MAX, None), "no limit");
        assert!(note("book", u64::MAX, Some(u64::MAX)));
    }
}
