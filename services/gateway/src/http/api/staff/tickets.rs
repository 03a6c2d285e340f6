//! What is done with a ticket, wherever it is.

use super::{Handling, Nothing, STAFF, act, handling};
use crate::http::openapi::{ANY_KEY, Access, Operation, Routes};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use paihao_chassis::entropy;
use paihao_domain::{Act, Mark, QueueId, TicketId, TicketKey};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Why somebody who says so at the counter leaves.
const THEIR_WISH: &str = "the customer's wish";

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/api/v1/sites/{site}/queues/{queue}/tickets",
            handling(|asked, queue| {
                let Taking { class } = asked.wanted()?;
                let (queue, key) = (QueueId::new(queue), Some(TicketKey(entropy::bytes())));
                Ok(Act::Take { queue, person: None, via: None, class, key })
            }),
            act("take_ticket", "A number for somebody without WeChat", ANY_KEY)
                .takes::<Taking>()
                .refuses(&[
                    &refusals::UNKNOWN_QUEUE,
                    &refusals::NOT_YOUR_QUEUE,
                    &refusals::QUEUE_CLOSED,
                    &refusals::QUEUE_PAUSED,
                    &refusals::QUEUE_FULL,
                    &refusals::QUEUE_CLOSING,
                    &refusals::OUT_OF_HOURS,
                    &refusals::OUT_OF_RANGE,
                ]),
        )
        .post(
            &path("leave"),
            with(|ticket, Why { reason }| {
                let reason = reason.as_deref().unwrap_or(THEIR_WISH);
                Ok(Act::Leave { ticket, reason: Some(reason.into()) })
            }),
            about::<Why>("leave", "The customer wants to leave", ANY_KEY)
                .refuses(&[&refusals::TICKET_ENDED, &refusals::WRONG_STATE]),
        )
        .post(
            &path("remove"),
            with(|ticket, Why { reason }| {
                Ok(Act::Leave { ticket, reason: reason.map(Into::into) })
            }),
            about::<Why>("remove", "The ticket is taken out of the line", ANY_KEY).refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::REASON_NEEDED,
            ]),
        )
        .post(
            &path("return"),
            with(|ticket, Nothing {}| Ok(Act::Return(ticket))),
            about::<Nothing>("return", "A missed one is let back in", STAFF).refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::TOO_LATE,
                &refusals::TOO_OFTEN,
            ]),
        )
        .post(
            &path("hold"),
            with(|ticket, Held { reason, minutes }| {
                Ok(Act::Hold { ticket, reason: reason.unwrap_or_default().into(), minutes })
            }),
            about::<Held>("hold", "Out of the line for a while, with the place kept", STAFF)
                .refuses(&[
                    &refusals::TICKET_ENDED,
                    &refusals::WRONG_STATE,
                    &refusals::REASON_NEEDED,
                ]),
        )
        .post(
            &path("resume"),
            with(|ticket, Nothing {}| Ok(Act::Resume(ticket))),
            about::<Nothing>("resume", "A held one is in its own place again", STAFF)
                .refuses(&[&refusals::TICKET_ENDED, &refusals::WRONG_STATE]),
        )
        .post(
            &path("transfer"),
            with(|ticket, Transferred { queue }| {
                Ok(Act::Transfer { ticket, queue: QueueId::new(&queue) })
            }),
            about::<Transferred>(
                "transfer",
                "The called or served customer waits in another queue, with the same number",
                ANY_KEY,
            )
            .refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::WRONG_STATE,
                &refusals::UNKNOWN_QUEUE,
                &refusals::QUEUE_CLOSED,
                &refusals::QUEUE_PAUSED,
                &refusals::QUEUE_HALTED,
            ]),
        )
        .post(
            &path("undo"),
            with(|ticket, Nothing {}| Ok(Act::Undo(ticket))),
            about::<Nothing>(
                "undo",
                "A finished, missed or closed ticket is what it was before",
                STAFF,
            )
            .refuses(&[
                &refusals::WRONG_STATE,
                &refusals::NOTHING_TO_UNDO,
                &refusals::TOO_LATE,
                &refusals::COUNTER_CLOSED,
                &refusals::COUNTER_ON_BREAK,
                &refusals::COUNTER_BUSY,
            ]),
        )
        .post(
            &path("priority"),
            with(|ticket, Prioritised { class, reason }| {
                let reason = reason.unwrap_or_default().into();
                Ok(Act::Prioritise { ticket, class, reason })
            }),
            about::<Prioritised>("prioritise", "Another priority class", STAFF).refuses(&[
                &refusals::TICKET_ENDED,
                &refusals::REASON_NEEDED,
                &refusals::OUT_OF_RANGE,
            ]),
        )
        .post(
            &path("arrived"),
            with(|ticket, Nothing {}| Ok(Act::Mark { ticket, mark: Mark::Arrived })),
            about::<Nothing>("arrived", "The customer is here: noted", STAFF)
                .refuses(&[&refusals::TICKET_ENDED]),
        )
        .post(
            &path("party"),
            with(|ticket, Party { people }| Ok(Act::Mark { ticket, mark: Mark::Party(people) })),
            about::<Party>("party", "How many they are: noted", STAFF)
                .refuses(&[&refusals::TICKET_ENDED, &refusals::OUT_OF_RANGE]),
        )
}

fn path(action: &str) -> String {
    format!("/api/v1/sites/{{site}}/tickets/{{number}}/{action}")
}

fn about<Wanted: JsonSchema>(id: &'static str, summary: &'static str, who: Access) -> Operation {
    act(id, summary, who)
        .takes::<Wanted>()
        // The queue, where the owner has taken it away meanwhile.
        .refuses(&[&refusals::UNKNOWN_TICKET, &refusals::UNKNOWN_QUEUE, &refusals::NOT_YOUR_QUEUE])
}

/// Who gets a number.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TicketWanted")]
#[serde(deny_unknown_fields)]
struct Taking {
    /// The priority class, if it is not the queue's own.
    class: Option<u8>,
}

/// Why.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Reason")]
#[serde(deny_unknown_fields)]
struct Why {
    /// The reason, in a few words.
    reason: Option<String>,
}

/// Why, and for how long.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "HoldWanted")]
#[serde(deny_unknown_fields)]
struct Held {
    /// Needed.
    reason: Option<String>,
    /// Until somebody resumes it, without them.
    minutes: Option<u32>,
}

/// Where to.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TransferWanted")]
#[serde(deny_unknown_fields)]
struct Transferred {
    /// The other queue's id.
    queue: String,
}

/// Which class, and why.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "PriorityWanted")]
#[serde(deny_unknown_fields)]
struct Prioritised {
    /// 0 first, 8 last.
    class: u8,
    /// Needed.
    reason: Option<String>,
}

/// How many they are.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "PartyWanted")]
#[serde(deny_unknown_fields)]
struct Party {
    /// 1 to 99.
    people: u32,
}

/// A handler that has an act done with a ticket.
fn with<Wanted: DeserializeOwned + 'static>(
    act: fn(TicketId, Wanted) -> Result<Act, Problem>,
) -> impl Handling {
    handling(move |asked, number| {
        let wanted = asked.wanted()?;
        act(numbered(asked.door, asked.site, number)?, wanted)
    })
}

/// The ticket of a number.
pub(in crate::http::api) fn numbered(
    door: &Door,
    site: &str,
    number: &str,
) -> Result<TicketId, Problem> {
    let view = door.lines.view(site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = view.site.tickets().find(|ticket| ticket.number.to_string() == number);
    Ok(ticket.ok_or(&refusals::UNKNOWN_TICKET)?.id)
}
