//! Responses with the drawing of a code.

use crate::http::refusals::{self, Problem};
use crate::scan::drawings::Drawing;
use crate::scan::qr::TextTooLong;
use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Problem of a code whose content cannot be drawn.
pub(crate) fn undrawable(error: TextTooLong) -> Problem {
    tracing::error!(%error, "WeChat's address for a code cannot be drawn");
    Problem::new(&refusals::WECHAT_UNAVAILABLE)
}

/// Response with a drawing.
pub(super) fn image_response(drawing: Drawing, cache_control: &'static str) -> Response {
    let Drawing { content_type, bytes } = drawing;
    let headers = [
        (header::CONTENT_TYPE, content_type.to_string()),
        (header::CACHE_CONTROL, cache_control.to_owned()),
    ];
    (headers, bytes).into_response()
}
