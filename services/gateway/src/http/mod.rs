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
pub mod rehearsal;
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

use access::Owner;
use axum::Router;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use middleware::{Marks, with_middleware};
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
    let marks =
        Marks { is_https: state.settings.login.is_secure(), is_rehearsal: state.is_rehearsal() };
    let router =
        |routes: Routes| with_fallbacks(routes.into_router(), marks).with_state(state.clone());
    let mut public = router(described());
    if let Some(phones) = state.rehearsals.as_ref().and_then(|rehearsals| rehearsals.phones()) {
        let phones = phones.route_layer(from_fn_with_state(state.clone(), require_owner));
        public = public.merge(with_middleware(phones, marks));
    }
    Routers { public, callbacks: router(wechat::routes()) }
}

/// Lets managers of every site to the simulated phones: whoever has one is anybody in the
/// rehearsal. Others are led to the login.
async fn require_owner(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match Owner::from_request_parts(&mut parts, &state).await {
        Ok(_) => next.run(Request::from_parts(parts, body)).await,
        Err(_) if parts.uri.path().starts_with("/phones") => pages::login(),
        Err(problem) => problem.into_response(),
    }
}

fn with_fallbacks(routes: Router<AppState>, marks: Marks) -> Router<AppState> {
    let routes = routes
        .method_not_allowed_fallback(async || Problem::new(&refusals::METHOD_NOT_ALLOWED))
        .fallback(async || Problem::new(&refusals::UNKNOWN_PATH));
    with_middleware(routes, marks)
}
