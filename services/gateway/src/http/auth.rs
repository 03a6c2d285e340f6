//! Authentication: the principal of a request. The access rules are in
//! [`access`](crate::http::access).
//!
//! A program sends a bearer key. A browser sends the cookie of its session; a request of a browser
//! that changes something must also show that a page of this server sent it, since browsers send
//! cookies with the requests of other sites' pages too.

use crate::http::client_ip::ClientIp;
use crate::http::cookies;
use crate::http::guesses::Guess;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::identity::roster::{Roster, member_actor, program_actor};
use crate::identity::roster_log::Author;
use crate::settings::{SiteSettings, StaffKey};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use paihao_contracts::staff::{ApiKey, KeyScope, SessionHolder};
use paihao_domain::{Actor, CounterId};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Header that a page of this server sends with every change.
pub(crate) const PAGE_HEADER: &str = "x-paihao-page";

/// Interval in which a stream checks that its principal is still valid.
const EXPIRY_CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// Authenticated sender of a request.
#[derive(Clone)]
pub(crate) struct Principal {
    /// The id of a member, or the name of a key; may be logged.
    pub(crate) name: Arc<str>,
    /// Actor of their commands.
    pub(crate) actor: Actor,
    scope: SiteScope,
    /// Scopes of a program's key; `None` is everything that its role permits.
    key_scopes: Option<Arc<BTreeSet<KeyScope>>>,
    /// Session of the request, if it came with one.
    pub(crate) session: Option<Arc<PrincipalSession>>,
    /// Approximate origin of the request: an address without its last part.
    address: Option<Arc<str>>,
}

/// Session that a request came with.
pub(crate) struct PrincipalSession {
    pub(crate) id: String,
    pub(crate) holder: SessionHolder,
}

/// Sites that are open to a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SiteScope {
    /// Every site, also those that come later.
    All,
    /// These sites.
    Only(BTreeSet<String>),
}

impl From<Option<BTreeSet<String>>> for SiteScope {
    fn from(sites: Option<BTreeSet<String>>) -> SiteScope {
        sites.map_or(SiteScope::All, SiteScope::Only)
    }
}

impl SiteScope {
    /// True if the site is open.
    pub(crate) fn contains(&self, site: &str) -> bool {
        match self {
            SiteScope::All => true,
            SiteScope::Only(sites) => sites.contains(site),
        }
    }

    /// True if every site of `others` is open too.
    pub(crate) fn covers(&self, others: &SiteScope) -> bool {
        match (self, others) {
            (SiteScope::All, _) => true,
            (SiteScope::Only(_), SiteScope::All) => false,
            (SiteScope::Only(ours), SiteScope::Only(theirs)) => ours.is_superset(theirs),
        }
    }
}

impl Principal {
    /// Authenticates a request by its key or its session cookie.
    pub(crate) async fn authenticate(
        state: &AppState,
        parts: &mut Parts,
    ) -> Result<Principal, Problem> {
        let Ok(client_ip) = ClientIp::from_request_parts(parts, state).await;
        let principal = Principal::find(state, &parts.headers, &parts.method, client_ip).await?;
        if principal.session.is_none() {
            state.browser_sessions.note_key_use(&principal.name, || client_ip.masked());
        }
        Ok(Principal { address: Some(client_ip.masked().into()), ..principal })
    }

    async fn find(
        state: &AppState,
        headers: &HeaderMap,
        method: &Method,
        client_ip: ClientIp,
    ) -> Result<Principal, Problem> {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let key = value.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            let key = key.ok_or(&refusals::UNAUTHORISED)?;
            return authenticate_guarded(state, key, client_ip).await;
        }
        Principal::of_session(state, headers, method).await
    }

    /// Authenticates a request by its session cookie.
    pub(crate) async fn of_session(
        state: &AppState,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<Principal, Problem> {
        let settings = &state.settings.login;
        let cookie = cookies::read(headers, settings.session_cookie());
        let cookie = cookie.ok_or(&refusals::UNAUTHORISED)?;
        if !method.is_safe() {
            require_same_origin(headers, settings.public_url.as_deref())?;
        }
        let roster = state.roster.loaded().await?;
        let session = state.browser_sessions.find(&roster, cookie).await?;
        let (id, session) = session.ok_or(&refusals::UNAUTHORISED)?;
        if is_member(&session.holder) {
            state.roster.require_current()?;
        }
        let principal = holder_principal(state, &roster, &session.holder);
        let principal = principal.ok_or(&refusals::UNAUTHORISED)?;
        Ok(principal.with_session(PrincipalSession { id, holder: session.holder }))
    }

    /// Principal of the holder of a session, if the holder is still valid.
    pub(crate) fn from_holder(
        state: &AppState,
        roster: &Roster,
        holder: &SessionHolder,
    ) -> Option<Principal> {
        holder_principal(state, roster, holder)
    }

    /// Principal with this login at counters; `None` if nobody has it any more.
    pub(crate) fn of_login(state: &AppState, roster: &Roster, login: &str) -> Option<Principal> {
        let member = SessionHolder::Member { id: login.to_owned() };
        let program = || program_principal(state, roster.key(login)?);
        let mut configured = state.deployment.staff_keys.iter();
        holder_principal(state, roster, &member)
            .or_else(program)
            .or_else(|| configured.find(|key| key.name == login).map(configured_key_principal))
    }

    /// Returns whether the principal may be at a counter.
    pub(crate) fn may_be_at(&self, site: &str, counter: &CounterId) -> bool {
        let counters = self.actor.allowed_counters();
        self.scope.contains(site) && counters.is_none_or(|allowed| allowed.contains(counter))
    }

    /// Returns the principal with this session.
    pub(crate) fn with_session(self, session: PrincipalSession) -> Principal {
        Principal { session: Some(Arc::new(session)), ..self }
    }

    /// Settings of a site, if it is open to the principal.
    pub(crate) fn authorize_site(
        &self,
        state: &AppState,
        site: &str,
    ) -> Result<Arc<SiteSettings>, Problem> {
        let settings = state.engine.settings(site).ok_or(&refusals::UNKNOWN_SITE)?;
        if self.scope.contains(site) {
            Ok(settings)
        } else {
            Err(Problem::new(&refusals::NOT_YOUR_SITE))
        }
    }

    /// Refused unless every site of the scope is open to the principal.
    pub(crate) fn authorize_scope(&self, scope: &SiteScope) -> Result<(), Problem> {
        if self.scope.covers(scope) { Ok(()) } else { Err(Problem::new(&refusals::NOT_YOUR_SITE)) }
    }

    /// Author of what the principal changes.
    pub(crate) fn author(&self) -> Author<'_> {
        Author { id: &self.name, address: self.address.as_deref() }
    }

    /// Refused unless the key of the request has the scope. People have no scopes, but roles.
    pub(crate) fn require_key_scope(&self, needed: KeyScope) -> Result<(), Problem> {
        if self.key_scopes.as_ref().is_none_or(|scopes| is_granted(scopes, needed)) {
            Ok(())
        } else {
            Err(Problem::new(&refusals::NOT_IN_SCOPE))
        }
    }

    /// Sites that are open to the principal.
    pub(crate) fn scope(&self) -> &SiteScope {
        &self.scope
    }

    /// Name of the role.
    pub(crate) fn role(&self) -> &'static str {
        match self.actor {
            Actor::Manager(_) => "manager",
            Actor::Staff { .. } => "staff",
            _ => "api",
        }
    }

    /// Ends when the session or key of the request is no longer valid, or when its scope or actor
    /// changes. A stream ends with it.
    pub(crate) async fn until_revoked(self, state: AppState) {
        let mut roster_changes = state.roster.changes();
        let mut session_changes = state.browser_sessions.changes();
        while self.is_still_valid(&state) {
            tokio::select! {
                changed = roster_changes.changed() => if changed.is_err() { return },
                changed = session_changes.changed() => if changed.is_err() { return },
                // Sessions end by time, too.
                () = tokio::time::sleep(EXPIRY_CHECK_INTERVAL) => {}
            }
        }
    }

    /// True if actor and scope are the same as when the request was authenticated.
    fn is_still_valid(&self, state: &AppState) -> bool {
        let roster = state.roster.now();
        let is_current = state.roster.require_current().is_ok();
        let current = match &self.session {
            Some(session) if !state.browser_sessions.is_active(&session.id) => None,
            Some(session) if is_member(&session.holder) && !is_current => None,
            Some(session) => holder_principal(state, &roster, &session.holder),
            None => {
                let known = roster.key(&self.name).filter(|_| is_current);
                let program = known.and_then(|key| program_principal(state, key));
                let configured =
                    state.deployment.staff_keys.iter().find(|key| *key.name == *self.name);
                program.or_else(|| configured.map(configured_key_principal))
            }
        };
        current.is_some_and(|current| current.actor == self.actor && current.scope == self.scope)
    }
}

/// Authenticates a bearer key, unless too many wrong ones came from its address.
async fn authenticate_guarded(
    state: &AppState,
    bearer: &str,
    client_ip: ClientIp,
) -> Result<Principal, Problem> {
    state.guesses.admit_key(client_ip, bearer.as_bytes())?;
    let authenticated = authenticate_bearer(state, bearer).await;
    match &authenticated {
        Ok(_) => state.guesses.note_right_key(bearer.as_bytes()),
        Err(problem) if problem.kind() == &refusals::UNAUTHORISED => {
            state.guesses.note_wrong(Guess::Key, client_ip).await;
        }
        Err(_) => {}
    }
    authenticated
}

/// Authenticates a bearer key.
async fn authenticate_bearer(state: &AppState, bearer: &str) -> Result<Principal, Problem> {
    // Every key is compared, so that the time taken says nothing about which one was right.
    let keys = state.deployment.staff_keys.iter();
    let configured =
        keys.fold(None, |matching, key| if key.matches(bearer) { Some(key) } else { matching });
    if let Some(key) = configured {
        return Ok(configured_key_principal(key));
    }
    // Keys of programs have a prefix, so that no other guess waits for the roster.
    if !bearer.starts_with(PROGRAM_KEY_PREFIX) {
        return Err(Problem::new(&refusals::UNAUTHORISED));
    }
    let roster = state.roster.loaded().await?;
    let key = roster.find_key(bearer).ok_or(&refusals::UNAUTHORISED)?;
    state.roster.require_current()?;
    program_principal(state, key).ok_or_else(|| Problem::new(&refusals::UNAUTHORISED))
}

/// Returns whether scopes contain one, which those of acts do with the scopes that they need.
fn is_granted(scopes: &BTreeSet<KeyScope>, needed: KeyScope) -> bool {
    let has = |scope| scopes.contains(&scope);
    match needed {
        KeyScope::Read => has(KeyScope::Read) || has(KeyScope::Counter) || has(KeyScope::Manage),
        _ => has(needed),
    }
}

fn is_member(holder: &SessionHolder) -> bool {
    matches!(holder, SessionHolder::Member { .. })
}

/// Principal of a program's key; `None` once it has expired.
fn program_principal(state: &AppState, key: &ApiKey) -> Option<Principal> {
    (!key.has_expired(state.clock.now_ms())).then(|| Principal {
        name: key.id.as_str().into(),
        actor: program_actor(key),
        scope: key.sites.clone().into(),
        key_scopes: key.scopes.clone().map(Arc::new),
        session: None,
        address: None,
    })
}

/// Prefix of keys that were made through the API.
pub(crate) const PROGRAM_KEY_PREFIX: &str = "paihao_";

fn configured_key_principal(key: &StaffKey) -> Principal {
    let scope =
        if key.grants_all_sites() { SiteScope::All } else { SiteScope::Only(key.sites.clone()) };
    Principal {
        name: key.name.as_str().into(),
        actor: key.actor.clone(),
        scope,
        key_scopes: key.scopes.clone().map(Arc::new),
        session: None,
        address: None,
    }
}

/// Principal of the holder of a session, if the holder is still valid.
fn holder_principal(
    state: &AppState,
    roster: &Roster,
    holder: &SessionHolder,
) -> Option<Principal> {
    match holder {
        SessionHolder::Member { id } => {
            let member = roster.member(id)?;
            Some(Principal {
                name: member.id.as_str().into(),
                actor: member_actor(member),
                scope: member.sites.clone().into(),
                key_scopes: None,
                session: None,
                address: None,
            })
        }
        SessionHolder::Key { name, print } => {
            let key = state.deployment.staff_keys.iter().find(|key| key.name == *name)?;
            (key.fingerprint() == *print).then(|| configured_key_principal(key))
        }
    }
}

/// Refused unless a page of this server sent the request: it has a header that pages of other sites
/// cannot send here, and the browser names no other site.
pub(crate) fn require_same_origin(
    headers: &HeaderMap,
    public_url: Option<&str>,
) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let same_origin = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let authority = |origin: &str| origin.split_once("://").map(|(_, rest)| rest.to_owned());
    let is_own_origin = |origin: &str| {
        let Some(named) = authority(origin) else { return false };
        let is_named = |host: &str| host.eq_ignore_ascii_case(&named);
        text("host").is_some_and(is_named)
            || public_url.and_then(authority).is_some_and(|host| is_named(&host))
    };
    if text(PAGE_HEADER).is_some() && same_origin && text("origin").is_none_or(is_own_origin) {
        Ok(())
    } else {
        Err(Problem::new(&refusals::CROSS_SITE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn is_accepted(pairs: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name = HeaderName::try_from(*name).unwrap();
            headers.insert(name, HeaderValue::try_from(*value).unwrap());
        }
        require_same_origin(&headers, Some("https://queue.example.com")).is_ok()
    }

    #[test]
    fn only_what_a_page_of_this_server_sends_counts_as_its_own() {
        let page = (PAGE_HEADER, "1");
        let host = ("host", "10.0.0.5:8080");
        assert!(is_accepted(&[page, host]));
        assert!(is_accepted(&[page, host, ("origin", "http://10.0.0.5:8080")]));
        assert!(
            is_accepted(&[page, host, ("origin", "https://queue.example.com")]),
            "behind a proxy"
        );
        assert!(is_accepted(&[page, host, ("sec-fetch-site", "same-origin")]));
        assert!(
            !is_accepted(&[host, ("sec-fetch-site", "same-origin")]),
            "a form has no such header"
        );
        assert!(!is_accepted(&[page, host, ("sec-fetch-site", "same-site")]));
        assert!(!is_accepted(&[page, host, ("sec-fetch-site", "cross-site")]));
        for origin in
            ["https://evil.example.com", "null", "http://10.0.0.5:8081", "http://10.0.0.5"]
        {
            assert!(!is_accepted(&[page, host, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn who_runs_one_site_does_not_cover_who_runs_two() {
        let only =
            |sites: &[&str]| SiteScope::Only(sites.iter().map(ToString::to_string).collect());
        assert!(SiteScope::All.covers(&SiteScope::All) && SiteScope::All.covers(&only(&["a"])));
        assert!(only(&["a", "b"]).covers(&only(&["a"])));
        assert!(!only(&["a"]).covers(&only(&["a", "b"])));
        assert!(!only(&["a"]).covers(&SiteScope::All));
    }
}
