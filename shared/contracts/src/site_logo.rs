//! Logo of a site: a document of its own, so that a change of the site's settings does not carry
//! its bytes.

use serde::{Deserialize, Serialize};

/// Most pixels of a logo's longer side.
pub const MAX_LOGO_SIDE: u32 = 512;

/// Most bytes of a logo's file: it is loaded by every page of the site, once.
pub const MAX_LOGO_BYTES: usize = 40_000;

/// Logo of a site, as the program encoded it from the pixels of what was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SiteLogo {
    /// The PNG file, in base64.
    pub png: String,
}
