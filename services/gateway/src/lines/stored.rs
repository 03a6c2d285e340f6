//! The domain's decisions in the form in which the ledger stores them, and back.

use paihao_contracts::commit as c;
use paihao_domain as d;
use paihao_ledger::Entry;

/// An entry could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    /// Not in a form this program knows.
    #[error("not a commit of a known form: {0}")]
    Form(#[from] serde_json::Error),
    /// Written by a newer program.
    #[error("version {0} is newer than this program's")]
    Newer(u32),
    /// An id or fingerprint is not hexadecimal of the right length.
    #[error("a command id or fingerprint is malformed")]
    Hex,
}

pub(super) fn encode(facts: &c::SiteFacts, decisions: &[d::Decision]) -> Entry {
    let commit = c::Commit {
        v: c::COMMIT_VERSION,
        site: facts.clone(),
        decisions: decisions.iter().map(decision_out).collect(),
    };
    Entry::new(serde_json::to_vec(&commit).expect("a commit has string keys only"))
}

pub(super) fn decode(payload: &[u8]) -> Result<Vec<d::Decision>, Unreadable> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u32,
    }
    let commit: c::Commit = match serde_json::from_slice(payload) {
        Ok(commit) => commit,
        Err(error) => {
            return Err(match serde_json::from_slice::<Version>(payload) {
                Ok(Version { v }) if v > c::COMMIT_VERSION => Unreadable::Newer(v),
                _ => error.into(),
            });
        }
    };
    match commit.v > c::COMMIT_VERSION {
        true => Err(Unreadable::Newer(commit.v)),
        false => commit.decisions.into_iter().map(decision_in).collect(),
    }
}

fn decision_out(decision: &d::Decision) -> c::Decision {
    c::Decision {
        command: hex::encode(decision.command.0),
        fingerprint: hex::encode(decision.fingerprint.to_be_bytes()),
        at: decision.at.0,
        outcome: outcome_out(&decision.outcome),
        events: decision.events.iter().map(event_out).collect(),
    }
}

fn decision_in(decision: c::Decision) -> Result<d::Decision, Unreadable> {
    let mut id = [0; 16];
    hex::decode_to_slice(&decision.command, &mut id).map_err(|_| Unreadable::Hex)?;
    let mut fingerprint = [0; 8];
    hex::decode_to_slice(&decision.fingerprint, &mut fingerprint).map_err(|_| Unreadable::Hex)?;
    Ok(d::Decision {
        command: d::CommandId(id),
        fingerprint: u64::from_be_bytes(fingerprint),
        at: d::Timestamp(decision.at),
        outcome: outcome_in(decision.outcome),
        events: decision.events.into_iter().map(event_in).collect(),
    })
}

fn event_out(event: &d::Event) -> c::Event {
    use d::Event as E;
    match event {
        E::DayOpened { day } => c::Event::DayOpened { day: day.0 },
        E::CounterOpened { counter } => c::Event::CounterOpened { counter: counter.shared() },
        E::CounterClosed { counter } => c::Event::CounterClosed { counter: counter.shared() },
        E::TicketTaken { ticket, queue, number, person, rank, told, via } => {
            c::Event::TicketTaken {
                ticket: ticket.0,
                queue: queue.shared(),
                number: number_out(number),
                person: person.as_ref().map(|id| id.shared()),
                rank: c::Rank {
                    class: rank.class,
                    arrival: rank.arrival.0,
                    sequence: rank.sequence,
                },
                told: told_out(told),
                via: via.as_ref().map(|id| id.shared()),
            }
        }
        E::TicketShown { ticket, told, via } => c::Event::TicketShown {
            ticket: ticket.0,
            told: told_out(told),
            via: via.as_ref().map(|id| id.shared()),
        },
        E::TicketCalled { ticket, counter, call, deadline } => c::Event::TicketCalled {
            ticket: ticket.0,
            counter: counter.shared(),
            call: *call,
            deadline: deadline.0,
        },
        E::TicketFinished { ticket, counter } => {
            c::Event::TicketFinished { ticket: ticket.0, counter: counter.shared() }
        }
        E::TicketMissed { ticket, counter } => {
            c::Event::TicketMissed { ticket: ticket.0, counter: counter.shared() }
        }
        E::TicketClosed { ticket, reason } => c::Event::TicketClosed {
            ticket: ticket.0,
            reason: match reason {
                d::CloseReason::ByCustomer => c::CloseReason::ByCustomer,
                d::CloseReason::ByStaff => c::CloseReason::ByStaff,
            },
        },
        E::HolderForgotten { ticket } => c::Event::HolderForgotten { ticket: ticket.0 },
        E::MilestoneReached(milestone) => c::Event::MilestoneReached(c::Milestone {
            ticket: milestone.ticket.0,
            day: milestone.day.0,
            person: milestone.person.shared(),
            number: number_out(&milestone.number),
            queue_name: milestone.queue_name.clone(),
            kind: match &milestone.kind {
                d::MilestoneKind::Called { counter_name, call } => {
                    c::MilestoneKind::Called { counter_name: counter_name.clone(), call: *call }
                }
            },
            at: milestone.at.0,
            valid_until: milestone.valid_until.0,
        }),
    }
}

fn event_in(event: c::Event) -> d::Event {
    use c::Event as E;
    match event {
        E::DayOpened { day } => d::Event::DayOpened { day: d::Day(day) },
        E::CounterOpened { counter } => d::Event::CounterOpened { counter: counter.into() },
        E::CounterClosed { counter } => d::Event::CounterClosed { counter: counter.into() },
        E::TicketTaken { ticket, queue, number, person, rank, told, via } => {
            d::Event::TicketTaken {
                ticket: d::TicketId(ticket),
                queue: queue.into(),
                number: number_in(number),
                person: person.map(Into::into),
                rank: d::Rank {
                    class: rank.class,
                    arrival: d::Timestamp(rank.arrival),
                    sequence: rank.sequence,
                },
                told: told_in(told),
                via: via.map(Into::into),
            }
        }
        E::TicketShown { ticket, told, via } => d::Event::TicketShown {
            ticket: d::TicketId(ticket),
            told: told_in(told),
            via: via.map(Into::into),
        },
        E::TicketCalled { ticket, counter, call, deadline } => d::Event::TicketCalled {
            ticket: d::TicketId(ticket),
            counter: counter.into(),
            call,
            deadline: d::Timestamp(deadline),
        },
        E::TicketFinished { ticket, counter } => {
            d::Event::TicketFinished { ticket: d::TicketId(ticket), counter: counter.into() }
        }
        E::TicketMissed { ticket, counter } => {
            d::Event::TicketMissed { ticket: d::TicketId(ticket), counter: counter.into() }
        }
        E::TicketClosed { ticket, reason } => d::Event::TicketClosed {
            ticket: d::TicketId(ticket),
            reason: match reason {
                c::CloseReason::ByCustomer => d::CloseReason::ByCustomer,
                c::CloseReason::ByStaff => d::CloseReason::ByStaff,
            },
        },
        E::HolderForgotten { ticket } => d::Event::HolderForgotten { ticket: d::TicketId(ticket) },
        E::MilestoneReached(milestone) => d::Event::MilestoneReached(d::Milestone {
            ticket: d::TicketId(milestone.ticket),
            day: d::Day(milestone.day),
            person: milestone.person.into(),
            number: number_in(milestone.number),
            queue_name: milestone.queue_name,
            kind: match milestone.kind {
                c::MilestoneKind::Called { counter_name, call } => {
                    d::MilestoneKind::Called { counter_name, call }
                }
            },
            at: d::Timestamp(milestone.at),
            valid_until: d::Timestamp(milestone.valid_until),
        }),
    }
}

fn outcome_out(outcome: &d::Outcome) -> c::Outcome {
    use d::Outcome as O;
    match outcome {
        O::Holding { ticket, number, queue, told, called_to, new } => c::Outcome::Holding {
            ticket: ticket.0,
            number: number_out(number),
            queue: queue.shared(),
            told: told_out(told),
            called_to: called_to.as_ref().map(|id| id.shared()),
            new: *new,
        },
        O::Called { ticket, number, queue, counter, deadline } => c::Outcome::Called {
            ticket: ticket.0,
            number: number_out(number),
            queue: queue.shared(),
            counter: counter.shared(),
            deadline: deadline.0,
        },
        O::Finished { ticket, number, counter } => c::Outcome::Finished {
            ticket: ticket.0,
            number: number_out(number),
            counter: counter.shared(),
        },
        O::Missed { ticket, number, counter } => c::Outcome::Missed {
            ticket: ticket.0,
            number: number_out(number),
            counter: counter.shared(),
        },
        O::Left { ticket, number } => {
            c::Outcome::Left { ticket: ticket.0, number: number_out(number) }
        }
        O::Forgotten => c::Outcome::Forgotten,
        O::CounterOpen(counter) => c::Outcome::CounterOpen { counter: counter.shared() },
        O::CounterClosed(counter) => c::Outcome::CounterClosed { counter: counter.shared() },
    }
}

fn outcome_in(outcome: c::Outcome) -> d::Outcome {
    use c::Outcome as O;
    match outcome {
        O::Holding { ticket, number, queue, told, called_to, new } => d::Outcome::Holding {
            ticket: d::TicketId(ticket),
            number: number_in(number),
            queue: queue.into(),
            told: told_in(told),
            called_to: called_to.map(Into::into),
            new,
        },
        O::Called { ticket, number, queue, counter, deadline } => d::Outcome::Called {
            ticket: d::TicketId(ticket),
            number: number_in(number),
            queue: queue.into(),
            counter: counter.into(),
            deadline: d::Timestamp(deadline),
        },
        O::Finished { ticket, number, counter } => d::Outcome::Finished {
            ticket: d::TicketId(ticket),
            number: number_in(number),
            counter: counter.into(),
        },
        O::Missed { ticket, number, counter } => d::Outcome::Missed {
            ticket: d::TicketId(ticket),
            number: number_in(number),
            counter: counter.into(),
        },
        O::Left { ticket, number } => {
            d::Outcome::Left { ticket: d::TicketId(ticket), number: number_in(number) }
        }
        O::Forgotten => d::Outcome::Forgotten,
        O::CounterOpen { counter } => d::Outcome::CounterOpen(counter.into()),
        O::CounterClosed { counter } => d::Outcome::CounterClosed(counter.into()),
    }
}

fn number_out(number: &d::Number) -> c::Number {
    c::Number { prefix: number.prefix.clone(), serial: number.serial }
}

fn number_in(number: c::Number) -> d::Number {
    d::Number { prefix: number.prefix, serial: number.serial }
}

fn told_out(told: &d::Told) -> c::Told {
    c::Told { ahead: told.ahead, minutes: told.estimate.map(|e| (e.low, e.high)) }
}

fn told_in(told: c::Told) -> d::Told {
    let estimate = told.minutes.map(|(low, high)| d::Estimate { low, high });
    d::Told { ahead: told.ahead, estimate }
}
