//! The QR codes that WeChat makes. WeChat counts them: permanent ones for ever, all of them by the
//! day.
//!
//! - [`doors`]: permanent ones for the doors of queues, each made once and kept in the book;
//! - [`pool`]: temporary ones for sessions, made ahead of need;
//! - [`cost`]: what all of them have cost.

pub mod doors;
pub mod pool;

pub mod cost;

use async_trait::async_trait;
use cost::{CountedBy, Today};
use paihao_wechat::{Api, Caller, CallerError, Picture, QrCode, QrRequest, Value};

/// Who makes codes: WeChat, or a test's stand-in.
#[async_trait]
pub trait CodeSource: Send + Sync + 'static {
    /// Makes a code for an account. What is worth less is held back first when a day's calls run
    /// low.
    async fn make(
        &self,
        account: &str,
        request: &QrRequest,
        worth: Value,
    ) -> Result<QrCode, CallerError>;

    /// WeChat's own picture of a code.
    async fn picture(&self, ticket: &str) -> Result<Picture, CallerError>;

    /// How many codes were made for an account today.
    async fn today(&self, account: &str) -> Today;
}

#[async_trait]
impl CodeSource for Caller {
    async fn make(
        &self,
        account: &str,
        request: &QrRequest,
        worth: Value,
    ) -> Result<QrCode, CallerError> {
        self.worth(worth).create_qr(account, request).await
    }

    async fn picture(&self, ticket: &str) -> Result<Picture, CallerError> {
        Ok(self.show_qr(ticket).await?)
    }

    async fn today(&self, account: &str) -> Today {
        match self.worth(Value::Low).get_quota(account, Api::CreateQr).await {
            Ok(quota) => {
                let cap = Some(quota.daily_limit).filter(|cap| *cap > 0);
                Today { made: quota.used, cap, counted_by: CountedBy::Wechat }
            }
            Err(error) => {
                tracing::warn!(account, %error, "WeChat did not say how many codes were made");
                let own = self.standing(account, Api::CreateQr);
                let (made, cap) = own.map_or((0, None), |own| (own.used_today, own.per_day));
                Today { made, cap, counted_by: CountedBy::ThisReplica }
            }
        }
    }
}

/// A code was made, and for what.
pub(crate) fn count_made(account: &str, made_for: &'static str) {
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
