//! Edge of the gateway: the only module that knows the application state, axum and problem
//! responses.

pub(crate) mod state;

pub(crate) mod access;
pub(crate) mod auth;
pub(crate) mod backchannel_logout;
pub mod client_ip;
pub(crate) mod cookies;
pub(crate) mod counter_login;
pub(crate) mod cross_site;
pub mod csp;
pub(crate) mod csv;
pub(crate) mod digit_entry;
pub(crate) mod event_stream;
pub mod examinations;
pub(crate) mod fair_use;
pub mod guesses;
pub(crate) mod hours;
mod idempotency;
pub(crate) mod key_scope;
mod kiosk;
pub(crate) mod link_limit;
pub(crate) mod login_approval;
mod middleware;
pub mod rate_limit;
pub mod stream_budget;
pub(crate) mod ticket_link;

mod errors;
pub(crate) mod openapi;
pub mod refusals;
pub mod settings;

pub(crate) mod board;
mod brand_view;
pub mod replies;
pub(crate) mod staff_action;
pub(crate) mod template_cache;

pub mod api;
pub(crate) mod pages;
pub(crate) mod wechat;

use axum::Router;
use openapi::Routes;
use refusals::Problem;
use state::AppState;

/// Routers of the edge.
pub(crate) struct Routers {
    /// Every route, for the public port.
    pub(crate) public: Router,
    /// The callbacks of WeChat, for a port of their own.
    pub(crate) callbacks: Router,
}

/// Described routes of the gateway.
pub(crate) fn described() -> Routes {
    wechat::routes().merge(api::routes()).merge(pages::routes())
}

pub(crate) fn routers(state: AppState) -> Routers {
    let is_https = state.settings.login.is_secure();
    let router =
        |routes: Routes| with_fallbacks(routes.into_router(), is_https).with_state(state.clone());
    Routers { public: router(described()), callbacks: router(wechat::routes()) }
}

fn with_fallbacks(routes: Router<AppState>, is_https: bool) -> Router<AppState> {
    let routes = routes
        .method_not_allowed_fallback(async || Problem::new(&refusals::METHOD_NOT_ALLOWED))
        .fallback(async || Problem::new(&refusals::UNKNOWN_PATH));
    middleware::with_middleware(routes, is_https)
}
