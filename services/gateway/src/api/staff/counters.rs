//! What is done at a counter: opening it, calling, serving.

use super::Asked;
use super::answer::Done;
use super::tickets::numbered;
use crate::Door;
use crate::refusals::{self, Problem};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Uri};
use axum::routing::post;
use axum::{Json, Router};
use paihao_domain::{Act, CounterId, Served};
use serde::Deserialize;

pub(super) fn routes() -> Router<Door> {
    Router::new().route("/api/v1/sites/{site}/counters/{counter}/{action}", post(at_counter))
}

/// The body, which may be left out where nothing of it is needed.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The number that the asker saw at the counter; of `call` and `resume-here`, the one meant.
    number: Option<String>,
    /// Why.
    reason: Option<String>,
    /// Of `suspend`: whether only this counter goes on with it.
    #[serde(default)]
    affinity: bool,
}

async fn at_counter(
    State(door): State<Door>,
    Path((site, counter, action)): Path<(String, String, String)>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Done>, Problem> {
    let asked = Asked::hear(&door, &site, &headers, &uri, body).await?;
    let Wanted { number, reason, affinity } = asked.wanted()?;
    let counter = CounterId::new(&counter);
    let named = |number: Option<&String>| {
        let missing = || Problem::new(&refusals::MALFORMED_REQUEST).detail("number is missing");
        numbered(&door, &site, number.ok_or_else(missing)?)
    };
    let reason = reason.as_deref();
    let act = match action.as_str() {
        "open" => Act::OpenCounter(counter),
        "break" => Act::BreakCounter(counter),
        "close" => Act::CloseCounter(counter),
        "call-next" => Act::CallNext(counter),
        "call" => {
            let ticket = named(number.as_ref())?;
            Act::CallThis { counter, ticket, reason: reason.map(Into::into) }
        }
        "recall" => Act::Recall(Served { counter, number }),
        "start" => Act::Start(Served { counter, number }),
        "put-back" => Act::PutBack(Served { counter, number }),
        "finish" => Act::Finish(Served { counter, number }),
        "missed" => Act::Miss(Served { counter, number }),
        "suspend" => {
            let reason = reason.unwrap_or_default().into();
            Act::Suspend { served: Served { counter, number }, reason, affinity }
        }
        "resume-here" => Act::ResumeHere { counter, ticket: named(number.as_ref())? },
        other => {
            let detail = format!("{other} is nothing that a counter does");
            return Err(Problem::new(&refusals::MALFORMED_REQUEST).detail(detail));
        }
    };
    asked.submit(act).await
}
