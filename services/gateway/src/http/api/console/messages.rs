//! Delivery status of the last message to the holder of a ticket, for the console.

use crate::engine::SiteSnapshot;
use crate::http::state::AppState;
use crate::projections::delivery_status::DeliveryStatus;
use paihao_domain::{Ticket, TicketState};
use schemars::JsonSchema;
use serde::Serialize;

/// Message, with its delivery status.
#[derive(Serialize, JsonSchema)]
pub(super) struct ConsoleMessageView {
    notice: String,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
}

/// Lookup of the last message to the holder of a ticket.
pub(super) type LastMessageLookup<'a> = dyn Fn(&Ticket) -> Option<ConsoleMessageView> + 'a;

pub(super) fn last_messages<'a>(
    state: &'a AppState,
    site: &'a str,
    snapshot: &SiteSnapshot,
) -> Box<LastMessageLookup<'a>> {
    let day = snapshot.site.notice_day();
    Box::new(move |ticket| {
        let last = state.delivery_status.for_ticket(site, day?.0, ticket.id).pop()?;
        if is_about_former_call(ticket, &last) {
            return None;
        }
        Some(ConsoleMessageView { notice: last.notice, fate: last.stage.name(), since: last.since })
    })
}

/// Returns whether a message is about another call than the newest one of a called ticket: its
/// delivery says nothing about that.
fn is_about_former_call(ticket: &Ticket, message: &DeliveryStatus) -> bool {
    let is_call = matches!(&*message.notice, "called" | "recalled");
    matches!(*ticket.state, TicketState::Called { call, .. } if is_call && message.occurrence != call)
}
