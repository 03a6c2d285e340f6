//! Receipts that wait for the ledger, in the memory of this replica. One that is lost with it
//! leaves its notice `sent`.

use paihao_contracts::receipt::Receipt;
use parking_lot::Mutex;
use std::collections::VecDeque;

/// Most receipts that wait; a day of a large account has some thousands.
const MAX_LATE_RECEIPTS: usize = 10_000;

/// Receipts in the order in which they came.
#[derive(Default)]
pub(crate) struct LateReceipts(Mutex<VecDeque<Receipt>>);

impl LateReceipts {
    pub(super) fn keep(&self, receipt: Receipt) {
        let mut waiting = self.0.lock();
        if waiting.len() >= MAX_LATE_RECEIPTS {
            metrics::counter!("paihao_gateway_receipts_lost_total").increment(1);
            return;
        }
        if waiting.is_empty() {
            tracing::warn!("cannot queue a receipt, keeping it until the ledger is back");
        }
        waiting.push_back(receipt);
    }

    pub(super) fn first(&self) -> Option<Receipt> {
        self.0.lock().front().cloned()
    }

    pub(super) fn remove_first(&self) {
        self.0.lock().pop_front();
    }
}
