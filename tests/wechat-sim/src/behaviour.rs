//! A change of behaviour as the control API takes it: only what is named changes.

use std::time::Duration;

use serde::Deserialize;

use crate::config::{Behaviour, OnDuplicate, OnHttpError, ReceiptStatus, RepeatStamps};

/// Times are in milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Change {
    cut_ms: Option<u64>,
    repeats: Option<u32>,
    stamps: Option<RepeatStamps>,
    on_http_error: Option<OnHttpError>,
    latency_ms: Option<u64>,
    duplicate: Option<OnDuplicate>,
    force_kills_former: Option<bool>,
    receipt: ReceiptChange,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReceiptChange {
    pushed: Option<bool>,
    delay_ms: Option<u64>,
    status: Option<ReceiptStatus>,
    copies: Option<u32>,
    before_answer: Option<bool>,
}

impl Change {
    pub(crate) fn apply(self, to: &mut Behaviour) {
        let receipt = self.receipt;
        set(&mut to.cut, self.cut_ms.map(Duration::from_millis));
        set(&mut to.repeats, self.repeats);
        set(&mut to.stamps, self.stamps);
        set(&mut to.on_http_error, self.on_http_error);
        set(&mut to.latency, self.latency_ms.map(Duration::from_millis));
        set(&mut to.duplicate, self.duplicate);
        set(&mut to.force_kills_former, self.force_kills_former);
        set(&mut to.receipt.pushed, receipt.pushed);
        set(&mut to.receipt.delay, receipt.delay_ms.map(Duration::from_millis));
        set(&mut to.receipt.status, receipt.status);
        set(&mut to.receipt.copies, receipt.copies);
        set(&mut to.receipt.before_answer, receipt.before_answer);
    }
}

fn set<T>(to: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *to = value;
    }
}
