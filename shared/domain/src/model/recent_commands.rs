//! Recent commands of a site and their answers, so that a repeated command gets the first answer.
//!
//! Most of them took a ticket that still waits. Of their answers only that is kept which the ticket
//! does not say.

use crate::model::ids::{CommandId, QueueId, TicketId};
use crate::model::standing::{StandingState, TicketStanding};
use crate::model::ticket::Ticket;
use crate::model::ticket_act::TicketAct;
use crate::model::time::Timestamp;
use crate::protocol::command::QueueState;
use crate::protocol::event::Decision;
use crate::protocol::outcome::Outcome;
use imbl::{OrdMap, Vector};
use std::sync::Arc;

/// Retention of a decided command: 15 minutes. WeChat repeats a callback within 15 seconds; a
/// client that repeats an API call later than this must read the state first.
pub const COMMAND_RETENTION_MS: i64 = 15 * 60 * 1000;

/// Recorded answer to a command that was decided a while ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// Fingerprint of the command.
    pub fingerprint: u64,
    /// Time of the decision.
    pub at: Timestamp,
    /// Outcome of the decision.
    pub outcome: Outcome,
}

/// Tickets of the day, by id.
pub(crate) type Tickets = OrdMap<TicketId, Arc<Ticket>>;

/// Commands decided within the retention, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RecentCommands {
    by_id: OrdMap<CommandId, KeptAnswer>,
    in_order: Vector<(Timestamp, CommandId)>,
}

/// Answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
enum KeptAnswer {
    /// A new ticket. Its number, its quoted wait and its time are those of the ticket.
    Taken {
        fingerprint: u64,
        ticket: TicketId,
        queue: QueueId,
        queue_state: QueueState,
        may: ActSet,
    },
    /// Any other.
    Whole(Arc<RecordedAnswer>),
}

/// Set of acts, which are listed in the order of [`ActSet::ORDER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ActSet(u16);

impl ActSet {
    /// Acts for a ticket that waits, in the order in which its standing lists them.
    const ORDER: [TicketAct; 10] = [
        TicketAct::Come,
        TicketAct::LetPass,
        TicketAct::NotifyAhead,
        TicketAct::Leave,
        TicketAct::Arrive,
        TicketAct::SetParty,
        TicketAct::Call,
        TicketAct::Hold,
        TicketAct::Transfer,
        TicketAct::Prioritise,
    ];

    /// Set of these acts; `None` if they are in another order, or if there are others among them.
    fn from_acts(acts: &[TicketAct]) -> Option<ActSet> {
        let mut order = ActSet::ORDER.iter().enumerate();
        let bits = acts.iter().try_fold(0, |bits, act| {
            let (index, _) = order.find(|(_, known)| *known == act)?;
            Some(bits | 1 << index)
        });
        bits.map(ActSet)
    }

    fn to_acts(self) -> Vec<TicketAct> {
        let acts = ActSet::ORDER.into_iter().enumerate();
        acts.filter(|(index, _)| self.0 & (1 << index) != 0).map(|(_, act)| act).collect()
    }
}

impl KeptAnswer {
    fn new(fingerprint: u64, at: Timestamp, outcome: &Outcome, tickets: &Tickets) -> KeptAnswer {
        KeptAnswer::of_taken(fingerprint, at, outcome, tickets).unwrap_or_else(|| {
            let outcome = outcome.clone();
            KeptAnswer::Whole(Arc::new(RecordedAnswer { fingerprint, at, outcome }))
        })
    }

    /// The short form, if the ticket says the rest.
    fn of_taken(
        fingerprint: u64,
        at: Timestamp,
        outcome: &Outcome,
        tickets: &Tickets,
    ) -> Option<KeptAnswer> {
        let Outcome::Holding { ticket: id, number, queue, new: true, standing } = outcome else {
            return None;
        };
        let ticket = tickets.get(id)?;
        let says_rest = standing.state == StandingState::Waiting
            && standing.wait == Some(ticket.quoted)
            && ticket.taken_at == at
            && ticket.number == *number;
        let may = ActSet::from_acts(&standing.may).filter(|_| says_rest)?;
        // The ticket's own id of the queue is shared by all tickets of the queue.
        let queue = if ticket.queue == *queue { &ticket.queue } else { queue }.clone();
        let queue_state = standing.queue_state;
        Some(KeptAnswer::Taken { fingerprint, ticket: *id, queue, queue_state, may })
    }

    /// The whole answer; `None` if the ticket is gone, which [`RecentCommands::detach`] prevents.
    fn to_recorded(&self, tickets: &Tickets) -> Option<RecordedAnswer> {
        match self {
            KeptAnswer::Whole(recorded) => Some((**recorded).clone()),
            KeptAnswer::Taken { fingerprint, ticket, queue, queue_state, may } => {
                let taken = tickets.get(ticket)?;
                let outcome = Outcome::Holding {
                    ticket: *ticket,
                    number: taken.number.clone(),
                    queue: queue.clone(),
                    new: true,
                    standing: TicketStanding {
                        state: StandingState::Waiting,
                        queue_state: *queue_state,
                        wait: Some(taken.quoted),
                        may: may.to_acts(),
                    },
                };
                let at = taken.taken_at;
                Some(RecordedAnswer { fingerprint: *fingerprint, at, outcome })
            }
        }
    }
}

impl RecentCommands {
    /// Returns `true` if the command was decided.
    pub(crate) fn contains(&self, id: &CommandId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn get(&self, id: &CommandId, tickets: &Tickets) -> Option<RecordedAnswer> {
        self.by_id.get(id)?.to_recorded(tickets)
    }

    /// Commands with their answers, in order.
    pub(crate) fn iter<'a>(
        &'a self,
        tickets: &'a Tickets,
    ) -> impl Iterator<Item = (CommandId, RecordedAnswer)> + 'a {
        self.in_order.iter().filter_map(|(_, id)| Some((*id, self.get(id, tickets)?)))
    }

    /// Records a decision that the tickets include.
    pub(crate) fn record(&mut self, decision: &Decision, tickets: &Tickets) {
        while let Some((at, id)) = self.in_order.front().copied() {
            if !decision.at.is_after(at, COMMAND_RETENTION_MS + 1) {
                break;
            }
            self.in_order.pop_front();
            self.by_id.remove(&id);
        }
        let Decision { command, fingerprint, at, outcome, .. } = decision;
        self.insert(*command, KeptAnswer::new(*fingerprint, *at, outcome, tickets), *at);
    }

    /// Puts an answer back that [`RecentCommands::iter`] gave, behind the others. Tickets up to
    /// `last_carried` are of the day before, as are the answers about them.
    pub(crate) fn restore(
        &mut self,
        id: CommandId,
        recorded: RecordedAnswer,
        tickets: &Tickets,
        last_carried: TicketId,
    ) {
        let RecordedAnswer { fingerprint, at, outcome } = recorded;
        let kept = match &outcome {
            Outcome::Holding { ticket, .. } if *ticket <= last_carried => {
                KeptAnswer::Whole(Arc::new(RecordedAnswer { fingerprint, at, outcome }))
            }
            _ => KeptAnswer::new(fingerprint, at, &outcome, tickets),
        };
        self.insert(id, kept, at);
    }

    fn insert(&mut self, id: CommandId, kept: KeptAnswer, at: Timestamp) {
        self.by_id.insert(id, kept);
        self.in_order.push_back((at, id));
    }

    /// The same commands without their tickets, which are about to go.
    pub(crate) fn detach(&self, tickets: &Tickets) -> RecentCommands {
        let whole = |(id, recorded): (CommandId, RecordedAnswer)| {
            (id, KeptAnswer::Whole(Arc::new(recorded)))
        };
        RecentCommands {
            by_id: self.iter(tickets).map(whole).collect(),
            in_order: self.in_order.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_acts_is_the_list_or_nothing() {
        use TicketAct::{Call, Come, Finish, Leave, Prioritise};
        for acts in [&[][..], &[Come], &[Come, Leave, Prioritise], &ActSet::ORDER] {
            assert_eq!(ActSet::from_acts(acts).map(ActSet::to_acts).as_deref(), Some(acts));
        }
        for acts in [&[Leave, Come][..], &[Come, Come], &[Come, Finish], &[Finish, Call]] {
            assert_eq!(ActSet::from_acts(acts), None, "{acts:?}");
        }
    }
}
