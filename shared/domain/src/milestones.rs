//! What people are to be told of what has just happened: decided with it, never after.
//!
//! Whom it happened to is told by the event; of the others, only the few at the front of the lines
//! that moved are looked at, so that this costs the same however long a line is.

use crate::estimate::Situation;
use crate::model::ids::{CounterId, QueueId, TicketId};
use crate::model::lane::Patience;
use crate::model::notices::{Milestone, MilestoneKind, Through};
use crate::model::rules::{QueueRules, Rules};
use crate::model::site::Site;
use crate::model::ticket::{CloseReason, Stage, Ticket, Told};
use crate::model::time::{MINUTE_MS, Now, Timestamp};
use crate::pieces::Rest;
use crate::protocol::command::QueueState;
use crate::protocol::event::Event;
use std::collections::BTreeSet;

/// With so many ahead at most can somebody ask to be told.
pub const FARTHEST: u32 = 20;

/// Of each line, so many are looked at after a change.
const LOOKED_AT: usize = 40;

/// "Near" also means within so many minutes.
const NEAR_MINUTES: u32 = 10;

/// Somebody who has just joined knows how it stands.
const JUST_JOINED_MS: i64 = 60_000;

/// Below so many minutes a customer, "you are next" would come together with the call.
const NEXT_FROM_MINUTES: u32 = 8;

/// A recall is told so long after the call at the earliest.
const RECALL_MS: i64 = 60_000;

/// What says how a line stands is true for so long.
const PROGRESS_MINUTES: u32 = 10;

/// The end of a queue is news for so long.
const CLOSED_MINUTES: u32 = 60;

/// Of a longer wait only those are told who wait long anyway,
const LONG_MINUTES: u32 = 45;

/// and they are looked for every so often.
const LOOK_MS: i64 = 5 * MINUTE_MS;

/// From so many ahead on, a wait is never shorter with more ahead: they are of one band, and a long
/// line.
const EVEN_FROM: u32 = 15;

/// In one go at most so many are told of a longer wait.
const SLIPPED_AT_ONCE: usize = 200;

/// The milestones that these events are for the holders of tickets, on the site after them.
pub(crate) fn reached(after: &Site, rules: &Rules, now: &Now, events: &[Event]) -> Vec<Event> {
    let mut telling = Telling { site: after, rules, now, told: BTreeSet::new(), out: Vec::new() };
    events.iter().for_each(|event| telling.of(event));
    for queue in moved(after, rules, events) {
        telling.line(queue);
    }
    telling.out
}

/// The moment at which longer waits were looked for last: between two looks only what happens makes
/// a wait longer, and not time.
pub(crate) fn last_look(now: &Now) -> Now {
    Now { at: Timestamp(now.at.0.div_euclid(LOOK_MS) * LOOK_MS), ..now.clone() }
}

/// When longer waits are looked for next.
pub(crate) fn next_look(now: &Now) -> Timestamp {
    last_look(now).at.plus_ms(LOOK_MS)
}

/// Those of a queue whose wait has become much longer than they were told.
pub(crate) fn slipped(site: &Site, rules: &Rules, now: &Now, queue: &QueueId) -> Vec<Event> {
    let mut telling = Telling { site, rules, now, told: BTreeSet::new(), out: Vec::new() };
    for (id, ahead) in impatient(site, rules, now, queue).into_iter().take(SLIPPED_AT_ONCE) {
        let Some(ticket) = site.ticket(id) else { continue };
        let told = site.told_to(rules, ticket, ahead, now);
        telling.tell(ticket, MilestoneKind::Slipped(told), progress(now.at));
    }
    telling.out
}

/// Whom `slipped` tells, with how many ahead. Stretches of the line in which nobody can have lost
/// their patience are passed over, so that this costs little where nobody is to be told.
pub(crate) fn impatient(
    site: &Site,
    rules: &Rules,
    now: &Now,
    queue: &QueueId,
) -> Vec<(TicketId, u32)> {
    let look = last_look(now);
    let (Some(line), Some(situation)) =
        (site.lines.get(queue), site.situation(rules, queue, 0, &look))
    else {
        return Vec::new();
    };
    let outlook = |ahead| {
        let forecast = look.learned.forecast(&Situation { ahead, ..situation.clone() });
        forecast.map(|forecast| forecast.told())
    };
    let mut found = line.impatient(|patience, first, last| {
        // What is told is this, or less where it was just shortened.
        first < EVEN_FROM && first < last
            || outlook(last).is_some_and(|wait| patience.is_lost(look.at, wait.low))
    });
    found.retain(|(id, ahead)| {
        let Some(ticket) = site.ticket(*id) else { return false };
        let told = outlook(*ahead).map(|wait| ticket.trail.steady(wait, look.at));
        let patience = Patience::of(ticket);
        told.zip(patience).is_some_and(|(wait, patience)| patience.is_lost(look.at, wait.low))
    });
    found
}

/// Whether somebody waits so long that a slip could be told at all.
pub(crate) fn waits_long(site: &Site, rules: &Rules, queue: &QueueId, now: &Now) -> bool {
    let Some(line) = site.lines.get(queue).filter(|line| line.anybody_impatient()) else {
        return false;
    };
    let last = line.len() as u32 - 1;
    site.outlook(rules, queue, last, &last_look(now)).is_some_and(|wait| wait.low >= LONG_MINUTES)
}

/// The next of those who are still to be told that their queue was halted or closed, if they are
/// still there.
pub(crate) fn queue_told(
    site: &Site,
    rules: &Rules,
    now: &Now,
    queue: &QueueId,
    rest: &Rest,
) -> Vec<Event> {
    let state = site.queue_state(rules, queue);
    let mut telling = Telling { site, rules, now, told: BTreeSet::new(), out: Vec::new() };
    for ticket in rest.piece().filter_map(|id| site.ticket(id)) {
        let listens = matches!(ticket.stage, Stage::Waiting | Stage::Held { .. });
        if listens && ticket.queue == *queue {
            telling.queue_is(ticket.id, site.ahead(ticket), state);
        }
    }
    telling.out
}

/// Whether a recall since the call was told already.
fn recalled(ticket: &Ticket, round: u32) -> bool {
    ticket.notices.call > ticket.counts.calls - (round - 1)
}

fn progress(at: Timestamp) -> Timestamp {
    at.plus_minutes(PROGRESS_MINUTES)
}

/// The queues in which somebody may have come closer. Taking a number brings nobody closer.
fn moved<'a>(after: &'a Site, rules: &'a Rules, events: &'a [Event]) -> BTreeSet<&'a QueueId> {
    let mut queues = BTreeSet::new();
    for event in events {
        match event {
            Event::TicketTaken { .. }
            | Event::TicketShown { .. }
            | Event::TicketRecalled { .. }
            | Event::MilestoneReached(_)
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

struct Telling<'a> {
    site: &'a Site,
    rules: &'a Rules,
    now: &'a Now,
    /// Whoever was told something by this decision.
    told: BTreeSet<TicketId>,
    out: Vec<Event>,
}

impl Telling<'_> {
    /// What an event is for the one it happened to.
    fn of(&mut self, event: &Event) {
        if let Event::QueueSet { queue, state, untold } = event {
            return self.queue_set(queue, *state, *untold);
        }
        let site = self.site;
        let Some(ticket) = event.ticket().and_then(|id| site.ticket(id)) else { return };
        let at = self.now.at;
        match event {
            Event::TicketTaken { told, .. } => {
                self.tell(ticket, MilestoneKind::Joined(*told), progress(at));
            }
            Event::TicketCalled { counter, call, deadline, .. } => {
                let kind =
                    MilestoneKind::Called { counter_name: self.counter_name(counter), call: *call };
                self.tell(ticket, kind, *deadline);
            }
            Event::TicketRecalled { counter, call, round, deadline, .. } => {
                let since = match &ticket.stage {
                    Stage::Called { at: first, .. } => at.since_ms(*first),
                    _ => 0,
                };
                let counter_name = self.counter_name(counter);
                if since >= RECALL_MS && !recalled(ticket, *round) {
                    let kind = MilestoneKind::Recalled { counter_name, call: *call };
                    self.tell(ticket, kind, *deadline);
                }
            }
            Event::TicketMissed { until, .. } => {
                let rules = self.rules.queues.get(&ticket.queue);
                let places = until.and(rules).and_then(|r| r.places_back(ticket.counts.misses));
                let valid = until.unwrap_or_else(|| at.plus_minutes(CLOSED_MINUTES));
                self.tell(ticket, MilestoneKind::Missed { until: *until, places }, valid);
            }
            Event::TicketReturned { .. } => self.returned(ticket, Through::Return),
            Event::TicketTransferred { .. } => self.returned(ticket, Through::Transfer),
            // Nothing is put right for somebody who never heard of the call.
            Event::TicketPutBack { .. } if ticket.notices.call == ticket.counts.calls => {
                self.returned(ticket, Through::PutBack);
            }
            Event::TicketClosed { reason: CloseReason::QueueCleared, .. } => {
                let valid = at.plus_minutes(CLOSED_MINUTES);
                self.tell(ticket, MilestoneKind::QueueClosed, valid);
            }
            _ => {}
        }
    }

    fn returned(&mut self, ticket: &Ticket, through: Through) {
        let told = self.site.told(self.rules, ticket, self.now);
        let kind = MilestoneKind::Returned { through, told };
        self.tell(ticket, kind, progress(self.now.at));
    }

    /// Everybody in a line that was halted or closed, but for those whose turn comes later.
    fn queue_set(&mut self, queue: &QueueId, state: QueueState, untold: u32) {
        let site = self.site;
        let told = matches!(state, QueueState::Halted | QueueState::Closed);
        let Some(line) = site.lines.get(queue).filter(|_| told) else { return };
        let mut now: Vec<_> = line.listeners().collect();
        now.truncate(now.len().saturating_sub(untold as usize));
        for (id, ahead) in now {
            self.queue_is(id, ahead, state);
        }
    }

    /// How a queue stands, for somebody there.
    fn queue_is(&mut self, id: TicketId, ahead: u32, state: QueueState) {
        let (Some(ticket), at) = (self.site.ticket(id), self.now.at) else { return };
        match state {
            QueueState::Halted => {
                let told = Told::only_ahead(ahead);
                self.tell(ticket, MilestoneKind::Halted(told), progress(at));
            }
            QueueState::Closed => {
                self.tell(ticket, MilestoneKind::QueueClosed, at.plus_minutes(CLOSED_MINUTES));
            }
            QueueState::Open | QueueState::Paused => {}
        }
    }

    /// Those at the front of a line who have come near, or are next.
    fn line(&mut self, queue: &QueueId) {
        let site = self.site;
        let (Some(rules), Some(line)) = (self.rules.queues.get(queue), site.lines.get(queue))
        else {
            return;
        };
        if !site.calls(self.rules, queue) {
            return;
        }
        for (ahead, id) in line.waiting().take(LOOKED_AT).enumerate() {
            let Some(ticket) = site.ticket(id) else { continue };
            let ahead = ahead as u32;
            let told = site.told_to(self.rules, ticket, ahead, self.now);
            let soon = told.estimate.is_some_and(|estimate| estimate.low <= NEAR_MINUTES);
            // Nobody further back is nearer.
            if !soon && ahead > FARTHEST.max(rules.near) {
                return;
            }
            match ahead {
                0 => self.next(ticket, rules, told),
                _ => self.near(ticket, rules, told, soon),
            }
        }
    }

    fn next(&mut self, ticket: &Ticket, rules: &QueueRules, told: Told) {
        let kind = MilestoneKind::Next(told);
        let news = ticket.notices.count(&kind) == 0 && !self.just_joined(ticket);
        if news && rules.minutes >= NEXT_FROM_MINUTES {
            self.tell(ticket, kind, progress(self.now.at));
        }
    }

    fn near(&mut self, ticket: &Ticket, rules: &QueueRules, told: Told, soon: bool) {
        let kind = MilestoneKind::Near(told);
        let near = match ticket.marks.tell_at {
            // Whoever chose when to be told is told then.
            Some(chosen) => told.ahead <= chosen,
            None => soon || told.ahead <= rules.near,
        };
        if near && ticket.notices.count(&kind) == 0 && !self.just_joined(ticket) {
            self.tell(ticket, kind, progress(self.now.at));
        }
    }

    fn just_joined(&self, ticket: &Ticket) -> bool {
        self.now.at.since_ms(ticket.taken_at) < JUST_JOINED_MS
    }

    fn counter_name(&self, counter: &CounterId) -> std::sync::Arc<str> {
        self.rules.counters.get(counter).map_or_else(|| counter.shared(), |c| c.name.clone())
    }

    /// Decides to tell somebody something, if there is somebody and room for it; one thing a
    /// decision.
    fn tell(&mut self, ticket: &Ticket, kind: MilestoneKind, valid_until: Timestamp) {
        let Some(person) = &ticket.person else { return };
        let at = self.now.at;
        if !ticket.notices.leave_room_for(&kind, at) || !self.told.insert(ticket.id) {
            return;
        }
        let rules = self.rules.queues.get(&ticket.queue);
        let occurrence = match &kind {
            MilestoneKind::Called { call, .. } | MilestoneKind::Recalled { call, .. } => *call,
            kind => ticket.notices.count(kind) + 1,
        };
        self.out.push(Event::MilestoneReached(Milestone {
            ticket: ticket.id,
            day: self.site.day.unwrap_or(self.now.day()),
            person: person.clone(),
            // The answer to the scan has the ticket itself.
            key: ticket.key.filter(|_| !matches!(kind, MilestoneKind::Joined(_))),
            number: ticket.number.clone(),
            queue_name: rules.map_or_else(|| ticket.queue.shared(), |rules| rules.name.clone()),
            kind,
            occurrence,
            order: ticket.notices.order + 1,
            at,
            valid_until,
        }));
    }
}
