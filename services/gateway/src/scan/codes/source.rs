//! Port to the source of QR codes, and its adapter for WeChat.

use async_trait::async_trait;
use paihao_wechat::{
    AccountClient, AccountClientError, Api, CallPriority, Picture, QrCode, QrRequest,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Port to the source of QR codes, which tests replace.
#[async_trait]
pub trait CodeSource: Send + Sync + 'static {
    /// Creates a code for an account. Calls of a lower priority are held back first when the daily
    /// quota runs low.
    async fn create(
        &self,
        account: &str,
        request: &QrRequest,
        priority: CallPriority,
    ) -> Result<QrCode, AccountClientError>;

    /// Fetches WeChat's own picture of a code.
    async fn picture(&self, ticket: &str) -> Result<Picture, AccountClientError>;

    /// Returns the number of codes that were created for an account today.
    async fn usage_today(&self, account: &str) -> DailyCallUsage;

    /// Returns the number of codes that may be created for an account in a day, as far as it is
    /// known here; `None` is no limit.
    fn daily_limit(&self, account: &str) -> Option<u64>;
}

#[async_trait]
impl CodeSource for AccountClient {
    async fn create(
        &self,
        account: &str,
        request: &QrRequest,
        priority: CallPriority,
    ) -> Result<QrCode, AccountClientError> {
        self.with_priority(priority).create_qr(account, request).await
    }

    async fn picture(&self, ticket: &str) -> Result<Picture, AccountClientError> {
        Ok(self.show_qr(ticket).await?)
    }

    fn daily_limit(&self, account: &str) -> Option<u64> {
        self.usage(account, Api::CreateQr)?.per_day
    }

    async fn usage_today(&self, account: &str) -> DailyCallUsage {
        match self.with_priority(CallPriority::Low).get_quota(account, Api::CreateQr).await {
            Ok(quota) => {
                let cap = Some(quota.daily_limit).filter(|cap| *cap > 0);
                DailyCallUsage { made: quota.used, cap, counted_by: UsageSource::Wechat }
            }
            Err(error) => {
                tracing::warn!(account, %error, "cannot read the daily quota of codes from WeChat");
                let usage = self.usage(account, Api::CreateQr);
                let (made, cap) =
                    usage.map_or((0, None), |usage| (usage.used_today, usage.per_day));
                DailyCallUsage { made, cap, counted_by: UsageSource::ThisReplica }
            }
        }
    }
}

/// Number of calls of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DailyCallUsage {
    /// Number of calls.
    pub made: u64,
    /// Daily limit, if it is known.
    pub cap: Option<u64>,
    /// Source of the numbers.
    pub counted_by: UsageSource,
}

/// Source of a number of calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// WeChat, which counts the calls of all replicas and of other systems.
    Wechat,
    /// This replica, which counts its own calls alone, if WeChat does not answer.
    ThisReplica,
}

/// Counts a created code, by its purpose.
pub(crate) fn count_created(account: &str, purpose: &'static str) {
    metrics::counter!(
        "paihao_gateway_codes_made_total", "account" => account.to_owned(), "for" => purpose
    )
    .increment(1);
}

/// Counts a created code that will not be used, by the reason.
pub(super) fn count_lost(account: &str, reason: &'static str) {
    metrics::counter!(
        "paihao_gateway_codes_lost_total", "account" => account.to_owned(), "why" => reason
    )
    .increment(1);
}
