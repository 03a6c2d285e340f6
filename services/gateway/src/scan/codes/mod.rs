//! The QR codes that WeChat makes. WeChat counts them: permanent ones for ever, all of them by the
//! day.
//!
//! - [`permanent_codes`]: permanent ones for the doors of queues, each made once and kept in the book;
//! - [`pool`]: temporary ones for sessions, made ahead of need;
//! - [`usage`]: what all of them have cost.

pub mod permanent;
pub mod pool;

pub mod usage;

use async_trait::async_trait;
use paihao_wechat::{
    AccountClient, AccountClientError, Api, CallPriority, Picture, QrCode, QrRequest,
};
use usage::{DailyCallUsage, UsageSource};

/// Who makes codes: WeChat, or a test's stand-in.
#[async_trait]
pub trait CodeSource: Send + Sync + 'static {
    /// Makes a code for an account. What is worth less is held back first when a day's calls run
    /// low.
    async fn create(
        &self,
        account: &str,
        request: &QrRequest,
        worth: CallPriority,
    ) -> Result<QrCode, AccountClientError>;

    /// WeChat's own picture of a code.
    async fn picture(&self, ticket: &str) -> Result<Picture, AccountClientError>;

    /// How many codes were made for an account today.
    async fn usage_today(&self, account: &str) -> DailyCallUsage;
}

#[async_trait]
impl CodeSource for AccountClient {
    async fn create(
        &self,
        account: &str,
        request: &QrRequest,
        worth: CallPriority,
    ) -> Result<QrCode, AccountClientError> {
        self.with_priority(worth).create_qr(account, request).await
    }

    async fn picture(&self, ticket: &str) -> Result<Picture, AccountClientError> {
        Ok(self.show_qr(ticket).await?)
    }

    async fn usage_today(&self, account: &str) -> DailyCallUsage {
        match self.with_priority(CallPriority::Low).get_quota(account, Api::CreateQr).await {
            Ok(quota) => {
                let cap = Some(quota.daily_limit).filter(|cap| *cap > 0);
                DailyCallUsage { made: quota.used, cap, counted_by: UsageSource::Wechat }
            }
            Err(error) => {
                tracing::warn!(account, %error, "WeChat did not say how many codes were made");
                let own = self.usage(account, Api::CreateQr);
                let (made, cap) = own.map_or((0, None), |own| (own.used_today, own.per_day));
                DailyCallUsage { made, cap, counted_by: UsageSource::ThisReplica }
            }
        }
    }
}

/// A code was made, and for what.
pub(crate) fn count_created(account: &str, made_for: &'static str) {
    metrics::counter!(
        "paihao_gateway_codes_made_total", "account" => account.to_owned(), "for" => made_for
    )
    .increment(1);
}

/// A code was made that nobody will see, and why.
fn count_lost(account: &str, why: &'static str) {
    metrics::counter!(
        "paihao_gateway_codes_lost_total", "account" => account.to_owned(), "why" => why
    )
    .increment(1);
}
