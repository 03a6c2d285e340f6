//! Look of a site on its pages: the style sheet with its colour, and its logo, under addresses that
//! change with them.

use crate::http::state::AppState;
use crate::settings::SiteSettings;
use crate::site::Brand;
use crate::site::accent::Accent;
use crate::site::logo::Logo;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// What stands at an address that names its content never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Look of a site as its pages refer to it; nothing is as usual.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub(crate) struct BrandView {
    /// Address of the style sheet with the site's colour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) style: Option<String>,
    /// The site's logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) logo: Option<LogoLink>,
}

/// Logo of a site as its pages refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct LogoLink {
    /// Address of the picture.
    pub(crate) url: String,
    /// Pixels of a line.
    pub(crate) width: u32,
    /// Lines.
    pub(crate) height: u32,
}

impl BrandView {
    /// Returns the look of a site.
    pub(crate) fn of(settings: &SiteSettings) -> BrandView {
        let Brand { accent, logo } = &settings.brand;
        let site = &settings.facts.id;
        BrandView {
            style: accent.map(|accent| style_url(site, &accent)),
            logo: logo.as_ref().map(|logo| LogoLink {
                url: logo_url(site, logo),
                width: logo.width,
                height: logo.height,
            }),
        }
    }

    /// Returns the look of a site by its id.
    pub(super) fn of_site(state: &AppState, site: &str) -> BrandView {
        state.engine.settings(site).map(|settings| BrandView::of(&settings)).unwrap_or_default()
    }
}

/// Address of a site's logo.
pub(crate) fn logo_url(site: &str, logo: &Logo) -> String {
    format!("/brand/{site}/{}.png", logo.digest)
}

fn style_url(site: &str, accent: &Accent) -> String {
    format!("/brand/{site}/{}.css", style_digest(accent))
}

fn style_digest(accent: &Accent) -> String {
    hex::encode(&Sha256::digest(accent.style())[..8])
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
