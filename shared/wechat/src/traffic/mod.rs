//! Limits on calls to WeChat, separate for each account and API, so that the trouble of one account
//! never slows another.
//!
//! In reading order: [`Limits`] is the configuration; `rate`, `budget` and `breaker` each hold one
//! reason to throttle a call, and `state` decides from all three, purely; [`CallLimiter`] admits
//! calls, delays them, and records their results.

mod limits;

mod breaker;
mod budget;
mod rate;
mod state;

pub use breaker::{Breaker, BreakerRules};
pub use limits::{CallPriority, Limit, Limits};
pub use rate::RateLimiter;
pub use state::{ThrottleReason, Throttled};

use crate::api::Api;
use crate::error::CallError;
use crate::quota::Quota;
use parking_lot::Mutex;
use state::{LimiterState, LimiterTime};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

/// Clock that returns Unix milliseconds.
pub type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Limiter of calls, with separate state for each account and API.
pub struct CallLimiter {
    limits: Limits,
    started: Instant,
    now_ms: NowMs,
    api_limiters: Mutex<HashMap<(String, Api), Arc<ApiLimiter>>>,
}

/// Usage of an API by an account, for operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiUsage {
    /// Calls made today, by our own count or WeChat's latest figure.
    pub used_today: u64,
    /// Limit of the day, if there is one.
    pub per_day: Option<u64>,
    /// True if WeChat reports the day's quota as exhausted.
    pub quota_exhausted: bool,
}

impl CallLimiter {
    /// Creates a limiter. Must be called within a Tokio runtime, whose clock it uses.
    pub fn new(limits: Limits, now_ms: NowMs) -> Arc<CallLimiter> {
        Arc::new(CallLimiter {
            limits,
            started: Instant::now(),
            now_ms,
            api_limiters: Mutex::default(),
        })
    }

    /// Usage of an API by an account.
    pub fn usage(&self, account: &str, api: Api) -> ApiUsage {
        let api_limiter = self.api_limiter(account, api);
        let state = api_limiter.state.lock();
        ApiUsage {
            used_today: state.budget.used(),
            per_day: state.budget.limit(),
            quota_exhausted: state.budget.is_exhausted(),
        }
    }

    /// Waits for the turn of a call, or returns the reason to throttle it.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        account: &str,
        api: Api,
        priority: CallPriority,
    ) -> Result<CallPermit, Throttled> {
        let api_limiter = self.api_limiter(account, api);
        let result = self.try_acquire(&api_limiter, priority).await;
        if let Err(throttled) = &result {
            metrics::counter!(
                "paihao_wechat_held_back_total",
                "account" => api_limiter.account.clone(), "api" => api.name(), "reason" => throttled.reason.name()
            )
            .increment(1);
        }
        result
    }

    async fn try_acquire(
        self: &Arc<Self>,
        api_limiter: &Arc<ApiLimiter>,
        priority: CallPriority,
    ) -> Result<CallPermit, Throttled> {
        // A call that is going to be refused does not wait first.
        api_limiter.state.lock().check(self.now(), priority)?;
        let max_wait = self.limits.max_wait;
        let Ok(permit) = timeout(max_wait, api_limiter.slots.clone().acquire_owned()).await else {
            return Err(Throttled { reason: ThrottleReason::InFlight, retry_after: max_wait });
        };
        let admitted = api_limiter.state.lock().admit(self.now(), priority)?;
        let permit = CallPermit {
            limiter: self.clone(),
            api_limiter: api_limiter.clone(),
            probe: admitted.probe,
            finished: false,
            permit: Some(permit.expect("nobody closes the semaphore")),
        };
        api_limiter.publish_metrics();
        sleep(admitted.delay).await;
        Ok(permit)
    }

    /// Takes over WeChat's own figures; `before` is the count here when they were requested.
    pub(crate) fn sync_usage(&self, account: &str, api: Api, before: u64, quota: &Quota) {
        let api_limiter = self.api_limiter(account, api);
        let now_ms = (self.now_ms)();
        api_limiter.state.lock().budget.sync_usage(now_ms, before, quota.used, quota.daily_limit);
        api_limiter.publish_metrics();
    }

    /// Records that the quotas of an account were reset.
    pub(crate) fn reset_account(&self, account: &str) {
        let all: Vec<_> = self.api_limiters.lock().values().cloned().collect();
        for api_limiter in all.iter().filter(|api_limiter| api_limiter.account == account) {
            api_limiter.state.lock().reset();
            api_limiter.publish_metrics();
        }
    }

    fn now(&self) -> LimiterTime {
        LimiterTime { elapsed: self.started.elapsed(), unix_ms: (self.now_ms)() }
    }

    fn api_limiter(&self, account: &str, api: Api) -> Arc<ApiLimiter> {
        let mut api_limiters = self.api_limiters.lock();
        let api_limiter = api_limiters.entry((account.to_owned(), api)).or_insert_with(|| {
            let limit = self.limits.for_api(account, api);
            let slots = match limit.in_flight {
                0 => Semaphore::MAX_PERMITS,
                slots => slots.min(Semaphore::MAX_PERMITS),
            };
            let api_limiter = Arc::new(ApiLimiter {
                account: account.to_owned(),
                api,
                slots: Arc::new(Semaphore::new(slots)),
                max_in_flight: slots,
                state: Mutex::new(LimiterState::new(limit, &self.limits)),
            });
            api_limiter.publish_limit_metrics(limit);
            api_limiter
        });
        api_limiter.clone()
    }
}

struct ApiLimiter {
    account: String,
    api: Api,
    slots: Arc<Semaphore>,
    max_in_flight: usize,
    state: Mutex<LimiterState>,
}

impl ApiLimiter {
    fn set_gauge(&self, name: &'static str, value: f64) {
        metrics::gauge!(name, "account" => self.account.clone(), "api" => self.api.name())
            .set(value);
    }

    /// Publishes the limits as metrics; 0 means no limit.
    fn publish_limit_metrics(&self, limit: Limit) {
        self.set_gauge("paihao_wechat_in_flight_limit", limit.in_flight as f64);
        self.set_gauge("paihao_wechat_rate_limit", f64::from(limit.per_second));
    }

    fn publish_metrics(&self) {
        let (circuit, remaining, is_exhausted, used, limit) = {
            let state = self.state.lock();
            let remaining = state.budget.remaining(CallPriority::High);
            let used = state.budget.used();
            let limit = state.budget.limit();
            (state.breaker.gauge_value(), remaining, state.budget.is_exhausted(), used, limit)
        };
        let gauge = |name, value| self.set_gauge(name, value);
        gauge("paihao_wechat_budget_used", used as f64);
        gauge("paihao_wechat_budget_limit", limit.unwrap_or(0) as f64);
        gauge(
            "paihao_wechat_in_flight",
            (self.max_in_flight - self.slots.available_permits()) as f64,
        );
        gauge("paihao_wechat_circuit", circuit);
        gauge("paihao_wechat_quota_stopped", f64::from(u8::from(is_exhausted)));
        if let Some(remaining) = remaining {
            gauge("paihao_wechat_budget_left", remaining as f64);
        }
    }
}

/// Permit for one call, returned when dropped.
pub(crate) struct CallPermit {
    limiter: Arc<CallLimiter>,
    api_limiter: Arc<ApiLimiter>,
    probe: bool,
    finished: bool,
    permit: Option<OwnedSemaphorePermit>,
}

impl CallPermit {
    /// Records the result of the call.
    pub(crate) fn finish<T>(mut self, answer: &Result<T, CallError>) {
        self.finished = true;
        let now = self.limiter.now();
        self.api_limiter.state.lock().record_outcome(now, self.probe, answer.as_ref().err());
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        if !self.finished && self.probe {
            let since = self.limiter.started.elapsed();
            self.api_limiter.state.lock().breaker.abandon_probe(since);
        }
        // Released before the gauge is set, or the gauge would include a call that has ended.
        self.permit.take();
        self.api_limiter.publish_metrics();
    }
}

#[cfg(test)]
mod tests;
