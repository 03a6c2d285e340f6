//! What an authorisation code stands for: kept in the cache until another site changes it for a token.

use serde::{Deserialize, Serialize};

/// What a code was given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationGrant {
    /// Version of this form: 1.
    pub v: u32,
    /// The site's id in the configuration.
    pub client: String,
    /// Where the browser was sent back to.
    pub redirect: String,
    /// SHA-256 of the site's verifier, base64url.
    pub challenge: String,
    /// Stands in the token as the site gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The person, under a name that only this site knows them by.
    pub subject: String,
    /// The member of staff who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// When they confirmed, in Unix milliseconds.
    pub at: i64,
}
