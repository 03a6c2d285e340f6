//! Quotas of an account: reading and resetting. Addresses from which callbacks come.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::{AccessToken, AppId, AppSecret};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// Quota of an API and its use today, by WeChat's count (accurate to some percent).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Quota {
    /// Calls per day.
    pub daily_limit: u64,
    /// Calls made today.
    pub used: u64,
    /// Calls left today.
    pub remain: u64,
    /// Limit within the day, if WeChat names one.
    #[serde(skip)]
    pub rate: Option<RateLimit>,
}

/// Number of calls in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Number of calls.
    pub calls: u64,
    /// Length of the period.
    pub period: Duration,
}

#[derive(Deserialize)]
struct GetQuotaResponse {
    quota: Quota,
    #[serde(default)]
    rate_limit: Option<RateLimitResponse>,
}

/// The field names are unconfirmed: without them the quota has no rate limit.
#[derive(Deserialize)]
struct RateLimitResponse {
    call_count: Option<u64>,
    refresh_second: Option<u64>,
}

#[derive(Deserialize)]
struct CallbackAddressesResponse {
    ip_list: Vec<String>,
}

/// Body of a success, whose fields are ignored.
#[derive(Deserialize)]
pub(crate) struct EmptyResponse {}

impl Client {
    /// `openapi/quota/get`: the quota of one API. APIs for web pages (`ExchangeCode`) have none.
    pub async fn get_quota(&self, token: &AccessToken, api: Api) -> Result<Quota, CallError> {
        let response: GetQuotaResponse = self
            .call(ApiRequest {
                api: Api::GetQuota,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(json!({ "cgi_path": api.path() })),
                secrets: &[token.expose()],
            })
            .await?;
        let rate = response.rate_limit.and_then(|rate| {
            let period = Duration::from_secs(rate.refresh_second?);
            Some(RateLimit { calls: rate.call_count?, period })
        });
        Ok(Quota { rate, ..response.quota })
    }

    /// `clear_quota`: resets all quotas of the account. Ten times a month, together with
    /// [`Client::clear_quota_by_secret`].
    pub async fn clear_quota(&self, token: &AccessToken, app: &AppId) -> Result<(), CallError> {
        let response: Result<EmptyResponse, _> = self
            .call(ApiRequest {
                api: Api::ClearQuota,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(json!({ "appid": app.0 })),
                secrets: &[token.expose()],
            })
            .await;
        response.map(drop)
    }

    /// `clear_quota/v2`: resets without a token, for the case that the quota of tokens is
    /// exhausted.
    pub async fn clear_quota_by_secret(
        &self,
        app: &AppId,
        secret: &AppSecret,
    ) -> Result<(), CallError> {
        let response: Result<EmptyResponse, _> = self
            .call(ApiRequest {
                api: Api::ClearQuotaBySecret,
                scope: CodeScope::Secret,
                query: &[],
                body: Some(json!({ "appid": app.0, "appsecret": secret.expose() })),
                secrets: &[secret.expose()],
            })
            .await;
        response.map(drop)
    }

    /// `getcallbackip`: the addresses from which callbacks come, some with a prefix length
    /// (`101.226.103.0/25`). They change: refresh them daily.
    pub async fn callback_addresses(&self, token: &AccessToken) -> Result<Vec<String>, CallError> {
        let response: CallbackAddressesResponse = self
            .call(ApiRequest {
                api: Api::CallbackAddresses,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: None,
                secrets: &[token.expose()],
            })
            .await?;
        Ok(response.ip_list)
    }
}
