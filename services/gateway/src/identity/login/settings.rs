//! What can be set about logging in.

use std::collections::BTreeMap;
use std::time::Duration;

/// What can be set about logging in.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// Where browsers reach this server, without a slash at the end; `None` is not known.
    pub public_url: Option<String>,
    /// The account whose codes are scanned to log in; without one nobody can.
    pub account: Option<String>,
    /// Whether staff confirm on their phone what they log in to.
    pub confirm: bool,
    /// How long a session may be unused.
    pub idle_timeout: Duration,
    /// How long it may last in all.
    pub max_lifetime: Duration,
    /// The owner's other sites that people can log in to, by id.
    pub clients: BTreeMap<String, OAuthClient>,
}

/// Another site of the owner's.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// As people read it on their phone.
    pub name: String,
    /// Exactly where a browser may be sent back to.
    pub redirect_uris: Vec<String>,
    /// The account whose codes are scanned.
    pub account: String,
    /// Whether people confirm on their phone.
    pub confirm: bool,
    /// Whether only those may log in who work here.
    pub staff_only: bool,
}

impl Default for LoginSettings {
    fn default() -> Self {
        let hour = Duration::from_secs(3600);
        LoginSettings {
            public_url: None,
            account: None,
            confirm: true,
            idle_timeout: 12 * hour,
            max_lifetime: 7 * 24 * hour,
            clients: BTreeMap::new(),
        }
    }
}

impl LoginSettings {
    /// Whether browsers come over https.
    pub fn is_secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|public| public.starts_with("https://"))
    }

    /// The cookie of a session. With its prefix a browser takes it over https only, from this host
    /// alone.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao" } else { "paihao" }
    }

    /// The cookie of a browser that shows a code to log in with.
    pub fn browser_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao-login" } else { "paihao-login" }
    }
}
