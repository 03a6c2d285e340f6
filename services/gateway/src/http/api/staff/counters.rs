//! What is done at a counter: opening it, calling, serving.

use super::tickets::numbered;
use super::{Asked, Handling, Nothing, STAFF, act, handling};
use crate::http::openapi::{ANY_KEY, Access, Operation, Routes};
use crate::http::refusals::{self, Kind, Problem};
use paihao_domain::{Act, CounterId, Served, TicketId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) fn routes() -> Routes {
    let nobody_at = [&refusals::COUNTER_IDLE, &refusals::COUNTER_BUSY];
    let calls = [
        &refusals::COUNTER_CLOSED,
        &refusals::COUNTER_ON_BREAK,
        &refusals::COUNTER_BUSY,
        &refusals::QUEUE_HALTED,
        &refusals::QUEUE_CLOSED,
    ];
    Routes::new()
        .post(
            &path("open"),
            at(|_, counter, Nothing {}| Ok(Act::OpenCounter(counter))),
            about::<Nothing>("open_counter", "The counter serves, with the asker at it", ANY_KEY)
                .refuses(&[&refusals::COUNTER_TAKEN, &refusals::ELSEWHERE_LOGGED_IN]),
        )
        .post(
            &path("break"),
            at(|_, counter, Nothing {}| Ok(Act::BreakCounter(counter))),
            about::<Nothing>("break_counter", "The counter has a break", ANY_KEY)
                .refuses(&[&refusals::COUNTER_CLOSED, &refusals::COUNTER_BUSY]),
        )
        .post(
            &path("close"),
            at(|_, counter, Nothing {}| Ok(Act::CloseCounter(counter))),
            about::<Nothing>("close_counter", "The counter stops", ANY_KEY)
                .refuses(&[&refusals::COUNTER_BUSY]),
        )
        .post(
            &path("call-next"),
            at(|_, counter, Nothing {}| Ok(Act::CallNext(counter))),
            about::<Nothing>(
                "call_next",
                "Whoever is next is called; whom the counter serves is finished with",
                ANY_KEY,
            )
            .refuses(&calls)
            .refuses(&[&refusals::NOBODY_WAITING]),
        )
        .post(
            &path("call"),
            at(|asked, counter, Called { number, reason }| {
                let ticket = named(asked, &number)?;
                Ok(Act::CallThis { counter, ticket, reason: reason.as_deref().map(Into::into) })
            }),
            about::<Called>("call", "This one is called, out of order", ANY_KEY)
                .refuses(&calls)
                .refuses(&OF_TICKET)
                .refuses(&[&refusals::WRONG_COUNTER, &refusals::REASON_NEEDED]),
        )
        .post(
            &path("recall"),
            at(|_, counter, Seen { number }| Ok(Act::Recall(Served { counter, number }))),
            about::<Seen>("recall", "The called customer is called again", STAFF)
                .refuses(&nobody_at)
                .refuses(&[&refusals::WRONG_STATE, &refusals::TOO_SOON, &refusals::TOO_OFTEN]),
        )
        .post(
            &path("start"),
            at(|_, counter, Seen { number }| Ok(Act::Start(Served { counter, number }))),
            about::<Seen>("start", "The called customer is here", ANY_KEY)
                .refuses(&nobody_at)
                .refuses(&[&refusals::WRONG_STATE]),
        )
        .post(
            &path("put-back"),
            at(|_, counter, Seen { number }| Ok(Act::PutBack(Served { counter, number }))),
            about::<Seen>(
                "put_back",
                "The call was a mistake: the ticket is in its old place",
                STAFF,
            )
            .refuses(&nobody_at)
            .refuses(&[&refusals::WRONG_STATE, &refusals::TOO_LATE]),
        )
        .post(
            &path("finish"),
            at(|_, counter, Seen { number }| Ok(Act::Finish(Served { counter, number }))),
            about::<Seen>("finish", "The customer has been served", ANY_KEY).refuses(&nobody_at),
        )
        .post(
            &path("missed"),
            at(|_, counter, Seen { number }| Ok(Act::Miss(Served { counter, number }))),
            about::<Seen>("missed", "The called customer did not come", STAFF)
                .refuses(&nobody_at)
                .refuses(&[&refusals::WRONG_STATE]),
        )
        .post(
            &path("suspend"),
            at(|_, counter, Suspended { number, reason, affinity }| {
                let reason = reason.unwrap_or_default().into();
                Ok(Act::Suspend { served: Served { counter, number }, reason, affinity })
            }),
            about::<Suspended>("suspend", "The service is interrupted", STAFF)
                .refuses(&nobody_at)
                .refuses(&[&refusals::WRONG_STATE, &refusals::REASON_NEEDED]),
        )
        .post(
            &path("resume-here"),
            at(|asked, counter, Meant { number }| {
                Ok(Act::ResumeHere { counter, ticket: named(asked, &number)? })
            }),
            about::<Meant>("resume_here", "An interrupted service goes on", STAFF)
                .refuses(&OF_TICKET)
                .refuses(&[
                    &refusals::COUNTER_CLOSED,
                    &refusals::COUNTER_ON_BREAK,
                    &refusals::COUNTER_BUSY,
                    &refusals::WRONG_COUNTER,
                ]),
        )
}

/// What somebody is refused who names a ticket.
const OF_TICKET: [&Kind; 3] =
    [&refusals::UNKNOWN_TICKET, &refusals::TICKET_ENDED, &refusals::WRONG_STATE];

fn path(action: &str) -> String {
    format!("/api/v1/sites/{{site}}/counters/{{counter}}/{action}")
}

fn about<Wanted: JsonSchema>(id: &'static str, summary: &'static str, who: Access) -> Operation {
    act(id, summary, who)
        .takes::<Wanted>()
        .refuses(&[&refusals::UNKNOWN_COUNTER, &refusals::NOT_YOUR_COUNTER])
}

/// The number that the asker saw at the counter: if somebody else is there by now, nothing is done.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SeenAtCounter")]
#[serde(deny_unknown_fields)]
struct Seen {
    /// Whoever is there, without one.
    number: Option<String>,
}

/// Which ticket.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "TicketMeant")]
#[serde(deny_unknown_fields)]
struct Meant {
    /// The ticket's number.
    number: String,
}

/// Whom to call, and why out of order.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "CallWanted")]
#[serde(deny_unknown_fields)]
struct Called {
    /// The ticket's number.
    number: String,
    /// Needed, unless it is one who was missed and came back.
    reason: Option<String>,
}

/// Whose service is interrupted, and why.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "SuspendWanted")]
#[serde(deny_unknown_fields)]
struct Suspended {
    /// The number that the asker saw at the counter.
    number: Option<String>,
    /// Needed.
    reason: Option<String>,
    /// Whether only this counter goes on with it.
    #[serde(default)]
    affinity: bool,
}

fn named(asked: &Asked<'_>, number: &str) -> Result<TicketId, Problem> {
    numbered(asked.door, asked.site, number)
}

/// A handler that has an act done at a counter.
fn at<Wanted: DeserializeOwned + 'static>(
    act: fn(&Asked<'_>, CounterId, Wanted) -> Result<Act, Problem>,
) -> impl Handling {
    handling(move |asked, counter| act(asked, CounterId::new(counter), asked.wanted()?))
}
