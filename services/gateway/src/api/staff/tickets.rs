//! What is done with a ticket, wherever it is.

use super::Asked;
use super::answer::Done;
use crate::Door;
use crate::refusals::{self, Problem};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use axum::{Json, Router};
use paihao_domain::{Act, Mark, QueueId, TicketId};
use serde::Deserialize;

/// Why somebody who says so at the counter leaves.
const THEIR_WISH: &str = "the customer's wish";

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/sites/{site}/queues/{queue}/tickets", post(take))
        .route("/api/v1/sites/{site}/tickets/{number}/{action}", post(with_ticket))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Taking {
    /// The priority class, if it is not the queue's own.
    class: Option<u8>,
}

/// Gives a number to somebody without WeChat.
async fn take(
    State(door): State<Door>,
    Path((site, queue)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let asked = Asked::hear(&door, &site, &headers, &uri, body).await?;
    let Taking { class } = asked.wanted()?;
    let queue = QueueId::new(&queue);
    asked.submit(Act::Take { queue, person: None, via: None, class }).await
}

/// The body, which may be left out where nothing of it is needed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Why.
    reason: Option<String>,
    /// Of `hold`: for how long.
    minutes: Option<u32>,
    /// Of `transfer`: where to.
    queue: Option<String>,
    /// Of `priority`: the class, 0 first.
    class: Option<u8>,
    /// Of `party`: how many they are.
    people: Option<u32>,
}

async fn with_ticket(
    State(door): State<Door>,
    Path((site, number, action)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let asked = Asked::hear(&door, &site, &headers, &uri, body).await?;
    let wanted: Wanted = asked.wanted()?;
    let ticket = numbered(&door, &site, &number)?;
    let missing = |what: &str| {
        Problem::new(&refusals::MALFORMED_REQUEST).detail(format!("{what} is missing"))
    };
    let reason = wanted.reason.as_deref();
    let act = match action.as_str() {
        "leave" => Act::Leave { ticket, reason: Some(reason.unwrap_or(THEIR_WISH).into()) },
        "remove" => Act::Leave { ticket, reason: reason.map(Into::into) },
        "return" => Act::Return(ticket),
        "hold" => {
            let reason = reason.unwrap_or_default().into();
            Act::Hold { ticket, reason, minutes: wanted.minutes }
        }
        "resume" => Act::Resume(ticket),
        "transfer" => {
            let queue = wanted.queue.ok_or_else(|| missing("queue"))?;
            Act::Transfer { ticket, queue: QueueId::new(&queue) }
        }
        "undo" => Act::Undo(ticket),
        "priority" => {
            let class = wanted.class.ok_or_else(|| missing("class"))?;
            Act::Prioritise { ticket, class, reason: reason.unwrap_or_default().into() }
        }
        "arrived" => Act::Mark { ticket, mark: Mark::Arrived },
        "party" => {
            let people = wanted.people.ok_or_else(|| missing("people"))?;
            Act::Mark { ticket, mark: Mark::Party(people) }
        }
        other => {
            let detail = format!("{other} is nothing that is done with a ticket");
            return Err(Problem::new(&refusals::MALFORMED_REQUEST).detail(detail));
        }
    };
    asked.submit(act).await
}

/// The ticket of a number.
pub(in crate::api) fn numbered(door: &Door, site: &str, number: &str) -> Result<TicketId, Problem> {
    let view = door.lines.view(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = view.site.tickets().find(|ticket| ticket.number.to_string() == number);
    Ok(ticket.ok_or(&refusals::UNKNOWN_TICKET)?.id)
}
