//! Rendering of templates as responses, and the page that shows a refusal.

use super::asset_links::with_asset_links;
use crate::http::brand_view::BrandView;
use crate::http::refusals::Problem;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

/// Page that shows a refusal to a person.
#[derive(Template)]
#[template(path = "pages/refused/refused.html")]
pub(super) struct Refused<'a> {
    pub(super) zh: &'a str,
    pub(super) en: &'a str,
    pub(super) brand: BrandView,
}

/// Renders a template as the body of a response.
pub(super) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(with_asset_links(&text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "cannot render a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Responds to a person with the page that shows a refusal.
pub(crate) fn refused(problem: &Problem) -> Response {
    let kind = problem.kind();
    metrics::counter!("paihao_gateway_refusals_total", "code" => kind.code).increment(1);
    let is_temporary = kind.status == StatusCode::SERVICE_UNAVAILABLE;
    let retry = is_temporary.then_some([(header::RETRY_AFTER, "5")]);
    let page = html(&Refused { zh: kind.zh, en: kind.en, brand: BrandView::default() });
    (kind.status, retry, page).into_response()
}

/// Language of a name that somebody gave, as far as its letters show it.
pub(super) fn language(name: &str) -> &'static str {
    if name.chars().any(|c| ('\u{3400}'..='\u{9fff}').contains(&c)) { "zh-CN" } else { "en" }
}
