//! Check of the line of every site, at each entry that is appended to the ledger.
//!
//! It reads the stored commits by itself and knows nothing of the domain: who holds which ticket,
//! which number and which counter.

use super::findings::FindingKind;
use crate::calendar;
use crate::fleet::MAX_GOOD_SKEW_MS;
use crate::world::World;
use paihao_contracts::commit::{Commit, Decision, Event, Ticket, TicketState};
use paihao_ledger::StoredEntry;
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Time within which a command must not be decided twice.
const COMMAND_RETENTION_MS: i64 = 15 * 60 * 1000;

/// Lines of all sites.
#[derive(Default)]
pub struct Lines(Mutex<BTreeMap<String, Line>>);

#[derive(Default)]
struct Line {
    live: BTreeMap<u32, LiveTicket>,
    /// Tickets of the day before that still have to be carried over.
    to_carry: BTreeSet<u32>,
    /// Number of tickets that further entries carry over.
    carrying: u32,
    commands: BTreeMap<[u8; 16], i64>,
    /// Persons with each number that they ever had.
    held: BTreeSet<(String, String)>,
    calls: BTreeMap<String, u64>,
}

struct LiveTicket {
    number: String,
    person: Option<Arc<str>>,
    counter: Option<Arc<str>>,
}

impl Lines {
    /// Checks an entry of the ledger.
    pub fn check(&self, world: &World, stored: &StoredEntry) {
        let Ok(commit) = serde_json::from_slice::<Commit>(&stored.entry.payload) else {
            return world.report(
                FindingKind::StateDiffers,
                format_args!("the entry at {} cannot be read", stored.position.0),
            );
        };
        let mut lines = self.0.lock();
        let site = &*commit.site.id;
        let line = lines.entry(site.to_owned()).or_default();
        let mut problems = Vec::new();
        for decision in &commit.decisions {
            line.decide(decision, &mut problems);
            for event in &decision.events {
                line.apply(event, world.now_ms(), &mut problems);
            }
        }
        if line.carrying == 0 && !line.to_carry.is_empty() {
            let lost = std::mem::take(&mut line.to_carry);
            problems
                .push((FindingKind::LineLost, format!("tickets {lost:?} were not carried over")));
        }
        for (kind, problem) in problems {
            world.report(kind, format_args!("{site} at {}: {problem}", stored.position.0));
        }
    }

    /// Returns true if the person has ever had the number.
    pub fn has_had(&self, site: &str, person: &str, number: &str) -> bool {
        let lines = self.0.lock();
        lines
            .get(site)
            .is_some_and(|line| line.held.contains(&(person.to_owned(), number.to_owned())))
    }

    /// Returns the persons with a ticket, now or before, whose openid begins like this.
    pub fn persons(&self, start: &str) -> Vec<String> {
        let lines = self.0.lock();
        let held = lines.values().flat_map(|line| &line.held);
        held.filter(|(person, _)| person.starts_with(start)).map(|(p, _)| p.clone()).collect()
    }

    /// Number of calls at a counter so far.
    pub fn calls_at(&self, site: &str, counter: &str) -> u64 {
        let lines = self.0.lock();
        lines.get(site).and_then(|line| line.calls.get(counter)).copied().unwrap_or(0)
    }
}

type Problems = Vec<(FindingKind, String)>;

impl Line {
    fn decide(&mut self, decision: &Decision, problems: &mut Problems) {
        let at = decision.at;
        if let Some(before) = self.commands.insert(decision.command, at)
            && at - before <= COMMAND_RETENTION_MS
        {
            let text = format!("the command {:02x?} was decided twice", decision.command);
            problems.push((FindingKind::CommandTwice, text));
        }
    }

    fn apply(&mut self, event: &Event, now_ms: i64, problems: &mut Problems) {
        match event {
            Event::DayOpened { day, carrying } => self.open_day(*day, *carrying, now_ms, problems),
            Event::TicketTaken { ticket, number, person, .. } => {
                let new = LiveTicket {
                    number: number.to_string(),
                    person: person.clone(),
                    counter: None,
                };
                if self.live.contains_key(ticket) {
                    let text = format!("ticket {ticket} was given out twice");
                    problems.push((FindingKind::NumberTwice, text));
                }
                self.insert(*ticket, new, problems);
            }
            Event::TicketCarried { ticket } => {
                self.to_carry.remove(&ticket.id);
                self.carrying = self.carrying.saturating_sub(1);
                self.insert(ticket.id, live_ticket(ticket), problems);
            }
            Event::TicketRestored { ticket, .. } => {
                self.insert(ticket.id, live_ticket(ticket), problems);
            }
            Event::TicketCalled { ticket, counter, .. } => {
                *self.calls.entry(counter.to_string()).or_default() += 1;
                self.occupy(*ticket, counter, problems);
            }
            Event::TicketStarted { ticket, counter } => self.occupy(*ticket, counter, problems),
            Event::TicketPutBack { ticket }
            | Event::TicketHeld { ticket, .. }
            | Event::TicketTransferred { ticket, .. }
            | Event::TicketMissed { ticket, .. }
            | Event::TicketReturned { ticket, .. } => {
                if let Some(live) = self.live.get_mut(ticket) {
                    live.counter = None;
                }
            }
            Event::TicketFinished { ticket, .. } | Event::TicketClosed { ticket, .. } => {
                self.live.remove(ticket);
                self.to_carry.remove(ticket);
            }
            Event::HolderForgotten { ticket } => {
                if let Some(live) = self.live.get_mut(ticket) {
                    live.person = None;
                }
            }
            Event::HolderMigrated { ticket, person } => {
                if let Some(live) = self.live.remove(ticket) {
                    let person = Some(person.clone());
                    self.insert(*ticket, LiveTicket { person, ..live }, problems);
                }
            }
            _ => {}
        }
    }

    fn open_day(&mut self, day: i32, carrying: u32, now_ms: i64, problems: &mut Problems) {
        let newest = calendar::day_of(now_ms + 2 * MAX_GOOD_SKEW_MS);
        if i64::from(day) > newest {
            let text = format!("day {day} was opened while it was day {newest}");
            problems.push((FindingKind::DayClosedEarly, text));
        }
        self.to_carry = std::mem::take(&mut self.live).into_keys().collect();
        self.carrying = carrying;
    }

    fn insert(&mut self, ticket: u32, new: LiveTicket, problems: &mut Problems) {
        for (other, live) in self.live.iter().filter(|(other, _)| **other != ticket) {
            if live.number == new.number {
                let text = format!("{} is the number of {other} and {ticket}", new.number);
                problems.push((FindingKind::NumberTwice, text));
            }
            if new.person.is_some() && live.person == new.person {
                let text = format!("one person has the tickets {other} and {ticket}");
                problems.push((FindingKind::TwoTickets, text));
            }
        }
        if let Some(person) = &new.person {
            self.held.insert((person.to_string(), new.number.clone()));
        }
        self.live.insert(ticket, new);
    }

    fn occupy(&mut self, ticket: u32, counter: &Arc<str>, problems: &mut Problems) {
        let other = self
            .live
            .iter()
            .find(|(other, live)| **other != ticket && live.counter.as_ref() == Some(counter));
        if let Some((other, _)) = other {
            let text = format!("counter {counter} has the tickets {other} and {ticket}");
            problems.push((FindingKind::TwoCalls, text));
        }
        match self.live.get_mut(&ticket) {
            Some(live) => {
                if live.counter.as_ref().is_some_and(|former| former != counter) {
                    let text = format!("ticket {ticket} was called by two counters");
                    problems.push((FindingKind::TwoCalls, text));
                }
                live.counter = Some(counter.clone());
            }
            None => {
                let text = format!("ticket {ticket} was called and is not live");
                problems.push((FindingKind::LineLost, text));
            }
        }
    }
}

fn live_ticket(ticket: &Ticket) -> LiveTicket {
    let counter = match &ticket.state {
        TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } => {
            Some(counter.clone())
        }
        _ => None,
    };
    LiveTicket { number: ticket.number.to_string(), person: ticket.person.clone(), counter }
}
