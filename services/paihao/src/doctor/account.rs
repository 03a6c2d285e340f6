//! Checks of an account at WeChat: credentials, the address of this machine, quotas.
//!
//! They invalidate no token. Calls use the token that the token service keeps. The credentials are
//! checked at the stable channel without `force_refresh`, which returns the current token. The
//! classic channel is never called, because each of its responses invalidates the token in use.

use super::report::Finding;
use super::wechat_refusals::{FORBIDDEN_API, refusal_finding};
use super::{ProbeContext, finding, findings, menu, notices, with_timeout};
use crate::config::{Account, Config, ResolvedConfig, TokenChannel};
use paihao_contracts::envelope;
use paihao_contracts::settings::CodeKind;
use paihao_contracts::streams;
use paihao_contracts::token::TokenRecord;
use paihao_wechat::{AccessToken, Api, AppId, AppSecret, CallError, FailureClass, QrRequest};
use std::time::Duration;

/// Calls with a daily quota that the configuration limits too.
const QUOTA_APIS: [Api; 5] =
    [Api::CreateQr, Api::SendTemplate, Api::SendText, Api::SendSubscription, Api::UserInfo];

pub(super) async fn check(
    config: &Config,
    resolved: &ResolvedConfig,
    name: &str,
    context: &ProbeContext,
) -> Vec<Finding> {
    let account = &config.accounts[name];
    let (mut findings, token) = check_credentials(name, account, context).await;
    let (notices, menu, quotas, codes) = futures::join!(
        with_timeout(name, notices::check(resolved, name, token.as_ref(), context)),
        with_timeout(name, menu::check(name, account, token.as_ref(), context)),
        with_timeout(name, check_quotas(name, account, resolved, token.as_ref(), context)),
        with_timeout(name, check_codes(name, account, token.as_ref(), context))
    );
    findings.extend(notices);
    findings.extend(menu);
    findings.extend(quotas);
    findings.extend(codes);
    findings
}

/// Checks that WeChat accepts the credentials and calls from this machine. Returns the token for
/// further calls.
async fn check_credentials(
    name: &str,
    account: &Account,
    context: &ProbeContext,
) -> (Vec<Finding>, Option<AccessToken>) {
    let (cached, fetched) =
        futures::join!(cached_token(name, context), fetch_stable_token(account, context));
    let mut findings = Vec::new();
    let issued = match fetched {
        Ok(token) => {
            findings.push(Finding::new(name, findings::CREDENTIALS_OK));
            Some(token)
        }
        Err(error) => {
            findings.push(refusal_finding(
                name,
                "stable_token",
                &error,
                findings::CREDENTIALS_REFUSED,
            ));
            None
        }
    };
    let cached = cached.map(|(finding, token)| {
        findings.push(finding);
        token
    });
    let Some(token) = cached.flatten().or_else(|| issued.clone()) else { return (findings, None) };
    let Err(error) = context.client.callback_addresses(&token).await else {
        findings.push(Finding::new(name, findings::CALLS_OK));
        return (findings, Some(token));
    };
    let invalid = error.class() == FailureClass::InvalidToken;
    let otherwise = if invalid { findings::TOKEN_REFUSED } else { findings::WECHAT_REFUSED };
    findings.push(refusal_finding(name, "getcallbackip", &error, otherwise));
    (findings, issued.filter(|issued| invalid && *issued != token))
}

/// Reads the token in the cache; `None` if the cache is another process's memory.
async fn cached_token(
    name: &str,
    context: &ProbeContext,
) -> Option<(Finding, Option<AccessToken>)> {
    let none = |detail: String| Some((finding(name, findings::TOKEN_NOT_KEPT, detail), None));
    let stored = match context.cache.as_ref()?.get(&streams::access_token_key(name)).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return none(String::new()),
        Err(unavailable) => return none(unavailable.to_string()),
    };
    let record: TokenRecord = match envelope::decode(&stored) {
        Ok(record) => record,
        Err(error) => return none(error.to_string()),
    };
    let remaining_s = (record.expires_at_ms - context.now_ms()).div_euclid(1000);
    if remaining_s <= 0 {
        return none(format!("expired {} s ago", -remaining_s));
    }
    let finding = finding(name, findings::TOKEN_KEPT, format!("{remaining_s} s left"));
    Some((finding, Some(AccessToken::new(record.token))))
}

/// Checks that the account may make codes, by making one that expires after a minute: nothing else
/// tells. Other failures are those of the other calls.
async fn check_codes(
    name: &str,
    account: &Account,
    token: Option<&AccessToken>,
    context: &ProbeContext,
) -> Vec<Finding> {
    if account.codes == CodeKind::Page {
        return vec![Finding::new(name, findings::CODES_BY_PAGE)];
    }
    let Some(token) = token else { return Vec::new() };
    let request = QrRequest::temporary_str("paihao_doctor", Duration::from_secs(60));
    match context.client.create_qr(token, &request).await {
        Ok(_) => vec![Finding::new(name, findings::CODES_OK)],
        Err(CallError::Refused(refusal)) if refusal.code == FORBIDDEN_API => {
            vec![finding(name, findings::CODES_NOT_PERMITTED, refusal.to_string())]
        }
        Err(_) => Vec::new(),
    }
}

async fn fetch_stable_token(
    account: &Account,
    context: &ProbeContext,
) -> Result<AccessToken, CallError> {
    let app = AppId(account.appid.clone());
    let secret = AppSecret::new(account.secret.expose());
    let issued = context.client.stable_token(&app, &secret, false).await;
    issued.map(|issued| issued.token)
}

async fn check_quotas(
    name: &str,
    account: &Account,
    resolved: &ResolvedConfig,
    token: Option<&AccessToken>,
    context: &ProbeContext,
) -> Vec<Finding> {
    let Some(token) = token else { return Vec::new() };
    let classic = (account.token_channel == TokenChannel::Classic).then_some(Api::ClassicToken);
    let checks = QUOTA_APIS.into_iter().chain(classic).map(|api| async move {
        let quota = match context.client.get_quota(token, api).await {
            Ok(quota) => quota,
            Err(error) => {
                let call = format!("quota/get {}", api.name());
                return vec![refusal_finding(name, &call, &error, findings::WECHAT_REFUSED)];
            }
        };
        let detail = format!("{}: {} of {} left", api.name(), quota.remain, quota.daily_limit);
        let kind = match quota.remain {
            0 if quota.daily_limit > 0 => findings::QUOTA_USED_UP,
            remaining if remaining < quota.daily_limit / 5 => findings::QUOTA_LOW,
            _ => findings::QUOTA_OK,
        };
        let mut findings = vec![finding(name, kind, detail)];
        let configured = resolved.call_limits.for_api(name, api).per_day;
        if configured > quota.daily_limit && quota.daily_limit > 0 {
            let detail = format!("{}: {configured} of {}", api.name(), quota.daily_limit);
            findings.push(finding(name, findings::QUOTA_ABOVE, detail));
        }
        findings
    });
    futures::future::join_all(checks).await.concat()
}
