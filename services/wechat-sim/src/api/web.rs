//! Handlers for web pages inside WeChat: the authorization page, the exchange of its code, and
//! `getticket`.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use crate::answers::{json as answer, refusal};
use crate::api::Parameters;
use crate::random;
use crate::visits::PageVisit;
use crate::world::SharedState;

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
    if page.response_type.as_deref() != Some("code") || !scopes.contains(&&*scope) {
        return error_page(10005);
    }
    let Some(account) = world.account(Some(&appid)) else { return error_page(10016) };
    let visit = PageVisit {
        account: account.index,
        openid: non_empty(page.sim_openid).unwrap_or_else(|| "oSimulatedVisitor".into()),
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
    match exchange_code(&world, &query) {
        Ok(response) => response,
        Err(errcode) => refusal(errcode),
    }
}

fn exchange_code(world: &SharedState, query: &ExchangeCodeQuery) -> Result<Response, i64> {
    let account = world.account_of_credentials(query.appid.as_deref(), query.secret.as_deref())?;
    if query.grant_type.as_deref() != Some("authorization_code") {
        return Err(40002);
    }
    let code = query.code.as_deref().filter(|code| !code.is_empty()).ok_or(41008)?;
    let visit = world.page_visits.lock().exchange(code, account.index, world.clock.now_ms())?;
    let mut body = json!({
        "access_token": format!("98_web{}", random::text::<64>()),
        "expires_in": 7200,
        "refresh_token": format!("98_web{}", random::text::<64>()),
        "openid": visit.openid,
        "scope": "snsapi_base",
    });
    if visit.preview {
        body["is_snapshotuser"] = 1.into();
    }
    Ok(answer(&body))
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
