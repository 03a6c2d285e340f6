//! State of a site: lines, counters and the tickets of the day.
//!
//! The maps are persistent: a clone shares everything with its origin. A reader holds a site as a
//! value, and a decision can be tried on a copy, at no cost.

use crate::model::ids::{CommandId, CounterId, Number, Person, QueueId, TicketId};
use crate::model::line::Line;
use crate::model::rank::Rank;
use crate::model::recent_commands::{RecentCommands, RecordedAnswer, Tickets};
use crate::model::rules::Rules;
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::{Day, Timestamp};
use crate::model::visit_progress::{OvertakeCounts, VisitProgress};
use crate::protocol::command::QueueState;
use imbl::{OrdMap, OrdSet, Vector};
use std::sync::Arc;

/// State of one site on one business day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    pub(crate) day: Option<Day>,
    /// Shared for the same reason as the tickets.
    pub(crate) lines: OrdMap<QueueId, Arc<Line>>,
    pub(crate) counters: OrdMap<CounterId, Counter>,
    /// Last ticket that was carried over from the day before: all later ones were taken today.
    pub(crate) last_carried: TicketId,
    /// Number of tickets that each person took today and no longer holds, by the prefix of their
    /// numbers.
    pub(crate) takings: OrdMap<(Person, Arc<str>), u32>,
    /// Number of today's tickets by which the limit for a person was lifted, by person and prefix.
    pub(crate) lifted_limits: OrdMap<(Person, Arc<str>), u32>,
    /// Number of today's tickets that were given up before they were called, by prefix.
    pub(crate) given_up: OrdMap<Arc<str>, u32>,
    /// Shared, since a persistent map copies a node of them on every change.
    pub(crate) tickets: Tickets,
    pub(crate) holders: OrdMap<Person, TicketId>,
    /// Deadlines at which time alone changes a ticket.
    pub(crate) deadlines: OrdSet<(Timestamp, TicketId)>,
    /// Last serial of each prefix.
    pub(crate) serials: OrdMap<Arc<str>, u32>,
    pub(crate) recent_calls: Vector<RecentCall>,
    pub(crate) recent_commands: RecentCommands,
    pub(crate) last_ticket: u32,
    pub(crate) last_arrival: Option<Timestamp>,
    /// Tickets carried over from the day before that are not among `tickets` yet.
    pub(crate) pending_carry_over: Vector<Arc<Ticket>>,
    /// Days whose ids are used up.
    pub(crate) spent_days: Option<SpentDays>,
}

/// Days in the future whose ids of tickets were given out already, since a wrong clock had led the
/// site there. Until they are over, ids go on instead of beginning again: with the day they name a
/// notice, which is sent once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpentDays {
    /// Last of the days, under which tickets are known until it is over.
    pub until: Day,
    /// Last id of a ticket when the present day began.
    pub last_ticket: TicketId,
}

/// State of one counter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counter {
    /// Open, on a break or offline.
    pub state: CounterState,
    /// Login of the person at the counter.
    pub login: Option<Arc<str>>,
    /// Time at which that login came; `None` without one.
    pub login_since: Option<Timestamp>,
    /// Ticket that it has called and not finished with. One that is closed, or on a break, may have
    /// one still: it calls nobody after that.
    pub serving: Option<TicketId>,
    /// Calls of today.
    pub calls: u32,
    /// Time at which it opened or was last left by a ticket.
    pub free_since: Option<Timestamp>,
    /// `true` if the system calls nobody there until somebody does: something was taken back.
    pub auto_call_paused: bool,
}

/// States of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CounterState {
    /// Nobody is logged in.
    #[default]
    Offline,
    /// The counter serves.
    Open,
    /// The counter is on a break.
    Break,
}

/// Call that the board still shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentCall {
    /// Number called.
    pub number: Number,
    /// Queue of the ticket.
    pub queue: QueueId,
    /// Counter that called.
    pub counter: CounterId,
    /// Time of the call.
    pub at: Timestamp,
    /// Ordinal of the call among those of the ticket, from 1.
    pub call: u32,
}

/// Availability of a queue for customers who would join it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueAvailability {
    /// Numbers are given out and called.
    Open,
    /// The limit of waiting tickets or of tickets a day is reached.
    Full,
    /// The turn of a new ticket would come after closing time.
    Closing,
    /// No numbers are given out for now; calling goes on.
    Paused,
    /// Nobody is called for now.
    Halted,
    /// The queue is outside of its opening hours; those in line are still called.
    OutOfHours,
    /// The queue is closed.
    Closed,
}

impl Counter {
    /// Returns `true` if the counter serves.
    pub fn is_open(&self) -> bool {
        self.state == CounterState::Open
    }
}

impl Site {
    /// Business day of the site; `None` before its first decision.
    pub fn day(&self) -> Option<Day> {
        self.day
    }

    /// Business day under which notices name the tickets; that of the site, except after a reset.
    pub fn notice_day(&self) -> Option<Day> {
        self.spent_days.map(|spent| spent.until).or(self.day)
    }

    /// Line of a queue; empty if nothing has happened there.
    pub fn line(&self, queue: &QueueId) -> Arc<Line> {
        self.lines.get(queue).cloned().unwrap_or_default()
    }

    /// State of a counter; offline if nothing has happened there.
    pub fn counter(&self, counter: &CounterId) -> Counter {
        self.counters.get(counter).cloned().unwrap_or_default()
    }

    /// Ticket of today.
    pub fn ticket(&self, ticket: TicketId) -> Option<&Ticket> {
        self.tickets.get(&ticket).map(|ticket| &**ticket)
    }

    /// Live tickets, in the order in which they were taken.
    pub(crate) fn live_tickets(&self) -> Vec<TicketId> {
        let in_lines = self.lines.values().flat_map(|line| line.all_tickets());
        let served = self.counters.values().filter_map(|counter| counter.serving);
        let mut all: Vec<_> = in_lines.chain(served).collect();
        all.sort_unstable();
        all
    }

    /// Ticket in the form in which it is carried over to the next day.
    pub(crate) fn as_carried_over(&self, ticket: &Ticket) -> Ticket {
        Ticket { progress: self.visit_progress(ticket), ..ticket.without_undo_point() }
    }

    /// The day as it ended: its tickets, without the lines, and without what undoing needs.
    #[must_use]
    pub fn to_ended_day(&self) -> Site {
        let tickets = self.tickets.iter().map(|(id, ticket)| {
            let ended = match ticket.past.undo_point {
                None => ticket.clone(),
                Some(_) => Arc::new(ticket.without_undo_point()),
            };
            (*id, ended)
        });
        let (day, spent_days) = (self.day, self.spent_days);
        Site { day, spent_days, tickets: tickets.collect(), ..Site::default() }
    }

    /// Live ticket of a person.
    pub fn live_ticket_of(&self, person: &Person) -> Option<&Ticket> {
        self.ticket(*self.holders.get(person)?)
    }

    /// Tickets of today that a person took, first to last.
    pub fn tickets_of<'a>(&'a self, person: &'a Person) -> impl Iterator<Item = &'a Ticket> {
        self.tickets().filter(move |ticket| ticket.names(person))
    }

    /// Tickets of today, in the order in which they were taken.
    pub fn tickets(&self) -> impl Iterator<Item = &Ticket> {
        self.tickets.values().map(|ticket| &**ticket)
    }

    /// Latest calls, newest first.
    pub fn recent_calls(&self) -> impl Iterator<Item = &RecentCall> {
        self.recent_calls.iter().rev()
    }

    /// Recorded answer to a command within the retention.
    pub fn recorded_answer(&self, command: &CommandId) -> Option<RecordedAnswer> {
        self.recent_commands.get(command, &self.tickets)
    }

    /// Returns `true` if the command was decided within the retention.
    pub fn has_decided(&self, command: &CommandId) -> bool {
        self.recent_commands.contains(command)
    }

    /// Number of tickets ahead of this one; 0 unless it waits.
    pub fn ahead(&self, ticket: &Ticket) -> u32 {
        match *ticket.state {
            TicketState::Waiting => self.ahead_at(&ticket.queue, ticket.rank, ticket.id),
            _ => 0,
        }
    }

    pub(crate) fn ahead_at(&self, queue: &QueueId, rank: Rank, ticket: TicketId) -> u32 {
        self.lines.get(queue).map_or(0, |line| line.count_ahead(rank, ticket)) as u32
    }

    /// Effective arrival at this time: never before that of a ticket already in a line.
    pub(crate) fn effective_arrival(&self, at: Timestamp) -> Timestamp {
        self.last_arrival.map_or(at, |last| last.max(at))
    }

    /// State of a queue: the one that staff set, or the one of the owner's rules.
    pub fn queue_state(&self, rules: &Rules, queue: &QueueId) -> QueueState {
        let by_staff = self.lines.get(queue).and_then(|line| line.state);
        by_staff.unwrap_or_else(|| match rules.queues.get(queue) {
            Some(rules) if rules.open => QueueState::Open,
            _ => QueueState::Closed,
        })
    }

    /// Returns `true` if tickets of the queue may be called now.
    pub(crate) fn is_calling(&self, rules: &Rules, queue: &QueueId) -> bool {
        let cleared = self.lines.get(queue).is_none_or(|line| line.uncleared.is_none());
        let state = self.queue_state(rules, queue);
        cleared && matches!(state, QueueState::Open | QueueState::Paused)
    }

    /// Number of times that a ticket was overtaken, up to now.
    pub fn overtake_counts(&self, ticket: &Ticket) -> OvertakeCounts {
        self.visit_progress(ticket).steps.overtaken
    }

    /// Line of a queue, to change it.
    pub(crate) fn line_mut(&mut self, queue: &QueueId) -> &mut Line {
        Arc::make_mut(self.lines.entry(queue.clone()).or_default())
    }

    /// Running record of a visit, with the overtakings of its line up to now.
    pub(crate) fn visit_progress(&self, ticket: &Ticket) -> VisitProgress {
        let mut progress = ticket.progress.clone();
        let Some(line) = self.lines.get(&ticket.queue) else { return progress };
        if ticket.state == TicketState::Waiting {
            let overtakers =
                line.overtake_causes(ticket.rank, ticket.id, progress.overtakes_counted);
            overtakers.for_each(|cause| progress.steps.overtaken.increment(cause));
            progress.overtakes_counted = line.overtake_count();
        }
        progress
    }
}
