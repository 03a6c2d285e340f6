//! What people are to be told of what has just happened: decided with it, never after.
//!
//! Whom it happened to is told by the event; of the others, only the few at the front of the lines
//! that moved are looked at, so that this costs the same however long a line is.

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

/// With so many ahead at most can somebody ask to be told.
pub const MAX_NOTIFY_AHEAD: u32 = 20;

/// Of each line, so many are looked at after a change.
const MAX_TICKETS_CHECKED: usize = 40;

/// "Near" also means within so many minutes.
const NEAR_MINUTES: u32 = 10;

/// Somebody who has just joined knows how it stands.
const JOIN_GRACE_MS: i64 = 60_000;

/// Below so many minutes a customer, "you are next" would come together with the call.
const NEXT_MIN_SERVICE_MINUTES: u32 = 8;

/// A recall is told so long after the call at the earliest.
const MIN_RECALL_NOTICE_DELAY_MS: i64 = 60_000;

/// What says how a line stands is true for so long.
const PROGRESS_VALID_MINUTES: u32 = 10;

/// The end of a queue is news for so long.
const CLOSED_VALID_MINUTES: u32 = 60;

/// Of a longer wait only those are told who wait long anyway,
const LONG_WAIT_MINUTES: u32 = 45;

/// and they are looked for every so often.
const SLIP_CHECK_INTERVAL_MS: i64 = 5 * MINUTE_MS;

/// From so many ahead on, a wait is never shorter with more ahead: they are of one band, and a long
/// line.
const MONOTONIC_FROM_AHEAD: u32 = 15;

/// In one go at most so many are told of a longer wait.
const MAX_SLIPPED_PER_COMMAND: usize = 200;

/// The milestones that these events are for the holders of tickets, on the site after them.
pub(crate) fn triggered_by(
    after: &Site,
    rules: &Rules,
    now: &DecisionInput,
    events: &[Event],
) -> Vec<Event> {
    let mut telling = NotificationBuilder {
        site: after,
        rules,
        now,
        notified: BTreeSet::new(),
        events: Vec::new(),
    };
    events.iter().for_each(|event| telling.add_for_event(event));
    for queue in affected_queues(after, rules, events) {
        telling.add_approaching(queue);
    }
    telling.events
}

/// The moment at which longer waits were looked for last: between two looks only what happens makes
/// a wait longer, and not time.
pub(crate) fn last_slip_check(now: &DecisionInput) -> DecisionInput {
    DecisionInput {
        at: Timestamp(now.at.0.div_euclid(SLIP_CHECK_INTERVAL_MS) * SLIP_CHECK_INTERVAL_MS),
        ..now.clone()
    }
}

/// When longer waits are looked for next.
pub(crate) fn next_slip_check(now: &DecisionInput) -> Timestamp {
    last_slip_check(now).at.plus_ms(SLIP_CHECK_INTERVAL_MS)
}

/// Those of a queue whose wait has become much longer than they were told.
pub(crate) fn slip_notifications(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
) -> Vec<Event> {
    let mut telling =
        NotificationBuilder { site, rules, now, notified: BTreeSet::new(), events: Vec::new() };
    for (id, ahead) in
        slipped_tickets(site, rules, now, queue).into_iter().take(MAX_SLIPPED_PER_COMMAND)
    {
        let Some(ticket) = site.ticket(id) else { continue };
        let told = site.quote_at(rules, ticket, ahead, now);
        telling.add(ticket, NotificationKind::Slipped(told), progress_valid_until(now.at));
    }
    telling.events
}

/// Whom `slip_notifications` tells, with how many ahead. Stretches of the line in which nobody can have lost
/// their patience are passed over, so that this costs little where nobody is to be told.
pub(crate) fn slipped_tickets(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
) -> Vec<(TicketId, u32)> {
    let look = last_slip_check(now);
    let (Some(line), Some(situation)) =
        (site.lines.get(queue), site.forecast_input(rules, queue, 0, &look))
    else {
        return Vec::new();
    };
    let outlook = |ahead| {
        let forecast = look.model.forecast(&ForecastInput { ahead, ..situation.clone() });
        forecast.map(|forecast| forecast.to_estimate())
    };
    let mut found = line.slip_candidates(|patience, first, last| {
        // What is told is this, or less where it was just shortened.
        first < MONOTONIC_FROM_AHEAD && first < last
            || outlook(last).is_some_and(|wait| patience.is_exceeded(look.at, wait.low))
    });
    found.retain(|(id, ahead)| {
        let Some(ticket) = site.ticket(*id) else { return false };
        let told = outlook(*ahead).map(|wait| ticket.progress.steady_range(wait, look.at));
        let patience = SlipThreshold::for_ticket(ticket);
        told.zip(patience).is_some_and(|(wait, patience)| patience.is_exceeded(look.at, wait.low))
    });
    found
}

/// Whether somebody waits so long that a slip could be told at all.
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

/// The next of those who are still to be told that their queue was halted or closed, if they are
/// still there.
pub(crate) fn queue_state_notifications(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
    rest: &Remainder,
) -> Vec<Event> {
    let state = site.queue_state(rules, queue);
    let mut telling =
        NotificationBuilder { site, rules, now, notified: BTreeSet::new(), events: Vec::new() };
    for ticket in rest.next_batch().filter_map(|id| site.ticket(id)) {
        let listens = matches!(ticket.state, TicketState::Waiting | TicketState::Held { .. });
        if listens && ticket.queue == *queue {
            telling.add_queue_state_for(ticket.id, site.ahead(ticket), state);
        }
    }
    telling.events
}

/// Whether a recall since the call was told already.
fn recall_already_notified(ticket: &Ticket, round: u32) -> bool {
    ticket.notifications.last_call > ticket.counts.calls - (round - 1)
}

fn progress_valid_until(at: Timestamp) -> Timestamp {
    at.plus_minutes(PROGRESS_VALID_MINUTES)
}

/// The queues in which somebody may have come closer. Taking a number brings nobody closer.
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
    /// Whoever was told something by this decision.
    notified: BTreeSet<TicketId>,
    events: Vec<Event>,
}

impl NotificationBuilder<'_> {
    /// What an event is for the one it happened to.
    fn add_for_event(&mut self, event: &Event) {
        if let Event::QueueSet { queue, state, untold } = event {
            return self.add_queue_state(queue, *state, *untold);
        }
        let site = self.site;
        let Some(ticket) = event.ticket().and_then(|id| site.ticket(id)) else { return };
        let at = self.now.at;
        match event {
            Event::TicketTaken { told, .. } => {
                self.add(ticket, NotificationKind::Joined(*told), progress_valid_until(at));
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
            // Nothing is put right for somebody who never heard of the call.
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

    fn add_returned(&mut self, ticket: &Ticket, through: ReturnCause) {
        let told = self.site.current_quote(self.rules, ticket, self.now);
        let kind = NotificationKind::Returned { through, told };
        self.add(ticket, kind, progress_valid_until(self.now.at));
    }

    /// Everybody in a line that was halted or closed, but for those whose turn comes later.
    fn add_queue_state(&mut self, queue: &QueueId, state: QueueState, untold: u32) {
        let site = self.site;
        let told = matches!(state, QueueState::Halted | QueueState::Closed);
        let Some(line) = site.lines.get(queue).filter(|_| told) else { return };
        let mut now: Vec<_> = line.notification_targets().collect();
        now.truncate(now.len().saturating_sub(untold as usize));
        for (id, ahead) in now {
            self.add_queue_state_for(id, ahead, state);
        }
    }

    /// How a queue stands, for somebody there.
    fn add_queue_state_for(&mut self, id: TicketId, ahead: u32, state: QueueState) {
        let (Some(ticket), at) = (self.site.ticket(id), self.now.at) else { return };
        match state {
            QueueState::Halted => {
                let told = QuotedWait::without_estimate(ahead);
                self.add(ticket, NotificationKind::Halted(told), progress_valid_until(at));
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

    /// Those at the front of a line who have come near, or are next.
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
            let told = site.quote_at(self.rules, ticket, ahead, self.now);
            let soon = told.estimate.is_some_and(|estimate| estimate.low <= NEAR_MINUTES);
            // Nobody further back is nearer.
            if !soon && ahead > MAX_NOTIFY_AHEAD.max(rules.near) {
                return;
            }
            match ahead {
                0 => self.add_next(ticket, rules, told),
                _ => self.add_near(ticket, rules, told, soon),
            }
        }
    }

    fn add_next(&mut self, ticket: &Ticket, rules: &QueueRules, told: QuotedWait) {
        let kind = NotificationKind::Next(told);
        let news = ticket.notifications.count(&kind) == 0 && !self.just_joined(ticket);
        if news && rules.minutes >= NEXT_MIN_SERVICE_MINUTES {
            self.add(ticket, kind, progress_valid_until(self.now.at));
        }
    }

    fn add_near(&mut self, ticket: &Ticket, rules: &QueueRules, told: QuotedWait, soon: bool) {
        let kind = NotificationKind::Near(told);
        let near = match ticket.marks.tell_at {
            // Whoever chose when to be told is told then.
            Some(chosen) => told.ahead <= chosen,
            None => soon || told.ahead <= rules.near,
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

    /// Decides to tell somebody something, if there is somebody and room for it; one thing a
    /// decision.
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
            // The answer to the scan has the ticket itself.
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
