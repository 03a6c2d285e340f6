//! Edge of the gateway: the only module that knows the application state, axum and problem responses.

pub(crate) mod state;

pub(crate) mod asker;
pub mod callers;
pub(crate) mod cookies;
pub mod framing;
pub(crate) mod holders;
pub mod limits;

pub(crate) mod body;
pub(crate) mod live;
pub(crate) mod openapi;
pub(crate) mod paging;
pub mod refusals;

pub(crate) mod callback;
pub mod wording;

pub mod api;
pub(crate) mod screens;

use axum::Router;
use openapi::Routes;
use refusals::Problem;
use state::AppState;

/// Everything that is served.
pub(crate) fn described() -> Routes {
    callback::routes().merge(api::routes()).merge(crate::pages::routes())
}

pub(crate) fn router(door: AppState) -> Router {
    let routes = described().into_router();
    let routes = routes
        .method_not_allowed_fallback(async || Problem::new(&refusals::METHOD_NOT_ALLOWED))
        .fallback(async || Problem::new(&refusals::UNKNOWN_PATH));
    api::with_middleware(routes).with_state(door)
}
