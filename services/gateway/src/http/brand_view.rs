//! Look of a site as its pages and its board's view refer to it.

use crate::settings::SiteSettings;
use crate::site::Brand;
use crate::site::accent::Accent;
use crate::site::logo::Logo;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};

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
}

/// Address of a site's logo.
pub(crate) fn logo_url(site: &str, logo: &Logo) -> String {
    format!("/brand/{site}/{}.png", logo.digest)
}

fn style_url(site: &str, accent: &Accent) -> String {
    format!("/brand/{site}/{}.css", style_digest(accent))
}

pub(crate) fn style_digest(accent: &Accent) -> String {
    hex::encode(&Sha256::digest(accent.style())[..8])
}
