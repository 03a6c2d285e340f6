//! What concerns more people than one entry of the ledger takes is decided in pieces, each a
//! decision of its own. What is left stands in the site's state, so that any replica goes on with it.

use crate::decide::day;
use crate::model::ids::{QueueId, TicketId};
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::time::{DecisionInput, Timestamp};
use crate::protocol::command::{Act, Command};
use imbl::Vector;

/// So many people in one decision at most. A ticket that is carried over is the largest of what is
/// written for each, with more than a kilobyte; an entry of the ledger may have a thousand.
pub const MAX_BATCH_TICKETS: usize = 400;

/// Those with whom something has not been done yet that was decided for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remainder {
    /// When it was decided.
    pub(crate) since: Timestamp,
    /// Who is left, in order.
    pub(crate) tickets: Vector<TicketId>,
}

impl Remainder {
    /// These, if there are any.
    pub(crate) fn from_tickets(
        since: Timestamp,
        tickets: impl Iterator<Item = TicketId>,
    ) -> Option<Remainder> {
        let tickets: Vector<_> = tickets.collect();
        (!tickets.is_empty()).then_some(Remainder { since, tickets })
    }

    /// What is left when so many more are done.
    pub(crate) fn advance(mut self, people: u32) -> Option<Remainder> {
        let done = self.tickets.len().min(people as usize);
        let tickets = self.tickets.split_off(done);
        (!tickets.is_empty()).then_some(Remainder { tickets, ..self })
    }

    /// The next ones.
    pub(crate) fn next_batch(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.tickets.iter().take(MAX_BATCH_TICKETS).copied()
    }

    fn command(&self, what: &str, queue: &QueueId, act: Act) -> Command {
        let (queue, since, left) = (queue.as_str(), self.since.0, self.tickets.len());
        Command::by_system(&format!("{what}/{queue}/{since}/{left}"), act)
    }
}

/// What has to be decided before anything else: a business day ends and begins as a whole, and
/// whatever comes first in the new one has to wait for that.
pub fn day_close_command(site: &Site, rules: &Rules, now: &DecisionInput) -> Option<Command> {
    let piece = day::next_batch(site, rules, now)?;
    let day = site.day?.0;
    Some(Command::by_system(&format!("closeday/{day}/{}", piece.left_before), Act::CloseDay))
}

/// The next piece of what was begun with the people of each queue.
pub(crate) fn continuation_commands<'a>(
    site: &'a Site,
    rules: &'a Rules,
) -> impl Iterator<Item = Command> + 'a {
    let lines = rules.queues.keys().filter_map(|queue| Some((queue, site.lines.get(queue)?)));
    lines.flat_map(|(queue, line)| {
        let sweep = Act::ContinueClearQueue(queue.clone());
        let sweep = line.uncleared.as_ref().map(|rest| rest.command("sweep", queue, sweep));
        let tell = Act::ContinueNotifyQueue(queue.clone());
        let tell = line.unnotified.as_ref().map(|rest| rest.command("tell", queue, tell));
        sweep.into_iter().chain(tell)
    })
}
