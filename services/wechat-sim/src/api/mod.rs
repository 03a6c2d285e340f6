//! WeChat's API: its routes and the parts that its handlers share.

mod codes;
mod message;
mod misc;
mod quotas;
mod send;
mod token;
mod web;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::HeaderValue;
use axum::http::header::DATE;
use axum::middleware::{from_fn_with_state, map_response_with_state};
use axum::response::Response;
use axum::routing::{any, get, post};
use serde::Deserialize;
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::wall_ms;
use crate::faults::inject_faults;
use crate::world::SharedState;

/// Query of a call.
pub(crate) type Parameters = Query<ApiQuery>;

/// Parameters that a call may have in its query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ApiQuery {
    access_token: Option<String>,
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    ticket: Option<String>,
    openid: Option<String>,
}

/// Routes under `/cgi-bin`, and those of web pages.
pub(crate) fn routes(world: SharedState) -> Router<SharedState> {
    Router::new()
        .route("/cgi-bin/token", get(token::classic))
        .route("/cgi-bin/stable_token", any(token::stable))
        .route("/cgi-bin/qrcode/create", post(codes::create))
        .route("/cgi-bin/showqrcode", get(codes::picture))
        .route("/cgi-bin/message/template/send", post(send::template))
        .route("/cgi-bin/user/info", get(misc::user))
        .route("/cgi-bin/template/get_all_private_template", get(misc::templates))
        .route("/cgi-bin/getcallbackip", get(misc::callback_addresses))
        .route("/cgi-bin/message/custom/send", post(message::custom))
        .route("/cgi-bin/message/subscribe/bizsend", post(message::subscription))
        .route("/cgi-bin/ticket/getticket", get(web::ticket))
        .route("/cgi-bin/clear_quota", post(quotas::clear))
        .route("/cgi-bin/clear_quota/v2", post(quotas::clear_by_secret))
        .route("/cgi-bin/openapi/quota/get", post(quotas::quota))
        .route("/sns/oauth2/access_token", get(web::exchange))
        .route("/connect/oauth2/authorize", get(web::authorize))
        .route("/cgi-bin/{*unknown}", any(misc::unknown))
        .layer(from_fn_with_state(world.clone(), inject_faults))
        .layer(map_response_with_state(world, shift_date_header))
}

/// Replaces the `Date` header if the simulated clock of WeChat is to be off.
async fn shift_date_header(State(world): State<SharedState>, mut answer: Response) -> Response {
    let off_s = world.behaviour.lock().date_off_s;
    if off_s != 0 {
        let at = Duration::from_secs((wall_ms() / 1000).saturating_add_signed(off_s));
        let text = httpdate::fmt_http_date(UNIX_EPOCH + at);
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().insert(DATE, value);
        }
    }
    answer
}
