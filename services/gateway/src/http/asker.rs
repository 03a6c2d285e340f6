//! Who is asking: the one answer, for every route that not everybody may use.
//!
//! A program brings a bearer key. A browser brings the cookie of its session; a request of it that
//! changes something must also show that a page of this server made it, since browsers send
//! cookies along with what pages of others have them ask.

use crate::book::{SiteBook, StaffKey};
use crate::http::cookies;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::identity::roster::{Roster, actor_of, actor_of_key};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use paihao_contracts::staff::{ProgramKey, SessionHolder};
use paihao_domain::Actor;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What a page of this server sends along with whatever it wants changed.
pub(crate) const PAGE: &str = "x-paihao-page";

/// What is told for long is looked at so often, whether its time is over.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Somebody whom the server knows.
#[derive(Clone)]
pub(crate) struct Asker {
    /// The id of a member, or the name of a key; may be logged.
    pub(crate) name: Arc<str>,
    /// As whom they act.
    pub(crate) actor: Actor,
    opens: Opens,
    /// The session they came with, and whose it is.
    pub(crate) session: Option<Arc<Session>>,
}

/// A session that a request came with.
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) holder: SessionHolder,
}

/// Which sites are open to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Opens {
    /// All there are, and all that will be.
    Every,
    /// These.
    These(BTreeSet<String>),
}

impl From<Option<BTreeSet<String>>> for Opens {
    fn from(sites: Option<BTreeSet<String>>) -> Opens {
        sites.map_or(Opens::Every, Opens::These)
    }
}

impl Opens {
    /// Whether a site is among them.
    pub(crate) fn contains(&self, site: &str) -> bool {
        match self {
            Opens::Every => true,
            Opens::These(sites) => sites.contains(site),
        }
    }

    /// Whether everything that `others` opens is open here too.
    pub(crate) fn covers(&self, others: &Opens) -> bool {
        match (self, others) {
            (Opens::Every, _) => true,
            (Opens::These(_), Opens::Every) => false,
            (Opens::These(ours), Opens::These(theirs)) => ours.is_superset(theirs),
        }
    }
}

impl FromRequestParts<Door> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, door: &Door) -> Result<Asker, Problem> {
        Asker::of(door, &parts.headers, &parts.method).await
    }
}

impl Asker {
    /// Who sent this request.
    pub(crate) async fn of(
        door: &Door,
        headers: &HeaderMap,
        method: &Method,
    ) -> Result<Asker, Problem> {
        if let Some(given) = headers.get(header::AUTHORIZATION) {
            let given = given.to_str().ok().and_then(|value| value.strip_prefix("Bearer "));
            return bearer(door, given.unwrap_or_default()).await;
        }
        let settings = &door.settings.login;
        let cookie = cookies::read(headers, settings.session_cookie());
        let cookie = cookie.ok_or(&refusals::UNAUTHORISED)?;
        if !method.is_safe() {
            from_own_page(headers, settings.public.as_deref())?;
        }
        let roster = door.staff.known().await?;
        let found = door.logins.find(&roster, cookie).await?;
        let (id, session) = found.ok_or(&refusals::UNAUTHORISED)?;
        let known = standing(door, &roster, &session.holder).ok_or(&refusals::UNAUTHORISED)?;
        Ok(known.within(Session { id, holder: session.holder }))
    }

    /// As whom the holder of a session stands now, if they still do.
    pub(crate) fn of_holder(door: &Door, roster: &Roster, holder: &SessionHolder) -> Option<Asker> {
        standing(door, roster, holder)
    }

    /// The same, with the session that they have now.
    pub(crate) fn within(self, session: Session) -> Asker {
        Asker { session: Some(Arc::new(session)), ..self }
    }

    /// The book of a site, if it is open to them.
    pub(crate) fn at(&self, door: &Door, site: &str) -> Result<Arc<SiteBook>, Problem> {
        let book = door.lines.book(site).ok_or(&refusals::UNKNOWN_SITE)?;
        match self.opens.contains(site) {
            true => Ok(book),
            false => Err(Problem::new(&refusals::NOT_YOUR_SITE)),
        }
    }

    /// Which sites are open to them.
    pub(crate) fn opens(&self) -> &Opens {
        &self.opens
    }

    /// Refused unless it is a person who runs things, or holds the key of one who does.
    pub(crate) fn must_manage(&self) -> Result<(), Problem> {
        match self.actor {
            Actor::Manager(_) => Ok(()),
            _ => Err(Problem::new(&refusals::NOT_ALLOWED)),
        }
    }

    /// The role in a word.
    pub(crate) fn role(&self) -> &'static str {
        match self.actor {
            Actor::Manager(_) => "manager",
            Actor::Staff { .. } => "staff",
            _ => "api",
        }
    }

    /// Ends when the session or the key is over that somebody came with, or when they may do other
    /// things than then. What is told for long is told until then.
    pub(crate) async fn until_out(self, door: Door) {
        let (mut staff, mut logins) = (door.staff.changes(), door.logins.changes());
        while self.still_stands(&door) {
            tokio::select! {
                changed = staff.changed() => if changed.is_err() { return },
                changed = logins.changed() => if changed.is_err() { return },
                // Sessions end by time, too.
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
        }
    }

    /// Whether they stand now as they stood when they asked.
    fn still_stands(&self, door: &Door) -> bool {
        let roster = door.staff.now();
        let now = match &self.session {
            Some(session) if !door.logins.goes_on(&session.id) => None,
            Some(session) => standing(door, &roster, &session.holder),
            None => {
                let made = roster.keys().find(|key| *key.id == *self.name).map(of_program);
                let configured = door.book.staff_keys.iter().find(|key| *key.name == *self.name);
                made.or_else(|| configured.map(of_key))
            }
        };
        now.is_some_and(|now| (now.actor, now.opens) == (self.actor.clone(), self.opens.clone()))
    }
}

/// Whoever holds this key.
async fn bearer(door: &Door, given: &str) -> Result<Asker, Problem> {
    // Every key is compared, so that the time taken says nothing about which one was right.
    let keys = door.book.staff_keys.iter();
    let configured = keys.fold(None, |found, key| if key.is(given) { Some(key) } else { found });
    if let Some(key) = configured {
        return Ok(of_key(key));
    }
    // What was made through the API says that it was: nobody else's guesses wait for the register.
    if !given.starts_with(PROGRAM_KEY) {
        return Err(Problem::new(&refusals::UNAUTHORISED));
    }
    let roster = door.staff.known().await?;
    let key = roster.key(given).ok_or(&refusals::UNAUTHORISED)?;
    Ok(of_program(key))
}

fn of_program(key: &ProgramKey) -> Asker {
    let (actor, opens) = (actor_of_key(key), key.sites.clone().into());
    Asker { name: key.id.as_str().into(), actor, opens, session: None }
}

/// What keys of programs begin with that were made through the API.
pub(crate) const PROGRAM_KEY: &str = "paihao_";

fn of_key(key: &StaffKey) -> Asker {
    let opens = match key.opens_every_site() {
        true => Opens::Every,
        false => Opens::These(key.sites.clone()),
    };
    Asker { name: key.name.as_str().into(), actor: key.actor.clone(), opens, session: None }
}

/// As whom the holder of a session stands now, if they still do.
fn standing(door: &Door, roster: &Roster, holder: &SessionHolder) -> Option<Asker> {
    match holder {
        SessionHolder::Member { id } => {
            let member = roster.member(id)?;
            let opens = member.sites.clone().into();
            let (name, actor) = (member.id.as_str().into(), actor_of(member));
            Some(Asker { name, actor, opens, session: None })
        }
        SessionHolder::Key { name, print } => {
            let key = door.book.staff_keys.iter().find(|key| key.name == *name)?;
            let same = key.print() == *print;
            same.then(|| of_key(key))
        }
    }
}

/// Refused unless a page of this server asked: it says so in a header that pages of others cannot
/// send here, and the browser does not say otherwise.
pub(crate) fn from_own_page(headers: &HeaderMap, public: Option<&str>) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let same_origin = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let authority = |origin: &str| origin.split_once("://").map(|(_, rest)| rest.to_owned());
    let own = |origin: &str| {
        let Some(named) = authority(origin) else { return false };
        let asked = text("host").is_some_and(|host| host.eq_ignore_ascii_case(&named));
        asked || public.and_then(authority).is_some_and(|host| host.eq_ignore_ascii_case(&named))
    };
    match text(PAGE).is_some() && same_origin && text("origin").is_none_or(own) {
        true => Ok(()),
        false => Err(Problem::new(&refusals::CROSS_SITE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn asked(lines: &[(&str, &str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name = HeaderName::try_from(*name).unwrap();
            headers.insert(name, HeaderValue::try_from(*value).unwrap());
        }
        from_own_page(&headers, Some("https://queue.example.com")).is_ok()
    }

    #[test]
    fn only_what_a_page_of_this_server_sends_counts_as_its_own() {
        let (page, host) = ((PAGE, "1"), ("host", "10.0.0.5:8080"));
        assert!(asked(&[page, host]));
        assert!(asked(&[page, host, ("origin", "http://10.0.0.5:8080")]));
        assert!(asked(&[page, host, ("origin", "https://queue.example.com")]), "behind a proxy");
        assert!(asked(&[page, host, ("sec-fetch-site", "same-origin")]));
        assert!(!asked(&[host, ("sec-fetch-site", "same-origin")]), "a form has no such header");
        assert!(!asked(&[page, host, ("sec-fetch-site", "same-site")]));
        assert!(!asked(&[page, host, ("sec-fetch-site", "cross-site")]));
        for origin in
            ["https://evil.example.com", "null", "http://10.0.0.5:8081", "http://10.0.0.5"]
        {
            assert!(!asked(&[page, host, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn who_runs_one_site_does_not_cover_who_runs_two() {
        let these = |sites: &[&str]| Opens::These(sites.iter().map(ToString::to_string).collect());
        assert!(Opens::Every.covers(&Opens::Every) && Opens::Every.covers(&these(&["a"])));
        assert!(these(&["a", "b"]).covers(&these(&["a"])));
        assert!(!these(&["a"]).covers(&these(&["a", "b"])));
        assert!(!these(&["a"]).covers(&Opens::Every));
    }
}
