//! The ticket that a link opens, and the link of a ticket.

use crate::book::SiteBook;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::lines::View;
use paihao_contracts::link::{TicketKey, TicketRef};
use paihao_domain::{Now, Outcome, Site, Ticket, TicketId};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// A ticket, to its holder.
pub(crate) struct Held {
    pub(crate) book: Arc<SiteBook>,
    /// The site of the day that the ticket is of, with the ticket in it.
    pub(crate) site: Site,
    pub(crate) ticket: TicketId,
    /// That day is over, and the ticket does not go on.
    pub(crate) over: bool,
    pub(crate) now: Now,
}

impl Held {
    pub(crate) fn ticket(&self) -> &Ticket {
        self.site.ticket(self.ticket).expect("it was found there")
    }
}

/// What a path asks for, as it stands in it.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) site: String,
    link: TicketRef,
}

/// Whatever is wrong with a link, it is said in the same words.
fn no_such_link() -> Problem {
    Problem::new(&refusals::UNKNOWN_LINK)
}

/// Reads a path's parts.
pub(crate) fn asked(site: &str, id: &str) -> Result<Asked, Problem> {
    let link = TicketRef::read(id).ok_or_else(no_such_link)?;
    Ok(Asked { site: site.to_owned(), link })
}

impl Asked {
    /// The ticket, as this replica knows it now.
    pub(crate) fn open(&self, door: &Door) -> Result<Held, Problem> {
        let view = door.lines.view(&self.site).ok_or_else(no_such_link)?;
        self.found(door, view)
    }

    /// The ticket in a view of its site.
    pub(crate) fn found(&self, door: &Door, view: View) -> Result<Held, Problem> {
        let book = door.lines.book(&self.site).ok_or_else(no_such_link)?;
        let now = door.lines.moment(&book, door.clock.now_ms());
        let ticket = TicketId(self.link.ticket);
        if let Some(found) = view.site.ticket(ticket).filter(|ticket| self.opens(ticket)) {
            let carries = book.rules.queues.get(&found.queue).is_some_and(|q| q.carry_over);
            let later = view.site.day().is_some_and(|day| day < now.day());
            let over = later && !(carries && found.is_live());
            return Ok(Held { book, site: view.site, ticket, over, now });
        }
        let former = view.former.filter(|site| site.ticket(ticket).is_some_and(|t| self.opens(t)));
        let site = Arc::unwrap_or_clone(former.ok_or_else(no_such_link)?);
        Ok(Held { book, site, ticket, over: true, now })
    }

    /// In a time that does not tell how much of the key was right.
    fn opens(&self, ticket: &Ticket) -> bool {
        ticket.key.is_some_and(|key| key.0.ct_eq(&self.link.key.0).into())
    }
}

/// The path of the page of the ticket that somebody was told of, if it has one.
pub(crate) fn path_of(door: &Door, site: &str, outcome: &Outcome) -> Option<String> {
    let Outcome::Holding { ticket, .. } = outcome else { return None };
    let (view, book) = (door.lines.view(site)?, door.lines.book(site)?);
    // Of a scan that is answered again, the day may have ended meanwhile.
    let former = || view.former.as_deref()?.ticket(*ticket);
    let held = view.site.ticket(*ticket).or_else(former)?;
    path_to(&book, held)
}

/// The path of the page of a ticket of this site, if it has one.
pub(crate) fn path_to(book: &SiteBook, ticket: &Ticket) -> Option<String> {
    let day = book.calendar.now(ticket.taken_at.0).day();
    let link = TicketRef { day: day.0, ticket: ticket.id.0, key: TicketKey(ticket.key?.0) };
    Some(link.path(&book.facts.id))
}

/// The same with the address under which people reach this system, if the owner has said it.
pub(crate) fn address_of(door: &Door, site: &str, outcome: &Outcome) -> Option<String> {
    let public = door.settings.public.as_deref()?;
    path_of(door, site, outcome).map(|path| format!("{public}{path}"))
}
