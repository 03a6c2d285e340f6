//! The end of a business day, and the beginning of the next one, which needs nothing from before.

use super::{Heard, Sitting};
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Stage, Ticket};
use crate::model::time::Now;
use crate::pieces::PIECE;
use crate::protocol::command::Act;
use crate::protocol::event::{Event, Outcome};
use crate::protocol::refusal::Refusal;

/// A part of the end of a day that is too large for one decision.
pub(crate) struct Piece {
    /// How many tickets are still to be voided, or still to be carried over, before it,
    pub(crate) left: u32,
    /// and after it.
    after: u32,
    events: Vec<Event>,
}

/// What has to be decided next of the end of a day; nothing if what is left fits into the first
/// decision of the new one.
pub(crate) fn piece(site: &Site, rules: &Rules, now: &Now) -> Option<Piece> {
    let less = |left: usize| left.saturating_sub(PIECE) as u32;
    if !site.carrying.is_empty() {
        let left = site.carrying.len();
        let next = site.carrying.iter().take(PIECE).map(|ticket| Box::new((**ticket).clone()));
        let events = next.map(|ticket| Event::TicketCarried { ticket }).collect();
        return Some(Piece { left: left as u32, after: less(left), events });
    }
    if site.day? >= now.day() {
        return None;
    }
    let (carried, void) = split(site, rules);
    let (left, going_on) = (void.len(), carried.len());
    if left > PIECE {
        let events = void.into_iter().take(PIECE).map(voided).collect();
        return Some(Piece {
            left: (left + going_on) as u32,
            after: less(left + going_on),
            events,
        });
    }
    (going_on > PIECE).then(|| Piece {
        left: going_on as u32,
        after: less(going_on),
        events: turn_over(site, rules, now),
    })
}

/// Those live tickets that go on over the end of the day, and those that do not.
fn split<'a>(site: &'a Site, rules: &Rules) -> (Vec<&'a Ticket>, Vec<&'a Ticket>) {
    let live = site.live().into_iter().filter_map(|id| site.ticket(id));
    live.partition(|ticket| rules.queues.get(&ticket.queue).is_some_and(|rules| rules.carry_over))
}

fn voided(ticket: &Ticket) -> Event {
    Event::closed(ticket.id, CloseReason::DayClosed, None)
}

/// What happens before the first decision of a new day; nothing on any other. Nobody is told of it:
/// it is the middle of the night.
pub(crate) fn turn_over(site: &Site, rules: &Rules, now: &Now) -> Vec<Event> {
    let Some(day) = site.day else {
        return vec![Event::DayOpened { day: now.day(), carrying: 0 }];
    };
    // A replica whose clock is behind does not lead the site back into yesterday.
    if day >= now.day() {
        return Vec::new();
    }
    let (carried, void) = split(site, rules);
    let mut events: Vec<_> = void.into_iter().map(voided).collect();
    let before = site.tickets().filter(|ticket| {
        matches!(ticket.stage, Stage::Closed { reason: CloseReason::DayClosed, .. })
    });
    let voided = (events.len() + before.count()) as u32;
    if voided > 0 || !carried.is_empty() {
        events.push(Event::DayClosed { day, voided, carried: carried.len() as u32 });
    }
    let carrying = carried.len().saturating_sub(PIECE) as u32;
    events.push(Event::DayOpened { day: now.day(), carrying });
    // Whoever is at a counter stays there.
    let busy = carried.iter().filter_map(|ticket| ticket.at_counter());
    events.extend(busy.map(|counter| Event::CounterOpened {
        counter: counter.clone(),
        login: site.counter(counter).login,
    }));
    events.extend(
        carried
            .into_iter()
            .take(PIECE)
            .map(|ticket| Event::TicketCarried { ticket: Box::new(site.carried(ticket)) }),
    );
    events
}

impl Sitting<'_> {
    /// The next part of the end of a day.
    pub(super) fn go_on_closing(&self, piece: Piece) -> Heard {
        self.may(&Act::CloseDay)?;
        Ok((Outcome::DayTurning { left: piece.after }, piece.events))
    }

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
