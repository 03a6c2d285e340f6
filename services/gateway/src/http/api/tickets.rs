//! The tickets of a business day by pages, in the order in which they were taken: for programs that
//! want all of them, while the line moves. No openid, as everywhere.

use crate::http::asker::Asker;
use crate::http::openapi::{ANY_KEY, Routes, op};
use crate::http::paging;
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use paihao_domain::{QueueId, Site, Stage, Ticket, TicketId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/tickets",
        list,
        op("tickets", "The day's tickets, in the order in which they were taken", ANY_KEY)
            .queried::<Which>()
            .refuses(&[&refusals::UNKNOWN_QUEUE]),
    )
}

/// Which of them.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TicketsQuery")]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those of this queue only.
    queue: Option<String>,
    /// Those in this state only.
    state: Option<Standing>,
    /// Those after the page that named this `next`; of another day it begins anew.
    after: Option<String>,
    /// How many, 1 to 500; 100 unless said.
    limit: Option<usize>,
}

/// Where a ticket is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "TicketState")]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the words of docs/reference/transitions.md")]
enum Standing {
    Waiting,
    Called,
    Serving,
    Held,
    Missed,
    Done,
    Closed,
}

impl Standing {
    fn of(stage: &Stage) -> Standing {
        match stage {
            Stage::Waiting => Standing::Waiting,
            Stage::Called { .. } => Standing::Called,
            Stage::Serving { .. } => Standing::Serving,
            Stage::Held { .. } => Standing::Held,
            Stage::Missed { .. } => Standing::Missed,
            Stage::Done { .. } => Standing::Done,
            Stage::Closed { .. } => Standing::Closed,
        }
    }
}

/// Some of the day's tickets.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TicketsPage")]
struct Page {
    /// In the order in which they were taken, which never changes.
    tickets: Vec<TicketListed>,
    /// What to ask for as `after` next; `null` if there is nothing more yet.
    next: Option<String>,
}

/// A ticket in the list.
#[derive(Serialize, JsonSchema)]
struct TicketListed {
    number: String,
    queue: String,
    state: Standing,
    /// When it was taken, in Unix milliseconds.
    taken_at: i64,
    /// How many are before it, of one that waits.
    ahead: Option<u32>,
    /// The counter that called or serves it.
    counter: Option<String>,
    /// Whether its holder has WeChat.
    wechat: bool,
}

async fn list(
    State(door): State<Door>,
    Path(site): Path<String>,
    asker: Asker,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let book = asker.at(&door, &site)?;
    let malformed = |detail: String| Problem::new(&refusals::MALFORMED_REQUEST).detail(detail);
    let Query(which) = which.map_err(|rejected| malformed(rejected.body_text()))?;
    let limit = paging::limit(which.limit)?;
    let queue = which.queue.as_deref().map(QueueId::new);
    if queue.as_ref().is_some_and(|queue| !book.rules.queues.contains_key(queue)) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let after = which.after.as_deref().map(|text| {
        cursor(text).ok_or_else(|| malformed("after: use the `next` of a page".to_owned()))
    });
    let after = after.transpose()?;
    let view = door.lines.view(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let site = &view.site;
    let Some(day) = site.day() else { return Ok(Json(Page { tickets: Vec::new(), next: None })) };
    let after = after.filter(|(of, _)| *of == day.0).map(|(_, ticket)| ticket);
    let fits = |ticket: &&Ticket| {
        after.is_none_or(|after| ticket.id.0 > after)
            && queue.as_ref().is_none_or(|queue| ticket.queue == *queue)
            && which.state.is_none_or(|state| Standing::of(&ticket.stage) == state)
    };
    let fitting = site.tickets().filter(fits);
    let (page, next) = paging::page(fitting, limit, |ticket| format!("{}-{}", day.0, ticket.id.0));
    let tickets = page.into_iter().map(|ticket| listed(site, ticket)).collect();
    Ok(Json(Page { tickets, next }))
}

/// The day and the ticket that a page ended with.
fn cursor(text: &str) -> Option<(i32, u32)> {
    let (day, ticket) = text.rsplit_once('-')?;
    Some((day.parse().ok()?, TicketId(ticket.parse().ok()?).0))
}

fn listed(site: &Site, ticket: &Ticket) -> TicketListed {
    let counter = match &ticket.stage {
        Stage::Called { counter, .. } | Stage::Serving { counter, .. } => Some(counter),
        _ => None,
    };
    TicketListed {
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        state: Standing::of(&ticket.stage),
        taken_at: ticket.taken_at.0,
        ahead: (ticket.stage == Stage::Waiting).then(|| site.ahead(ticket)),
        counter: counter.map(|counter| counter.as_str().to_owned()),
        wechat: ticket.person.is_some(),
    }
}
