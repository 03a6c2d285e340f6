//! Page that a code leads to where WeChat makes none: takes a number without an openid.

use super::render::{html, language, refused};
use crate::http::api::page_codes::{PageCodeTarget, resolve};
use crate::http::brand_view::BrandView;
use crate::http::state::AppState;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;

/// Page of a code.
#[derive(Template, Default)]
#[template(path = "pages/take/take.html")]
pub(super) struct Take {
    pub(super) scene: String,
    pub(super) site: String,
    pub(super) site_name: String,
    pub(super) site_language: &'static str,
    /// Name of the queue; `None` for the code of a login, which works in WeChat alone.
    pub(super) queue_name: Option<String>,
    pub(super) queue_language: &'static str,
    /// Names in English; empty without one.
    pub(super) site_name_en: String,
    pub(super) queue_name_en: String,
    pub(super) brand: BrandView,
}

/// `GET /q/{scene}`.
pub(super) async fn page(State(state): State<AppState>, Path(scene): Path<String>) -> Response {
    match resolve(&state, &scene).await {
        Ok(PageCodeTarget::Queue { settings, queue, .. }) => {
            let rules = settings.rules.queues.get(&queue);
            let english = &settings.english_names;
            let owned = |name: Option<&str>| name.unwrap_or_default().to_owned();
            html(&Take {
                scene,
                site: settings.facts.id.to_string(),
                site_name: settings.facts.name.to_string(),
                site_language: language(&settings.facts.name),
                queue_language: rules.map(|rules| language(&rules.name)).unwrap_or_default(),
                queue_name: rules.map(|rules| rules.name.to_string()),
                site_name_en: owned(english.of_site()),
                queue_name_en: owned(english.of_queue(&queue)),
                brand: BrandView::of(&settings),
            })
        }
        Ok(PageCodeTarget::Login) => html(&Take {
            site_name: "排号 paihao".to_owned(),
            site_language: "zh-CN",
            ..Take::default()
        }),
        Err(problem) => refused(&problem),
    }
}
