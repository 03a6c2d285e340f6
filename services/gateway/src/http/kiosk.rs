//! The browser of a kiosk, recognised by its cookie, and what it may do at its site.

use crate::http::client_ip::ClientIp;
use crate::http::cookies;
use crate::http::openapi::{ApiArgument, Operation};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::kiosk_pairing::{hash, is_credential};
use crate::identity::roster::{KioskEntry, Roster};
use crate::scan::codes::share::CodeWorth;
use crate::site::SiteSettings;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Lifetime of the cookie from the newest request for it on: browsers keep none for longer.
const COOKIE_TTL: Duration = Duration::from_secs(400 * 24 * 3600);

/// Browser that may be a kiosk's. As an argument of a handler it refuses nobody.
pub(crate) struct KioskBrowser {
    client_ip: ClientIp,
    /// Credential of its cookie, if it has one.
    credential: Option<String>,
}

impl FromRequestParts<AppState> for KioskBrowser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let client_ip = ClientIp::from_request_parts(parts, state).await?;
        let credential = credential(state, &parts.headers).map(str::to_owned);
        Ok(KioskBrowser { client_ip, credential })
    }
}

impl ApiArgument<AppState> for KioskBrowser {
    fn describe(operation: Operation) -> Operation {
        operation.refuses(&[
            &refusals::KIOSK_NOT_PAIRED,
            &refusals::LEDGER_UNAVAILABLE,
            &refusals::NEWER_LEDGER,
        ])
    }
}

impl KioskBrowser {
    /// Returns the worth of a code for this browser. Refused if the site admits paired kiosks
    /// alone, and this is none.
    pub(crate) async fn admit(
        &self,
        state: &AppState,
        settings: &SiteSettings,
    ) -> Result<CodeWorth, Problem> {
        match self.is_paired(state, settings).await {
            Ok(true) => Ok(CodeWorth::Known),
            Err(problem) if settings.paired_kiosks_only => Err(problem),
            Ok(false) if settings.paired_kiosks_only => {
                Err(Problem::new(&refusals::KIOSK_NOT_PAIRED))
            }
            Ok(false) | Err(_) => Ok(CodeWorth::Stranger),
        }
    }

    async fn is_paired(&self, state: &AppState, settings: &SiteSettings) -> Result<bool, Problem> {
        let Some(credential) = &self.credential else { return Ok(false) };
        let roster = state.roster.loaded().await?;
        let Some(entry) = roster.kiosk_by_hash(&settings.facts.id, &hash(credential)) else {
            return Ok(false);
        };
        // A newer program may have unpaired it.
        state.roster.require_current()?;
        state.browser_sessions.note_key_use(&entry.kiosk.id, || self.client_ip.masked());
        Ok(true)
    }
}

/// Returns the kiosk of a site that the cookie of a request belongs to.
pub(crate) fn paired<'a>(
    state: &AppState,
    roster: &'a Arc<Roster>,
    site: &str,
    headers: &HeaderMap,
) -> Option<&'a KioskEntry> {
    roster.kiosk_by_hash(site, &hash(credential(state, headers)?))
}

/// Returns the credential of a request's cookie.
pub(crate) fn credential<'a>(state: &AppState, headers: &'a HeaderMap) -> Option<&'a str> {
    let cookie = cookies::read(headers, state.settings.login.kiosk_cookie());
    cookie.filter(|cookie| is_credential(cookie))
}

/// Header that keeps a credential in the browser.
pub(crate) fn cookie(state: &AppState, credential: &str) -> (axum::http::HeaderName, HeaderValue) {
    let login = &state.settings.login;
    let value =
        cookies::set_cookie(login.kiosk_cookie(), credential, COOKIE_TTL, login.is_secure());
    (header::SET_COOKIE, value)
}
