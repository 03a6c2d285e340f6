//! Content of an authorization code: kept in the cache until another site exchanges it for a token.

use crate::session::UnionId;
use serde::{Deserialize, Serialize};

/// The grant behind an authorization code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationGrant {
    /// Version of this form: 1.
    pub v: u32,
    /// The site's id in the configuration.
    pub client: String,
    /// Redirect URI of the request.
    pub redirect: String,
    /// PKCE challenge: SHA-256 of the site's verifier, base64url.
    pub challenge: String,
    /// Nonce of the request, copied into the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Subject: a pseudonym of the person that only this site knows.
    pub subject: String,
    /// Id of the member of staff, if the person is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// Time of the confirmation, in Unix milliseconds.
    pub at: i64,
    /// The person's unionid, for a client that is told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unionid: Option<UnionId>,
}
