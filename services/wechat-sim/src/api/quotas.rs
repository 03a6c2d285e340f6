//! Handlers of quotas: reading one, and resetting all.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use crate::answers::{json as answer, refusal};
use crate::api::{Parameters, menu};
use crate::config::Quotas;
use crate::world::{AccountState, SharedState};

/// Returns the counter of a path and its limit a day.
fn quota_of_path(path: &str, quotas: &Quotas) -> Option<(&'static str, u64)> {
    Some(match path {
        "/cgi-bin/token" => ("classic", quotas.classic_per_day),
        "/cgi-bin/stable_token" => ("stable", quotas.stable_per_day),
        "/cgi-bin/qrcode/create" => ("codes", quotas.codes_per_day),
        "/cgi-bin/message/template/send" => ("templates", quotas.templates_per_day),
        "/cgi-bin/message/custom/send" => ("texts", quotas.texts_per_day),
        "/cgi-bin/message/subscribe/bizsend" => ("subscriptions", quotas.subscriptions_per_day),
        "/cgi-bin/user/info" => ("users", quotas.users_per_day),
        "/cgi-bin/menu/create" => ("menu_creates", menu::WRITES_PER_DAY),
        "/cgi-bin/menu/get" => ("menu_gets", menu::READS_PER_DAY),
        "/cgi-bin/menu/delete" => ("menu_deletes", menu::WRITES_PER_DAY),
        "/cgi-bin/user/get" => ("user-lists", quotas.user_lists_per_day),
        _ => return None,
    })
}

#[derive(Deserialize)]
struct QuotaRequest {
    #[serde(default)]
    cgi_path: String,
}

pub(crate) async fn quota(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let account = match world.account_of_token(query.access_token.as_deref()) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let Ok(quota_request) = serde_json::from_slice::<QuotaRequest>(&body) else {
        return refusal(47001);
    };
    let quotas = &world.config.quotas;
    let Some((name, limit)) = quota_of_path(&quota_request.cgi_path, quotas) else {
        let is_page_path = quota_request.cgi_path.starts_with("/sns/");
        return refusal(if is_page_path { 76022 } else { 76021 });
    };
    let used = account.quota.lock().used_today(name, world.clock.now_ms());
    answer(&json!({
        "errcode": 0,
        "errmsg": "ok",
        "quota": { "daily_limit": limit, "used": used, "remain": limit.saturating_sub(used) },
        "rate_limit": { "call_count": quotas.calls_per_minute, "refresh_second": 60 },
    }))
}

#[derive(Deserialize)]
struct ClearQuotaRequest {
    appid: Option<String>,
    appsecret: Option<String>,
}

/// Resets the quotas, authenticated by the access token.
pub(crate) async fn clear(
    State(world): State<SharedState>,
    Query(query): Parameters,
    body: Bytes,
) -> Response {
    let account = match world.account_of_token(query.access_token.as_deref()) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let Ok(clear_request) = serde_json::from_slice::<ClearQuotaRequest>(&body) else {
        return refusal(47001);
    };
    if clear_request.appid == Some(account.config.appid.clone()) {
        clear_account_quota(&world, account)
    } else {
        refusal(40013)
    }
}

/// Resets the quotas, authenticated by the AppSecret.
pub(crate) async fn clear_by_secret(State(world): State<SharedState>, body: Bytes) -> Response {
    let Ok(clear_request) = serde_json::from_slice::<ClearQuotaRequest>(&body) else {
        return refusal(47001);
    };
    match world
        .account_of_credentials(clear_request.appid.as_deref(), clear_request.appsecret.as_deref())
    {
        Ok(account) => clear_account_quota(&world, account),
        Err(errcode) => refusal(errcode),
    }
}

fn clear_account_quota(world: &SharedState, account: &AccountState) -> Response {
    let mut quota = account.quota.lock();
    if !quota.try_take_this_month(
        "clears",
        world.config.quotas.clears_per_month,
        world.clock.now_ms(),
    ) {
        return refusal(48006);
    }
    quota.clear_today();
    answer(&json!({ "errcode": 0, "errmsg": "ok" }))
}
