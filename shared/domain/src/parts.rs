//! Parts of a site: its whole state as plain values, to be stored and to be put together again.
//!
//! What follows from the tickets is no part: lanes, holders, deadlines, serials, tallies and the
//! tickets at counters are derived again.

use crate::model::ids::{CommandId, CounterId, Number, QueueId, TicketId};
use crate::model::line::{Line, Overtake};
use crate::model::position_changes::PositionChange;
use crate::model::rank::Rank;
use crate::model::recent_commands::RecordedAnswer;
use crate::model::remainder::Remainder;
use crate::model::site::{Counter, CounterState, RecentCall, Site, SpentDays};
use crate::model::ticket::Ticket;
use crate::model::time::{Day, Timestamp};
use crate::protocol::command::QueueState;
use std::sync::Arc;

/// Parts of a site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SiteParts {
    /// Business day.
    pub day: Option<Day>,
    /// Lines, by queue.
    pub lines: Vec<LineParts>,
    /// Counters, by id.
    pub counters: Vec<CounterParts>,
    /// Tickets of the day, by id.
    pub tickets: Vec<Arc<Ticket>>,
    /// Calls that the board still shows, oldest first.
    pub recent_calls: Vec<RecentCall>,
    /// Commands within the retention with their answers, oldest first.
    pub recent_commands: Vec<(CommandId, RecordedAnswer)>,
    /// Latest effective arrival in any line.
    pub last_arrival: Option<Timestamp>,
    /// Tickets of the day before that are still to be carried over.
    pub pending_carry_over: Vec<Arc<Ticket>>,
    /// Days whose ids are used up.
    pub spent_days: Option<SpentDays>,
}

/// Parts of the line of one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineParts {
    /// The queue.
    pub queue: QueueId,
    /// State that staff set today.
    pub state: Option<QueueState>,
    /// Tickets taken today.
    pub taken: u32,
    /// Calls of today, without recalls.
    pub calls: u32,
    /// Calls of today that were out of order.
    pub out_of_order: u32,
    /// Step of the interleaving.
    pub interleave_step: u32,
    /// Number called last.
    pub last_called: Option<Number>,
    /// Tickets of a better class that were called before a ticket that had come earlier.
    pub priority_passes: Vec<(Rank, TicketId)>,
    /// Latest position changes, oldest first.
    pub position_changes: Vec<PositionChange>,
    /// Overtakings of today, oldest first.
    pub overtakes: Vec<Overtake>,
    /// Tickets whose holders are still to be notified of the queue's state.
    pub unnotified: Option<Remainder>,
    /// Tickets that a clearing has still to void.
    pub uncleared: Option<Remainder>,
    /// Wait in seconds of the person called last.
    pub last_wait_s: Option<u32>,
}

/// Parts of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterParts {
    /// The counter.
    pub counter: CounterId,
    /// Open, on a break or offline.
    pub state: CounterState,
    /// Login of the person at the counter.
    pub login: Option<Arc<str>>,
    /// Time at which that login came.
    pub login_since: Option<Timestamp>,
    /// Calls of today.
    pub calls: u32,
    /// Time at which it opened or was last left by a ticket.
    pub free_since: Option<Timestamp>,
    /// `true` if the system calls nobody there until somebody does.
    pub auto_call_paused: bool,
}

impl Site {
    /// Takes the site apart.
    pub fn to_parts(&self) -> SiteParts {
        let counters = self.counters.iter().map(|(id, counter)| CounterParts {
            counter: id.clone(),
            state: counter.state,
            login: counter.login.clone(),
            login_since: counter.login_since,
            calls: counter.calls,
            free_since: counter.free_since,
            auto_call_paused: counter.auto_call_paused,
        });
        SiteParts {
            day: self.day,
            lines: self.lines.iter().map(|(queue, line)| line.to_parts(queue)).collect(),
            counters: counters.collect(),
            tickets: self.tickets.values().cloned().collect(),
            recent_calls: self.recent_calls.iter().cloned().collect(),
            recent_commands: self.recent_commands.iter(&self.tickets).collect(),
            last_arrival: self.last_arrival,
            pending_carry_over: self.pending_carry_over.iter().cloned().collect(),
            spent_days: self.spent_days,
        }
    }

    /// Puts a site together: the one that the parts were taken from.
    pub fn from_parts(parts: SiteParts) -> Site {
        let mut site = Site {
            day: parts.day,
            lines: parts.lines.into_iter().map(Line::from_parts).map(shared).collect(),
            recent_calls: parts.recent_calls.into_iter().collect(),
            pending_carry_over: parts.pending_carry_over.into_iter().collect(),
            last_ticket: parts.spent_days.map_or(0, |spent| spent.last_ticket.0),
            spent_days: parts.spent_days,
            ..Site::default()
        };
        for parts in parts.counters {
            let counter = Counter {
                state: parts.state,
                login: parts.login,
                login_since: parts.login_since,
                serving: None,
                calls: parts.calls,
                free_since: parts.free_since,
                auto_call_paused: parts.auto_call_paused,
            };
            site.counters.insert(parts.counter, counter);
        }
        // Those that were carried over came before any that was taken today.
        let taken_today: u32 = site.lines.values().map(|line| line.taken).sum();
        let carried = parts.tickets.len().saturating_sub(taken_today as usize);
        let last_carried = carried.checked_sub(1).and_then(|index| parts.tickets.get(index));
        site.last_carried = last_carried.map_or(TicketId::default(), |ticket| ticket.id);
        for ticket in parts.tickets {
            site.index_new(ticket);
        }
        for (id, recorded) in parts.recent_commands {
            site.recent_commands.restore(id, recorded, &site.tickets, site.last_carried);
        }
        // A ticket may have left the place that the latest arrival gave it.
        site.last_arrival = parts.last_arrival;
        site
    }
}

fn shared((queue, line): (QueueId, Line)) -> (QueueId, Arc<Line>) {
    (queue, Arc::new(line))
}

impl Line {
    fn to_parts(&self, queue: &QueueId) -> LineParts {
        let passes = self.priority_passes.iter();
        LineParts {
            queue: queue.clone(),
            state: self.state,
            taken: self.taken,
            calls: self.calls,
            out_of_order: self.out_of_order,
            interleave_step: self.interleave_step,
            last_called: self.last_called.clone(),
            priority_passes: passes
                .map(|((arrival, sequence, offset, ticket), class)| {
                    let (class, arrival) = (*class, *arrival);
                    (Rank { class, arrival, sequence: *sequence, offset: *offset }, *ticket)
                })
                .collect(),
            position_changes: self.position_changes.iter().cloned().collect(),
            overtakes: self.overtakes.iter().copied().collect(),
            unnotified: self.unnotified.clone(),
            uncleared: self.uncleared.clone(),
            last_wait_s: self.last_wait_s,
        }
    }

    /// Line without tickets, which come with the tickets of the site.
    fn from_parts(parts: LineParts) -> (QueueId, Line) {
        let mut line = Line {
            state: parts.state,
            taken: parts.taken,
            calls: parts.calls,
            out_of_order: parts.out_of_order,
            interleave_step: parts.interleave_step,
            last_called: parts.last_called,
            position_changes: parts.position_changes.into_iter().collect(),
            overtakes: parts.overtakes.into_iter().collect(),
            unnotified: parts.unnotified,
            uncleared: parts.uncleared,
            last_wait_s: parts.last_wait_s,
            ..Line::default()
        };
        for (rank, ticket) in parts.priority_passes {
            line.record_pass(rank, ticket);
        }
        (parts.queue, line)
    }
}
