//! Links to tickets: parsed from a path and made for a ticket.

use crate::engine::SiteSnapshot;
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::SiteSettings;
use paihao_contracts::ticket_link::{TicketKey, TicketLink};
use paihao_domain::{DecisionInput, Outcome, Site, Ticket, TicketId};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A ticket, to its holder.
pub(crate) struct HeldTicket {
    pub(crate) settings: Arc<SiteSettings>,
    /// The site of the day that the ticket is of, with the ticket in it.
    pub(crate) site: Site,
    pub(crate) ticket: TicketId,
    /// That day is over, and the ticket does not go on.
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

/// Problem of every wrong link, the same whatever is wrong.
fn unknown_link() -> Problem {
    Problem::new(&refusals::UNKNOWN_LINK)
}

/// Reads a path's parts.
pub(crate) fn parse(site: &str, id: &str) -> Result<SiteTicketLink, Problem> {
    let link = TicketLink::parse(id).ok_or_else(unknown_link)?;
    Ok(SiteTicketLink { site: site.to_owned(), link })
}

impl SiteTicketLink {
    /// The ticket, as this replica knows it now.
    pub(crate) fn resolve(&self, state: &AppState) -> Result<HeldTicket, Problem> {
        let view = state.engine.snapshot(&self.site).ok_or_else(unknown_link)?;
        self.resolve_in(state, view)
    }

    /// The ticket in a view of its site.
    pub(crate) fn resolve_in(
        &self,
        state: &AppState,
        view: SiteSnapshot,
    ) -> Result<HeldTicket, Problem> {
        let book = state.engine.settings(&self.site).ok_or_else(unknown_link)?;
        let now = state.engine.decision_input(&book, state.clock.now_ms());
        let ticket = TicketId(self.link.ticket);
        if let Some(found) = view.site.ticket(ticket).filter(|ticket| self.key_matches(ticket)) {
            let carries = book.rules.queues.get(&found.queue).is_some_and(|q| q.carry_over);
            let later = view.site.day().is_some_and(|day| day < now.day());
            let over = later && !(carries && found.is_live());
            return Ok(HeldTicket { settings: book, site: view.site, ticket, ended: over, now });
        }
        let former = view
            .previous_day
            .filter(|site| site.ticket(ticket).is_some_and(|t| self.key_matches(t)));
        let site = Arc::unwrap_or_clone(former.ok_or_else(unknown_link)?);
        Ok(HeldTicket { settings: book, site, ticket, ended: true, now })
    }

    /// In a time that does not tell how much of the key was right.
    fn key_matches(&self, ticket: &Ticket) -> bool {
        ticket.key.is_some_and(|key| key.0.ct_eq(&self.link.key.0).into())
    }
}

/// Path of the page of the ticket in an outcome, if it has one.
pub(crate) fn ticket_path(state: &AppState, site: &str, outcome: &Outcome) -> Option<String> {
    let Outcome::Holding { ticket, .. } = outcome else { return None };
    let (view, book) = (state.engine.snapshot(site)?, state.engine.settings(site)?);
    // Of a scan that is answered again, the day may have ended meanwhile.
    let former = || view.previous_day.as_deref()?.ticket(*ticket);
    let held = view.site.ticket(*ticket).or_else(former)?;
    path_for(&book, held)
}

/// The path of the page of a ticket of this site, if it has one.
pub(crate) fn path_for(book: &SiteSettings, ticket: &Ticket) -> Option<String> {
    let day = book.calendar.at(ticket.taken_at.0).day();
    let link = TicketLink { day: day.0, ticket: ticket.id.0, key: TicketKey(ticket.key?.0) };
    Some(link.path(&book.facts.id))
}

/// The same with the address under which people reach this system, if the owner has said it.
pub(crate) fn ticket_url(state: &AppState, site: &str, outcome: &Outcome) -> Option<String> {
    let public = state.settings.public_url.as_deref()?;
    ticket_path(state, site, outcome).map(|path| format!("{public}{path}"))
}
