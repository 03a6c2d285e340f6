//! WeChat's API: its routes and the parts that its handlers share.

pub(crate) mod calls;
mod codes;
mod library;
mod media;
mod menu;
mod message;
mod migration;
mod misc;
mod quotas;
mod send;
mod tags;
mod token;
mod users;
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
    next_openid: Option<String>,
    media_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Routes under `/cgi-bin`, and those of web pages.
pub(crate) fn routes(world: SharedState) -> Router<SharedState> {
    Router::new()
        .route("/cgi-bin/token", get(token::classic))
        .route("/cgi-bin/stable_token", post(token::stable))
        .route("/cgi-bin/qrcode/create", post(codes::create))
        .route("/cgi-bin/showqrcode", get(codes::picture))
        .route("/cgi-bin/message/template/send", post(send::template))
        .route("/cgi-bin/user/info", get(users::info))
        .route("/cgi-bin/user/info/batchget", post(users::batch))
        .route("/cgi-bin/user/info/updateremark", post(users::remark))
        .route("/cgi-bin/user/get", get(users::followers))
        .route("/cgi-bin/user/tag/get", any(tags::members))
        .route("/cgi-bin/tags/create", post(tags::create))
        .route("/cgi-bin/tags/get", get(tags::list))
        .route("/cgi-bin/tags/update", post(tags::update))
        .route("/cgi-bin/tags/delete", post(tags::delete))
        .route("/cgi-bin/tags/getidlist", post(tags::of_person))
        .route("/cgi-bin/tags/members/batchtagging", post(tags::tag))
        .route("/cgi-bin/tags/members/batchuntagging", post(tags::untag))
        .route("/cgi-bin/changeopenid", post(migration::change_openids))
        .route("/cgi-bin/media/get", get(media::download))
        .merge(media::upload_route())
        .route("/cgi-bin/template/get_all_private_template", get(misc::templates))
        .route("/cgi-bin/template/api_add_template", post(library::add_template))
        .route("/wxaapi/newtmpl/gettemplate", get(library::subscriptions))
        .route("/wxaapi/newtmpl/getcategory", get(library::categories))
        .route("/wxaapi/newtmpl/getpubtemplatetitles", get(library::titles))
        .route("/wxaapi/newtmpl/getpubtemplatekeywords", get(library::keywords))
        .route("/wxaapi/newtmpl/addtemplate", post(library::add_subscription))
        .route("/cgi-bin/getcallbackip", get(misc::callback_addresses))
        .route("/cgi-bin/get_api_domain_ip", get(misc::callback_addresses))
        .route("/cgi-bin/message/custom/send", post(message::custom))
        .route("/cgi-bin/message/subscribe/bizsend", post(message::subscription))
        .route("/cgi-bin/ticket/getticket", get(web::ticket))
        .route("/cgi-bin/menu/create", post(menu::create))
        .route("/cgi-bin/menu/get", get(menu::get))
        .route("/cgi-bin/menu/delete", get(menu::delete))
        .route("/cgi-bin/get_current_selfmenu_info", get(menu::current_selfmenu_info))
        .route("/cgi-bin/clear_quota", post(quotas::clear))
        .route("/cgi-bin/clear_quota/v2", post(quotas::clear_by_secret))
        .route("/cgi-bin/openapi/quota/get", post(quotas::quota))
        .route("/sns/oauth2/access_token", get(web::exchange))
        .route("/sns/oauth2/refresh_token", get(web::refresh))
        .route("/sns/userinfo", get(web::user))
        .route("/sns/auth", get(web::check))
        .route("/connect/oauth2/authorize", get(web::authorize))
        .fallback(calls::unknown)
        .method_not_allowed_fallback(calls::wrong_method)
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
