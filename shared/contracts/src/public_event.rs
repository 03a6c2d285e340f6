//! Public form of the events, for the owner's other systems: without identities and without
//! internal bookkeeping.
//!
//! [`to_public_events`] is the only way from a stored commit to this form. A stored event that is
//! published needs an arm there and a variant of [`PublicEventKind`]; one that is not published
//! needs `None`.

use crate::commit::{
    CloseReason, Commit, Decision, Event, Number, Outcome, QueueState, QuotedWait, TicketStatus,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Version of this form. Fields and event types are added without a new version; readers skip
/// unknown ones.
pub const PUBLIC_VERSION: u32 = 1;

/// One event of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PublicEvent {
    /// [`PUBLIC_VERSION`] of the writer.
    pub v: u32,
    /// Position of the event in the ledger: stable over repeats and over transports. Later events
    /// of a site have larger ids.
    pub id: EventId,
    /// Id of the site.
    pub site: Arc<str>,
    /// Time of the event, in Unix milliseconds.
    pub at: i64,
    /// Type of the event, with its fields.
    #[serde(flatten)]
    pub kind: PublicEventKind,
    /// True for a repeat that was requested.
    #[serde(skip_serializing_if = "is_false", default)]
    pub replay: bool,
}

/// Types of event. `ticket` is the serial of the ticket in the business day; `ticket_number` is the
/// number its holder reads, present if the decision itself named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "docs/reference/api.md explains each type and field to those who read them"
)]
pub enum PublicEventKind {
    DayOpened {
        day: i32,
    },
    CounterOpened {
        counter: Arc<str>,
    },
    CounterClosed {
        counter: Arc<str>,
    },
    TicketTaken {
        ticket: u32,
        number: String,
        queue: Arc<str>,
        ahead: u32,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        minutes: Option<(u32, u32)>,
    },
    TicketShown {
        #[serde(flatten)]
        ticket: EventTicket,
        ahead: u32,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        minutes: Option<(u32, u32)>,
    },
    TicketCalled {
        #[serde(flatten)]
        ticket: EventTicket,
        counter: Arc<str>,
        call: u32,
        deadline: i64,
    },
    TicketFinished {
        #[serde(flatten)]
        ticket: EventTicket,
        counter: Arc<str>,
    },
    TicketMissed {
        #[serde(flatten)]
        ticket: EventTicket,
        counter: Arc<str>,
    },
    TicketClosed {
        #[serde(flatten)]
        ticket: EventTicket,
        reason: CloseReason,
    },
    HolderForgotten {
        #[serde(flatten)]
        ticket: EventTicket,
    },
    HolderMigrated {
        #[serde(flatten)]
        ticket: EventTicket,
    },
    TicketMoved {
        #[serde(flatten)]
        ticket: EventTicket,
        to: TicketStatus,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        queue: Option<Arc<str>>,
    },
    CounterPaused {
        counter: Arc<str>,
    },
    QueueSet {
        queue: Arc<str>,
        state: QueueState,
    },
    WebhookTest {},
}

impl PublicEventKind {
    /// Names of all types, for filters.
    pub const TYPES: [&str; 15] = [
        "day_opened",
        "counter_opened",
        "counter_closed",
        "ticket_taken",
        "ticket_shown",
        "ticket_called",
        "ticket_finished",
        "ticket_missed",
        "ticket_closed",
        "holder_forgotten",
        "ticket_moved",
        "counter_paused",
        "queue_set",
        "holder_migrated",
        "webhook_test",
    ];

    /// Name of the type in the JSON form.
    pub fn name(&self) -> &'static str {
        let at = match self {
            PublicEventKind::DayOpened { .. } => 0,
            PublicEventKind::CounterOpened { .. } => 1,
            PublicEventKind::CounterClosed { .. } => 2,
            PublicEventKind::TicketTaken { .. } => 3,
            PublicEventKind::TicketShown { .. } => 4,
            PublicEventKind::TicketCalled { .. } => 5,
            PublicEventKind::TicketFinished { .. } => 6,
            PublicEventKind::TicketMissed { .. } => 7,
            PublicEventKind::TicketClosed { .. } => 8,
            PublicEventKind::HolderForgotten { .. } => 9,
            PublicEventKind::TicketMoved { .. } => 10,
            PublicEventKind::CounterPaused { .. } => 11,
            PublicEventKind::QueueSet { .. } => 12,
            PublicEventKind::HolderMigrated { .. } => 13,
            PublicEventKind::WebhookTest {} => 14,
        };
        PublicEventKind::TYPES[at]
    }
}

/// The ticket of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventTicket {
    /// Serial of the ticket in the business day.
    pub ticket: u32,
    /// Number of the ticket, if the decision named it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub number: Option<String>,
}

/// Id of an event: ledger position of its commit, and index within the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub struct EventId {
    /// Ledger position of the commit.
    pub position: u64,
    /// Index of the event within the commit, from 0. Events that are not published count too.
    pub index: u32,
}

/// Error for a text that is not an event id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseEventIdError;

impl fmt::Display for ParseEventIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event's id is two numbers with a dash between them, like 1042-0")
    }
}

impl std::error::Error for ParseEventIdError {}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.position, self.index)
    }
}

impl FromStr for EventId {
    type Err = ParseEventIdError;

    fn from_str(text: &str) -> Result<Self, ParseEventIdError> {
        let (position, index) = text.split_once('-').ok_or(ParseEventIdError)?;
        Ok(EventId { position: parse_digits(position)?, index: parse_digits(index)? })
    }
}

/// Parses digits only: the standard library accepts a sign too.
fn parse_digits<T: FromStr>(digits: &str) -> Result<T, ParseEventIdError> {
    let is_decimal = digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| is_decimal).ok_or(ParseEventIdError)
}

impl TryFrom<String> for EventId {
    type Error = ParseEventIdError;

    fn try_from(text: String) -> Result<Self, ParseEventIdError> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> String {
        id.to_string()
    }
}

/// Returns the public events of a commit at `position`, in order.
pub fn to_public_events(position: u64, commit: &Commit) -> impl Iterator<Item = PublicEvent> + '_ {
    let stored = commit.decisions.iter().flat_map(|d| d.events.iter().map(move |e| (d, e)));
    stored.enumerate().filter_map(move |(index, (decision, event))| {
        Some(PublicEvent {
            v: PUBLIC_VERSION,
            id: EventId { position, index: index as u32 },
            site: commit.site.id.clone(),
            at: decision.at,
            kind: public_event_kind(decision, event)?,
            replay: false,
        })
    })
}

/// Converts a stored event; `None` if it is not published.
fn public_event_kind(decision: &Decision, event: &Event) -> Option<PublicEventKind> {
    let event_ticket =
        |ticket: &u32| EventTicket { ticket: *ticket, number: ticket_number(decision, *ticket) };
    Some(match event {
        Event::DayOpened { day, .. } => PublicEventKind::DayOpened { day: *day },
        Event::CounterOpened { counter, .. } => {
            PublicEventKind::CounterOpened { counter: counter.clone() }
        }
        Event::CounterClosed { counter } => {
            PublicEventKind::CounterClosed { counter: counter.clone() }
        }
        Event::TicketTaken {
            ticket,
            number,
            queue,
            quoted: QuotedWait { ahead, minutes, .. },
            ..
        } => PublicEventKind::TicketTaken {
            ticket: *ticket,
            number: number.to_string(),
            queue: queue.clone(),
            ahead: *ahead,
            minutes: *minutes,
        },
        Event::TicketShown { ticket, quoted: QuotedWait { ahead, minutes, .. }, .. } => {
            PublicEventKind::TicketShown {
                ticket: event_ticket(ticket),
                ahead: *ahead,
                minutes: *minutes,
            }
        }
        Event::TicketCalled { ticket, counter, call, deadline, .. } => {
            PublicEventKind::TicketCalled {
                ticket: event_ticket(ticket),
                counter: counter.clone(),
                call: *call,
                deadline: *deadline,
            }
        }
        Event::TicketFinished { ticket, counter, .. } => PublicEventKind::TicketFinished {
            ticket: event_ticket(ticket),
            counter: counter.clone(),
        },
        Event::TicketMissed { ticket, counter, .. } => {
            PublicEventKind::TicketMissed { ticket: event_ticket(ticket), counter: counter.clone() }
        }
        Event::TicketClosed { ticket, reason, .. } => {
            PublicEventKind::TicketClosed { ticket: event_ticket(ticket), reason: *reason }
        }
        Event::HolderForgotten { ticket } => {
            PublicEventKind::HolderForgotten { ticket: event_ticket(ticket) }
        }
        Event::HolderMigrated { ticket, .. } => {
            PublicEventKind::HolderMigrated { ticket: event_ticket(ticket) }
        }
        Event::CounterPaused { counter } => {
            PublicEventKind::CounterPaused { counter: counter.clone() }
        }
        Event::QueueSet { queue, state, .. } => {
            PublicEventKind::QueueSet { queue: queue.clone(), state: *state }
        }
        Event::TicketRecalled { ticket, counter, call, deadline, .. } => {
            PublicEventKind::TicketCalled {
                ticket: event_ticket(ticket),
                counter: counter.clone(),
                call: *call,
                deadline: *deadline,
            }
        }
        Event::TicketStarted { ticket, .. } => {
            ticket_moved(event_ticket(ticket), TicketStatus::Serving, None)
        }
        Event::TicketPutBack { ticket }
        | Event::TicketReturned { ticket, .. }
        | Event::TicketResumed { ticket } => {
            ticket_moved(event_ticket(ticket), TicketStatus::Waiting, None)
        }
        Event::TicketHeld { ticket, .. } => {
            ticket_moved(event_ticket(ticket), TicketStatus::Held, None)
        }
        Event::TicketTransferred { ticket, queue, .. } => {
            ticket_moved(event_ticket(ticket), TicketStatus::Waiting, Some(queue))
        }
        Event::TicketCarried { ticket } | Event::TicketRestored { ticket, .. } => {
            PublicEventKind::TicketMoved {
                ticket: EventTicket { ticket: ticket.id, number: Some(ticket.number.to_string()) },
                to: ticket.state.status(),
                queue: Some(ticket.queue.clone()),
            }
        }
        // Sums of events that are published one by one, and internal events.
        Event::DayClosed { .. }
        | Event::DayReset { .. }
        | Event::QueueCleared { .. }
        | Event::QueueBatchNotified { .. }
        | Event::QueueBatchCleared { .. }
        | Event::TicketPrioritised { .. }
        | Event::TicketMarked { .. } => return None,
        // A notification names the holder, and follows from the events around it.
        Event::NotificationTriggered(_) => return None,
    })
}

fn ticket_moved(
    ticket: EventTicket,
    to: TicketStatus,
    queue: Option<&Arc<str>>,
) -> PublicEventKind {
    PublicEventKind::TicketMoved { ticket, to, queue: queue.cloned() }
}

/// Number of a ticket, if the decision's outcome is about that ticket.
fn ticket_number(decision: &Decision, ticket: u32) -> Option<String> {
    let (outcome_ticket, number): (&u32, &Number) = match &decision.outcome {
        Outcome::Holding { ticket, number, .. }
        | Outcome::Called { ticket, number, .. }
        | Outcome::Finished { ticket, number, .. }
        | Outcome::Missed { ticket, number, .. }
        | Outcome::TicketChanged { ticket, number, .. }
        | Outcome::Left { ticket, number } => (ticket, number),
        _ => return None,
    };
    (*outcome_ticket == ticket).then(|| number.to_string())
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let id = EventId { position: 1042, index: 7 };
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in
            ["", "-", "1", "1-", "-1", "+1-0", "1-+0", "1-0-0", "1 -0", "99999999999999999999-0"]
        {
            assert_eq!(text.parse::<EventId>(), Err(ParseEventIdError), "{text}");
        }
    }
}
