//! A stand-in for WeChat that makes codes, counts them and refuses on command.

use async_trait::async_trait;
use paihao_gateway::scan::codes::CodeSource;
use paihao_gateway::scan::codes::cost::{DailyCallUsage, UsageSource};
use paihao_wechat::{
    AccountClientError, CallError, CallPriority, FailureClass, Picture, QrCode, QrRequest, Refusal,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// 10:00 in Shanghai on 20 November 2026.
pub const MORNING: i64 = 1_795_140_000_000;

/// Makes codes.
#[derive(Default)]
pub struct Mint {
    /// What was asked for, and how much it was said to be worth.
    pub asked: Mutex<Vec<(QrRequest, CallPriority)>>,
    /// So many of the next calls are refused with this code.
    refusing: AtomicI64,
    code: AtomicI64,
    /// How long an answer takes.
    pub takes: Mutex<Duration>,
    /// How long a temporary code lives, whatever was asked for.
    pub lives: Mutex<Option<Duration>>,
}

impl Mint {
    pub fn new() -> Arc<Mint> {
        Arc::new(Mint::default())
    }

    /// Refuses so many calls from now on.
    pub fn refuse(&self, times: i64, code: i64) {
        self.code.store(code, Ordering::SeqCst);
        self.refusing.store(times, Ordering::SeqCst);
    }

    /// How many calls there were, refused ones included.
    pub fn calls(&self) -> usize {
        self.asked.lock().len()
    }
}

#[async_trait]
impl CodeSource for Mint {
    async fn create(
        &self,
        _: &str,
        request: &QrRequest,
        worth: CallPriority,
    ) -> Result<QrCode, AccountClientError> {
        let number = {
            let mut asked = self.asked.lock();
            asked.push((request.clone(), worth));
            asked.len()
        };
        let takes = *self.takes.lock();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        if self.refusing.fetch_sub(1, Ordering::SeqCst) > 0 {
            let code = self.code.load(Ordering::SeqCst);
            let (name, meaning) = ("refused", FailureClass::RetryLater(None));
            let refusal = Refusal { code, name, class: meaning, sentence: String::new() };
            return Err(CallError::Refused(refusal).into());
        }
        let (ticket, url) = (format!("T{number}"), format!("http://weixin.qq.com/q/{number}"));
        let lives = self.lives.lock().or(request.expiry());
        Ok(QrCode { ticket, url, expires_in: request.expiry().and(lives) })
    }

    async fn picture(&self, _: &str) -> Result<Picture, AccountClientError> {
        unreachable!("nobody asks for a picture here")
    }

    async fn usage_today(&self, _: &str) -> DailyCallUsage {
        let made = self.calls() as u64;
        DailyCallUsage { made, cap: Some(100_000), counted_by: UsageSource::Wechat }
    }
}
