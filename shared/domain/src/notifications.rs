//! Notifications that follow from a decision. They are decided with it, never after.
//!
//! The holders that an event concerns are notified by it. Of the others, only the few at the front
//! of the changed lines are examined, so that the cost does not grow with the line.

use crate::estimate::ForecastInput;
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::lane::SlipThreshold;
use crate::model::notification::{NotificationKind, NotificationTrigger, ReturnCause};
use crate::model::quoted_wait::QuotedWait;
use crate::model::remainder::Remainder;
use crate::model::rules::{QueueRules, Rules};
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Ticket, TicketState};
use crate::model::time::{DecisionInput, MINUTE_MS, Timestamp};
use crate::protocol::command::QueueState;
use crate::protocol::event::Event;
use std::collections::BTreeSet;

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

/// Shortest delay between a call and the notice of a recall: one minute.
const MIN_RECALL_NOTICE_DELAY_MS: i64 = 60_000;

/// Validity of notices about the state of a line, in minutes.
const PROGRESS_VALID_MINUTES: u32 = 10;

/// Validity of the notice that a queue has closed, in minutes.
const CLOSED_VALID_MINUTES: u32 = 60;

/// Shortest wait, in minutes, for which a notice of a longer wait is sent.
const LONG_WAIT_MINUTES: u32 = 45;

/// Interval between two checks for longer waits: five minutes.
const SLIP_CHECK_INTERVAL_MS: i64 = 5 * MINUTE_MS;

/// Number ahead from which a wait never shrinks with more ahead: all belong to one band and a long
/// line.
const MONOTONIC_FROM_AHEAD: u32 = 15;

/// Largest number of notices of a longer wait in one decision.
const MAX_SLIPPED_PER_COMMAND: usize = 200;

/// Notifications for the holders of tickets that follow from these events. `after` is the site
/// after them.
pub(crate) fn triggered_by(
    after: &Site,
    rules: &Rules,
    now: &DecisionInput,
    events: &[Event],
) -> Vec<Event> {
    let mut builder = NotificationBuilder {
        site: after,
        rules,
        now,
        notified: BTreeSet::new(),
        events: Vec::new(),
    };
    events.iter().for_each(|event| builder.add_for_event(event));
    for queue in affected_queues(after, rules, events) {
        builder.add_approaching(queue);
    }
    builder.events
}

/// Input of the last check for longer waits. Between two checks only events make a wait longer, not
/// time.
pub(crate) fn last_slip_check(now: &DecisionInput) -> DecisionInput {
    DecisionInput {
        at: Timestamp(now.at.0.div_euclid(SLIP_CHECK_INTERVAL_MS) * SLIP_CHECK_INTERVAL_MS),
        ..now.clone()
    }
}

/// Time of the next check for longer waits.
pub(crate) fn next_slip_check(now: &DecisionInput) -> Timestamp {
    last_slip_check(now).at.plus_ms(SLIP_CHECK_INTERVAL_MS)
}

/// Notifications for holders in a queue whose wait has become much longer than quoted.
pub(crate) fn slip_notifications(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
) -> Vec<Event> {
    let mut builder =
        NotificationBuilder { site, rules, now, notified: BTreeSet::new(), events: Vec::new() };
    for (id, ahead) in
        slipped_tickets(site, rules, now, queue).into_iter().take(MAX_SLIPPED_PER_COMMAND)
    {
        let Some(ticket) = site.ticket(id) else { continue };
        let quote = site.quote_at(rules, ticket, ahead, now);
        builder.add(ticket, NotificationKind::Slipped(quote), progress_valid_until(now.at));
    }
    builder.events
}

/// Tickets for `slip_notifications`, with the number ahead of each. Stretches of the line in which
/// no threshold can be exceeded are skipped, so that the check costs little when no notice is due.
pub(crate) fn slipped_tickets(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
) -> Vec<(TicketId, u32)> {
    let check = last_slip_check(now);
    let (Some(line), Some(input)) =
        (site.lines.get(queue), site.forecast_input(rules, queue, 0, &check))
    else {
        return Vec::new();
    };
    let estimate_at = |ahead| {
        let forecast = check.model.forecast(&ForecastInput { ahead, ..input.clone() });
        forecast.map(|forecast| forecast.to_estimate())
    };
    let mut candidates = line.slip_candidates(|threshold, first, last| {
        // The quote is this range, or a shorter one where it was just shortened.
        first < MONOTONIC_FROM_AHEAD && first < last
            || estimate_at(last).is_some_and(|wait| threshold.is_exceeded(check.at, wait.low))
    });
    candidates.retain(|(id, ahead)| {
        let Some(ticket) = site.ticket(*id) else { return false };
        let quote = estimate_at(*ahead).map(|wait| ticket.progress.steady_range(wait, check.at));
        let threshold = SlipThreshold::for_ticket(ticket);
        quote
            .zip(threshold)
            .is_some_and(|(wait, threshold)| threshold.is_exceeded(check.at, wait.low))
    });
    candidates
}

/// Returns `true` if any wait is long enough for a notice of a longer wait.
pub(crate) fn has_long_wait(
    site: &Site,
    rules: &Rules,
    queue: &QueueId,
    now: &DecisionInput,
) -> bool {
    let Some(line) = site.lines.get(queue).filter(|line| line.has_slip_candidates()) else {
        return false;
    };
    let last = line.len() as u32 - 1;
    site.estimate(rules, queue, last, &last_slip_check(now))
        .is_some_and(|wait| wait.low >= LONG_WAIT_MINUTES)
}

/// Notifications for the next batch of holders whose queue was halted or closed, if they are still
/// there.
pub(crate) fn queue_state_notifications(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
    rest: &Remainder,
) -> Vec<Event> {
    let state = site.queue_state(rules, queue);
    let mut builder =
        NotificationBuilder { site, rules, now, notified: BTreeSet::new(), events: Vec::new() };
    for ticket in rest.next_batch().filter_map(|id| site.ticket(id)) {
        let is_in_queue = matches!(ticket.state, TicketState::Waiting | TicketState::Held { .. });
        if is_in_queue && ticket.queue == *queue {
            builder.add_queue_state_for(ticket.id, site.ahead(ticket), state);
        }
    }
    builder.events
}

/// Returns `true` if a recall since the call was notified before.
fn recall_already_notified(ticket: &Ticket, round: u32) -> bool {
    ticket.notifications.last_call > ticket.counts.calls - (round - 1)
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
            | Event::HolderForgotten { .. } => {}
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
    site: &'a Site,
    rules: &'a Rules,
    now: &'a DecisionInput,
    /// Tickets notified by this decision.
    notified: BTreeSet<TicketId>,
    events: Vec<Event>,
}

impl NotificationBuilder<'_> {
    /// Adds the notification that an event means for its own ticket.
    fn add_for_event(&mut self, event: &Event) {
        if let Event::QueueSet { queue, state, unnotified } = event {
            return self.add_queue_state(queue, *state, *unnotified);
        }
        let site = self.site;
        let Some(ticket) = event.ticket().and_then(|id| site.ticket(id)) else { return };
        let at = self.now.at;
        match event {
            Event::TicketTaken { quoted, .. } => {
                self.add(ticket, NotificationKind::Joined(*quoted), progress_valid_until(at));
            }
            Event::TicketCalled { counter, call, deadline, .. } => {
                let kind = NotificationKind::Called {
                    counter_name: self.counter_name(counter),
                    call: *call,
                };
                self.add(ticket, kind, *deadline);
            }
            Event::TicketRecalled { counter, call, round, deadline, .. } => {
                let since = match &ticket.state {
                    TicketState::Called { at: first, .. } => at.since_ms(*first),
                    _ => 0,
                };
                let counter_name = self.counter_name(counter);
                if since >= MIN_RECALL_NOTICE_DELAY_MS && !recall_already_notified(ticket, *round) {
                    let kind = NotificationKind::Recalled { counter_name, call: *call };
                    self.add(ticket, kind, *deadline);
                }
            }
            Event::TicketMissed { until, .. } => {
                let rules = self.rules.queues.get(&ticket.queue);
                let places = until.and(rules).and_then(|r| r.places_back(ticket.counts.misses));
                let valid = until.unwrap_or_else(|| at.plus_minutes(CLOSED_VALID_MINUTES));
                self.add(ticket, NotificationKind::Missed { until: *until, places }, valid);
            }
            Event::TicketReturned { .. } => self.add_returned(ticket, ReturnCause::Return),
            Event::TicketTransferred { .. } => self.add_returned(ticket, ReturnCause::Transfer),
            // A holder who was never notified of the call needs no correction.
            Event::TicketPutBack { .. }
                if ticket.notifications.last_call == ticket.counts.calls =>
            {
                self.add_returned(ticket, ReturnCause::PutBack);
            }
            Event::TicketClosed { reason: CloseReason::QueueCleared, .. } => {
                let valid = at.plus_minutes(CLOSED_VALID_MINUTES);
                self.add(ticket, NotificationKind::QueueClosed, valid);
            }
            _ => {}
        }
    }

    fn add_returned(&mut self, ticket: &Ticket, cause: ReturnCause) {
        let quote = self.site.current_quote(self.rules, ticket, self.now);
        let kind = NotificationKind::Returned { cause, quoted: quote };
        self.add(ticket, kind, progress_valid_until(self.now.at));
    }

    /// Adds notifications for the holders in a line that was halted or closed, without those of the
    /// following batches.
    fn add_queue_state(&mut self, queue: &QueueId, state: QueueState, unnotified: u32) {
        let site = self.site;
        let is_notified = matches!(state, QueueState::Halted | QueueState::Closed);
        let Some(line) = site.lines.get(queue).filter(|_| is_notified) else { return };
        let mut batch: Vec<_> = line.notification_targets().collect();
        batch.truncate(batch.len().saturating_sub(unnotified as usize));
        for (id, ahead) in batch {
            self.add_queue_state_for(id, ahead, state);
        }
    }

    /// Adds the notification of a queue's state for one ticket.
    fn add_queue_state_for(&mut self, id: TicketId, ahead: u32, state: QueueState) {
        let (Some(ticket), at) = (self.site.ticket(id), self.now.at) else { return };
        match state {
            QueueState::Halted => {
                let quote = QuotedWait::without_estimate(ahead);
                self.add(ticket, NotificationKind::Halted(quote), progress_valid_until(at));
            }
            QueueState::Closed => {
                self.add(
                    ticket,
                    NotificationKind::QueueClosed,
                    at.plus_minutes(CLOSED_VALID_MINUTES),
                );
            }
            QueueState::Open | QueueState::Paused => {}
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
        for (ahead, id) in line.waiting().take(MAX_TICKETS_CHECKED).enumerate() {
            let Some(ticket) = site.ticket(id) else { continue };
            let ahead = ahead as u32;
            let quote = site.quote_at(self.rules, ticket, ahead, self.now);
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
        self.now.at.since_ms(ticket.taken_at) < JOIN_GRACE_MS
    }

    fn counter_name(&self, counter: &CounterId) -> std::sync::Arc<str> {
        self.rules.counters.get(counter).map_or_else(|| counter.shared(), |c| c.name.clone())
    }

    /// Adds a notification if the ticket has a holder and the budget allows it; at most one a
    /// ticket in a decision.
    fn add(&mut self, ticket: &Ticket, kind: NotificationKind, valid_until: Timestamp) {
        let Some(person) = &ticket.person else { return };
        let at = self.now.at;
        if !ticket.notifications.allows(&kind, at) || !self.notified.insert(ticket.id) {
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
            day: self.site.day.unwrap_or(self.now.day()),
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
