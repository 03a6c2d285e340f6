//! Notifications that follow from a decision. They are decided with it, never after.
//!
//! The holders that an event concerns are notified by it. Of the others, only the few at the front
//! of the changed lines are examined, so that the cost does not grow with the line.

mod slips;

use crate::forecasts::QueueForecasts;
use crate::model::actor::Role;
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::notification::{NotificationKind, NotificationTrigger, QueueEnd, ReturnCause};
use crate::model::quoted_wait::QuotedWait;
use crate::model::remainder::Remainder;
use crate::model::rules::{QueueRules, Rules};
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Hold, HoldKind, Ticket, TicketState};
use crate::model::time::{DecisionInput, Timestamp};
use crate::protocol::command::QueueState;
use crate::protocol::event::Event;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use slips::{
    has_long_wait, last_slip_check, next_slip_check, slip_notifications, slipped_tickets,
};

/// Largest number ahead for which a holder can ask for the "near" notice.
pub const MAX_NOTIFY_AHEAD: u32 = 20;

/// Number of tickets at the front of a changed line that are examined.
const MAX_TICKETS_CHECKED: usize = 40;

/// Lower bound of the estimate, in minutes, up to which a turn counts as near.
const NEAR_MINUTES: u32 = 10;

/// Time after joining in which a holder already knows the state: one minute.
const JOIN_GRACE_MS: i64 = 60_000;

/// Minutes a customer below which a "next" notice would come together with the call.
const NEXT_MIN_SERVICE_MINUTES: u32 = 8;

/// Validity of notices about the state of a line, in minutes.
const PROGRESS_VALID_MINUTES: u32 = 10;

/// Validity of notices about what was done with a ticket or a queue, in minutes.
const ACT_VALID_MINUTES: u32 = 60;

/// Notifications for the holders of tickets that follow from these events of an actor with this
/// role. `before` is the site before them, and `after` the site after them.
pub(crate) fn triggered_by(
    before: &Site,
    after: &Site,
    rules: &Rules,
    now: &DecisionInput,
    by: Role,
    events: &[Event],
) -> Vec<Event> {
    let mut builder =
        NotificationBuilder { before, by, ..NotificationBuilder::new(after, rules, now) };
    events.iter().for_each(|event| builder.add_for_event(event));
    for queue in affected_queues(after, rules, events) {
        builder.add_approaching(queue);
    }
    builder.events
}

/// Notifications for the next batch of holders whose queue was halted, closed or opened again, if
/// they are still there.
pub(crate) fn queue_state_notifications(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
    rest: &Remainder,
) -> Vec<Event> {
    let state = site.queue_state(rules, queue);
    let mut builder = NotificationBuilder::new(site, rules, now);
    let batch = rest.next_batch().filter_map(|id| site.ticket(id)).filter(|ticket| {
        let is_in_queue = matches!(*ticket.state, TicketState::Waiting | TicketState::Held { .. });
        is_in_queue && ticket.queue == *queue
    });
    builder.add_queue_states(queue, state, batch.map(|ticket| (ticket.id, site.ahead(ticket))));
    builder.events
}

fn progress_valid_until(at: Timestamp) -> Timestamp {
    at.plus_minutes(PROGRESS_VALID_MINUTES)
}

/// Queues in which a ticket may have come closer. Taking a number brings no ticket closer.
fn affected_queues<'a>(
    after: &'a Site,
    rules: &'a Rules,
    events: &'a [Event],
) -> BTreeSet<&'a QueueId> {
    let mut queues = BTreeSet::new();
    for event in events {
        match event {
            Event::TicketTaken { .. }
            | Event::TicketShown { .. }
            | Event::TicketRecalled { .. }
            | Event::NotificationTriggered(_)
            | Event::HolderForgotten { .. }
            | Event::HolderMigrated { .. } => {}
            Event::CounterOpened { counter, .. } => {
                queues.extend(rules.counters.get(counter).into_iter().flat_map(|c| &c.queues));
            }
            Event::QueueSet { queue, .. } => drop(queues.insert(queue)),
            _ => {
                let ticket = event.ticket().and_then(|ticket| after.ticket(ticket));
                queues.extend(ticket.map(|ticket| &ticket.queue));
            }
        }
    }
    queues
}

struct NotificationBuilder<'a> {
    before: &'a Site,
    site: &'a Site,
    rules: &'a Rules,
    now: &'a DecisionInput,
    by: Role,
    /// Tickets notified by this decision.
    notified: BTreeSet<TicketId>,
    events: Vec<Event>,
}

impl<'a> NotificationBuilder<'a> {
    /// Builder for what the system decides by itself.
    fn new(site: &'a Site, rules: &'a Rules, now: &'a DecisionInput) -> NotificationBuilder<'a> {
        NotificationBuilder {
            before: site,
            site,
            rules,
            now,
            by: Role::System,
            notified: BTreeSet::new(),
            events: Vec::new(),
        }
    }

    /// Adds the notification that an event means for its own ticket.
    fn add_for_event(&mut self, event: &Event) {
        if let Event::QueueSet { queue, state, unnotified } = event {
            return self.add_queue_state(queue, *state, *unnotified);
        }
        let site = self.site;
        let Some(ticket) = event.ticket().and_then(|id| site.ticket(id)) else { return };
        let at = self.now.at;
        let valid = at.plus_minutes(ACT_VALID_MINUTES);
        match event {
            Event::TicketTaken { quoted, .. } => {
                self.add(ticket, NotificationKind::Joined(*quoted), progress_valid_until(at));
            }
            Event::TicketCalled { counter, call, deadline, .. } => {
                let counter_name = self.counter_name(counter);
                let kind = NotificationKind::Called { counter_name, call: *call };
                self.add(ticket, kind, self.valid_until(Some(*deadline)));
            }
            Event::TicketRecalled { counter, call, deadline, .. } => {
                let counter_name = self.counter_name(counter);
                let kind = NotificationKind::Recalled { counter_name, call: *call };
                self.add(ticket, kind, self.valid_until(Some(*deadline)));
            }
            Event::TicketMissed { until, .. } => self.add_missed(ticket, *until),
            Event::TicketReturned { .. } => self.add_returned(ticket, ReturnCause::Return, None),
            Event::TicketTransferred { .. } => {
                self.add_returned(ticket, ReturnCause::Transfer, None);
            }
            // A holder who was never notified of the call needs no correction.
            Event::TicketPutBack { .. } => {
                if ticket.notifications.last_call == ticket.counts.calls {
                    self.add_returned(ticket, ReturnCause::PutBack, None);
                }
            }
            Event::TicketPrioritised { reason, .. } => {
                self.add_returned(ticket, ReturnCause::Prioritised, Some(reason.clone()));
            }
            Event::TicketHeld { hold, .. } => self.add_held(ticket, hold),
            Event::TicketResumed { .. } => {
                if !self.is_own_hold_over(ticket) {
                    self.add_returned(ticket, ReturnCause::Resumed, None);
                }
            }
            // Staff begin a service with the holder before them, but for one that was interrupted.
            Event::TicketStarted { .. } => {
                if self.hold_before(ticket).is_some() {
                    self.add_returned(ticket, ReturnCause::Resumed, None);
                }
            }
            Event::TicketRestored { .. } => match *ticket.state {
                TicketState::Missed { until, .. } => self.add_missed(ticket, until),
                _ => self.add_returned(ticket, ReturnCause::Restored, None),
            },
            Event::TicketClosed { reason, note, .. } => match reason {
                CloseReason::QueueCleared => {
                    let kind = NotificationKind::QueueClosed(QueueEnd::Cleared);
                    self.add(ticket, kind, valid);
                }
                CloseReason::ByStaff | CloseReason::Duplicate => {
                    self.add(ticket, NotificationKind::Removed { reason: note.clone() }, valid);
                }
                // The holder did it, or was told of the time before.
                CloseReason::ByCustomer | CloseReason::Expired | CloseReason::DayClosed => {}
            },
            // Seen by the holder at the counter, or nothing that changes the ticket.
            Event::TicketFinished { .. }
            | Event::HolderMigrated { .. }
            | Event::TicketShown { .. }
            | Event::TicketCarried { .. }
            | Event::TicketMarked { .. }
            | Event::HolderForgotten { .. }
            | Event::NotificationTriggered(_)
            | Event::DayClosed { .. }
            | Event::DayOpened { .. }
            | Event::DayReset { .. }
            | Event::CounterOpened { .. }
            | Event::CounterPaused { .. }
            | Event::CounterClosed { .. }
            | Event::QueueSet { .. }
            | Event::QueueBatchNotified { .. }
            | Event::QueueCleared { .. }
            | Event::QueueBatchCleared { .. } => {}
        }
    }

    /// End of what the notification tells of. A time that has passed ends nothing by itself: staff
    /// wait for whoever was called, and take up again whoever was held.
    fn valid_until(&self, end: Option<Timestamp>) -> Timestamp {
        let at = self.now.at;
        end.filter(|end| *end > at).unwrap_or_else(|| at.plus_minutes(ACT_VALID_MINUTES))
    }

    fn add_missed(&mut self, ticket: &Ticket, until: Option<Timestamp>) {
        let rules = self.rules.queues.get(&ticket.queue);
        let places = until.and(rules).and_then(|r| r.places_back(ticket.counts.misses));
        let valid = self.valid_until(until);
        self.add(ticket, NotificationKind::Missed { until, places }, valid);
    }

    fn add_returned(&mut self, ticket: &Ticket, cause: ReturnCause, reason: Option<Arc<str>>) {
        let quoted = self.site.current_quote(self.rules, ticket, self.now);
        let counter_name = ticket.at_counter().map(|counter| self.counter_name(counter));
        let valid = match *ticket.state {
            TicketState::Called { deadline, .. } => self.valid_until(Some(deadline)),
            _ => progress_valid_until(self.now.at),
        };
        self.add(ticket, NotificationKind::Returned { cause, quoted, reason, counter_name }, valid);
    }

    /// Adds the notification of a hold, unless the holder lets others pass.
    fn add_held(&mut self, ticket: &Ticket, hold: &Hold) {
        let suspended = match hold.kind {
            HoldKind::LetPass => return,
            HoldKind::Staff => false,
            HoldKind::Suspended => true,
        };
        let quoted = self.site.current_quote(self.rules, ticket, self.now);
        let (reason, until) = (hold.reason.clone(), hold.until);
        let valid = self.valid_until(until);
        self.add(ticket, NotificationKind::Held { suspended, reason, until, quoted }, valid);
    }

    /// Hold of the ticket before the decision.
    fn hold_before(&self, ticket: &Ticket) -> Option<&'a Hold> {
        match &*self.before.ticket(ticket.id)?.state {
            TicketState::Held { hold, .. } => Some(hold),
            _ => None,
        }
    }

    /// Returns `true` if the ticket is back from letting others pass when its holder had said, or
    /// by its holder.
    fn is_own_hold_over(&self, ticket: &Ticket) -> bool {
        let Some(hold) = self.hold_before(ticket) else { return false };
        let calls = self.site.lines.get(&ticket.queue).map_or(0, |line| line.calls);
        let is_time =
            self.by == Role::System && hold.until.is_some_and(|until| until <= self.now.at);
        let is_count = hold.after_calls.is_some_and(|limit| calls >= limit);
        self.by == Role::Customer || hold.kind == HoldKind::LetPass && (is_time || is_count)
    }

    /// Adds notifications for the holders in a line that was halted, closed or opened again,
    /// without those of the following batches.
    fn add_queue_state(&mut self, queue: &QueueId, state: QueueState, unnotified: u32) {
        let site = self.site;
        let Some(line) = site.lines.get(queue) else { return };
        let mut batch: Vec<_> = line.notification_targets().collect();
        batch.truncate(batch.len().saturating_sub(unnotified as usize));
        self.add_queue_states(queue, state, batch);
    }

    /// Adds notifications of a queue's state for tickets, with the number ahead of each.
    fn add_queue_states(
        &mut self,
        queue: &QueueId,
        state: QueueState,
        tickets: impl IntoIterator<Item = (TicketId, u32)>,
    ) {
        let mut forecasts = QueueForecasts::new(self.site, self.rules, queue, self.now);
        for (id, ahead) in tickets {
            let Some(ticket) = self.site.ticket(id) else { continue };
            let quoted = match forecasts.as_mut() {
                Some(forecasts) if ticket.notifications.told_stop.is_some() => {
                    forecasts.quote(ticket, ticket.rank, ahead)
                }
                _ => QuotedWait::without_estimate(ahead),
            };
            self.add_queue_state_for(ticket, quoted, state);
        }
    }

    /// Adds the notification of a queue's state for one ticket, unless its holder knows of it.
    fn add_queue_state_for(&mut self, ticket: &Ticket, quoted: QuotedWait, state: QueueState) {
        let at = self.now.at;
        let told = ticket.notifications.told_stop;
        match state {
            QueueState::Halted if told != Some(state) => {
                self.add(ticket, NotificationKind::Halted(quoted), progress_valid_until(at));
            }
            QueueState::Closed if told != Some(state) => {
                let is_over = self.now.is_over_today(&ticket.queue);
                let end = if is_over { QueueEnd::ForToday } else { QueueEnd::Closed };
                let valid = at.plus_minutes(ACT_VALID_MINUTES);
                self.add(ticket, NotificationKind::QueueClosed(end), valid);
            }
            QueueState::Open | QueueState::Paused if told.is_some() => {
                let kind = NotificationKind::Returned {
                    cause: ReturnCause::Reopened,
                    quoted,
                    reason: None,
                    counter_name: None,
                };
                self.add(ticket, kind, progress_valid_until(at));
            }
            QueueState::Open | QueueState::Paused | QueueState::Halted | QueueState::Closed => {}
        }
    }

    /// Adds "near" and "next" notifications at the front of a line.
    fn add_approaching(&mut self, queue: &QueueId) {
        let site = self.site;
        let (Some(rules), Some(line)) = (self.rules.queues.get(queue), site.lines.get(queue))
        else {
            return;
        };
        if !site.is_calling(self.rules, queue) {
            return;
        }
        let Some(mut forecasts) = QueueForecasts::new(site, self.rules, queue, self.now) else {
            return;
        };
        for (ahead, id) in line.waiting().take(MAX_TICKETS_CHECKED).enumerate() {
            let Some(ticket) = site.ticket(id).filter(|ticket| ticket.person.is_some()) else {
                continue;
            };
            let ahead = ahead as u32;
            let quote = forecasts.quote(ticket, ticket.rank, ahead);
            let is_due_soon = quote.estimate.is_some_and(|estimate| estimate.low <= NEAR_MINUTES);
            // No ticket further back is nearer.
            if !is_due_soon && ahead > MAX_NOTIFY_AHEAD.max(rules.near) {
                return;
            }
            match ahead {
                0 => self.add_next(ticket, rules, quote),
                _ => self.add_near(ticket, rules, quote, is_due_soon),
            }
        }
    }

    fn add_next(&mut self, ticket: &Ticket, rules: &QueueRules, quote: QuotedWait) {
        let kind = NotificationKind::Next(quote);
        let is_first = ticket.notifications.count(&kind) == 0 && !self.just_joined(ticket);
        if is_first && rules.minutes >= NEXT_MIN_SERVICE_MINUTES {
            self.add(ticket, kind, progress_valid_until(self.now.at));
        }
    }

    fn add_near(
        &mut self,
        ticket: &Ticket,
        rules: &QueueRules,
        quote: QuotedWait,
        is_due_soon: bool,
    ) {
        let kind = NotificationKind::Near(quote);
        let near = match ticket.marks.notify_ahead {
            // A holder who chose a number is notified at that number.
            Some(chosen) => quote.ahead <= chosen,
            None => is_due_soon || quote.ahead <= rules.near,
        };
        if near && ticket.notifications.count(&kind) == 0 && !self.just_joined(ticket) {
            self.add(ticket, kind, progress_valid_until(self.now.at));
        }
    }

    fn just_joined(&self, ticket: &Ticket) -> bool {
        !self.now.at.is_after(ticket.taken_at, JOIN_GRACE_MS)
    }

    fn counter_name(&self, counter: &CounterId) -> Arc<str> {
        self.rules.counters.get(counter).map_or_else(|| counter.shared(), |c| c.name.clone())
    }

    /// Adds a notification if the ticket has a holder and the budget allows it; at most one a
    /// ticket in a decision.
    fn add(&mut self, ticket: &Ticket, kind: NotificationKind, valid_until: Timestamp) {
        let Some(person) = &ticket.person else { return };
        let at = self.now.at;
        let own = self.by == Role::Customer
            && matches!(kind, NotificationKind::Returned { cause: ReturnCause::Return, .. });
        if !ticket.notifications.allows(&kind, own, at) || !self.notified.insert(ticket.id) {
            return;
        }
        let rules = self.rules.queues.get(&ticket.queue);
        let occurrence = match &kind {
            NotificationKind::Called { call, .. } | NotificationKind::Recalled { call, .. } => {
                *call
            }
            kind => ticket.notifications.count(kind) + 1,
        };
        self.events.push(Event::NotificationTriggered(NotificationTrigger {
            ticket: ticket.id,
            day: self.site.notice_day().unwrap_or(self.now.day()),
            person: person.clone(),
            // The reply to the scan shows the ticket itself.
            key: ticket.key.filter(|_| !matches!(kind, NotificationKind::Joined(_))),
            number: ticket.number.clone(),
            queue_name: rules.map_or_else(|| ticket.queue.shared(), |rules| rules.name.clone()),
            kind,
            occurrence,
            order: ticket.notifications.order + 1,
            at,
            valid_until,
        }));
    }
}
