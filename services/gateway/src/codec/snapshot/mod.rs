//! Conversion of the state of a site to the stored form of a snapshot and back.
//!
//! The stored form is compressed: as text, a ticket that was served takes more than a kilobyte, and
//! an entry of the store a megabyte.

mod line;
mod ticket;

use super::DecodeError;
use super::outcome::{outcome_from_stored, outcome_to_stored};
use super::values::{number_from_stored, number_to_stored};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use line::{line_from_stored, line_to_stored};
use paihao_contracts::commit::SiteFacts;
use paihao_contracts::envelope;
use paihao_contracts::snapshot as s;
use paihao_domain as d;
use paihao_ledger::{Entry, Position};
use std::io::{Read, Write};
use std::sync::Arc;
use ticket::{ticket_from_stored, ticket_to_stored};

/// State of a site as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteSnapshotParts {
    /// Position of the newest entry of the site that the state includes.
    pub(crate) position: Position,
    /// The site.
    pub(crate) site: d::Site,
    /// The business day before, as far as its links need it.
    pub(crate) previous_day: Option<d::Site>,
}

/// Encodes the state of a site at a position. Of the previous day only the tickets are stored, and
/// nobody's name.
pub(crate) fn encode(
    facts: &SiteFacts,
    position: Position,
    site: &d::Site,
    previous_day: Option<&d::Site>,
) -> Entry {
    let state = state_to_stored(site.to_parts());
    let snapshot = s::Snapshot {
        v: state.version(),
        position: position.0,
        site: facts.clone(),
        state,
        previous_day: previous_day.and_then(previous_day_to_stored),
    };
    let text = serde_json::to_vec(&snapshot).expect("a snapshot has string keys only");
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&text).expect("a vector takes every byte");
    Entry::new(encoder.finish().expect("a vector takes every byte"))
}

/// Decodes a snapshot.
pub(crate) fn decode(payload: &[u8]) -> Result<SiteSnapshotParts, DecodeError> {
    let text = decompress(payload)?;
    let snapshot: s::Snapshot = envelope::decode(&text)?;
    Ok(SiteSnapshotParts {
        position: Position(snapshot.position),
        site: d::Site::from_parts(state_from_stored(snapshot.state)),
        previous_day: snapshot.previous_day.map(previous_day_from_stored),
    })
}

/// Decodes the position of a snapshot.
pub(crate) fn decode_position(payload: &[u8]) -> Result<Position, DecodeError> {
    let head: s::SnapshotHead = envelope::decode(&decompress(payload)?)?;
    Ok(Position(head.position))
}

/// Decodes the facts of the site in a snapshot.
pub(crate) fn decode_facts(payload: &[u8]) -> Option<SiteFacts> {
    envelope::decode::<s::Snapshot>(&decompress(payload).ok()?).ok().map(|snapshot| snapshot.site)
}

/// Encodes the floor of all snapshots.
pub(crate) fn encode_floor(position: Position) -> Entry {
    let floor = s::SnapshotFloor::new(position.0);
    Entry::new(serde_json::to_vec(&floor).expect("a floor has string keys only"))
}

/// Decodes the floor of all snapshots.
pub(crate) fn decode_floor(payload: &[u8]) -> Result<Position, DecodeError> {
    let floor: s::SnapshotFloor = envelope::decode(payload)?;
    Ok(Position(floor.position))
}

fn decompress(payload: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut text = Vec::new();
    GzDecoder::new(payload).read_to_end(&mut text)?;
    Ok(text)
}

fn state_to_stored(parts: d::SiteParts) -> s::SiteState {
    s::SiteState {
        day: parts.day.map(|day| day.0),
        lines: parts.lines.iter().map(line_to_stored).collect(),
        counters: parts.counters.into_iter().map(counter_to_stored).collect(),
        tickets: parts.tickets.iter().map(|ticket| ticket_to_stored(ticket)).collect(),
        recent_calls: parts.recent_calls.iter().map(recent_call_to_stored).collect(),
        recent_commands: parts.recent_commands.iter().map(recent_command_to_stored).collect(),
        last_arrival: parts.last_arrival.map(|at| at.0),
        pending_carry_over: parts
            .pending_carry_over
            .iter()
            .map(|ticket| ticket_to_stored(ticket))
            .collect(),
        spent_days: parts
            .spent_days
            .map(|spent| s::SpentDays { until: spent.until.0, last_ticket: spent.last_ticket.0 }),
    }
}

fn state_from_stored(state: s::SiteState) -> d::SiteParts {
    d::SiteParts {
        day: state.day.map(d::Day),
        lines: state.lines.into_iter().map(line_from_stored).collect(),
        counters: state.counters.into_iter().map(counter_from_stored).collect(),
        tickets: tickets_from_stored(state.tickets),
        recent_calls: state.recent_calls.into_iter().map(recent_call_from_stored).collect(),
        recent_commands: state
            .recent_commands
            .into_iter()
            .map(recent_command_from_stored)
            .collect(),
        last_arrival: state.last_arrival.map(d::Timestamp),
        pending_carry_over: tickets_from_stored(state.pending_carry_over),
        spent_days: state.spent_days.map(|spent| d::SpentDays {
            until: d::Day(spent.until),
            last_ticket: d::TicketId(spent.last_ticket),
        }),
    }
}

fn tickets_from_stored(tickets: Vec<s::Ticket>) -> Vec<Arc<d::Ticket>> {
    tickets.into_iter().map(|ticket| Arc::new(ticket_from_stored(ticket))).collect()
}

fn previous_day_to_stored(site: &d::Site) -> Option<s::PreviousDay> {
    let nameless = |ticket: &d::Ticket| {
        let mut stored = ticket_to_stored(ticket);
        (stored.ticket.person, stored.ticket.former_person) = (None, None);
        stored.undo = None;
        stored
    };
    Some(s::PreviousDay { day: site.day()?.0, tickets: site.tickets().map(nameless).collect() })
}

fn previous_day_from_stored(day: s::PreviousDay) -> d::Site {
    d::Site::from_parts(d::SiteParts {
        day: Some(d::Day(day.day)),
        tickets: tickets_from_stored(day.tickets),
        ..d::SiteParts::default()
    })
}

fn counter_to_stored(parts: d::CounterParts) -> s::Counter {
    let state = match parts.state {
        d::CounterState::Offline => s::CounterState::Offline,
        d::CounterState::Open => s::CounterState::Open,
        d::CounterState::Break => s::CounterState::Break,
    };
    s::Counter {
        counter: parts.counter.shared(),
        state,
        login: parts.login,
        login_since: parts.login_since.map(|at| at.0),
        calls: parts.calls,
        free_since: parts.free_since.map(|at| at.0),
        auto_call_paused: parts.auto_call_paused,
    }
}

fn counter_from_stored(stored: s::Counter) -> d::CounterParts {
    let state = match stored.state {
        s::CounterState::Offline => d::CounterState::Offline,
        s::CounterState::Open => d::CounterState::Open,
        s::CounterState::Break => d::CounterState::Break,
    };
    d::CounterParts {
        counter: stored.counter.into(),
        state,
        login: stored.login,
        login_since: stored.login_since.map(d::Timestamp),
        calls: stored.calls,
        free_since: stored.free_since.map(d::Timestamp),
        auto_call_paused: stored.auto_call_paused,
    }
}

fn recent_call_to_stored(call: &d::RecentCall) -> s::RecentCall {
    s::RecentCall {
        number: number_to_stored(&call.number),
        queue: call.queue.shared(),
        counter: call.counter.shared(),
        at: call.at.0,
        call: call.call,
    }
}

fn recent_call_from_stored(stored: s::RecentCall) -> d::RecentCall {
    d::RecentCall {
        number: number_from_stored(stored.number),
        queue: stored.queue.into(),
        counter: stored.counter.into(),
        at: d::Timestamp(stored.at),
        call: stored.call,
    }
}

fn recent_command_to_stored((id, answer): &(d::CommandId, d::RecordedAnswer)) -> s::RecentCommand {
    s::RecentCommand {
        command: id.0,
        fingerprint: answer.fingerprint.to_be_bytes(),
        at: answer.at.0,
        outcome: outcome_to_stored(&answer.outcome),
    }
}

fn recent_command_from_stored(stored: s::RecentCommand) -> (d::CommandId, d::RecordedAnswer) {
    let answer = d::RecordedAnswer {
        fingerprint: u64::from_be_bytes(stored.fingerprint),
        at: d::Timestamp(stored.at),
        outcome: outcome_from_stored(stored.outcome),
    };
    (d::CommandId(stored.command), answer)
}

#[cfg(test)]
mod tests;
