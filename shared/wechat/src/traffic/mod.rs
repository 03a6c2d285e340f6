//! How much WeChat is called: for each account and call by itself, so that one account's trouble
//! never slows another's.
//!
//! In reading order: [`Limits`] is what is allowed; `rate`, `budget` and `breaker` each know one
//! reason to hold a call back, and `state` decides from all three, purely; [`Gates`] lets calls
//! through, waits with those that have to, and learns from how they end.

mod limits;

mod breaker;
mod budget;
mod rate;
mod state;

pub use breaker::BreakerRules;
pub use limits::{Limit, Limits, Value};
pub use rate::Rate;
pub use state::{Busy, Reason};

use crate::api::Api;
use crate::error::CallError;
use crate::quota::Quota;
use parking_lot::Mutex;
use state::{Moment, State};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// Tells the time of day in Unix milliseconds.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// One gate for each account and call.
pub struct Gates {
    limits: Limits,
    begun: Instant,
    now_ms: NowMs,
    gates: Mutex<HashMap<(String, Api), Arc<Gate>>>,
}

/// How a gate stands, for an operator to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Calls made today, by our own count or WeChat's last word.
    pub used_today: u64,
    /// The day's cap, if there is one.
    pub per_day: Option<u64>,
    /// WeChat said that the day's calls are used up.
    pub stopped: bool,
}

impl Gates {
    /// Gates with these limits. Must be called within a runtime, whose time they live in.
    pub fn new(limits: Limits, now_ms: NowMs) -> Arc<Gates> {
        Arc::new(Gates { limits, begun: Instant::now(), now_ms, gates: Mutex::default() })
    }

    /// How the gate of this account and call stands.
    pub fn standing(&self, account: &str, api: Api) -> Standing {
        let gate = self.gate(account, api);
        let state = gate.state.lock();
        Standing {
            used_today: state.budget.used(),
            per_day: state.budget.limit(),
            stopped: state.budget.is_stopped(),
        }
    }

    /// Waits for a call's turn, or says why it should not be made now.
    pub(crate) async fn pass(
        self: &Arc<Self>,
        account: &str,
        api: Api,
        value: Value,
    ) -> Result<Pass, Busy> {
        let gate = self.gate(account, api);
        let passed = self.through(&gate, value).await;
        if let Err(busy) = &passed {
            metrics::counter!(
                "paihao_wechat_held_back_total",
                "account" => gate.account.clone(), "api" => api.name(), "reason" => busy.reason.name()
            )
            .increment(1);
        }
        passed
    }

    async fn through(self: &Arc<Self>, gate: &Arc<Gate>, value: Value) -> Result<Pass, Busy> {
        // Who will be refused anyway need not wait for that.
        gate.state.lock().look(self.now(), value)?;
        let patience = self.limits.patience;
        let Ok(permit) = timeout(patience, gate.slots.clone().acquire_owned()).await else {
            return Err(Busy { reason: Reason::InFlight, retry_after: patience });
        };
        let admitted = gate.state.lock().admit(self.now(), value)?;
        let pass = Pass {
            gates: self.clone(),
            gate: gate.clone(),
            probe: admitted.probe,
            ended: false,
            permit: Some(permit.expect("nobody closes the semaphore")),
        };
        gate.tell();
        sleep(admitted.after).await;
        Ok(pass)
    }

    /// WeChat's own figures of a call, of which `before` were counted here when it was asked.
    pub(crate) fn learn(&self, account: &str, api: Api, before: u64, quota: &Quota) {
        let gate = self.gate(account, api);
        let now_ms = (self.now_ms)();
        gate.state.lock().budget.learn(now_ms, before, quota.used, quota.daily_limit);
        gate.tell();
    }

    /// An account's quotas were set back.
    pub(crate) fn cleared(&self, account: &str) {
        let all: Vec<_> = self.gates.lock().values().cloned().collect();
        for gate in all.iter().filter(|gate| gate.account == account) {
            gate.state.lock().clear();
            gate.tell();
        }
    }

    fn now(&self) -> Moment {
        Moment { since: self.begun.elapsed(), unix_ms: (self.now_ms)() }
    }

    fn gate(&self, account: &str, api: Api) -> Arc<Gate> {
        let mut gates = self.gates.lock();
        let gate = gates.entry((account.to_owned(), api)).or_insert_with(|| {
            let limit = self.limits.of(account, api);
            let slots = match limit.in_flight {
                0 => Semaphore::MAX_PERMITS,
                most => most.min(Semaphore::MAX_PERMITS),
            };
            let gate = Arc::new(Gate {
                account: account.to_owned(),
                api,
                slots: Arc::new(Semaphore::new(slots)),
                most: slots,
                state: Mutex::new(State::new(limit, &self.limits)),
            });
            gate.tell_limits(limit);
            gate
        });
        gate.clone()
    }
}

struct Gate {
    account: String,
    api: Api,
    slots: Arc<Semaphore>,
    most: usize,
    state: Mutex<State>,
}

impl Gate {
    fn gauge(&self, name: &'static str, value: f64) {
        metrics::gauge!(name, "account" => self.account.clone(), "api" => self.api.name())
            .set(value);
    }

    /// What it is held against; 0 is no limit.
    fn tell_limits(&self, limit: Limit) {
        self.gauge("paihao_wechat_in_flight_limit", limit.in_flight as f64);
        self.gauge("paihao_wechat_rate_limit", f64::from(limit.per_second));
    }

    fn tell(&self) {
        let (level, left, stopped, used, limit) = {
            let state = self.state.lock();
            let left = state.budget.free(Value::High);
            let (used, limit) = (state.budget.used(), state.budget.limit());
            (state.breaker.level(), left, state.budget.is_stopped(), used, limit)
        };
        let gauge = |name, value| self.gauge(name, value);
        gauge("paihao_wechat_budget_used", used as f64);
        gauge("paihao_wechat_budget_limit", limit.unwrap_or(0) as f64);
        gauge("paihao_wechat_in_flight", (self.most - self.slots.available_permits()) as f64);
        gauge("paihao_wechat_circuit", level);
        gauge("paihao_wechat_quota_stopped", f64::from(u8::from(stopped)));
        if let Some(left) = left {
            gauge("paihao_wechat_budget_left", left as f64);
        }
    }
}

/// The right to make one call. A call that is given up half-way gives it back.
pub(crate) struct Pass {
    gates: Arc<Gates>,
    gate: Arc<Gate>,
    probe: bool,
    ended: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl Pass {
    /// Learns from how the call ended.
    pub(crate) fn ended<T>(mut self, answer: &Result<T, CallError>) {
        self.ended = true;
        let now = self.gates.now();
        self.gate.state.lock().ended(now, self.probe, answer.as_ref().err());
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if !self.ended && self.probe {
            let since = self.gates.begun.elapsed();
            self.gate.state.lock().breaker.abandon(since);
        }
        // Told when the place is free again, or the gauge would show a call that is over.
        self.permit.take();
        self.gate.tell();
    }
}

#[cfg(test)]
mod tests;
