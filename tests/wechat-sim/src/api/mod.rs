//! WeChat's API: the routes, and what they have in common.

mod codes;
mod misc;
mod send;
mod token;

use axum::Router;
use axum::extract::Query;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use serde::Deserialize;

use crate::faults::meddle;
use crate::world::Shared;

/// The query of a call.
pub(crate) type Parameters = Query<Asked>;

/// Every parameter that a call may have in its query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    access_token: Option<String>,
    grant_type: Option<String>,
    appid: Option<String>,
    secret: Option<String>,
    ticket: Option<String>,
    openid: Option<String>,
}

/// The routes under `/cgi-bin`.
pub(crate) fn routes(world: Shared) -> Router<Shared> {
    Router::new()
        .route("/cgi-bin/token", get(token::classic))
        .route("/cgi-bin/stable_token", any(token::stable))
        .route("/cgi-bin/qrcode/create", post(codes::create))
        .route("/cgi-bin/showqrcode", get(codes::picture))
        .route("/cgi-bin/message/template/send", post(send::template))
        .route("/cgi-bin/user/info", get(misc::user))
        .route("/cgi-bin/template/get_all_private_template", get(misc::templates))
        .route("/cgi-bin/getcallbackip", get(misc::callback_addresses))
        .route("/cgi-bin/{*unknown}", any(misc::unknown))
        .layer(from_fn_with_state(world, meddle))
}
