//! A hall as plain as can be, made from the ledger's events alone: where everybody is, who is next,
//! and whether a refusal tells the truth. Shares no code with the rules that it checks.

use super::history::Request;
use paihao_contracts::commit::{Decision, Event, Outcome, Rank, TicketState, TicketStatus};
use std::collections::{BTreeMap, BTreeSet};

/// Which queues each counter serves.
pub type Counters = BTreeMap<String, Vec<String>>;

/// A place in a line: class, arrival, the tie breakers, the ticket.
type QueuePosition = (u8, i64, u32, i32, u32);

#[derive(Debug, Clone)]
struct TicketRecord {
    number: String,
    queue: String,
    rank: Rank,
    state: TicketStatus,
    /// The last counter.
    counter: Option<String>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct ReferenceModel {
    counters: Counters,
    open_counters: BTreeSet<String>,
    tickets: BTreeMap<u32, TicketRecord>,
    queues: BTreeMap<String, BTreeSet<QueuePosition>>,
    serving: BTreeMap<String, u32>,
}

fn queue_position(rank: &Rank, ticket: u32) -> QueuePosition {
    (rank.class, rank.arrival, rank.sequence, rank.turn, ticket)
}

impl ReferenceModel {
    pub fn new(counters: Counters) -> ReferenceModel {
        ReferenceModel { counters, ..ReferenceModel::default() }
    }

    /// Takes a decision in; what is wrong with it goes to `problems`.
    pub fn apply(&mut self, decision: &Decision, wrong: &mut Vec<String>) {
        let by_turn = matches!(decision.outcome, Outcome::Called { .. });
        for event in &decision.events {
            self.apply_event(event, by_turn, wrong);
        }
    }

    fn apply_event(&mut self, event: &Event, by_turn: bool, wrong: &mut Vec<String>) {
        match event {
            Event::CounterOpened { counter, .. } => {
                self.open_counters.insert(counter.to_string());
            }
            Event::TicketTaken { ticket, queue, number, rank, .. } => {
                let (number, queue) = (number.to_string(), queue.to_string());
                if self.tickets.values().any(|seat| seat.number == number) {
                    wrong.push(format!("{number} was given out twice"));
                }
                let state = TicketStatus::Waiting;
                self.put_ticket(
                    *ticket,
                    TicketRecord { number, queue, rank: *rank, state, counter: None },
                );
            }
            Event::TicketCalled { ticket, counter, reason, .. } => {
                if by_turn && reason.is_none() && self.next_ticket(counter) != Some(*ticket) {
                    let next = self.next_ticket(counter).map(|ticket| self.ticket_number(ticket));
                    let called = self.ticket_number(*ticket);
                    wrong.push(format!("{counter} called {called}, and {next:?} was next"));
                }
                self.serve_at(*ticket, counter, TicketStatus::Called, wrong);
            }
            Event::TicketStarted { ticket, .. } => self.set_state(*ticket, TicketStatus::Serving),
            Event::TicketFinished { ticket, counter, .. } => {
                self.release_counter(*ticket, counter, wrong);
                self.set_state(*ticket, TicketStatus::Done);
            }
            Event::TicketMissed { ticket, counter, .. } => {
                self.release_counter(*ticket, counter, wrong);
                self.set_state(*ticket, TicketStatus::Missed);
            }
            Event::TicketReturned { ticket, rank } => self.enqueue(*ticket, None, *rank),
            Event::TicketTransferred { ticket, queue, rank } => {
                self.enqueue(*ticket, Some(queue), *rank);
            }
            Event::TicketClosed { ticket, .. } => self.set_state(*ticket, TicketStatus::Closed),
            Event::TicketRestored { ticket, .. } => {
                let seat = TicketRecord {
                    number: ticket.number.to_string(),
                    queue: ticket.queue.to_string(),
                    rank: ticket.rank,
                    state: ticket.stage.status(),
                    counter: self.tickets.get(&ticket.id).and_then(|seat| seat.counter.clone()),
                };
                self.put_ticket(ticket.id, seat);
                if let TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } =
                    &ticket.stage
                {
                    self.serve_at(ticket.id, counter, ticket.stage.status(), wrong);
                }
            }
            Event::DayOpened { .. } | Event::DayClosed { .. } | Event::MilestoneReached(_) => {}
            other => wrong.push(format!("nobody wished for {other:?}")),
        }
    }

    /// Whom the counter has to call, as things stand.
    fn next_ticket(&self, counter: &str) -> Option<u32> {
        let lines = self.counters.get(counter)?.iter().filter_map(|queue| self.queues.get(queue));
        lines.filter_map(|line| line.first()).min().map(|place| place.4)
    }

    fn ticket_number(&self, ticket: u32) -> String {
        self.tickets.get(&ticket).map_or_else(|| format!("#{ticket}"), |seat| seat.number.clone())
    }

    /// Puts a ticket where it says that it is.
    fn put_ticket(&mut self, ticket: u32, seat: TicketRecord) {
        self.remove_ticket(ticket);
        if seat.state == TicketStatus::Waiting {
            self.queues
                .entry(seat.queue.clone())
                .or_default()
                .insert(queue_position(&seat.rank, ticket));
        }
        self.tickets.insert(ticket, seat);
    }

    /// Takes a ticket from wherever it is.
    fn remove_ticket(&mut self, ticket: u32) {
        self.queues.values_mut().for_each(|line| line.retain(|place| place.4 != ticket));
        self.serving.retain(|_, there| *there != ticket);
    }

    fn set_state(&mut self, ticket: u32, state: TicketStatus) {
        if state != TicketStatus::Serving {
            self.remove_ticket(ticket);
        }
        if let Some(seat) = self.tickets.get_mut(&ticket) {
            seat.state = state;
        }
    }

    fn enqueue(&mut self, ticket: u32, queue: Option<&str>, rank: Rank) {
        let Some(seat) = self.tickets.get(&ticket).cloned() else { return };
        let queue = queue.map_or(seat.queue.clone(), str::to_owned);
        self.put_ticket(ticket, TicketRecord { queue, rank, state: TicketStatus::Waiting, ..seat });
    }

    /// Brings a ticket to a counter, which must be free, as the ticket must be.
    fn serve_at(
        &mut self,
        ticket: u32,
        counter: &str,
        state: TicketStatus,
        wrong: &mut Vec<String>,
    ) {
        let number = self.ticket_number(ticket);
        if let Some((elsewhere, _)) = self.serving.iter().find(|(_, there)| **there == ticket) {
            wrong.push(format!("{number} was called by {elsewhere} and by {counter}"));
        }
        if let Some(other) = self.serving.get(counter) {
            wrong.push(format!(
                "{counter} called {number} while {} was there",
                self.ticket_number(*other)
            ));
        }
        self.remove_ticket(ticket);
        self.serving.insert(counter.to_owned(), ticket);
        if let Some(seat) = self.tickets.get_mut(&ticket) {
            (seat.state, seat.counter) = (state, Some(counter.to_owned()));
        }
    }

    fn release_counter(&mut self, ticket: u32, counter: &str, wrong: &mut Vec<String>) {
        if self.serving.get(counter) != Some(&ticket) {
            wrong.push(format!("{} was not at {counter}", self.ticket_number(ticket)));
        }
    }

    /// Whether this refusal of a wish is what a hall in this state has to say.
    pub fn explains_refusal(&self, wish: &Request, code: &str) -> bool {
        let seat = |number: &str| self.tickets.values().find(|seat| seat.number == number);
        let state = |number: &str| seat(number).map(|seat| seat.state);
        let there =
            |counter: &str| self.serving.get(counter).and_then(|ticket| self.tickets.get(ticket));
        match (code, wish) {
            ("unknown_ticket", wish) => wish.number().is_some_and(|number| seat(number).is_none()),
            ("counter_closed", Request::CallNext { counter }) => {
                !self.open_counters.contains(counter)
            }
            ("nobody_waiting", Request::CallNext { counter }) => {
                self.open_counters.contains(counter)
                    && there(counter).is_none_or(|seat| seat.state == TicketStatus::Serving)
                    && self.next_ticket(counter).is_none()
            }
            ("counter_busy", Request::CallNext { counter }) => {
                there(counter).is_some_and(|seat| seat.state == TicketStatus::Called)
            }
            ("counter_busy", Request::Undo { number }) => {
                let counter = seat(number).and_then(|seat| seat.counter.as_deref());
                counter.is_some_and(|counter| there(counter).is_some())
            }
            (
                code,
                Request::Start { counter, number }
                | Request::Finish { counter, number }
                | Request::Miss { counter, number },
            ) => match (code, there(counter)) {
                ("counter_idle", there) => there.is_none(),
                ("counter_busy", Some(there)) => there.number != *number,
                ("wrong_state", Some(there)) => {
                    there.number == *number && there.state != TicketStatus::Called
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
            // What it was before is not kept for ever.
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
