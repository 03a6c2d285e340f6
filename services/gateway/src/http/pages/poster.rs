//! Paper for a site, complete without any script: posters and table tents of its queues, and the
//! half pages for its counters.

use super::brand::look_of;
use super::render::{html, language, refused};
use crate::http::access::Visitor;
use crate::http::api::code_image::undrawable;
use crate::http::api::door_codes::permanent_code;
use crate::http::brand_view::BrandView;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::ticket_link::page_url;
use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;

/// Page of posters.
#[derive(Template)]
#[template(path = "pages/poster/poster.html")]
pub(super) struct Poster {
    pub(super) sheets: Vec<Sheet>,
    pub(super) paper: Paper,
    pub(super) brand: BrandView,
    /// True while WeChat is simulated, so that nobody puts them up.
    pub(super) is_rehearsal: bool,
}

/// Form of a poster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Paper {
    /// A sheet of A4.
    #[default]
    A4,
    /// A sheet of A5.
    A5,
    /// A sheet of A4 that is folded in the middle and stands on a table.
    Tent,
}

impl Paper {
    /// Style sheet of this form, beside that of all.
    fn style(self) -> Option<&'static str> {
        match self {
            Paper::A4 => None,
            Paper::A5 => Some("poster-a5.css"),
            Paper::Tent => Some("poster-tent.css"),
        }
    }

    fn is_tent(self) -> bool {
        self == Paper::Tent
    }
}

/// Query of a page of posters.
#[derive(Deserialize)]
pub(super) struct PosterQuery {
    #[serde(default)]
    size: Paper,
}

/// Query, or what is wrong with it.
type PaperQuery = Result<Query<PosterQuery>, QueryRejection>;

/// Page of half pages for the counters.
#[derive(Template)]
#[template(path = "pages/poster/clerk.html")]
pub(super) struct Clerk {
    pub(super) site: String,
    pub(super) language: &'static str,
    /// Address of the console.
    pub(super) url: String,
    /// The same as SVG.
    pub(super) code: String,
    pub(super) brand: BrandView,
}

/// `GET /clerk/{site}`: the half pages of a site.
pub(super) async fn clerk(
    State(state): State<AppState>,
    Path(site): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(settings) = state.engine.settings(&site) else {
        return refused(&Problem::new(&refusals::UNKNOWN_SITE));
    };
    let url = page_url(&state, &headers, &format!("/console/{site}"));
    match state.drawings.poster_svg(&url).await.map_err(undrawable) {
        Ok(drawing) => html(&Clerk {
            language: language(&settings.facts.name),
            site: settings.facts.name.to_string(),
            code: String::from_utf8_lossy(&drawing.bytes).into_owned(),
            url,
            brand: look_of(&state, &site),
        }),
        Err(problem) => refused(&problem),
    }
}

/// Poster of one queue.
#[derive(Clone)]
pub(super) struct Sheet {
    pub(super) site: String,
    /// Its English name; empty without one.
    pub(super) site_en: String,
    pub(super) queue: String,
    /// Its English name; empty without one.
    pub(super) queue_en: String,
    /// The code to scan, as SVG.
    pub(super) code: String,
    /// Site and queue as in addresses, in small letters at the foot.
    pub(super) path: String,
    /// True if the code leads to a page, and not into WeChat.
    pub(super) is_page: bool,
}

impl Sheet {
    /// Class of the queue's name by its length.
    fn length(&self) -> &'static str {
        match self.queue.chars().count() {
            0..=6 => "short",
            7..=12 => "middle",
            _ => "long",
        }
    }

    fn site_language(&self) -> &'static str {
        language(&self.site)
    }

    fn queue_language(&self) -> &'static str {
        language(&self.queue)
    }
}

/// `GET /poster/{site}`: a sheet for every queue of the site.
pub(super) async fn all(
    State(state): State<AppState>,
    Path(site): Path<String>,
    query: PaperQuery,
    visitor: Visitor,
) -> Response {
    let queues = match state.engine.settings(&site) {
        Some(settings) => settings.queues.iter().map(|queue| queue.as_str().to_owned()).collect(),
        None => Vec::new(),
    };
    if queues.is_empty() {
        return refused(&Problem::new(&refusals::UNKNOWN_SITE));
    }
    page(&state, &site, &queues, query, &visitor).await
}

/// `GET /poster/{site}/{queue}`: one sheet.
pub(super) async fn one(
    State(state): State<AppState>,
    Path((site, queue)): Path<(String, String)>,
    query: PaperQuery,
    visitor: Visitor,
) -> Response {
    page(&state, &site, &[queue], query, &visitor).await
}

async fn page(
    state: &AppState,
    site: &str,
    queues: &[String],
    query: PaperQuery,
    visitor: &Visitor,
) -> Response {
    let Ok(Query(PosterQuery { size: paper })) = query else {
        return refused(&Problem::new(&refusals::MALFORMED_REQUEST));
    };
    let mut sheets = Vec::new();
    for queue in queues {
        match sheet(state, site, queue, visitor).await {
            Ok(sheet) => sheets.push(sheet),
            Err(problem) => return refused(&problem),
        }
    }
    let brand = look_of(state, site);
    html(&Poster { sheets, paper, brand, is_rehearsal: state.is_rehearsal() })
}

async fn sheet(
    state: &AppState,
    site: &str,
    queue: &str,
    visitor: &Visitor,
) -> Result<Sheet, Problem> {
    let code = permanent_code(state, site, queue, visitor).await?;
    let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let queue_rules = settings.rules.queues.iter().find(|(id, _)| id.as_str() == queue);
    let (id, rules) = queue_rules.ok_or(&refusals::UNKNOWN_QUEUE)?;
    let english = &settings.english_names;
    let drawing = state.drawings.poster_svg(&code.qr_url).await.map_err(undrawable)?;
    Ok(Sheet {
        site: settings.facts.name.to_string(),
        site_en: english.of_site().unwrap_or_default().to_owned(),
        queue: rules.name.to_string(),
        queue_en: english.of_queue(id).unwrap_or_default().to_owned(),
        code: String::from_utf8_lossy(&drawing.bytes).into_owned(),
        path: format!("{site}/{queue}"),
        is_page: code.qr_ticket.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_filled_and_names_are_only_names() {
        let sheet = Sheet {
            site: "<b>阿&强".to_owned(),
            site_en: String::new(),
            queue: "{{ sheet.code }}".to_owned(),
            queue_en: "<i>Cash".to_owned(),
            code: "<svg/>".to_owned(),
            path: "hall/a".to_owned(),
            is_page: false,
        };
        let poster = |is_rehearsal| {
            let (sheets, brand) = (vec![sheet.clone()], BrandView::default());
            Poster { sheets, paper: Paper::A4, brand, is_rehearsal }.render().unwrap()
        };
        let rehearsed = poster(true);
        assert!(rehearsed.contains("彩排，请勿张贴"), "{rehearsed}");
        let page = poster(false);
        assert!(!page.contains("彩排"), "{page}");
        assert!(
            page.contains("&#60;b&#62;阿&#38;强") && page.contains("{{ sheet.code }}"),
            "{page}"
        );
        assert_eq!(page.matches("<svg/>").count(), 1);
        for filled in [
            "<small lang=\"en\">&#60;i&#62;Cash</small>",
            "lang=\"zh-CN\">&#60;b",
            "class=\"long\"><span data-zh=\"{{ sheet.code }}\" data-en=\"&#60;i&#62;Cash\"",
            ">hall/a</i>",
        ] {
            assert!(page.contains(filled), "{filled}");
        }
    }
}
