//! Links to tickets: parsed from a path and made for a ticket.

use crate::engine::{SiteSnapshot, SubmitError};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::SiteSettings;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use paihao_contracts::ticket_link::{TicketKey, TicketLink};
use paihao_domain::{DecisionInput, Outcome, Site, Ticket, TicketId, Timestamp};
use std::sync::Arc;
use std::time::Duration;
use subtle::ConstantTimeEq;
use tokio::time::timeout;

/// Longest wait of a page for the newest state; it shows the one that is known instead.
const SHOW_TIMEOUT: Duration = Duration::from_secs(1);

/// Ticket that a link opened, for its holder.
pub(crate) struct HeldTicket {
    pub(crate) settings: Arc<SiteSettings>,
    /// State of the site on the ticket's business day.
    pub(crate) site: Arc<Site>,
    pub(crate) ticket: TicketId,
    /// True if that day is over and the ticket was not carried over.
    pub(crate) ended: bool,
    pub(crate) now: DecisionInput,
}

impl HeldTicket {
    pub(crate) fn ticket(&self) -> &Ticket {
        self.site.ticket(self.ticket).expect("it was found there")
    }
}

/// Site and ticket id of a path, unverified.
#[derive(Clone)]
pub(crate) struct SiteTicketLink {
    pub(crate) site: String,
    link: TicketLink,
}

/// Problem of every wrong link, whatever is wrong with it.
fn unknown_link() -> Problem {
    Problem::new(&refusals::UNKNOWN_LINK)
}

/// Parses the site and ticket id of a path.
pub(crate) fn parse(site: &str, id: &str) -> Result<SiteTicketLink, Problem> {
    let link = TicketLink::parse(id).ok_or_else(unknown_link)?;
    Ok(SiteTicketLink { site: site.to_owned(), link })
}

impl SiteTicketLink {
    /// Finds the ticket in the state that this replica has now.
    pub(crate) fn resolve(&self, state: &AppState) -> Result<HeldTicket, Problem> {
        let snapshot = state.engine.snapshot(&self.site).ok_or_else(unknown_link)?;
        self.resolve_in(state, snapshot)
    }

    /// Finds the ticket in the newest state of the ledger. Nothing is refused on an older one.
    pub(crate) async fn resolve_newest(&self, state: &AppState) -> Result<HeldTicket, Problem> {
        let snapshot = match state.engine.latest_snapshot(&self.site).await {
            Err(SubmitError::UnknownSite) => return Err(unknown_link()),
            snapshot => snapshot?,
        };
        self.resolve_in(state, snapshot)
    }

    /// Finds the ticket in the newest state, or, while the ledger does not answer, shows the one
    /// that this replica has.
    pub(crate) async fn resolve_to_show(&self, state: &AppState) -> Result<HeldTicket, Problem> {
        match timeout(SHOW_TIMEOUT, self.resolve_newest(state)).await {
            Ok(Err(problem)) if problem.kind().status == StatusCode::SERVICE_UNAVAILABLE => {
                self.resolve(state).map_err(|_| problem)
            }
            Ok(resolved) => resolved,
            Err(_) => self.resolve(state).map_err(|_| Problem::new(&refusals::LEDGER_UNAVAILABLE)),
        }
    }

    /// Finds the ticket in a snapshot of its site.
    pub(crate) fn resolve_in(
        &self,
        state: &AppState,
        snapshot: SiteSnapshot,
    ) -> Result<HeldTicket, Problem> {
        let settings = state.engine.settings(&self.site).ok_or_else(unknown_link)?;
        let now = state.engine.decision_input(&settings, state.clock.now_ms());
        let ticket = TicketId(self.link.ticket);
        if let Some(current) =
            snapshot.site.ticket(ticket).filter(|ticket| self.key_matches(ticket))
        {
            let carries_over =
                settings.rules.queues.get(&current.queue).is_some_and(|q| q.carry_over);
            let day_is_over = snapshot.site.day().is_some_and(|day| day < now.day());
            let ended = day_is_over && !(carries_over && current.is_live());
            return Ok(HeldTicket { settings, site: snapshot.site, ticket, ended, now });
        }
        let previous = snapshot
            .previous_day
            .filter(|site| site.ticket(ticket).is_some_and(|t| self.key_matches(t)));
        let site = previous.ok_or_else(unknown_link)?;
        Ok(HeldTicket { settings, site, ticket, ended: true, now })
    }

    /// Compares the keys in constant time.
    fn key_matches(&self, ticket: &Ticket) -> bool {
        ticket.key.is_some_and(|key| key.0.ct_eq(&self.link.key.0).into())
    }
}

/// Path of the page of the ticket in an outcome that was decided at `at`, if it has one.
pub(crate) fn ticket_path(
    state: &AppState,
    site: &str,
    outcome: &Outcome,
    at: Timestamp,
) -> Option<String> {
    let (Outcome::Holding { ticket, .. } | Outcome::TicketChanged { ticket, .. }) = outcome else {
        return None;
    };
    let snapshot = state.engine.snapshot(site)?;
    let settings = state.engine.settings(site)?;
    // An outcome may be older than the day: a repeated scan gets its first one. Ids begin anew each
    // day, and a ticket that was taken later than the decision is another person's.
    let held_then = |site: &Site| site.ticket(*ticket).filter(|held| held.taken_at <= at).cloned();
    let held =
        held_then(&snapshot.site).or_else(|| held_then(snapshot.previous_day.as_deref()?))?;
    path_for(&settings, &held)
}

/// Path of the page of a ticket of this site, if it has one.
pub(crate) fn path_for(settings: &SiteSettings, ticket: &Ticket) -> Option<String> {
    let day = settings.calendar.at(ticket.taken_at.0).day();
    let link = TicketLink { day: day.0, ticket: ticket.id.0, key: TicketKey(ticket.key?.0) };
    Some(link.path(&settings.facts.id))
}

/// URL of the page of the ticket in an outcome that was decided at `at`, if the public address is
/// configured.
pub(crate) fn ticket_url(
    state: &AppState,
    site: &str,
    outcome: &Outcome,
    at: Timestamp,
) -> Option<String> {
    let public_url = state.settings.public_url.as_deref()?;
    ticket_path(state, site, outcome, at).map(|path| format!("{public_url}{path}"))
}

/// URL of a page of this system: at the configured public address, or at that of the request.
pub(crate) fn page_url(state: &AppState, headers: &HeaderMap, path: &str) -> String {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let origin = state.settings.public_url.clone().unwrap_or_else(|| {
        let secure = text("x-forwarded-proto") == Some("https");
        let scheme = if secure { "https" } else { "http" };
        format!("{scheme}://{}", text("host").unwrap_or_default())
    });
    format!("{origin}{path}")
}
