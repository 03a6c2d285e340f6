//! A site as its ledger tells it: lines, counters, and the day's tickets.
//!
//! The maps are persistent: a clone shares everything with its origin, so a reader holds a site
//! as a value, and a decision can be tried on a copy, at no cost.

use crate::estimate::{Estimate, LiveCounter, Model, Situation};
use crate::event::{Decision, Event};
use crate::ids::{CommandId, CounterId, Number, Person, QueueId, TicketId};
use crate::memory::{Memory, Remembered};
use crate::rules::Rules;
use crate::ticket::{CloseReason, Rank, Stage, Ticket, Told};
use crate::time::{Day, Timestamp};
use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// How many calls a site remembers for its board.
const RECENT_CALLS: usize = 10;

/// The state of one site on one business day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    pub(crate) day: Option<Day>,
    pub(crate) lines: OrdMap<QueueId, Line>,
    pub(crate) counters: OrdMap<CounterId, Counter>,
    /// Shared, since a persistent map copies a node of them on every change.
    pub(crate) tickets: OrdMap<TicketId, Arc<Ticket>>,
    pub(crate) holders: OrdMap<Person, TicketId>,
    pub(crate) calls: Vector<RecentCall>,
    pub(crate) memory: Memory,
    pub(crate) last_ticket: u32,
    pub(crate) last_arrival: Option<Timestamp>,
}

/// One queue's line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    waiting: OrdMap<Rank, TicketId>,
    last_serial: u32,
    last_called: Option<Number>,
}

/// One counter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counter {
    /// Whether it serves.
    pub open: bool,
    /// Whom it has called and not finished with.
    pub serving: Option<TicketId>,
}

/// A call that the board still shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentCall {
    /// Who.
    pub number: Number,
    /// Where to.
    pub counter: CounterId,
    /// When.
    pub at: Timestamp,
    /// The how-manieth call of this ticket.
    pub call: u32,
}

impl Line {
    /// Those who wait, first to last.
    pub fn waiting(&self) -> impl Iterator<Item = TicketId> + '_ {
        self.waiting.values().copied()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The number called last.
    pub fn last_called(&self) -> Option<&Number> {
        self.last_called.as_ref()
    }

    pub(crate) fn first(&self) -> Option<(Rank, TicketId)> {
        self.waiting.get_min().map(|(rank, ticket)| (*rank, *ticket))
    }

    pub(crate) fn next_serial(&self) -> u32 {
        self.last_serial + 1
    }

    /// How many wait before this place.
    fn ahead_of(&self, rank: Rank) -> usize {
        match self.waiting.get_max() {
            Some((last, _)) if *last < rank => self.waiting.len(),
            _ => self.waiting.range(..rank).count(),
        }
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

    /// The live ticket of a person.
    pub fn held_by(&self, person: &Person) -> Option<&Ticket> {
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
        self.calls.iter().rev()
    }

    /// What was answered to a command that was decided a short while ago.
    pub fn remembered(&self, command: &CommandId) -> Option<&Remembered> {
        self.memory.find(command)
    }

    /// How many people a ticket has before it; nobody unless it waits.
    pub fn ahead(&self, ticket: &Ticket) -> u32 {
        match ticket.stage {
            Stage::Waiting => self.ahead_at(&ticket.queue, ticket.rank),
            _ => 0,
        }
    }

    pub(crate) fn ahead_at(&self, queue: &QueueId, rank: Rank) -> u32 {
        self.lines.get(queue).map_or(0, |line| line.ahead_of(rank)) as u32
    }

    /// What somebody with this many people ahead is told of the wait.
    pub fn outlook(
        &self,
        rules: &Rules,
        queue: &QueueId,
        ahead: u32,
        at: Timestamp,
    ) -> Option<Estimate> {
        let minutes = rules.queues.get(queue)?.minutes;
        let busy = |ticket: TicketId| {
            let (queue, spent_ms) = match self.tickets.get(&ticket).map(|t| (&t.queue, &t.stage)) {
                Some((queue, Stage::Called { at: since, .. })) => (queue, at.since_ms(*since)),
                _ => (queue, 0),
            };
            LiveCounter::Busy {
                queue: queue.clone(),
                minutes: rules.queues.get(queue).map_or(minutes, |rules| rules.minutes),
                spent_s: u32::try_from(spent_ms.max(0) / 1_000).unwrap_or(u32::MAX),
            }
        };
        let counters = rules
            .counters_of(queue)
            .filter_map(|id| self.counters.get(id))
            .filter(|counter| counter.open)
            .map(|counter| counter.serving.map_or(LiveCounter::Free, busy))
            .collect();
        let queue = queue.clone();
        let situation =
            Situation { queue, minutes, ahead, counters, last_wait_s: None, closing_s: None };
        Model::default().forecast(&situation).map(|forecast| forecast.told())
    }

    /// The site after a decision. Decisions come in the order of the ledger.
    pub fn apply(&mut self, decision: &Decision) {
        for event in &decision.events {
            self.evolve(event, decision.at);
        }
        self.memory.add(decision);
    }

    fn evolve(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::DayOpened { day } => *self = Site { day: Some(*day), ..Site::default() },
            Event::CounterOpened { counter } => self.counter_mut(counter).open = true,
            Event::CounterClosed { counter } => self.counter_mut(counter).open = false,
            Event::TicketTaken { ticket, queue, number, person, rank, told, via: _ } => {
                self.last_ticket = ticket.0;
                self.last_arrival = Some(rank.arrival);
                let line = self.lines.entry(queue.clone()).or_default();
                line.last_serial = number.serial;
                line.waiting.insert(*rank, *ticket);
                if let Some(person) = person {
                    self.holders.insert(person.clone(), *ticket);
                }
                let new = Ticket {
                    id: *ticket,
                    number: number.clone(),
                    queue: queue.clone(),
                    person: person.clone(),
                    taken_at: at,
                    rank: *rank,
                    told: *told,
                    stage: Stage::Waiting,
                };
                self.tickets.insert(*ticket, Arc::new(new));
            }
            Event::TicketShown { .. } | Event::MilestoneReached(_) => {}
            Event::TicketCalled { ticket, counter, call, deadline } => {
                let stage = Stage::Called {
                    counter: counter.clone(),
                    at,
                    call: *call,
                    deadline: *deadline,
                };
                let Some((number, queue)) = self.move_to(*ticket, stage) else { return };
                self.lines.entry(queue).or_default().last_called = Some(number.clone());
                self.counter_mut(counter).serving = Some(*ticket);
                let recent = RecentCall { number, counter: counter.clone(), at, call: *call };
                self.calls.push_back(recent);
                while self.calls.len() > RECENT_CALLS {
                    self.calls.pop_front();
                }
            }
            Event::TicketFinished { ticket, counter } => {
                self.move_to(*ticket, Stage::Done { at });
                self.counter_mut(counter).serving = None;
            }
            Event::TicketMissed { ticket, counter } => {
                self.move_to(*ticket, Stage::Missed { at });
                self.counter_mut(counter).serving = None;
            }
            Event::TicketClosed { ticket, reason } => self.close(*ticket, *reason, at),
            Event::HolderForgotten { ticket } => {
                if let Some(ticket) = self.tickets.get_mut(ticket).map(Arc::make_mut) {
                    ticket.person = None;
                }
            }
        }
    }

    fn close(&mut self, id: TicketId, reason: CloseReason, at: Timestamp) {
        let was = self.tickets.get(&id).map(|ticket| ticket.stage.clone());
        if let Some(Stage::Called { counter, .. }) = was {
            self.counter_mut(&counter).serving = None;
        }
        self.move_to(id, Stage::Closed { at, reason });
    }

    /// Puts a ticket into another stage, and keeps its line and its holder in step.
    fn move_to(&mut self, id: TicketId, stage: Stage) -> Option<(Number, QueueId)> {
        let ticket = Arc::make_mut(self.tickets.get_mut(&id)?);
        ticket.stage = stage;
        let line = self.lines.entry(ticket.queue.clone()).or_default();
        match ticket.stage {
            Stage::Waiting => line.waiting.insert(ticket.rank, id),
            _ => line.waiting.remove(&ticket.rank),
        };
        if let Some(person) = ticket.person.as_ref().filter(|_| !ticket.is_live()) {
            self.holders.remove(person);
        }
        Some((ticket.number.clone(), ticket.queue.clone()))
    }

    fn counter_mut(&mut self, counter: &CounterId) -> &mut Counter {
        self.counters.entry(counter.clone()).or_default()
    }

    /// What the holder of a place is told.
    pub(crate) fn told(&self, rules: &Rules, queue: &QueueId, rank: Rank, at: Timestamp) -> Told {
        let ahead = self.ahead_at(queue, rank);
        Told { ahead, estimate: self.outlook(rules, queue, ahead, at) }
    }
}
