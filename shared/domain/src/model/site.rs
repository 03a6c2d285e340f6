//! A site as its ledger tells it: lines, counters, and the day's tickets.
//!
//! The maps are persistent: a clone shares everything with its origin, so a reader holds a site
//! as a value, and a decision can be tried on a copy, at no cost.

use crate::model::ids::{CommandId, CounterId, Number, Person, QueueId, TicketId};
use crate::model::line::Line;
use crate::model::rank::Rank;
use crate::model::recent_commands::{RecentCommands, RecordedAnswer};
use crate::model::rules::Rules;
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::{Day, Timestamp};
use crate::model::visit_progress::{OvertakeCounts, VisitProgress};
use crate::protocol::command::QueueState;
use imbl::{OrdMap, OrdSet, Vector};
use std::sync::Arc;

/// The state of one site on one business day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    pub(crate) day: Option<Day>,
    pub(crate) lines: OrdMap<QueueId, Line>,
    pub(crate) counters: OrdMap<CounterId, Counter>,
    /// Shared, since a persistent map copies a node of them on every change.
    pub(crate) tickets: OrdMap<TicketId, Arc<Ticket>>,
    pub(crate) holders: OrdMap<Person, TicketId>,
    /// When time alone changes which ticket.
    pub(crate) deadlines: OrdSet<(Timestamp, TicketId)>,
    /// The last serial of each prefix.
    pub(crate) serials: OrdMap<Arc<str>, u32>,
    pub(crate) recent_calls: Vector<RecentCall>,
    pub(crate) recent_commands: RecentCommands,
    pub(crate) last_ticket: u32,
    pub(crate) last_arrival: Option<Timestamp>,
    /// Tickets of the day before that go on and are not among `tickets` yet.
    pub(crate) pending_carry_over: Vector<Arc<Ticket>>,
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counter {
    /// Whether it serves.
    pub state: CounterState,
    /// Who sits there.
    pub login: Option<Arc<str>>,
    /// Whom it has called and not finished with.
    pub serving: Option<TicketId>,
    /// How many calls it has made today.
    pub calls: u32,
}

/// Whether a counter serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CounterState {
    /// Nobody is there.
    #[default]
    Offline,
    /// It serves.
    Open,
    /// It has a break.
    Break,
}

/// A call that the board still shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentCall {
    /// Who.
    pub number: Number,
    /// From which queue.
    pub queue: QueueId,
    /// Where to.
    pub counter: CounterId,
    /// When.
    pub at: Timestamp,
    /// The how-manieth call of this ticket.
    pub call: u32,
}

/// How a queue stands, for those who would join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueAvailability {
    /// Numbers are given out and called.
    Open,
    /// As many wait as may, or as many numbers were given out as a day has.
    Full,
    /// The next one's turn would come after closing time.
    Closing,
    /// No numbers are given out for now; calling goes on.
    Paused,
    /// Nobody is called for now.
    Halted,
    /// It is outside of the opening hours; those in line are still called.
    OutOfHours,
    /// It is closed.
    Closed,
}

impl Counter {
    /// Whether it serves.
    pub fn is_open(&self) -> bool {
        self.state == CounterState::Open
    }
}

impl Site {
    /// The business day the site is in, `None` before its first decision.
    pub fn day(&self) -> Option<Day> {
        self.day
    }

    /// A queue's line; an empty one if nothing has happened there.
    pub fn line(&self, queue: &QueueId) -> Line {
        self.lines.get(queue).cloned().unwrap_or_default()
    }

    /// A counter; a closed one if nothing has happened there.
    pub fn counter(&self, counter: &CounterId) -> Counter {
        self.counters.get(counter).cloned().unwrap_or_default()
    }

    /// A ticket of today.
    pub fn ticket(&self, ticket: TicketId) -> Option<&Ticket> {
        self.tickets.get(&ticket).map(|ticket| &**ticket)
    }

    /// All live tickets, in the order in which they were taken.
    pub(crate) fn live_tickets(&self) -> Vec<TicketId> {
        let aside = self.lines.values().flat_map(Line::all_tickets);
        let served = self.counters.values().filter_map(|counter| counter.serving);
        let mut all: Vec<_> = aside.chain(served).collect();
        all.sort_unstable();
        all
    }

    /// A ticket as it goes on in the next day.
    pub(crate) fn as_carried_over(&self, ticket: &Ticket) -> Ticket {
        Ticket { undo_point: None, progress: self.visit_progress(ticket), ..ticket.clone() }
    }

    /// The live ticket of a person.
    pub fn live_ticket_of(&self, person: &Person) -> Option<&Ticket> {
        self.ticket(*self.holders.get(person)?)
    }

    /// The tickets of today that somebody took, first to last.
    pub fn tickets_of<'a>(&'a self, person: &'a Person) -> impl Iterator<Item = &'a Ticket> {
        self.tickets().filter(move |ticket| ticket.person.as_ref() == Some(person))
    }

    /// All tickets of today, in the order in which they were taken.
    pub fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.tickets.values().map(|ticket| &**ticket)
    }

    /// The latest calls, newest first.
    pub fn recent_calls(&self) -> impl Iterator<Item = &RecentCall> {
        self.recent_calls.iter().rev()
    }

    /// What was answered to a command that was decided a short while ago.
    pub fn recorded_answer(&self, command: &CommandId) -> Option<&RecordedAnswer> {
        self.recent_commands.get(command)
    }

    /// How many people a ticket has before it; nobody unless it waits.
    pub fn ahead(&self, ticket: &Ticket) -> u32 {
        match ticket.state {
            TicketState::Waiting => self.ahead_at(&ticket.queue, ticket.rank, ticket.id),
            _ => 0,
        }
    }

    pub(crate) fn ahead_at(&self, queue: &QueueId, rank: Rank, ticket: TicketId) -> u32 {
        self.lines.get(queue).map_or(0, |line| line.count_ahead(rank, ticket)) as u32
    }

    /// What staff made of a queue, or the owner's rules.
    pub fn queue_state(&self, rules: &Rules, queue: &QueueId) -> QueueState {
        let set = self.lines.get(queue).and_then(|line| line.state);
        set.unwrap_or_else(|| match rules.queues.get(queue) {
            Some(rules) if rules.open => QueueState::Open,
            _ => QueueState::Closed,
        })
    }

    /// Whether anybody of a queue is called for now.
    pub(crate) fn is_calling(&self, rules: &Rules, queue: &QueueId) -> bool {
        let swept = self.lines.get(queue).is_none_or(|line| line.uncleared.is_none());
        let state = self.queue_state(rules, queue);
        swept && matches!(state, QueueState::Open | QueueState::Paused)
    }

    /// How often others went before somebody, up to now.
    pub fn overtake_counts(&self, ticket: &Ticket) -> OvertakeCounts {
        self.visit_progress(ticket).overtaken
    }

    /// What a ticket remembers, with the overtakes of its line up to now.
    pub(crate) fn visit_progress(&self, ticket: &Ticket) -> VisitProgress {
        let mut trail = ticket.progress;
        let Some(line) = self.lines.get(&ticket.queue) else { return trail };
        if ticket.state == TicketState::Waiting {
            let overtakers = line.overtake_causes(ticket.rank, ticket.id, trail.overtakes_counted);
            overtakers.for_each(|cause| trail.overtaken.increment(cause));
            trail.overtakes_counted = line.overtake_count();
        }
        trail
    }
}
