//! An account's quotas: reading them, setting them back, and the addresses callbacks come from.

use crate::api::Api;
use crate::client::{ApiRequest, Client};
use crate::codes::CodeScope;
use crate::error::CallError;
use crate::secret::{AccessToken, AppId, AppSecret};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// How much of a call an account may use and has used today, by WeChat's own count (off by some
/// percent at most).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Quota {
    /// Calls a day.
    pub daily_limit: u64,
    /// Calls today.
    pub used: u64,
    /// What is left of them.
    pub remain: u64,
    /// A limit within the day, if WeChat names one.
    #[serde(skip)]
    pub rate: Option<RateLimit>,
}

/// So many calls in so long a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Calls.
    pub calls: u64,
    /// In this time.
    pub period: Duration,
}

#[derive(Deserialize)]
struct GetQuotaResponse {
    quota: Quota,
    #[serde(default)]
    rate_limit: Option<RateLimitResponse>,
}

/// Nobody has confirmed these names: without them there is no limit to tell.
#[derive(Deserialize)]
struct RateLimitResponse {
    call_count: Option<u64>,
    refresh_second: Option<u64>,
}

#[derive(Deserialize)]
struct CallbackAddressesResponse {
    ip_list: Vec<String>,
}

/// Whatever else stands in an answer of success.
#[derive(Deserialize)]
pub(crate) struct EmptyResponse {}

impl Client {
    /// `openapi/quota/get`: the quota of one call. Calls of web pages (`ExchangeCode`) have none.
    pub async fn get_quota(&self, token: &AccessToken, of: Api) -> Result<Quota, CallError> {
        let answer: GetQuotaResponse = self
            .call(ApiRequest {
                api: Api::GetQuota,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(json!({ "cgi_path": of.path() })),
                secrets: &[token.expose()],
            })
            .await?;
        let rate = answer.rate_limit.and_then(|rate| {
            let within = Duration::from_secs(rate.refresh_second?);
            Some(RateLimit { calls: rate.call_count?, period: within })
        });
        Ok(Quota { rate, ..answer.quota })
    }

    /// `clear_quota`: sets all of the account's quotas back. Ten times a month, together with
    /// [`Client::clear_quota_by_secret`].
    pub async fn clear_quota(&self, token: &AccessToken, app: &AppId) -> Result<(), CallError> {
        let answer: Result<EmptyResponse, _> = self
            .call(ApiRequest {
                api: Api::ClearQuota,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: Some(json!({ "appid": app.0 })),
                secrets: &[token.expose()],
            })
            .await;
        answer.map(drop)
    }

    /// `clear_quota/v2`: the same without a token, for when tokens are what is used up.
    pub async fn clear_quota_by_secret(
        &self,
        app: &AppId,
        secret: &AppSecret,
    ) -> Result<(), CallError> {
        let answer: Result<EmptyResponse, _> = self
            .call(ApiRequest {
                api: Api::ClearQuotaBySecret,
                scope: CodeScope::Secret,
                query: &[],
                body: Some(json!({ "appid": app.0, "appsecret": secret.expose() })),
                secrets: &[secret.expose()],
            })
            .await;
        answer.map(drop)
    }

    /// `getcallbackip`: the addresses that callbacks come from, some with a prefix length
    /// (`101.226.103.0/25`). They change: ask daily.
    pub async fn callback_addresses(&self, token: &AccessToken) -> Result<Vec<String>, CallError> {
        let answer: CallbackAddressesResponse = self
            .call(ApiRequest {
                api: Api::CallbackAddresses,
                scope: CodeScope::Call,
                query: &[("access_token", token.expose())],
                body: None,
                secrets: &[token.expose()],
            })
            .await?;
        Ok(answer.ip_list)
    }
}
