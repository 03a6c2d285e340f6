//! Style sheet and logo of a site, under addresses that change with them.

use crate::http::brand_view::{BrandView, style_digest};
use crate::http::state::AppState;
use crate::site::Brand;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

/// What stands at an address that names its content never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Returns the look of a site by its id.
pub(super) fn look_of(state: &AppState, site: &str) -> BrandView {
    state.engine.settings(site).map(|settings| BrandView::of(&settings)).unwrap_or_default()
}

/// `GET /brand/{site}/{file}`: the style sheet or the logo. A former address leads to the present
/// one, for a page that was loaded before the change.
pub(super) async fn file(
    State(state): State<AppState>,
    Path((site, file)): Path<(String, String)>,
) -> Response {
    let Some(settings) = state.engine.settings(&site) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let Brand { accent, logo } = &settings.brand;
    let (current, content_type, body) = match (file.rsplit_once('.'), accent, logo) {
        (Some((name, "css")), Some(accent), _) => {
            (name == style_digest(accent), "text/css; charset=utf-8", accent.style().into())
        }
        (Some((name, "png")), _, Some(logo)) => {
            (name == logo.digest, "image/png", logo.png.clone())
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let caching = if current { FOR_EVER } else { "no-cache" };
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, caching)], body).into_response()
}
