//! Source of QR codes: WeChat, or a stand-in of a test.

use async_trait::async_trait;
use paihao_wechat::{
    AccountClient, AccountClientError, Api, CallPriority, Picture, QrCode, QrRequest,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Source of codes: WeChat, or a stand-in of a test.
#[async_trait]
pub trait CodeSource: Send + Sync + 'static {
    /// Makes a code for an account. Calls of a lower priority are held back first when the day's
    /// calls run low.
    async fn create(
        &self,
        account: &str,
        request: &QrRequest,
        worth: CallPriority,
    ) -> Result<QrCode, AccountClientError>;

    /// Fetches WeChat's own picture of a code.
    async fn picture(&self, ticket: &str) -> Result<Picture, AccountClientError>;

    /// Returns the number of codes that were made for an account today.
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

/// Calls of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DailyCallUsage {
    /// How many.
    pub made: u64,
    /// How many there may be, if that is known.
    pub cap: Option<u64>,
    /// Whose count it is.
    pub counted_by: UsageSource,
}

/// Who counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// WeChat: every replica's calls, and other systems'.
    Wechat,
    /// This replica, which knows of its own alone, because WeChat did not say.
    ThisReplica,
}

/// Counts a code that was made, by its purpose.
pub(crate) fn count_created(account: &str, made_for: &'static str) {
    metrics::counter!(
        "paihao_gateway_codes_made_total", "account" => account.to_owned(), "for" => made_for
    )
    .increment(1);
}

/// Counts a code that was made and will not be used, by the reason.
pub(super) fn count_lost(account: &str, why: &'static str) {
    metrics::counter!(
        "paihao_gateway_codes_lost_total", "account" => account.to_owned(), "why" => why
    )
    .increment(1);
}
