//! Fake source of WeChat's codes, which counts its calls and can refuse them.

use async_trait::async_trait;
use paihao_gateway::scan::codes::{CodeSource, DailyCallUsage, UsageSource};
use paihao_wechat::{
    AccountClientError, CallError, CallPriority, FailureClass, Picture, QrCode, QrRequest, Refusal,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Source of numbered codes.
#[derive(Default)]
pub struct FakeCodeSource {
    /// Requests so far, each with its priority.
    pub requests: Mutex<Vec<(QrRequest, CallPriority)>>,
    /// Number of further calls that are refused with this code.
    refusals_left: AtomicI64,
    refusal_code: AtomicI64,
    /// Delay of each answer.
    pub response_delay: Mutex<Duration>,
    /// Lifetime of temporary codes, in place of the requested one.
    pub code_lifetime: Mutex<Option<Duration>>,
}

impl FakeCodeSource {
    pub fn new() -> Arc<FakeCodeSource> {
        Arc::new(FakeCodeSource::default())
    }

    /// Refuses the next `times` calls with `code`.
    pub fn refuse_next(&self, times: i64, code: i64) {
        self.refusal_code.store(code, Ordering::SeqCst);
        self.refusals_left.store(times, Ordering::SeqCst);
    }

    /// Number of calls, refused ones included.
    pub fn call_count(&self) -> usize {
        self.requests.lock().len()
    }
}

#[async_trait]
impl CodeSource for FakeCodeSource {
    async fn create(
        &self,
        _: &str,
        request: &QrRequest,
        priority: CallPriority,
    ) -> Result<QrCode, AccountClientError> {
        let number = {
            let mut requests = self.requests.lock();
            requests.push((request.clone(), priority));
            requests.len()
        };
        let delay = *self.response_delay.lock();
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        if self.refusals_left.fetch_sub(1, Ordering::SeqCst) > 0 {
            let code = self.refusal_code.load(Ordering::SeqCst);
            let refusal = Refusal {
                code,
                name: "refused",
                class: FailureClass::RetryLater(None),
                sentence: String::new(),
            };
            return Err(CallError::Refused(refusal).into());
        }
        let lifetime = self.code_lifetime.lock().or(request.expiry());
        Ok(QrCode {
            ticket: format!("T{number}"),
            url: format!("http://weixin.qq.com/q/{number}"),
            expires_in: request.expiry().and(lifetime),
        })
    }

    async fn picture(&self, _: &str) -> Result<Picture, AccountClientError> {
        unreachable!("nobody asks for a picture here")
    }

    fn daily_limit(&self, _: &str) -> Option<u64> {
        Some(100_000)
    }

    async fn usage_today(&self, _: &str) -> DailyCallUsage {
        let made = self.call_count() as u64;
        DailyCallUsage { made, cap: Some(100_000), counted_by: UsageSource::Wechat }
    }
}
