//! Ended tickets of the console, whose end can be undone.

use crate::settings::SiteSettings;
use paihao_domain::{Actor, CounterId, DecisionInput, Site, Ticket, TicketState};
use schemars::JsonSchema;
use serde::Serialize;
use std::cmp::Reverse;

/// Largest number of listed ends that can be undone, the latest first.
const MAX_LISTED_ENDS: usize = 20;

/// Ended ticket whose end can be undone.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConsoleEndedTicketView<'a> {
    number: String,
    queue: &'a str,
    /// State of the ticket now, and after an undo.
    state: &'static str,
    to: &'static str,
    /// Counter at which it ended, if at one.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<&'a str>,
    at: i64,
    /// Time until which the principal may undo it; the end of the day without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// True if the principal of the request ended it.
    own: bool,
}

/// Views of the ends that this principal may take back, the latest first.
pub(super) fn ended_ticket_views<'a>(
    settings: &SiteSettings,
    site: &'a Site,
    now: &DecisionInput,
    principal: &Actor,
) -> Vec<ConsoleEndedTicketView<'a>> {
    let by = principal.actor_ref();
    let undoable =
        site.tickets().filter_map(|ticket| Some((ticket, ticket.past.undo_point.as_deref()?)));
    let mut ends: Vec<_> = undoable.filter(|(ticket, _)| has_ended(ticket)).collect();
    ends.sort_unstable_by_key(|(ticket, before)| Reverse((before.at, ticket.id)));
    let views = ends.into_iter().filter_map(|(ticket, before)| {
        let option = site.undo_option(&settings.rules, principal, ticket, now)?;
        Some(ConsoleEndedTicketView {
            number: ticket.number.to_string(),
            queue: ticket.queue.as_str(),
            state: ticket.status().name(),
            to: option.to.name(),
            counter: before.ticket.at_counter().map(CounterId::as_str),
            at: option.since.0,
            until: option.until.map(|until| until.0),
            own: before.by.as_ref() == Some(&by),
        })
    });
    views.take(MAX_LISTED_ENDS).collect()
}

fn has_ended(ticket: &Ticket) -> bool {
    matches!(
        *ticket.state,
        TicketState::Done { .. } | TicketState::Closed { .. } | TicketState::Missed { .. }
    )
}
