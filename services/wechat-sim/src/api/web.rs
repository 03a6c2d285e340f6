//! Handlers for web pages inside WeChat: the authorization page, the exchange of its code, the
//! visitor, and `getticket`.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answers::{Answer, json as answer, ok, refusal, respond};
use crate::api::{ApiQuery, Parameters};
use crate::people::unionid;
use crate::random;
use crate::visits::{PageToken, PageVisit};
use crate::world::{AccountState, SharedState};

/// Query of the authorization page. `sim_openid` names the visitor, whom a real phone knows by
/// itself.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuthorizeQuery {
    appid: Option<String>,
    redirect_uri: Option<String>,
    response_type: Option<String>,
    scope: Option<String>,
    state: Option<String>,
    sim_openid: Option<String>,
    sim_preview: Option<String>,
}

/// Redirects the customer back with a code, or shows the error code.
pub(crate) async fn authorize(
    State(world): State<SharedState>,
    Query(page): Query<AuthorizeQuery>,
) -> Response {
    let error_page = |code: i64| (StatusCode::OK, format!("<h1>{code}</h1>")).into_response();
    let non_empty = |value: Option<String>| value.filter(|value| !value.is_empty());
    let Some(appid) = non_empty(page.appid) else { return error_page(10012) };
    let Some(redirect_uri) = non_empty(page.redirect_uri) else { return error_page(10011) };
    let Some(scope) = non_empty(page.scope) else { return error_page(10010) };
    let scopes = ["snsapi_base", "snsapi_userinfo"];
    let scope = scopes.into_iter().find(|known| *known == scope);
    let Some(scope) = scope.filter(|_| page.response_type.as_deref() == Some("code")) else {
        return error_page(10005);
    };
    let Some(account) = world.account(Some(&appid)) else { return error_page(10016) };
    let visit = PageVisit {
        account: account.index,
        openid: non_empty(page.sim_openid).unwrap_or_else(|| "oSimulatedVisitor".into()),
        scope,
        preview: non_empty(page.sim_preview).is_some(),
        at: world.clock.now_ms(),
    };
    let code = random::text::<32>();
    world.page_visits.lock().add(code.clone(), visit);
    let sign = if redirect_uri.contains('?') { '&' } else { '?' };
    let state = page.state.unwrap_or_default();
    let location = format!("{redirect_uri}{sign}code={code}&state={state}");
    (StatusCode::FOUND, [(LOCATION, location)]).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ExchangeCodeQuery {
    appid: Option<String>,
    secret: Option<String>,
    code: Option<String>,
    grant_type: Option<String>,
}

/// Handler of `sns/oauth2/access_token`.
pub(crate) async fn exchange(
    State(world): State<SharedState>,
    Query(query): Query<ExchangeCodeQuery>,
) -> Response {
    respond(exchange_code(&world, &query))
}

fn exchange_code(world: &SharedState, query: &ExchangeCodeQuery) -> Answer {
    let account = world.account_of_credentials(query.appid.as_deref(), query.secret.as_deref())?;
    if query.grant_type.as_deref() != Some("authorization_code") {
        return Err(40002);
    }
    let code = query.code.as_deref().filter(|code| !code.is_empty()).ok_or(41008)?;
    let now = world.clock.now_ms();
    let mut visits = world.page_visits.lock();
    let visit = visits.exchange(code, account.index, now)?;
    Ok(answer(&token_body(account, &visits.issue(visit, now))))
}

fn token_body(account: &AccountState, token: &PageToken) -> Value {
    let visit = &token.visit;
    let mut body = json!({
        "access_token": token.access_token,
        "expires_in": 7200,
        "refresh_token": token.refresh_token,
        "openid": visit.openid,
        "scope": visit.scope,
    });
    if visit.preview {
        body["is_snapshotuser"] = 1.into();
    }
    if let Some(unionid) = unionid(&account.config, &visit.openid) {
        body["unionid"] = unionid.into();
    }
    body
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct RefreshTokenQuery {
    appid: Option<String>,
    grant_type: Option<String>,
    refresh_token: Option<String>,
}

/// Handler of `sns/oauth2/refresh_token`.
pub(crate) async fn refresh(
    State(world): State<SharedState>,
    Query(query): Query<RefreshTokenQuery>,
) -> Response {
    let refresh = || -> Answer {
        let appid = query.appid.as_deref().filter(|appid| !appid.is_empty()).ok_or(41002)?;
        let account = world.account(Some(appid)).ok_or(40013)?;
        if query.grant_type.as_deref() != Some("refresh_token") {
            return Err(40002);
        }
        let token = query.refresh_token.as_deref().unwrap_or_default();
        let now = world.clock.now_ms();
        let token = world.page_visits.lock().refresh(token, account.index, now)?;
        Ok(answer(&token_body(account, &token)))
    };
    respond(refresh())
}

/// Handler of `sns/userinfo`, for a visitor who agreed to `snsapi_userinfo`.
pub(crate) async fn user(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    let user = || -> Answer {
        let visit = visit_of_query(&world, &query)?;
        if visit.scope != "snsapi_userinfo" {
            return Err(48001);
        }
        let mut body = json!({
            "openid": visit.openid,
            "nickname": "微信用户",
            "sex": 0,
            "language": "",
            "city": "",
            "province": "",
            "country": "",
            "headimgurl": "",
            "privilege": [],
        });
        if let Some(unionid) = unionid(&world.accounts[visit.account].config, &visit.openid) {
            body["unionid"] = unionid.into();
        }
        Ok(answer(&body))
    };
    respond(user())
}

/// Handler of `sns/auth`, which tells whether a visitor's token is good.
pub(crate) async fn check(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    respond(visit_of_query(&world, &query).map(|_| ok()))
}

fn visit_of_query(world: &SharedState, query: &ApiQuery) -> Result<PageVisit, i64> {
    let token = query.access_token.as_deref().filter(|token| !token.is_empty()).ok_or(41001)?;
    let openid = query.openid.as_deref().unwrap_or_default();
    world.page_visits.lock().visit_of(token, openid, world.clock.now_ms())
}

/// Handler of `ticket/getticket`, which returns the same ticket until it expires.
pub(crate) async fn ticket(State(world): State<SharedState>, Query(query): Parameters) -> Response {
    let account = match world.account_of_token(query.access_token.as_deref()) {
        Ok(account) => account,
        Err(errcode) => return refusal(errcode),
    };
    let now = world.clock.now_ms();
    let (ticket, expires_at) = {
        let mut ticket = account.jsapi_ticket.lock();
        if ticket.as_ref().is_none_or(|(_, expires_at)| *expires_at <= now) {
            *ticket = Some((format!("kg{}", random::text::<84>()), now + 7_200_000));
        }
        ticket.clone().expect("made above")
    };
    let remaining_s = (expires_at - now) / 1000;
    answer(&json!({ "errcode": 0, "errmsg": "ok", "ticket": ticket, "expires_in": remaining_s }))
}
