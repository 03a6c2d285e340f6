//! A hall as plain as can be, made from the ledger's events alone: where everybody is, who is next,
//! and whether a refusal tells the truth. Shares no code with the rules that it checks.

use super::history::Wish;
use paihao_contracts::commit::{Decision, Event, Outcome, Rank, Stage, State};
use std::collections::{BTreeMap, BTreeSet};

/// Which queues each counter serves.
pub type Counters = BTreeMap<String, Vec<String>>;

/// A place in a line: class, arrival, the tie breakers, the ticket.
type Place = (u8, i64, u32, i32, u32);

#[derive(Debug, Clone)]
struct Seat {
    number: String,
    queue: String,
    rank: Rank,
    state: State,
    /// The last counter.
    counter: Option<String>,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub struct Hall {
    counters: Counters,
    open: BTreeSet<String>,
    seats: BTreeMap<u32, Seat>,
    lines: BTreeMap<String, BTreeSet<Place>>,
    at: BTreeMap<String, u32>,
}

fn place(rank: &Rank, ticket: u32) -> Place {
    (rank.class, rank.arrival, rank.sequence, rank.turn, ticket)
}

impl Hall {
    pub fn of(counters: Counters) -> Hall {
        Hall { counters, ..Hall::default() }
    }

    /// Takes a decision in; what is wrong with it goes to `wrong`.
    pub fn apply(&mut self, decision: &Decision, wrong: &mut Vec<String>) {
        let by_turn = matches!(decision.outcome, Outcome::Called { .. });
        for event in &decision.events {
            self.take_in(event, by_turn, wrong);
        }
    }

    fn take_in(&mut self, event: &Event, by_turn: bool, wrong: &mut Vec<String>) {
        match event {
            Event::CounterOpened { counter, .. } => drop(self.open.insert(counter.to_string())),
            Event::TicketTaken { ticket, queue, number, rank, .. } => {
                let (number, queue) = (number.to_string(), queue.to_string());
                if self.seats.values().any(|seat| seat.number == number) {
                    wrong.push(format!("{number} was given out twice"));
                }
                let state = State::Waiting;
                self.seat(*ticket, Seat { number, queue, rank: *rank, state, counter: None });
            }
            Event::TicketCalled { ticket, counter, reason, .. } => {
                if by_turn && reason.is_none() && self.next(counter) != Some(*ticket) {
                    let next = self.next(counter).map(|ticket| self.number(ticket));
                    let called = self.number(*ticket);
                    wrong.push(format!("{counter} called {called}, and {next:?} was next"));
                }
                self.bring(*ticket, counter, State::Called, wrong);
            }
            Event::TicketStarted { ticket, .. } => self.set(*ticket, State::Serving),
            Event::TicketFinished { ticket, counter, .. } => {
                self.leaves(*ticket, counter, wrong);
                self.set(*ticket, State::Done);
            }
            Event::TicketMissed { ticket, counter, .. } => {
                self.leaves(*ticket, counter, wrong);
                self.set(*ticket, State::Missed);
            }
            Event::TicketReturned { ticket, rank } => self.wait(*ticket, None, *rank),
            Event::TicketTransferred { ticket, queue, rank } => {
                self.wait(*ticket, Some(queue), *rank);
            }
            Event::TicketClosed { ticket, .. } => self.set(*ticket, State::Closed),
            Event::TicketRestored { ticket, .. } => {
                let seat = Seat {
                    number: ticket.number.to_string(),
                    queue: ticket.queue.to_string(),
                    rank: ticket.rank,
                    state: ticket.stage.state(),
                    counter: self.seats.get(&ticket.id).and_then(|seat| seat.counter.clone()),
                };
                self.seat(ticket.id, seat);
                if let Stage::Called { counter, .. } | Stage::Serving { counter, .. } =
                    &ticket.stage
                {
                    self.bring(ticket.id, counter, ticket.stage.state(), wrong);
                }
            }
            Event::DayOpened { .. } | Event::DayClosed { .. } | Event::MilestoneReached(_) => {}
            other => wrong.push(format!("nobody wished for {other:?}")),
        }
    }

    /// Whom the counter has to call, as things stand.
    fn next(&self, counter: &str) -> Option<u32> {
        let lines = self.counters.get(counter)?.iter().filter_map(|queue| self.lines.get(queue));
        lines.filter_map(|line| line.first()).min().map(|place| place.4)
    }

    fn number(&self, ticket: u32) -> String {
        self.seats.get(&ticket).map_or_else(|| format!("#{ticket}"), |seat| seat.number.clone())
    }

    /// Puts a ticket where it says that it is.
    fn seat(&mut self, ticket: u32, seat: Seat) {
        self.away(ticket);
        if seat.state == State::Waiting {
            self.lines.entry(seat.queue.clone()).or_default().insert(place(&seat.rank, ticket));
        }
        self.seats.insert(ticket, seat);
    }

    /// Takes a ticket from wherever it is.
    fn away(&mut self, ticket: u32) {
        self.lines.values_mut().for_each(|line| line.retain(|place| place.4 != ticket));
        self.at.retain(|_, there| *there != ticket);
    }

    fn set(&mut self, ticket: u32, state: State) {
        if state != State::Serving {
            self.away(ticket);
        }
        if let Some(seat) = self.seats.get_mut(&ticket) {
            seat.state = state;
        }
    }

    fn wait(&mut self, ticket: u32, queue: Option<&str>, rank: Rank) {
        let Some(seat) = self.seats.get(&ticket).cloned() else { return };
        let queue = queue.map_or(seat.queue.clone(), str::to_owned);
        self.seat(ticket, Seat { queue, rank, state: State::Waiting, ..seat });
    }

    /// Brings a ticket to a counter, which must be free, as the ticket must be.
    fn bring(&mut self, ticket: u32, counter: &str, state: State, wrong: &mut Vec<String>) {
        let number = self.number(ticket);
        if let Some((elsewhere, _)) = self.at.iter().find(|(_, there)| **there == ticket) {
            wrong.push(format!("{number} was called by {elsewhere} and by {counter}"));
        }
        if let Some(other) = self.at.get(counter) {
            wrong
                .push(format!("{counter} called {number} while {} was there", self.number(*other)));
        }
        self.away(ticket);
        self.at.insert(counter.to_owned(), ticket);
        if let Some(seat) = self.seats.get_mut(&ticket) {
            (seat.state, seat.counter) = (state, Some(counter.to_owned()));
        }
    }

    fn leaves(&mut self, ticket: u32, counter: &str, wrong: &mut Vec<String>) {
        if self.at.get(counter) != Some(&ticket) {
            wrong.push(format!("{} was not at {counter}", self.number(ticket)));
        }
    }

    /// Whether this refusal of a wish is what a hall in this state has to say.
    pub fn refuses(&self, wish: &Wish, code: &str) -> bool {
        let seat = |number: &str| self.seats.values().find(|seat| seat.number == number);
        let state = |number: &str| seat(number).map(|seat| seat.state);
        let there = |counter: &str| self.at.get(counter).and_then(|ticket| self.seats.get(ticket));
        match (code, wish) {
            ("unknown_ticket", wish) => wish.number().is_some_and(|number| seat(number).is_none()),
            ("counter_closed", Wish::CallNext { counter }) => !self.open.contains(counter),
            ("nobody_waiting", Wish::CallNext { counter }) => {
                self.open.contains(counter)
                    && there(counter).is_none_or(|seat| seat.state == State::Serving)
                    && self.next(counter).is_none()
            }
            ("counter_busy", Wish::CallNext { counter }) => {
                there(counter).is_some_and(|seat| seat.state == State::Called)
            }
            ("counter_busy", Wish::Undo { number }) => {
                let counter = seat(number).and_then(|seat| seat.counter.as_deref());
                counter.is_some_and(|counter| there(counter).is_some())
            }
            (
                code,
                Wish::Start { counter, number }
                | Wish::Finish { counter, number }
                | Wish::Miss { counter, number },
            ) => match (code, there(counter)) {
                ("counter_idle", there) => there.is_none(),
                ("counter_busy", Some(there)) => there.number != *number,
                ("wrong_state", Some(there)) => {
                    there.number == *number && there.state != State::Called
                }
                _ => false,
            },
            ("ticket_ended", Wish::Transfer { number, .. } | Wish::Return { number })
            | ("ticket_ended", Wish::Leave { number }) => {
                matches!(state(number), Some(State::Done | State::Closed))
            }
            ("wrong_state", Wish::Transfer { number, .. }) => {
                matches!(state(number), Some(State::Waiting | State::Missed))
            }
            ("wrong_state", Wish::Return { number }) => {
                matches!(state(number), Some(State::Waiting | State::Called | State::Serving))
            }
            ("wrong_state", Wish::Leave { number }) => state(number) == Some(State::Serving),
            ("wrong_state", Wish::Undo { number }) => {
                matches!(state(number), Some(State::Waiting | State::Called | State::Serving))
            }
            // What it was before is not kept for ever.
            ("nothing_to_undo", Wish::Undo { number }) => {
                matches!(state(number), Some(State::Done | State::Closed | State::Missed))
            }
            _ => false,
        }
    }
}
