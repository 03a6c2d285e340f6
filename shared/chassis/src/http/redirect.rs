//! Redirect of plain HTTP to the same page at another origin.

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;

/// Routes that answer every request with the same path at `origin`, which has no slash at its end.
/// The status (308) keeps the method.
pub fn redirect_to(origin: String) -> Router {
    Router::new().fallback(async move |uri: Uri| {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let location = format!("{origin}{path}");
        (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)]).into_response()
    })
}
