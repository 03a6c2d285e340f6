//! Application of decisions to a site. It needs no rules and no clock: everything is in the events.

mod index;
mod tally;

use crate::model::actor::ActorRef;
use crate::model::ids::{CounterId, Number, Person, QueueId, TicketId};
use crate::model::line::Overtake;
use crate::model::notification::NotificationHistory;
use crate::model::position_changes::PositionChangeCause;
use crate::model::quoted_wait::QuotedWait;
use crate::model::rank::Rank;
use crate::model::rare::Rare;
use crate::model::remainder::Remainder;
use crate::model::site::{Counter, CounterState, RecentCall, Site, SpentDays};
use crate::model::ticket::{HoldKind, LaterQuotes, Ticket, TicketState, UndoPoint};
use crate::model::time::{Day, Timestamp};
use crate::model::visit_progress::VisitProgress;
use crate::protocol::command::{Mark, QueueState};
use crate::protocol::event::{Decision, Event};
use std::sync::Arc;

/// Number of latest calls that a site keeps for its board.
const MAX_RECENT_CALLS: usize = 20;

impl Site {
    /// Applies a decision. Decisions must come in the order of the ledger.
    pub fn apply(&mut self, decision: &Decision) {
        for event in &decision.events {
            self.apply_event(event, decision.at, decision.by.as_ref());
        }
        self.recent_commands.record(decision, &self.tickets);
    }

    pub(crate) fn apply_event(&mut self, event: &Event, at: Timestamp, by: Option<&ActorRef>) {
        let left = self.counter_of(event);
        self.apply_change(event, at, by);
        if let Some(id) = left.filter(|id| self.counter(id).serving.is_none()) {
            let counter = self.counter_mut(&id);
            counter.free_since = Some(at);
            counter.auto_call_paused |= matches!(event, Event::TicketPutBack { .. });
        }
    }

    /// Counter of an event's ticket before the event.
    fn counter_of(&self, event: &Event) -> Option<CounterId> {
        self.ticket(event.ticket()?)?.at_counter().cloned()
    }

    fn apply_change(&mut self, event: &Event, at: Timestamp, by: Option<&ActorRef>) {
        match event {
            Event::DayClosed { .. } => {}
            Event::TicketShown { ticket, quoted, scan_session: _ } => {
                self.update_ticket(*ticket, |ticket| ticket.record_quote(quoted, at));
            }
            Event::DayOpened { day, carrying } => {
                let live = self.live_tickets();
                let passed_count = live.len().saturating_sub(*carrying as usize);
                let later = live[passed_count..].iter().filter_map(|id| self.ticket(*id));
                let carrying = later.map(|ticket| Arc::new(self.as_carried_over(ticket))).collect();
                let last_ticket = TicketId(self.last_ticket);
                let spent_days = self.spent_days.filter(|spent| spent.until >= *day);
                let spent_days = spent_days.map(|spent| SpentDays { last_ticket, ..spent });
                *self = Site {
                    day: Some(*day),
                    last_ticket: spent_days.map_or(0, |spent| spent.last_ticket.0),
                    spent_days,
                    pending_carry_over: carrying,
                    // A command that is repeated after the turn of the day was decided before it.
                    recent_commands: self.recent_commands.detach(&self.tickets),
                    ..Site::default()
                };
            }
            Event::DayReset { from, day } => self.reset_day(*from, *day, at),
            Event::CounterOpened { counter, login } => {
                let counter = self.counter_mut(counter);
                if counter.login != *login || counter.login_since.is_none() {
                    counter.login_since = login.is_some().then_some(at);
                    counter.login.clone_from(login);
                }
                counter.state = CounterState::Open;
                counter.free_since = Some(at);
                counter.auto_call_paused = false;
            }
            Event::CounterPaused { counter } => {
                self.counter_mut(counter).state = CounterState::Break;
            }
            Event::CounterClosed { counter } => {
                let counter = self.counter_mut(counter);
                counter.state = CounterState::Offline;
                (counter.login, counter.login_since) = (None, None);
            }
            Event::QueueSet { queue, state, unnotified } => {
                let line = self.line_mut(queue);
                line.state = Some(*state);
                line.unnotified = match *unnotified as usize {
                    0 => None,
                    unnotified => {
                        let all: Vec<_> = line.notification_targets().map(|(id, _)| id).collect();
                        let notified = all.len().saturating_sub(unnotified);
                        Remainder::from_tickets(at, all.into_iter().skip(notified))
                    }
                };
            }
            Event::QueueBatchNotified { queue, people } => {
                let line = self.line_mut(queue);
                line.unnotified =
                    line.unnotified.take().and_then(|remainder| remainder.advance(*people));
            }
            Event::QueueCleared { queue, remaining, .. } => {
                let line = self.line_mut(queue);
                line.unnotified = None;
                line.uncleared = (*remaining > 0)
                    .then(|| Remainder::from_tickets(at, line.all_tickets()))
                    .flatten();
            }
            Event::QueueBatchCleared { queue, tickets } => {
                let line = self.line_mut(queue);
                line.uncleared =
                    line.uncleared.take().and_then(|remainder| remainder.advance(*tickets));
            }
            Event::TicketTaken {
                ticket,
                queue,
                number,
                person,
                rank,
                quoted,
                basis,
                scan_session: _,
                key,
            } => {
                let line = self.line_mut(queue);
                line.taken += 1;
                let passes = line.has_anyone_behind(*rank, *ticket);
                if passes {
                    let behind = Some((*rank, *ticket));
                    let cause = PositionChangeCause::Priority;
                    line.record_overtake(Overtake { behind, before: None, cause });
                }
                // Whoever joins a halted line sees that.
                let told_stop = line.state.filter(|state| *state == QueueState::Halted);
                let mut new = new_ticket(*ticket, queue, number, person, *rank, *quoted, at);
                new.notifications.told_stop = told_stop;
                self.insert_ticket(Ticket { basis: *basis, key: *key, ..new });
                if passes {
                    self.record_position_change(*ticket, None, PositionChangeCause::Priority, at);
                }
            }
            Event::TicketCarried { ticket } => {
                if self.pending_carry_over.front().is_some_and(|next| next.id == ticket.id) {
                    self.pending_carry_over.pop_front();
                }
                self.last_carried = self.last_carried.max(ticket.id);
                self.insert_ticket((**ticket).clone());
            }
            Event::TicketCalled {
                ticket,
                counter,
                call,
                deadline,
                reason,
                passed_over,
                interleave_step,
            } => {
                let out_of_order = reason.is_some();
                let was = self.waiting_position(*ticket);
                let was_waiting = was.is_some();
                let called = self.update_ticket(*ticket, |ticket| {
                    ticket.counts.calls = *call;
                    if ticket.progress.steps.called_at.is_none() {
                        ticket.progress.steps.called_at = Some(at);
                        ticket.progress.steps.called_out_of_order = out_of_order;
                    }
                    *ticket.state = TicketState::Called {
                        counter: counter.clone(),
                        at,
                        call: *call,
                        round: 1,
                        last: at,
                        deadline: *deadline,
                    };
                });
                let Some(called) = called else { return };
                let line = self.line_mut(&called.queue);
                line.calls += 1;
                line.out_of_order += u32::from(out_of_order);
                if out_of_order && !line.is_empty() {
                    // A missed ticket that is called at once was behind no other.
                    let (before, cause) = if was_waiting {
                        (Some((called.rank, called.id)), PositionChangeCause::OutOfOrder)
                    } else {
                        (None, PositionChangeCause::Return)
                    };
                    line.record_overtake(Overtake { behind: None, before, cause });
                }
                if called.progress.steps.called_at == Some(at) {
                    let waited_s = at.since_ms(called.taken_at).max(0) / 1_000;
                    line.last_wait_s = u32::try_from(waited_s).ok();
                }
                line.interleave_step = interleave_step.unwrap_or(line.interleave_step);
                line.last_called = Some(called.number.clone());
                for queue in passed_over {
                    let line = self.line_mut(queue);
                    line.record_pass(called.rank, called.id);
                }
                let state = self.counter_mut(counter);
                state.calls += 1;
                state.auto_call_paused = false;
                self.add_recent_call(&called, counter, at, *call);
                self.record_position_change(
                    *ticket,
                    was.filter(|_| out_of_order),
                    PositionChangeCause::OutOfOrder,
                    at,
                );
            }
            Event::TicketRecalled { ticket, counter, call, round, deadline } => {
                let called = self.update_ticket(*ticket, |ticket| {
                    ticket.counts.calls = *call;
                    let TicketState::Called { call: c, round: r, last, deadline: d, .. } =
                        &mut *ticket.state
                    else {
                        return;
                    };
                    (*c, *r, *last, *d) = (*call, *round, at, *deadline);
                });
                if let Some(called) = called {
                    self.add_recent_call(&called, counter, at, *call);
                }
            }
            Event::TicketStarted { ticket, counter } => {
                self.update_ticket(*ticket, |ticket| {
                    let since = match *ticket.state {
                        TicketState::Called { at, .. } => at,
                        _ => at,
                    };
                    ticket.progress.steps.started_at.get_or_insert(at);
                    *ticket.state = TicketState::Serving { counter: counter.clone(), since, at };
                });
            }
            Event::TicketPutBack { ticket } => {
                self.update_ticket(*ticket, |ticket| *ticket.state = TicketState::Waiting);
                self.withdraw_calls(*ticket);
                self.record_reentry(*ticket, None, PositionChangeCause::TakenBack, at);
            }
            Event::TicketFinished { ticket, .. } => {
                self.end_ticket(*ticket, TicketState::Done { at }, at, by)
            }
            Event::TicketMissed { ticket, until, .. } => {
                let since = self.ticket(*ticket).map(|ticket| ticket.state.clone());
                self.end_ticket(*ticket, TicketState::Missed { at, until: *until }, at, by);
                self.update_ticket(*ticket, |ticket| {
                    ticket.counts.misses += 1;
                    ticket.marks.coming = false;
                    if let Some(TicketState::Called { at: since, .. }) = since.as_deref() {
                        ticket.progress.steps.missed_ms = Some(at.since_ms(*since).max(0));
                    }
                });
            }
            Event::TicketReturned { ticket, rank } => {
                self.update_ticket(*ticket, |ticket| {
                    (ticket.rank, *ticket.state) = (*rank, TicketState::Waiting)
                });
                self.record_reentry(*ticket, None, PositionChangeCause::Return, at);
            }
            Event::TicketHeld { ticket, hold, worked_ms } => {
                let was = self.waiting_position(*ticket);
                self.update_ticket(*ticket, |ticket| {
                    ticket.counts.holds += 1;
                    ticket.marks.coming = false;
                    if let TicketState::Serving { since, at: begun, .. } = *ticket.state {
                        ticket.progress.steps.approach_ms += begun.since_ms(since).max(0);
                    }
                    ticket.counts.let_pass += u32::from(hold.kind == HoldKind::LetPass);
                    ticket.past.worked_ms = *worked_ms;
                    *ticket.state = TicketState::Held { at, hold: Box::new(hold.clone()) };
                });
                self.record_position_change(*ticket, was, PositionChangeCause::Hold, at);
            }
            Event::TicketResumed { ticket } => {
                self.update_ticket(*ticket, |ticket| *ticket.state = TicketState::Waiting);
                self.record_reentry(*ticket, None, PositionChangeCause::Resume, at);
            }
            Event::TicketTransferred { ticket, queue, rank } => {
                self.update_ticket(*ticket, |ticket| {
                    ticket.counts.transfers += 1;
                    ticket.marks.coming = false;
                    ticket.queue = queue.clone();
                    (ticket.rank, *ticket.state) = (*rank, TicketState::Waiting);
                });
                self.record_reentry(*ticket, None, PositionChangeCause::Transfer, at);
            }
            Event::TicketClosed { ticket, reason, note, visit: _ } => {
                let state = TicketState::Closed { at, reason: *reason, note: note.clone() };
                self.end_ticket(*ticket, state, at, by);
            }
            Event::TicketRestored { ticket, .. } => {
                self.update_ticket(ticket.id, |now| *now = (**ticket).clone());
                if ticket.state == TicketState::Waiting {
                    self.pause_auto_calls_of(by);
                }
                self.record_reentry(ticket.id, None, PositionChangeCause::TakenBack, at);
            }
            Event::TicketPrioritised { ticket, rank, reason: _ } => {
                let was = self.waiting_position(*ticket);
                self.update_ticket(*ticket, |ticket| ticket.rank = *rank);
                self.record_reentry(*ticket, was, PositionChangeCause::Priority, at);
            }
            Event::TicketMarked { ticket, mark } => {
                self.update_ticket(*ticket, |ticket| match mark {
                    Mark::Arrived => ticket.marks.arrived = true,
                    Mark::Party(people) => ticket.marks.party = *people,
                    Mark::NotifyAhead(ahead) => ticket.marks.notify_ahead = *ahead,
                    Mark::Coming => ticket.marks.coming = true,
                    Mark::LimitLifted => ticket.marks.limit_lifted = true,
                });
            }
            Event::HolderForgotten { ticket } => {
                self.update_ticket(*ticket, |ticket| ticket.set_holder(None, None));
            }
            Event::HolderMigrated { ticket, person } => {
                self.update_ticket(*ticket, |ticket| {
                    let former = ticket.person.take();
                    ticket.set_holder(Some(person.clone()), former);
                });
            }
            Event::NotificationTriggered(trigger) => {
                self.update_ticket(trigger.ticket, |ticket| {
                    ticket.notifications.record(&trigger.kind, trigger.order, trigger.at);
                    let expected = trigger.kind.expected_turn_at(trigger.at);
                    if expected.is_some() {
                        ticket.set_quotes(ticket.displayed(), expected);
                    }
                    if let Some(quote) = trigger.kind.quoted_wait() {
                        ticket.record_quote(quote, trigger.at);
                    }
                });
            }
        }
    }

    /// Leads the site back to a day. The wrong clock wrote the deadlines too: they come as much
    /// earlier as the newest step of a ticket is ahead.
    fn reset_day(&mut self, from: Day, day: Day, at: Timestamp) {
        let last_ticket = self.spent_days.map_or(0, |spent| spent.last_ticket.0);
        let until = self.spent_days.map_or(from, |spent| spent.until.max(from));
        self.spent_days = Some(SpentDays { until, last_ticket: TicketId(last_ticket) });
        self.day = Some(day);
        let steps = self.tickets().map(|ticket| ticket.last_step());
        let ahead_ms = steps.max().map_or(0, |newest| newest.since_ms(at)).max(0);
        let waiting: Vec<_> = self.deadlines.iter().map(|(_, id)| *id).collect();
        for id in waiting {
            self.update_ticket(id, |ticket| ticket.advance_deadline(ahead_ms));
        }
    }

    /// Takes a step towards an end, and keeps the former state for undoing it.
    fn end_ticket(
        &mut self,
        id: TicketId,
        state: TicketState,
        at: Timestamp,
        by: Option<&ActorRef>,
    ) {
        self.update_ticket(id, |ticket| {
            // A final miss and the closing that follows it are one step.
            if !matches!(*ticket.state, TicketState::Missed { until: None, .. }) {
                let before = ticket.without_undo_point();
                ticket.past.undo_point =
                    Some(Arc::new(UndoPoint { ticket: before, at, by: by.cloned() }));
            }
            *ticket.state = state;
        });
    }

    /// Records that a ticket takes another place than before, and the tickets that it overtook.
    fn record_reentry(
        &mut self,
        id: TicketId,
        was: Option<(QueueId, Rank)>,
        cause: PositionChangeCause,
        at: Timestamp,
    ) {
        let before = was.as_ref().map(|(_, rank)| (*rank, id));
        self.record_position_change(id, was, cause, at);
        let Some((queue, rank)) = self.waiting_position(id) else { return };
        // Tickets behind the old place have no more ahead of them.
        if before.is_some_and(|(was, _)| rank >= was) {
            return;
        }
        let Some(line) = self.lines.get_mut(&queue).map(Arc::make_mut) else { return };
        if line.has_anyone_behind(rank, id) {
            line.record_overtake(Overtake { behind: Some((rank, id)), before, cause });
        }
    }

    /// Stops the system from calling to the counters of whoever took something back.
    fn pause_auto_calls_of(&mut self, by: Option<&ActorRef>) {
        let Some(ActorRef::Staff(name) | ActorRef::Manager(name)) = by else { return };
        let is_theirs =
            |counter: &Counter| counter.login.as_ref() == Some(name) && counter.serving.is_none();
        let counters = self.counters.iter().filter(|(_, counter)| is_theirs(counter));
        let ids: Vec<_> = counters.map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.counter_mut(id).auto_call_paused = true);
    }

    /// Takes the calls of a ticket that were a mistake off the boards.
    fn withdraw_calls(&mut self, id: TicketId) {
        if let Some(number) = self.ticket(id).map(|ticket| ticket.number.clone()) {
            self.recent_calls.retain(|call| call.number != number);
        }
    }

    fn add_recent_call(&mut self, called: &Ticket, counter: &CounterId, at: Timestamp, call: u32) {
        let number = called.number.clone();
        // One row a number: a recall crowds no other off.
        self.recent_calls.retain(|call| call.number != number);
        let queue = called.queue.clone();
        let recent = RecentCall { number, counter: counter.clone(), queue, at, call };
        self.recent_calls.push_back(recent);
        while self.recent_calls.len() > MAX_RECENT_CALLS {
            self.recent_calls.pop_front();
        }
    }
}

fn new_ticket(
    id: TicketId,
    queue: &QueueId,
    number: &Number,
    person: &Option<Person>,
    rank: Rank,
    quoted: QuotedWait,
    at: Timestamp,
) -> Ticket {
    Ticket {
        id,
        key: None,
        number: number.clone(),
        queue: queue.clone(),
        person: person.clone(),
        taken_at: at,
        arrived: rank.arrival,
        rank,
        quoted,
        basis: None,
        state: Rare::default(),
        counts: Rare::default(),
        marks: Rare::default(),
        notifications: NotificationHistory::default().into(),
        requoted: LaterQuotes::default(),
        progress: VisitProgress::default(),
        past: Rare::default(),
    }
}
