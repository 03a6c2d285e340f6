//! Reference model of a site, folded from the ledger's events: queues, counters, and the refusals
//! that are true in a state.
//!
//! It shares no code with the rules that it checks.

use super::history::Request;
use paihao_contracts::commit::{Decision, Event, Outcome, Rank, Ticket, TicketState, TicketStatus};
use std::collections::{BTreeMap, BTreeSet};

/// Queues that each counter serves.
pub type Counters = BTreeMap<String, Vec<String>>;

/// Position in a queue: class, arrival, two tie-breakers, ticket.
type QueuePosition = (u8, i64, u32, i32, u32);

#[derive(Debug, Clone)]
struct TicketRecord {
    number: String,
    queue: String,
    rank: Rank,
    state: TicketStatus,
    /// Counter of the last call.
    counter: Option<String>,
}

/// State of the model.
#[derive(Debug, Clone, Default)]
pub struct ReferenceModel {
    counters: Counters,
    open_counters: BTreeSet<String>,
    tickets: BTreeMap<u32, TicketRecord>,
    queues: BTreeMap<String, BTreeSet<QueuePosition>>,
    serving: BTreeMap<String, u32>,
}

fn queue_position(rank: &Rank, ticket: u32) -> QueuePosition {
    (rank.class, rank.arrival, rank.sequence, rank.offset, ticket)
}

impl ReferenceModel {
    pub fn new(counters: Counters) -> ReferenceModel {
        ReferenceModel { counters, ..ReferenceModel::default() }
    }

    /// Applies a decision; violations of the rules are added to `violations`.
    pub fn apply(&mut self, decision: &Decision, violations: &mut Vec<String>) {
        let next_in_turn = matches!(decision.outcome, Outcome::Called { .. });
        for event in &decision.events {
            self.apply_event(event, next_in_turn, violations);
        }
    }

    /// States after each event of a decision from the turn of the day on; none if it does not turn.
    pub fn states_after_turn(&self, decision: &Decision) -> Vec<ReferenceModel> {
        let is_turn = |event: &Event| matches!(event, Event::DayOpened { .. });
        let Some(turn) = decision.events.iter().position(is_turn) else { return Vec::new() };
        let mut state = self.clone();
        let mut states = Vec::new();
        for (i, event) in decision.events.iter().enumerate() {
            // What the events violate is found when the decision is applied.
            state.apply_event(event, false, &mut Vec::new());
            if i >= turn {
                states.push(state.clone());
            }
        }
        states
    }

    fn apply_event(&mut self, event: &Event, next_in_turn: bool, violations: &mut Vec<String>) {
        match event {
            Event::CounterOpened { counter, .. } => {
                self.open_counters.insert(counter.to_string());
            }
            Event::TicketTaken { ticket, queue, number, rank, .. } => {
                let number = number.to_string();
                let queue = queue.to_string();
                if self.tickets.values().any(|record| record.number == number) {
                    violations.push(format!("{number} was given out twice"));
                }
                let state = TicketStatus::Waiting;
                self.put_ticket(
                    *ticket,
                    TicketRecord { number, queue, rank: *rank, state, counter: None },
                );
            }
            Event::TicketCalled { ticket, counter, reason, .. } => {
                if next_in_turn && reason.is_none() && self.next_ticket(counter) != Some(*ticket) {
                    let next = self.next_ticket(counter).map(|ticket| self.ticket_number(ticket));
                    let called = self.ticket_number(*ticket);
                    violations.push(format!("{counter} called {called}, and {next:?} was next"));
                }
                self.serve_at(*ticket, counter, TicketStatus::Called, violations);
            }
            Event::TicketStarted { ticket, .. } => self.set_state(*ticket, TicketStatus::Serving),
            Event::TicketFinished { ticket, counter, .. } => {
                self.release_counter(*ticket, counter, violations);
                self.set_state(*ticket, TicketStatus::Done);
            }
            Event::TicketMissed { ticket, counter, .. } => {
                self.release_counter(*ticket, counter, violations);
                self.set_state(*ticket, TicketStatus::Missed);
            }
            Event::TicketReturned { ticket, rank } => self.enqueue(*ticket, None, *rank),
            Event::TicketTransferred { ticket, queue, rank } => {
                self.enqueue(*ticket, Some(queue), *rank);
            }
            Event::TicketClosed { ticket, .. } => self.set_state(*ticket, TicketStatus::Closed),
            Event::TicketRestored { ticket, .. } => self.restore(ticket, violations),
            // The tickets that go on and the counters that stay open follow.
            Event::DayOpened { .. } => {
                *self = ReferenceModel::new(std::mem::take(&mut self.counters));
            }
            Event::TicketCarried { ticket } => self.restore(ticket, violations),
            Event::DayClosed { .. }
            | Event::TicketRecalled { .. }
            | Event::NotificationTriggered(_) => {}
            other => violations.push(format!("no request causes {other:?}")),
        }
    }

    /// Puts a ticket where its stored form says.
    fn restore(&mut self, ticket: &Ticket, violations: &mut Vec<String>) {
        let record = TicketRecord {
            number: ticket.number.to_string(),
            queue: ticket.queue.to_string(),
            rank: ticket.rank,
            state: ticket.state.status(),
            counter: self.tickets.get(&ticket.id).and_then(|record| record.counter.clone()),
        };
        self.put_ticket(ticket.id, record);
        if let TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } =
            &ticket.state
        {
            self.serve_at(ticket.id, counter, ticket.state.status(), violations);
        }
    }

    /// Ticket that the counter must call next.
    fn next_ticket(&self, counter: &str) -> Option<u32> {
        let queues = self.counters.get(counter)?.iter().filter_map(|queue| self.queues.get(queue));
        queues.filter_map(|queue| queue.first()).min().map(|position| position.4)
    }

    fn ticket_number(&self, ticket: u32) -> String {
        self.tickets
            .get(&ticket)
            .map_or_else(|| format!("#{ticket}"), |record| record.number.clone())
    }

    /// Stores a ticket, and queues it if it waits.
    fn put_ticket(&mut self, ticket: u32, record: TicketRecord) {
        self.remove_ticket(ticket);
        if record.state == TicketStatus::Waiting {
            self.queues
                .entry(record.queue.clone())
                .or_default()
                .insert(queue_position(&record.rank, ticket));
        }
        self.tickets.insert(ticket, record);
    }

    /// Removes a ticket from its queue and its counter.
    fn remove_ticket(&mut self, ticket: u32) {
        self.queues.values_mut().for_each(|queue| queue.retain(|position| position.4 != ticket));
        self.serving.retain(|_, serving| *serving != ticket);
    }

    fn set_state(&mut self, ticket: u32, state: TicketStatus) {
        if state != TicketStatus::Serving {
            self.remove_ticket(ticket);
        }
        if let Some(record) = self.tickets.get_mut(&ticket) {
            record.state = state;
        }
    }

    fn enqueue(&mut self, ticket: u32, queue: Option<&str>, rank: Rank) {
        let Some(record) = self.tickets.get(&ticket).cloned() else { return };
        let queue = queue.map_or(record.queue.clone(), str::to_owned);
        self.put_ticket(
            ticket,
            TicketRecord { queue, rank, state: TicketStatus::Waiting, ..record },
        );
    }

    /// Assigns a ticket to a counter; neither may be busy.
    fn serve_at(
        &mut self,
        ticket: u32,
        counter: &str,
        state: TicketStatus,
        violations: &mut Vec<String>,
    ) {
        let number = self.ticket_number(ticket);
        if let Some((elsewhere, _)) = self.serving.iter().find(|(_, serving)| **serving == ticket) {
            violations.push(format!("{number} was called by {elsewhere} and by {counter}"));
        }
        if let Some(other) = self.serving.get(counter) {
            violations.push(format!(
                "{counter} called {number} while {} was there",
                self.ticket_number(*other)
            ));
        }
        self.remove_ticket(ticket);
        self.serving.insert(counter.to_owned(), ticket);
        if let Some(record) = self.tickets.get_mut(&ticket) {
            (record.state, record.counter) = (state, Some(counter.to_owned()));
        }
    }

    fn release_counter(&mut self, ticket: u32, counter: &str, violations: &mut Vec<String>) {
        if self.serving.get(counter) != Some(&ticket) {
            violations.push(format!("{} was not at {counter}", self.ticket_number(ticket)));
        }
    }

    /// Checks that a refusal of a request is true in this state.
    pub fn explains_refusal(&self, request: &Request, code: &str) -> bool {
        let record = |number: &str| self.tickets.values().find(|record| record.number == number);
        let state = |number: &str| record(number).map(|record| record.state);
        let served_at =
            |counter: &str| self.serving.get(counter).and_then(|ticket| self.tickets.get(ticket));
        match (code, request) {
            ("unknown_ticket", request) => {
                request.number().is_some_and(|number| record(number).is_none())
            }
            ("counter_closed", Request::CallNext { counter }) => {
                !self.open_counters.contains(counter)
            }
            ("nobody_waiting", Request::CallNext { counter }) => {
                self.open_counters.contains(counter)
                    && served_at(counter).is_none_or(|record| record.state == TicketStatus::Serving)
                    && self.next_ticket(counter).is_none()
            }
            ("counter_busy", Request::CallNext { counter }) => {
                served_at(counter).is_some_and(|record| record.state == TicketStatus::Called)
            }
            ("counter_busy", Request::Undo { number }) => {
                let counter = record(number).and_then(|record| record.counter.as_deref());
                counter.is_some_and(|counter| served_at(counter).is_some())
            }
            (
                code,
                Request::Start { counter, number }
                | Request::Finish { counter, number }
                | Request::Miss { counter, number },
            ) => match (code, served_at(counter)) {
                ("counter_idle", current) => current.is_none(),
                ("counter_busy", Some(current)) => current.number != *number,
                ("wrong_state", Some(current)) => {
                    current.number == *number && current.state != TicketStatus::Called
                }
                _ => false,
            },
            ("ticket_ended", Request::Transfer { number, .. } | Request::Return { number })
            | ("ticket_ended", Request::Leave { number }) => {
                matches!(state(number), Some(TicketStatus::Done | TicketStatus::Closed))
            }
            ("wrong_state", Request::Transfer { number, .. }) => {
                matches!(state(number), Some(TicketStatus::Waiting | TicketStatus::Missed))
            }
            ("wrong_state", Request::Return { number }) => {
                matches!(
                    state(number),
                    Some(TicketStatus::Waiting | TicketStatus::Called | TicketStatus::Serving)
                )
            }
            ("wrong_state", Request::Leave { number }) => {
                state(number) == Some(TicketStatus::Serving)
            }
            ("wrong_state", Request::Undo { number }) => {
                matches!(
                    state(number),
                    Some(TicketStatus::Waiting | TicketStatus::Called | TicketStatus::Serving)
                )
            }
            // The previous state is not kept for ever.
            ("nothing_to_undo", Request::Undo { number }) => {
                matches!(
                    state(number),
                    Some(TicketStatus::Done | TicketStatus::Closed | TicketStatus::Missed)
                )
            }
            _ => false,
        }
    }
}
