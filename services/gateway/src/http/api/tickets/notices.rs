//! Delivery status of the messages to the holder of a ticket, for staff.

use crate::http::access::{AnyRole, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::staff_action::ticket_by_number;
use crate::http::state::AppState;
use crate::projections::delivery_status::DeliveryStatus;
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::notice::Channel;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/tickets/{number}/notices",
        show,
        endpoint(
            "ticket_notices",
            "Lists the messages to the ticket's holder and how far each has come",
        )
        .refuses(&[&refusals::UNKNOWN_TICKET, &refusals::NEWER_LEDGER]),
    )
}

/// Messages about a ticket, with their delivery status.
#[derive(Serialize, JsonSchema)]
struct TicketNoticesView {
    number: String,
    notices: Vec<NoticeView>,
}

/// Message, with its delivery status.
#[derive(Serialize, JsonSchema)]
struct NoticeView {
    notice: String,
    occurrence: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    via: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tried: Vec<ChannelAttemptView>,
}

/// Failed attempt to send the message through a channel.
#[derive(Serialize, JsonSchema)]
struct ChannelAttemptView {
    channel: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
}

async fn show(
    State(state): State<AppState>,
    Path((site, number)): Path<(String, String)>,
    _: SiteAccess<AnyRole>,
) -> Result<Json<TicketNoticesView>, Problem> {
    let snapshot = state.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = ticket_by_number(&snapshot.site, &number).ok_or(&refusals::UNKNOWN_TICKET)?;
    if state.delivery_status.newer().is_some() {
        return Err(Problem::new(&refusals::NEWER_LEDGER));
    }
    let day = snapshot.site.notice_day().ok_or(&refusals::UNKNOWN_TICKET)?;
    let notices = state
        .delivery_status
        .for_ticket(&site, day.0, ticket.id)
        .into_iter()
        .map(notice_view)
        .collect();
    Ok(Json(TicketNoticesView { number, notices }))
}

fn notice_view(status: DeliveryStatus) -> NoticeView {
    let attempts = status.attempted.into_iter().map(|attempt| ChannelAttemptView {
        channel: attempt.channel.name(),
        reason: attempt.reason,
        code: attempt.code,
    });
    NoticeView {
        notice: status.notice,
        occurrence: status.occurrence,
        at: status.at,
        fate: status.stage.name(),
        since: status.since,
        via: status.channel.map(Channel::name),
        why: status.reason,
        tried: attempts.collect(),
    }
}
