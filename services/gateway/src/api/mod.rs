//! The HTTP API: scan sessions for browsers, sites for boards, and what staff do.

mod live;
mod sessions;
mod sites;
mod staff;

pub use sites::digest_routes;

use crate::Door;
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use paihao_chassis::trace::{self, Traceparent};
use tower_http::set_header::SetResponseHeaderLayer;

/// Scripts, styles and connections from this server only; pictures also inline.
const CONTENT_POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Door> {
    Router::new().merge(sessions::routes()).merge(sites::routes()).merge(staff::routes())
}

/// What goes around every route.
pub(crate) fn layers(routes: Router<Door>) -> Router<Door> {
    let header =
        |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    routes
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .layer(from_fn(traced))
}

/// Goes on with the caller's trace, or begins one; what is appended meanwhile carries it.
async fn traced(request: Request, next: Next) -> Response {
    let header = request.headers().get(trace::HEADER).and_then(|value| value.to_str().ok());
    let here = Traceparent::continued(header);
    trace::within(here, next.run(request)).await
}
