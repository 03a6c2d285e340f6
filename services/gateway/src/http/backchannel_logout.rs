//! Back-channel logout (OpenID Connect): clients are told of members who may log in no longer.

use crate::identity::login::settings::LoginSettings;
use crate::identity::oauth::id_token::{self, LogoutTokenClaims, TokenKind};
use crate::identity::roster::Roster;
use crate::identity::roster_log::RosterLog;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::clock::Clock;
use paihao_chassis::{Tasks, entropy};
use reqwest::Client;
use serde_json::json;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use url::{Url, form_urlencoded};

/// Validity of a logout token, in seconds.
const LOGOUT_TOKEN_TTL_S: i64 = 120;

/// Time limit of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of requests until a client is given up: about a quarter of an hour.
const MAX_ATTEMPTS: u32 = 12;

/// Sender of logouts.
pub(crate) struct BackchannelLogout {
    settings: LoginSettings,
    roster: Arc<RosterLog>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    client: OnceLock<Option<Client>>,
}

impl BackchannelLogout {
    pub(crate) fn new(
        settings: LoginSettings,
        roster: Arc<RosterLog>,
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> Arc<BackchannelLogout> {
        let tasks = tasks.child("logout");
        Arc::new(BackchannelLogout { settings, roster, clock, tasks, client: OnceLock::new() })
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "asks sites of the owner's, and must not share a client with WeChat's tokens"
    )]
    fn client(&self) -> Option<&Client> {
        let make = || {
            // reqwest uses the process's provider. Another crate may have installed one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let redirects = reqwest::redirect::Policy::none();
            let builder = Client::builder().timeout(REQUEST_TIMEOUT).redirect(redirects).no_proxy();
            builder.build().inspect_err(|error| tracing::error!(%error, "no HTTP client")).ok()
        };
        self.client.get_or_init(make).as_ref()
    }

    /// Tells every client with an address for it that the logins of a member are over. The roster
    /// is one in which the member still is who they were.
    pub(crate) fn tell(self: &Arc<Self>, roster: &Roster, member: &str) {
        let Some(issuer) = &self.settings.public_url else { return };
        let Some(person) = roster.person_hash_of(member) else { return };
        for (id, client) in &self.settings.clients {
            let subject = roster.tag("subject", &[id, person]);
            let (Some(url), Some(sub)) = (client.logout_url.clone(), subject) else { continue };
            let logout = Logout { client: id.clone(), issuer: issuer.clone(), sub, url };
            self.tasks.spawn("logout", self.clone().send(logout));
        }
    }

    async fn send(self: Arc<Self>, logout: Logout) {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(120));
        for _ in 0..MAX_ATTEMPTS {
            match self.attempt(&logout).await {
                Ok(()) => {
                    tracing::info!(client = logout.client, "client told of a logout");
                    return;
                }
                Err(reason) => {
                    let client = &*logout.client;
                    tracing::warn!(client, reason, "cannot tell a client of a logout");
                }
            }
            if !backoff.wait_unless(self.tasks.stop()).await {
                break;
            }
        }
        tracing::error!(client = logout.client, "gave up telling a client of a logout");
    }

    async fn attempt(&self, logout: &Logout) -> Result<(), String> {
        let now_ms = self.clock.now_ms();
        let now_s = now_ms.div_euclid(1000);
        let claims = LogoutTokenClaims {
            iss: logout.issuer.clone(),
            sub: logout.sub.clone(),
            aud: logout.client.clone(),
            iat: now_s,
            exp: now_s + LOGOUT_TOKEN_TTL_S,
            jti: entropy::token(16),
            events: json!({ "http://schemas.openid.net/event/backchannel-logout": {} }),
        };
        let signed = id_token::sign(&self.roster, now_ms, TokenKind::Logout, &claims);
        let token = signed.await.map_err(|error| error.to_string())?;
        let client = self.client().ok_or("no HTTP client")?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair("logout_token", &token)
            .finish();
        let request = client
            .post(logout.url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form);
        let response = request.send().await.map_err(|error| error.without_url().to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(response.status().to_string()) }
    }
}

/// Logout that a client is told of.
struct Logout {
    client: String,
    issuer: String,
    sub: String,
    url: Url,
}
