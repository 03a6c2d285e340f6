//! Standing of a ticket of a site, for every channel that tells it.

use crate::model::actor::Actor;
use crate::model::quoted_wait::QuotedWait;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::standing::{StandingState, TicketStanding};
use crate::model::ticket::{Ticket, TicketState};
use crate::model::time::DecisionInput;

impl Site {
    /// Standing of a ticket now: what is told about it, and what its holder may do.
    pub fn standing(&self, rules: &Rules, ticket: &Ticket, now: &DecisionInput) -> TicketStanding {
        let wait = match *ticket.state {
            TicketState::Waiting | TicketState::Held { .. } => {
                Some(self.current_quote(rules, ticket, now))
            }
            TicketState::Called { .. }
            | TicketState::Serving { .. }
            | TicketState::Missed { .. }
            | TicketState::Done { .. }
            | TicketState::Closed { .. } => None,
        };
        self.standing_with_wait(rules, ticket, now, wait)
    }

    /// Standing of a ticket whose wait was quoted just now.
    pub(crate) fn standing_with_wait(
        &self,
        rules: &Rules,
        ticket: &Ticket,
        now: &DecisionInput,
        wait: Option<QuotedWait>,
    ) -> TicketStanding {
        let state = match &*ticket.state {
            TicketState::Waiting => StandingState::Waiting,
            TicketState::Called { counter, deadline, .. } => {
                StandingState::Called { counter: counter.clone(), deadline: *deadline }
            }
            TicketState::Serving { counter, .. } => {
                StandingState::Serving { counter: counter.clone() }
            }
            TicketState::Held { hold, .. } => {
                let calls = self.lines.get(&ticket.queue).map_or(0, |line| line.calls);
                StandingState::Held {
                    kind: hold.kind,
                    reason: hold.reason.clone(),
                    until: hold.until,
                    others: hold.after_calls.map(|limit| limit.saturating_sub(calls)),
                }
            }
            TicketState::Missed { until, .. } => {
                let of_queue = until.and(rules.queues.get(&ticket.queue));
                let places = of_queue.and_then(|rules| rules.places_back(ticket.counts.misses));
                StandingState::Missed { until: *until, places }
            }
            TicketState::Done { .. } => StandingState::Done,
            TicketState::Closed { reason, note, .. } => {
                StandingState::Closed { reason: *reason, note: note.clone() }
            }
        };
        TicketStanding {
            state,
            queue_state: self.queue_state(rules, &ticket.queue),
            wait,
            may: self.permitted_acts(rules, &Actor::Holder(ticket.id), ticket, now),
        }
    }
}
