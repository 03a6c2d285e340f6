//! What became of the messages to the holder of a ticket, for staff.

use super::staff::numbered;
use crate::http::asker::Asker;
use crate::http::openapi::{ANY_KEY, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::projections::fates::Fate;
use axum::Json;
use axum::extract::{Path, State};
use paihao_contracts::notice::Channel;
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/tickets/{number}/notices",
        show,
        op("ticket_notices", "What became of the messages to the ticket's holder", ANY_KEY)
            .refuses(&[&refusals::UNKNOWN_TICKET]),
    )
}

/// The messages about a ticket.
#[derive(Serialize, JsonSchema)]
struct Notices {
    number: String,
    notices: Vec<NoticeSeen>,
}

/// A message and how far it has come.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Notice")]
struct NoticeSeen {
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
    tried: Vec<TriedSeen>,
}

/// A channel that did not take it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ChannelTried")]
struct TriedSeen {
    channel: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
}

async fn show(
    State(door): State<Door>,
    Path((site, number)): Path<(String, String)>,
    asker: Asker,
) -> Result<Json<Notices>, Problem> {
    asker.at(&door, &site)?;
    let ticket = numbered(&door, &site, &number)?;
    let view = door.lines.view(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let day = view.site.day().ok_or(&refusals::UNKNOWN_TICKET)?;
    let notices = door.fates.of(&site, day.0, ticket).into_iter().map(seen).collect();
    Ok(Json(Notices { number, notices }))
}

fn seen(fate: Fate) -> NoticeSeen {
    let tried = fate.tried.into_iter().map(|tried| TriedSeen {
        channel: tried.channel.name(),
        reason: tried.reason,
        code: tried.code,
    });
    NoticeSeen {
        notice: fate.notice,
        occurrence: fate.occurrence,
        at: fate.at,
        fate: fate.step.name(),
        since: fate.since,
        via: fate.via.map(Channel::name),
        why: fate.why,
        tried: tried.collect(),
    }
}
