//! Settings of login.

use std::collections::BTreeMap;
use std::time::Duration;

/// Settings of login, from the configuration.
#[derive(Debug, Clone)]
pub struct LoginSettings {
    /// Address under which browsers reach this server, without a slash at the end; `None` if it is
    /// not known.
    pub public_url: Option<String>,
    /// Account whose codes are scanned to log in; without one nobody can.
    pub account: Option<String>,
    /// True if staff confirm on their phone what they log in to.
    pub confirm: bool,
    /// Longest time that a session may be unused.
    pub idle_timeout: Duration,
    /// Longest time that a session lasts.
    pub max_lifetime: Duration,
    /// Other sites of the owner that people can log in to, by id.
    pub clients: BTreeMap<String, OAuthClient>,
}

/// Client of the OAuth flow: another site of the owner's.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Name that people read on their phone.
    pub name: String,
    /// Addresses that a browser may be sent back to, compared to the letter.
    pub redirect_uris: Vec<String>,
    /// Account whose codes are scanned.
    pub account: String,
    /// True if people confirm on their phone.
    pub confirm: bool,
    /// True if only staff may log in.
    pub staff_only: bool,
    /// True if the site is told the person's unionid, where WeChat knows one.
    pub unionid: bool,
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
    /// Returns whether browsers connect over HTTPS.
    pub fn is_secure(&self) -> bool {
        self.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }

    /// Returns the name of a session's cookie. The prefix makes a browser send it over HTTPS only,
    /// and to this host alone.
    pub fn session_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao" } else { "paihao" }
    }

    /// Returns the name of the cookie of a browser that shows a login code.
    pub fn browser_cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-paihao-login" } else { "paihao-login" }
    }
}
