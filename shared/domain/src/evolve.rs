//! What a site is after a decision. Needs no rules and no clock: everything is in the events.

use crate::model::actor::By;
use crate::model::ids::{CounterId, Number, Person, QueueId, TicketId};
use crate::model::lane::Patience;
use crate::model::line::{Line, Overtake};
use crate::model::moves::Cause;
use crate::model::site::{Counter, CounterState, RecentCall, Site};
use crate::model::ticket::{Before, CloseReason, Counts, Marks, Rank, Stage, Ticket, Told};
use crate::model::time::Timestamp;
use crate::model::visit::Trail;
use crate::pieces::Rest;
use crate::protocol::command::Mark;
use crate::protocol::event::{Decision, Event};
use std::sync::Arc;

/// How many calls a site remembers for its board.
const RECENT_CALLS: usize = 20;

/// Where a ticket is, as far as anything but the ticket itself has to know.
struct Spot {
    queue: QueueId,
    rank: Rank,
    place: Place,
    holder: Option<Person>,
    deadline: Option<Timestamp>,
    patience: Option<Patience>,
}

#[derive(PartialEq)]
enum Place {
    Line,
    Counter(CounterId),
    Aside,
    Missed,
    Gone,
}

impl Spot {
    fn of(ticket: &Ticket) -> Spot {
        let place = match &ticket.stage {
            Stage::Waiting => Place::Line,
            Stage::Called { counter, .. } | Stage::Serving { counter, .. } => {
                Place::Counter(counter.clone())
            }
            Stage::Held { .. } => Place::Aside,
            Stage::Missed { until: Some(_), .. } => Place::Missed,
            _ => Place::Gone,
        };
        Spot {
            queue: ticket.queue.clone(),
            rank: ticket.rank,
            place,
            holder: ticket.person.clone().filter(|_| ticket.is_live()),
            deadline: ticket.deadline(),
            patience: Patience::of(ticket),
        }
    }
}

impl Site {
    /// The site after a decision. Decisions come in the order of the ledger.
    pub fn apply(&mut self, decision: &Decision) {
        for event in &decision.events {
            self.evolve(event, decision.at, decision.by.as_ref());
        }
        self.memory.add(decision);
    }

    pub(crate) fn evolve(&mut self, event: &Event, at: Timestamp, by: Option<&By>) {
        match event {
            Event::DayClosed { .. } => {}
            Event::TicketShown { ticket, told, via: _ } => {
                self.change(*ticket, |ticket| ticket.trail.tell(told, at));
            }
            Event::DayOpened { day, carrying } => {
                let live = self.live();
                let late = live.len().saturating_sub(*carrying as usize);
                let later = live[late..].iter().filter_map(|id| self.ticket(*id));
                let carrying = later.map(|ticket| Arc::new(self.carried(ticket))).collect();
                *self = Site { day: Some(*day), carrying, ..Site::default() };
            }
            Event::CounterOpened { counter, login } => {
                let counter = self.counter_mut(counter);
                counter.state = CounterState::Open;
                counter.login.clone_from(login);
            }
            Event::CounterPaused { counter } => {
                self.counter_mut(counter).state = CounterState::Break;
            }
            Event::CounterClosed { counter } => {
                let counter = self.counter_mut(counter);
                counter.state = CounterState::Offline;
                counter.login = None;
            }
            Event::QueueSet { queue, state, untold } => {
                let line = self.lines.entry(queue.clone()).or_default();
                line.state = Some(*state);
                line.untold = match *untold as usize {
                    0 => None,
                    untold => {
                        let all: Vec<_> = line.listeners().map(|(id, _)| id).collect();
                        let told = all.len().saturating_sub(untold);
                        Rest::of(at, all.into_iter().skip(told))
                    }
                };
            }
            Event::QueueTold { queue, people } => {
                let line = self.lines.entry(queue.clone()).or_default();
                line.untold = line.untold.take().and_then(|rest| rest.after(*people));
            }
            Event::QueueCleared { queue, unswept, .. } => {
                let line = self.lines.entry(queue.clone()).or_default();
                line.untold = None;
                line.unswept = (*unswept > 0).then(|| Rest::of(at, line.all())).flatten();
            }
            Event::QueueSwept { queue, tickets } => {
                let line = self.lines.entry(queue.clone()).or_default();
                line.unswept = line.unswept.take().and_then(|rest| rest.after(*tickets));
            }
            Event::TicketTaken {
                ticket,
                queue,
                number,
                person,
                rank,
                told,
                basis,
                via: _,
                key,
            } => {
                let line = self.lines.entry(queue.clone()).or_default();
                line.taken += 1;
                let passes = line.anybody_behind(*rank, *ticket);
                if passes {
                    let (behind, cause) = (Some((*rank, *ticket)), Cause::Priority);
                    line.overtook(Overtake { behind, before: None, cause });
                }
                let new = taken(*ticket, queue, number, person, *rank, *told, at);
                self.put(Ticket { basis: *basis, key: *key, ..new });
                if passes {
                    self.moved(*ticket, None, Cause::Priority, at);
                }
            }
            Event::TicketCarried { ticket } => {
                if self.carrying.front().is_some_and(|next| next.id == ticket.id) {
                    self.carrying.pop_front();
                }
                self.put((**ticket).clone());
            }
            Event::TicketCalled { ticket, counter, call, deadline, reason, over, turn } => {
                let out_of_order = reason.is_some();
                let was = self.place(*ticket);
                let was_waiting = was.is_some();
                let called = self.change(*ticket, |ticket| {
                    ticket.counts.calls = *call;
                    if ticket.trail.called_at.is_none() {
                        ticket.trail.called_at = Some(at);
                        ticket.trail.jumped = out_of_order;
                    }
                    ticket.stage = Stage::Called {
                        counter: counter.clone(),
                        at,
                        call: *call,
                        round: 1,
                        last: at,
                        deadline: *deadline,
                    };
                });
                let Some(called) = called else { return };
                let line = self.lines.entry(called.queue.clone()).or_default();
                line.calls += 1;
                line.out_of_order += u32::from(out_of_order);
                if out_of_order && !line.is_empty() {
                    // Whoever was missed and is called on the spot was behind nobody.
                    let (before, cause) = match was_waiting {
                        true => (Some((called.rank, called.id)), Cause::OutOfOrder),
                        false => (None, Cause::Return),
                    };
                    line.overtook(Overtake { behind: None, before, cause });
                }
                if called.trail.called_at == Some(at) {
                    let waited_s = at.since_ms(called.taken_at).max(0) / 1_000;
                    line.last_wait_s = u32::try_from(waited_s).ok();
                }
                line.turn = turn.unwrap_or(line.turn);
                line.last_called = Some(called.number.clone());
                for queue in over {
                    let line = self.lines.entry(queue.clone()).or_default();
                    line.pass(called.rank, called.id);
                }
                self.counter_mut(counter).calls += 1;
                self.announce(&called, counter, at, *call);
                self.moved(*ticket, was.filter(|_| out_of_order), Cause::OutOfOrder, at);
            }
            Event::TicketRecalled { ticket, counter, call, round, deadline } => {
                let called = self.change(*ticket, |ticket| {
                    ticket.counts.calls = *call;
                    let Stage::Called { call: c, round: r, last, deadline: d, .. } =
                        &mut ticket.stage
                    else {
                        return;
                    };
                    (*c, *r, *last, *d) = (*call, *round, at, *deadline);
                });
                if let Some(called) = called {
                    self.announce(&called, counter, at, *call);
                }
            }
            Event::TicketStarted { ticket, counter } => {
                self.change(*ticket, |ticket| {
                    let since = match ticket.stage {
                        Stage::Called { at, .. } => at,
                        _ => at,
                    };
                    ticket.trail.started_at = ticket.trail.started_at.or(Some(at));
                    ticket.stage = Stage::Serving { counter: counter.clone(), since, at };
                });
            }
            Event::TicketPutBack { ticket } => {
                self.change(*ticket, |ticket| ticket.stage = Stage::Waiting);
                self.came(*ticket, None, Cause::TakenBack, at);
            }
            Event::TicketFinished { ticket, .. } => self.end(*ticket, Stage::Done { at }, at, by),
            Event::TicketMissed { ticket, until, .. } => {
                let since = self.ticket(*ticket).map(|ticket| ticket.stage.clone());
                self.end(*ticket, Stage::Missed { at, until: *until }, at, by);
                self.change(*ticket, |ticket| {
                    ticket.counts.misses += 1;
                    if let Some(Stage::Called { at: since, .. }) = since {
                        ticket.trail.missed_ms = Some(at.since_ms(since).max(0));
                    }
                });
            }
            Event::TicketReturned { ticket, rank } => {
                self.change(*ticket, |ticket| {
                    (ticket.rank, ticket.stage) = (*rank, Stage::Waiting)
                });
                self.came(*ticket, None, Cause::Return, at);
            }
            Event::TicketHeld { ticket, hold, worked_ms } => {
                let was = self.place(*ticket);
                self.change(*ticket, |ticket| {
                    ticket.counts.holds += 1;
                    if let Stage::Serving { since, at: begun, .. } = ticket.stage {
                        ticket.trail.coming_ms += begun.since_ms(since).max(0);
                    }
                    ticket.counts.let_pass +=
                        u32::from(hold.why == crate::model::ticket::HoldWhy::LetPass);
                    ticket.worked_ms = *worked_ms;
                    ticket.stage = Stage::Held { at, hold: hold.clone() };
                });
                self.moved(*ticket, was, Cause::Hold, at);
            }
            Event::TicketResumed { ticket } => {
                self.change(*ticket, |ticket| ticket.stage = Stage::Waiting);
                self.came(*ticket, None, Cause::Resume, at);
            }
            Event::TicketTransferred { ticket, queue, rank } => {
                self.change(*ticket, |ticket| {
                    ticket.counts.hops += 1;
                    ticket.queue = queue.clone();
                    (ticket.rank, ticket.stage) = (*rank, Stage::Waiting);
                });
                self.came(*ticket, None, Cause::Transfer, at);
            }
            Event::TicketClosed { ticket, reason, .. } => self.close(*ticket, *reason, at, by),
            Event::TicketRestored { ticket, .. } => {
                self.change(ticket.id, |now| *now = (**ticket).clone());
                self.came(ticket.id, None, Cause::TakenBack, at);
            }
            Event::TicketPrioritised { ticket, rank, reason: _ } => {
                let was = self.place(*ticket);
                self.change(*ticket, |ticket| ticket.rank = *rank);
                self.came(*ticket, was, Cause::Priority, at);
            }
            Event::TicketMarked { ticket, mark } => {
                self.change(*ticket, |ticket| match mark {
                    Mark::Arrived => ticket.marks.arrived = true,
                    Mark::Party(people) => ticket.marks.party = *people,
                    Mark::TellAt(ahead) => ticket.marks.tell_at = *ahead,
                });
            }
            Event::HolderForgotten { ticket } => {
                self.change(*ticket, |ticket| {
                    ticket.person = None;
                    if let Some(before) = ticket.before.as_mut().map(Arc::make_mut) {
                        before.ticket.person = None;
                    }
                });
            }
            Event::MilestoneReached(milestone) => {
                self.change(milestone.ticket, |ticket| {
                    ticket.notices.note(&milestone.kind, milestone.order, milestone.at);
                    if let Some(told) = milestone.kind.told() {
                        ticket.trail.tell(told, milestone.at);
                    }
                });
            }
        }
    }

    /// Brings a ticket in that was not there.
    fn put(&mut self, mut ticket: Ticket) {
        ticket.trail.counted = match ticket.stage {
            Stage::Waiting => self.lines.get(&ticket.queue).map_or(0, Line::overtakes),
            _ => 0,
        };
        self.last_ticket = self.last_ticket.max(ticket.id.0);
        let serial = self.serials.entry(ticket.number.prefix.clone()).or_default();
        *serial = (*serial).max(ticket.number.serial);
        self.enter(ticket.id, Spot::of(&ticket));
        self.tickets.insert(ticket.id, Arc::new(ticket));
    }

    /// Changes a ticket, and keeps the lines, counters, holders and deadlines in step.
    fn change(&mut self, id: TicketId, change: impl FnOnce(&mut Ticket)) -> Option<Arc<Ticket>> {
        let trail = self.trail(self.ticket(id)?);
        let shared = self.tickets.get_mut(&id)?;
        let was = Spot::of(shared);
        let ticket = Arc::make_mut(shared);
        ticket.trail = trail;
        change(ticket);
        let stays = was.place == Place::Line && was.queue == ticket.queue;
        ticket.trail.counted = match ticket.stage {
            Stage::Waiting if stays => trail.counted,
            Stage::Waiting => self.lines.get(&ticket.queue).map_or(0, Line::overtakes),
            _ => 0,
        };
        let (ticket, is) = (shared.clone(), Spot::of(shared));
        let moved = was.place != is.place || was.rank != is.rank || was.queue != is.queue;
        if moved
            || was.patience != is.patience
            || was.holder != is.holder
            || was.deadline != is.deadline
        {
            self.leave(id, was);
            self.enter(id, is);
        }
        Some(ticket)
    }

    fn leave(&mut self, id: TicketId, spot: Spot) {
        match spot.place {
            Place::Line => self.lines.entry(spot.queue).or_default().remove(spot.rank, id),
            Place::Counter(counter) => self.counter_mut(&counter).serving = None,
            Place::Aside => drop(self.lines.entry(spot.queue).or_default().held.remove(&id)),
            Place::Missed => drop(self.lines.entry(spot.queue).or_default().missed.remove(&id)),
            Place::Gone => {}
        }
        if let Some(deadline) = spot.deadline {
            self.deadlines.remove(&(deadline, id));
        }
        if let Some(holder) = spot.holder {
            self.holders.remove(&holder);
        }
    }

    fn enter(&mut self, id: TicketId, spot: Spot) {
        match spot.place {
            Place::Line => {
                let arrival = spot.rank.arrival;
                self.last_arrival = self.last_arrival.max(Some(arrival));
                self.lines.entry(spot.queue).or_default().insert(spot.rank, id, spot.patience);
            }
            Place::Counter(counter) => self.counter_mut(&counter).serving = Some(id),
            Place::Aside => drop(self.lines.entry(spot.queue).or_default().held.insert(id)),
            Place::Missed => drop(self.lines.entry(spot.queue).or_default().missed.insert(id)),
            Place::Gone => {}
        }
        if let Some(deadline) = spot.deadline {
            self.deadlines.insert((deadline, id));
        }
        if let Some(holder) = spot.holder {
            self.holders.insert(holder, id);
        }
    }

    /// Takes a step that may be taken back.
    fn end(&mut self, id: TicketId, stage: Stage, at: Timestamp, by: Option<&By>) {
        self.change(id, |ticket| {
            // A miss for good is one step with the end that follows it.
            if !matches!(ticket.stage, Stage::Missed { until: None, .. }) {
                let before = Ticket { before: None, ..ticket.clone() };
                ticket.before = Some(Arc::new(Before { ticket: before, at, by: by.cloned() }));
            }
            ticket.stage = stage;
        });
    }

    fn close(&mut self, id: TicketId, reason: CloseReason, at: Timestamp, by: Option<&By>) {
        self.end(id, Stage::Closed { at, reason }, at, by);
    }

    /// Notes that a ticket is in another place than before, and whom it overtook.
    fn came(&mut self, id: TicketId, was: Option<(QueueId, Rank)>, cause: Cause, at: Timestamp) {
        let before = was.as_ref().map(|(_, rank)| (*rank, id));
        self.moved(id, was, cause, at);
        let Some((queue, rank)) = self.place(id) else { return };
        // Those behind the old place have nobody more ahead.
        if before.is_some_and(|(was, _)| rank >= was) {
            return;
        }
        let Some(line) = self.lines.get_mut(&queue) else { return };
        if line.anybody_behind(rank, id) {
            line.overtook(Overtake { behind: Some((rank, id)), before, cause });
        }
    }

    fn announce(&mut self, called: &Ticket, counter: &CounterId, at: Timestamp, call: u32) {
        let (number, queue) = (called.number.clone(), called.queue.clone());
        let recent = RecentCall { number, counter: counter.clone(), queue, at, call };
        self.calls.push_back(recent);
        while self.calls.len() > RECENT_CALLS {
            self.calls.pop_front();
        }
    }

    fn counter_mut(&mut self, counter: &CounterId) -> &mut Counter {
        self.counters.entry(counter.clone()).or_default()
    }
}

fn taken(
    id: TicketId,
    queue: &QueueId,
    number: &Number,
    person: &Option<Person>,
    rank: Rank,
    told: Told,
    at: Timestamp,
) -> Ticket {
    let mut trail = Trail::default();
    trail.tell(&told, at);
    let expected = told.estimate.map(|estimate| at.plus_minutes(estimate.low));
    Ticket {
        id,
        key: None,
        number: number.clone(),
        queue: queue.clone(),
        person: person.clone(),
        taken_at: at,
        arrived: rank.arrival,
        rank,
        told,
        basis: None,
        stage: Stage::Waiting,
        counts: Counts::default(),
        marks: Marks::default(),
        notices: crate::model::notices::Notices { expected, ..Default::default() },
        trail,
        worked_ms: 0,
        before: None,
    }
}
