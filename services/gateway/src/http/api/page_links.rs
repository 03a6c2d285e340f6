//! Addresses of a site's pages with their codes, for those who set up its screens.

use crate::http::access::{ManagerScope, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::Problem;
use crate::http::state::AppState;
use crate::http::ticket_link::page_url;
use crate::scan::qr;
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use paihao_domain::{QueueId, QueueRules};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/page-links",
        list,
        endpoint("page_links", "Lists the addresses of the site's pages with their codes"),
    )
}

/// Page of a site, for a screen or for staff.
#[derive(Serialize, JsonSchema)]
struct PageLinkView {
    /// `kiosk`, `board` or `console`.
    page: &'static str,
    /// Queue of a kiosk that serves one alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    /// Name of that queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_name: Option<String>,
    /// The same in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_name_en: Option<String>,
    url: String,
    /// QR code of the address as SVG.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

async fn list(
    State(state): State<AppState>,
    SiteAccess { site, settings, .. }: SiteAccess<ManagerScope>,
    headers: HeaderMap,
) -> Result<Json<Vec<PageLinkView>>, Problem> {
    let english = &settings.english_names;
    let link = |page: &'static str, queue: Option<(&QueueId, &QueueRules)>| {
        let query = queue.map(|(id, _)| format!("?queue={}", id.as_str())).unwrap_or_default();
        let url = page_url(&state, &headers, &format!("/{page}/{site}{query}"));
        PageLinkView {
            page,
            queue: queue.map(|(id, _)| id.as_str().to_owned()),
            queue_name: queue.map(|(_, rules)| rules.name.to_string()),
            queue_name_en: queue.and_then(|(id, _)| english.of_queue(id)).map(str::to_owned),
            code: qr::svg(&url).ok(),
            url,
        }
    };
    let mut links = vec![link("kiosk", None), link("board", None), link("console", None)];
    let queues = settings.queue_rules();
    links.extend(queues.map(|queue| link("kiosk", Some(queue))));
    Ok(Json(links))
}
