//! The end of a business day, and the beginning of the next one, which needs nothing from before.

use super::{Heard, Sitting};
use crate::event::{Event, Outcome};
use crate::refusal::Refusal;
use crate::rules::Rules;
use crate::site::Site;
use crate::ticket::{CloseReason, Ticket};
use crate::time::Now;

/// What happens before the first decision of a new day; nothing on any other. Nobody is told of it:
/// it is the middle of the night.
pub(crate) fn turn_over(site: &Site, rules: &Rules, now: &Now) -> Vec<Event> {
    let Some(day) = site.day else { return vec![Event::DayOpened { day: now.day() }] };
    // A replica whose clock is behind does not lead the site back into yesterday.
    if day >= now.day() {
        return Vec::new();
    }
    let goes_on =
        |ticket: &&Ticket| rules.queues.get(&ticket.queue).is_some_and(|rules| rules.carry_over);
    let live = || site.tickets().filter(|ticket| ticket.is_live());
    let carried: Vec<_> = live().filter(goes_on).collect();
    let void = live().filter(|ticket| !goes_on(ticket));
    let mut events: Vec<_> =
        void.map(|ticket| Event::closed(ticket.id, CloseReason::DayClosed, None)).collect();
    if !events.is_empty() || !carried.is_empty() {
        let (voided, carried) = (events.len() as u32, carried.len() as u32);
        events.push(Event::DayClosed { day, voided, carried });
    }
    events.push(Event::DayOpened { day: now.day() });
    // Whoever is at a counter stays there.
    let busy = carried.iter().filter_map(|ticket| ticket.at_counter());
    events.extend(busy.map(|counter| Event::CounterOpened {
        counter: counter.clone(),
        login: site.counter(counter).login,
    }));
    events.extend(carried.into_iter().map(|ticket| Event::TicketCarried {
        ticket: Box::new(Ticket { before: None, trail: site.trail(ticket), ..ticket.clone() }),
    }));
    events
}

impl Sitting<'_> {
    /// A day that is over ends by whatever comes first in the new one; this is for sites where
    /// nothing does.
    pub(super) fn close_day(&self) -> Heard {
        match self.before.day {
            Some(day) if day < self.now.day() => {
                Ok((Outcome::DayBegun(self.now.day()), Vec::new()))
            }
            _ => Err(Refusal::NotDue),
        }
    }
}
