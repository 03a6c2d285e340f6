//! Changes of behaviour through the control API; omitted fields stay as they are.

use std::time::Duration;

use serde::Deserialize;

use crate::config::{Behaviour, OnDuplicate, OnHttpError, ReceiptStatus, RepeatStamps};
use crate::send_limits::{Throttle, WindowPolicy};

/// Change of behaviour, with times in milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BehaviourChange {
    cut_ms: Option<u64>,
    repeats: Option<u32>,
    stamps: Option<RepeatStamps>,
    on_http_error: Option<OnHttpError>,
    mark_fail_after: Option<u32>,
    splits_cdata: Option<bool>,
    latency_ms: Option<u64>,
    duplicate: Option<OnDuplicate>,
    force_kills_former: Option<bool>,
    classic_kills_former: Option<bool>,
    token_life_ms: Option<u64>,
    address_listed: Option<bool>,
    menu_permitted: Option<bool>,
    throttle: Option<ThrottleChange>,
    windows: Option<WindowPolicy>,
    date_off_s: Option<i64>,
    dirty: Option<bool>,
    receipt: ReceiptChange,
}

/// Change of the throttle; all defaults remove it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ThrottleChange {
    same_in_a_minute: bool,
    #[serde(rename = "most")]
    max_messages: u32,
    within_ms: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReceiptChange {
    pushed: Option<bool>,
    delay_ms: Option<u64>,
    status: Option<ReceiptStatus>,
    copies: Option<u32>,
    before_answer: Option<bool>,
    zero_id: Option<bool>,
}

impl BehaviourChange {
    pub(crate) fn apply(self, to: &mut Behaviour) {
        let receipt = self.receipt;
        set(&mut to.cut, self.cut_ms.map(Duration::from_millis));
        set(&mut to.repeats, self.repeats);
        set(&mut to.stamps, self.stamps);
        set(&mut to.on_http_error, self.on_http_error);
        set(&mut to.mark_fail_after, self.mark_fail_after);
        set(&mut to.splits_cdata, self.splits_cdata);
        set(&mut to.latency, self.latency_ms.map(Duration::from_millis));
        set(&mut to.duplicate, self.duplicate);
        set(&mut to.force_kills_former, self.force_kills_former);
        set(&mut to.classic_kills_former, self.classic_kills_former);
        set(&mut to.token_life, self.token_life_ms.map(Duration::from_millis));
        set(&mut to.address_listed, self.address_listed);
        set(&mut to.menu_permitted, self.menu_permitted);
        set(&mut to.windows, self.windows);
        set(&mut to.date_off_s, self.date_off_s);
        set(&mut to.dirty, self.dirty);
        if let Some(change) = self.throttle {
            let within = Duration::from_millis(change.within_ms);
            let same_in_a_minute = change.same_in_a_minute;
            let max_messages = change.max_messages;
            let throttle = Throttle { same_in_a_minute, max_messages, within };
            to.throttle = Some(throttle).filter(|_| same_in_a_minute || max_messages > 0);
        }
        set(&mut to.receipt.pushed, receipt.pushed);
        set(&mut to.receipt.delay, receipt.delay_ms.map(Duration::from_millis));
        set(&mut to.receipt.status, receipt.status);
        set(&mut to.receipt.copies, receipt.copies);
        set(&mut to.receipt.before_answer, receipt.before_answer);
        set(&mut to.receipt.zero_id, receipt.zero_id);
    }
}

fn set<T>(to: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *to = value;
    }
}
