//! What WeChat says of an account: its credentials, the address we call from, quotas.
//!
//! No token dies for it. Calls are made with the token that the token service keeps, and the
//! credentials are proved at the stable channel without forcing, which hands out the token there
//! is. The classic channel is never asked: each of its answers kills the token in use.

use super::report::Finding;
use super::wechat_refusals::refusal_finding;
use super::{ProbeContext, finding, findings, notices, with_timeout};
use crate::config::{Account, Config, ResolvedConfig, TokenChannel};
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use paihao_wechat::{AccessToken, Api, AppId, AppSecret, CallError, FailureClass};

/// The calls whose quotas are looked at, and whose use the configuration limits.
const QUOTA_APIS: [Api; 5] =
    [Api::CreateQr, Api::SendTemplate, Api::SendText, Api::SendSubscription, Api::UserInfo];

pub(super) async fn check(
    config: &Config,
    setup: &ResolvedConfig,
    name: &str,
    ward: &ProbeContext,
) -> Vec<Finding> {
    let account = &config.accounts[name];
    let (mut found, token) = check_credentials(name, account, ward).await;
    let (notices, quotas) = futures::join!(
        with_timeout(name, notices::check(setup, name, token.as_ref(), ward)),
        with_timeout(name, check_quotas(name, account, setup, token.as_ref(), ward))
    );
    found.extend(notices);
    found.extend(quotas);
    found
}

/// Whether WeChat takes the credentials and calls from here, and the token to make calls with.
async fn check_credentials(
    name: &str,
    account: &Account,
    ward: &ProbeContext,
) -> (Vec<Finding>, Option<AccessToken>) {
    let (kept, proved) =
        futures::join!(cached_token(name, ward), fetch_stable_token(account, ward));
    let mut found = Vec::new();
    let issued = match proved {
        Ok(token) => {
            found.push(Finding::new(name, findings::CREDENTIALS_OK));
            Some(token)
        }
        Err(error) => {
            found.push(refusal_finding(
                name,
                "stable_token",
                &error,
                findings::CREDENTIALS_REFUSED,
            ));
            None
        }
    };
    let kept = kept.map(|(finding, token)| {
        found.push(finding);
        token
    });
    let Some(token) = kept.flatten().or_else(|| issued.clone()) else { return (found, None) };
    let Err(error) = ward.client.callback_addresses(&token).await else {
        found.push(Finding::new(name, findings::CALLS_OK));
        return (found, Some(token));
    };
    let dead = error.class() == FailureClass::InvalidToken;
    let otherwise = if dead { findings::TOKEN_REFUSED } else { findings::WECHAT_REFUSED };
    found.push(refusal_finding(name, "getcallbackip", &error, otherwise));
    (found, issued.filter(|issued| dead && *issued != token))
}

/// The token in the cache, if the cache is one that we can see.
async fn cached_token(name: &str, ward: &ProbeContext) -> Option<(Finding, Option<AccessToken>)> {
    let none = |detail: String| Some((finding(name, findings::TOKEN_NOT_KEPT, detail), None));
    let stored = match ward.cache.as_ref()?.get(&streams::access_token_key(name)).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return none(String::new()),
        Err(unavailable) => return none(unavailable.to_string()),
    };
    let Ok(record) = TokenRecord::decode(&stored) else { return none("unknown shape".into()) };
    let left = (record.expires_at_ms - ward.now_ms()).div_euclid(1000);
    if left <= 0 {
        return none(format!("expired {} s ago", -left));
    }
    let found = finding(name, findings::TOKEN_KEPT, format!("{left} s left"));
    Some((found, Some(AccessToken::new(record.token))))
}

async fn fetch_stable_token(
    account: &Account,
    ward: &ProbeContext,
) -> Result<AccessToken, CallError> {
    let (app, secret) = (AppId(account.appid.clone()), AppSecret::new(account.secret.expose()));
    let issued = ward.client.stable_token(&app, &secret, false).await;
    issued.map(|issued| issued.token)
}

async fn check_quotas(
    name: &str,
    account: &Account,
    setup: &ResolvedConfig,
    token: Option<&AccessToken>,
    ward: &ProbeContext,
) -> Vec<Finding> {
    let Some(token) = token else { return Vec::new() };
    let classic = (account.token_channel == TokenChannel::Classic).then_some(Api::ClassicToken);
    let asked = QUOTA_APIS.into_iter().chain(classic).map(|api| async move {
        let quota = match ward.client.get_quota(token, api).await {
            Ok(quota) => quota,
            Err(error) => {
                let call = format!("quota/get {}", api.name());
                return vec![refusal_finding(name, &call, &error, findings::WECHAT_REFUSED)];
            }
        };
        let detail = format!("{}: {} of {} left", api.name(), quota.remain, quota.daily_limit);
        let kind = match quota.remain {
            0 if quota.daily_limit > 0 => findings::QUOTA_USED_UP,
            left if left < quota.daily_limit / 5 => findings::QUOTA_LOW,
            _ => findings::QUOTA_OK,
        };
        let mut found = vec![finding(name, kind, detail)];
        let ours = setup.call_limits.for_api(name, api).per_day;
        if ours > quota.daily_limit && quota.daily_limit > 0 {
            let detail = format!("{}: {ours} of {}", api.name(), quota.daily_limit);
            found.push(finding(name, findings::QUOTA_ABOVE, detail));
        }
        found
    });
    futures::future::join_all(asked).await.concat()
}
