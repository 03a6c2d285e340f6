//! Tickets of a business day: listed in pages, and each by its number, without openids.
//!
//! The pages are in the order in which tickets were taken, for programs that read all of them while
//! the queue moves.

mod actions;
mod notices;
mod slip;

use crate::http::access::{AnyRole, SiteAccess};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use axum::Json;
use axum::extract::State;
use paihao_domain::{QueueId, Site, Ticket, TicketId, TicketState};
use paihao_http_api::ApiQuery;
use paihao_http_api::pagination;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) fn routes() -> Routes {
    let listed = Routes::new().get(
        "/api/v1/sites/{site}/tickets",
        list,
        endpoint("tickets", "Lists the day's tickets in the order in which they were taken")
            .refuses(&[&refusals::UNKNOWN_QUEUE]),
    );
    listed.merge(actions::routes()).merge(notices::routes()).merge(slip::routes())
}

/// Filter of tickets.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TicketListQuery {
    /// Id of the only queue; every queue, if left out.
    queue: Option<String>,
    /// State of the tickets; any, if left out.
    state: Option<ListedTicketState>,
    /// Cursor: the `next` of a page. A cursor of another day starts from the beginning.
    after: Option<String>,
    /// Size of the page, 1 to 500; 100 by default.
    limit: Option<usize>,
}

/// State of a listed ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ListedTicketState {
    Waiting,
    Called,
    Serving,
    Held,
    Missed,
    Done,
    Closed,
}

impl ListedTicketState {
    fn of(state: &TicketState) -> ListedTicketState {
        match state {
            TicketState::Waiting => ListedTicketState::Waiting,
            TicketState::Called { .. } => ListedTicketState::Called,
            TicketState::Serving { .. } => ListedTicketState::Serving,
            TicketState::Held { .. } => ListedTicketState::Held,
            TicketState::Missed { .. } => ListedTicketState::Missed,
            TicketState::Done { .. } => ListedTicketState::Done,
            TicketState::Closed { .. } => ListedTicketState::Closed,
        }
    }
}

/// Page of the day's tickets.
#[derive(Serialize, JsonSchema)]
struct TicketPage {
    /// In the order in which they were taken, which never changes.
    tickets: Vec<TicketSummary>,
    /// Value of `after` for the next page; `null` if there is nothing more yet.
    next: Option<String>,
}

/// Ticket in the list.
#[derive(Serialize, JsonSchema)]
struct TicketSummary {
    number: String,
    queue: String,
    state: ListedTicketState,
    /// Time at which it was taken, in Unix milliseconds.
    taken_at: i64,
    /// Tickets ahead of it, while it waits.
    ahead: Option<u32>,
    /// Counter that called or serves it.
    counter: Option<String>,
    /// True if its holder has WeChat.
    wechat: bool,
}

async fn list(
    State(state): State<AppState>,
    SiteAccess { site, settings, .. }: SiteAccess<AnyRole>,
    ApiQuery(query): ApiQuery<TicketListQuery>,
) -> Result<Json<TicketPage>, Problem> {
    let limit = pagination::limit::<AppState>(query.limit)?;
    let queue = query.queue.as_deref().map(QueueId::new);
    if queue.as_ref().is_some_and(|queue| !settings.rules.queues.contains_key(queue)) {
        return Err(Problem::new(&refusals::UNKNOWN_QUEUE));
    }
    let cursor = query.after.as_deref().map(|text| {
        parse_cursor(text).ok_or_else(|| refusals::malformed("after: use the `next` of a page"))
    });
    let cursor = cursor.transpose()?;
    let snapshot = state.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let site = &snapshot.site;
    let Some(day) = site.day() else {
        return Ok(Json(TicketPage { tickets: Vec::new(), next: None }));
    };
    let after = cursor.filter(|(cursor_day, _)| *cursor_day == day.0).map(|(_, ticket)| ticket);
    let matches_query = |ticket: &&Ticket| {
        after.is_none_or(|after| ticket.id.0 > after)
            && queue.as_ref().is_none_or(|queue| ticket.queue == *queue)
            && query.state.is_none_or(|state| ListedTicketState::of(&ticket.state) == state)
    };
    let matching = site.tickets().filter(matches_query);
    let (page, next) =
        pagination::page(matching, limit, |ticket| format!("{}-{}", day.0, ticket.id.0));
    let tickets = page.into_iter().map(|ticket| ticket_summary(site, ticket)).collect();
    Ok(Json(TicketPage { tickets, next }))
}

/// Parses a cursor: the day and the last ticket of a page.
fn parse_cursor(text: &str) -> Option<(i32, u32)> {
    let (day, ticket) = text.rsplit_once('-')?;
    Some((day.parse().ok()?, TicketId(ticket.parse().ok()?).0))
}

fn ticket_summary(site: &Site, ticket: &Ticket) -> TicketSummary {
    let counter = match &*ticket.state {
        TicketState::Called { counter, .. } | TicketState::Serving { counter, .. } => Some(counter),
        _ => None,
    };
    TicketSummary {
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        state: ListedTicketState::of(&ticket.state),
        taken_at: ticket.taken_at.0,
        ahead: (ticket.state == TicketState::Waiting).then(|| site.ahead(ticket)),
        counter: counter.map(|counter| counter.as_str().to_owned()),
        wechat: ticket.person.is_some(),
    }
}
