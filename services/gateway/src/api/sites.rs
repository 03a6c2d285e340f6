//! A site as anybody may see it: who is called where, who waits. Numbers only, no identity.

use super::live;
use crate::Door;
use crate::book::SiteBook;
use crate::lines::{Lines, View};
use crate::refusals::{self, Problem};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use axum::response::sse::Event;
use axum::routing::get;
use axum::{Json, Router};
use futures::stream;
use paihao_domain::{CounterId, Site, Stage, TicketId};
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// Waiting numbers that are listed of each queue; the count is always exact.
const LISTED: usize = 200;

/// A screen is told at most this often.
const BREATH: Duration = Duration::from_millis(100);

pub(super) fn routes() -> Router<Door> {
    Router::new()
        .route("/api/v1/sites", get(list))
        .route("/api/v1/sites/{site}", get(show))
        .route("/api/v1/sites/{site}/events", get(events))
}

/// For the admin port: `GET /sites/{site}/digest`, a hash of the state at a position, by which
/// replicas can be compared.
pub fn digest_routes(lines: Lines) -> Router {
    let digest = async move |Path(site): Path<String>, State(lines): State<Lines>| {
        let view = lines.view(&site).ok_or(Problem::new(&refusals::UNKNOWN_SITE))?;
        let digest = view.digest();
        Ok::<_, Problem>(Json(Digest { site, position: view.position.0, digest }))
    };
    Router::new().route("/sites/{site}/digest", get(digest)).with_state(lines)
}

#[derive(Serialize)]
struct Digest {
    site: String,
    position: u64,
    digest: String,
}

#[derive(Serialize)]
struct Listed {
    site: String,
    name: String,
}

/// What anybody may know of a site.
#[derive(Serialize)]
struct SiteSeen<'a> {
    site: &'a str,
    name: &'a str,
    day: Option<i32>,
    position: u64,
    queues: Vec<QueueSeen<'a>>,
    counters: Vec<CounterSeen<'a>>,
    calls: Vec<CallSeen<'a>>,
}

#[derive(Serialize)]
struct QueueSeen<'a> {
    id: &'a str,
    name: &'a str,
    open: bool,
    waiting: Vec<NumberSeen>,
    waiting_count: usize,
    last_called: Option<String>,
}

#[derive(Serialize)]
struct NumberSeen {
    number: String,
}

#[derive(Serialize)]
struct CounterSeen<'a> {
    id: &'a str,
    name: &'a str,
    queues: Vec<&'a str>,
    open: bool,
    serving: Option<ServingSeen>,
}

#[derive(Serialize)]
struct ServingSeen {
    number: String,
    queue: String,
    called_at: i64,
}

#[derive(Serialize)]
struct CallSeen<'a> {
    number: String,
    counter: String,
    counter_name: &'a str,
    called_at: i64,
    call: u32,
}

async fn list(State(door): State<Door>) -> impl IntoResponse {
    let sites = door
        .lines
        .books()
        .map(|book| Listed { site: book.facts.id.to_string(), name: book.facts.name.to_string() });
    Json(sites.collect::<Vec<_>>())
}

async fn show(
    State(door): State<Door>,
    Path(site): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let book = door.lines.book(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let view = door.lines.view(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    Ok(Json(as_seen(book, view, door.clock.now_ms())))
}

/// What anybody may know of a site that stood like this at an instant, in Unix milliseconds.
pub(super) fn as_seen(book: &SiteBook, view: View, at_ms: i64) -> Value {
    let today = today(book, view, at_ms);
    serde_json::to_value(seen(book, &today)).expect("string keys only")
}

async fn events(
    State(door): State<Door>,
    Path(site): Path<String>,
) -> Result<impl IntoResponse, Problem> {
    let book = door.lines.book(&site).ok_or(&refusals::UNKNOWN_SITE)?.clone();
    let mut views = door.lines.watch(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    views.mark_changed();
    let stop = door.stop.clone();
    let events = stream::unfold((views, door, book), async |(mut views, door, book)| {
        views.changed().await.ok()?;
        let view = views.borrow_and_update().clone();
        let position = view.position.0;
        let today = today(&book, view, door.clock.now_ms());
        let event = Event::default()
            .event("site")
            .id(position.to_string())
            .json_data(seen(&book, &today))
            .expect("string keys only");
        // Changes that come while a screen draws the last one reach it as one.
        tokio::time::sleep(BREATH).await;
        Some((event, (views, door, book)))
    });
    Ok(live::sse(Box::pin(events), &stop))
}

/// The view, emptied if it is of a day that is over: nobody has come yet today.
fn today(book: &SiteBook, view: View, now_ms: i64) -> View {
    let day = book.calendar.now(now_ms).day;
    match view.site.day() {
        Some(then) if then < day => View { site: Site::default(), ..view },
        _ => view,
    }
}

fn seen<'a>(book: &'a SiteBook, view: &'a View) -> SiteSeen<'a> {
    let site = &view.site;
    let number =
        |ticket: TicketId| site.ticket(ticket).map(|t| t.number.to_string()).unwrap_or_default();
    let queues = book.rules.queues.iter().map(|(id, rules)| {
        let line = site.line(id);
        QueueSeen {
            id: id.as_str(),
            name: &rules.name,
            open: rules.open,
            waiting: line
                .waiting()
                .take(LISTED)
                .map(|ticket| NumberSeen { number: number(ticket) })
                .collect(),
            waiting_count: line.len(),
            last_called: line.last_called().map(ToString::to_string),
        }
    });
    let counters = book.rules.counters.iter().map(|(id, rules)| CounterSeen {
        id: id.as_str(),
        name: &rules.name,
        queues: rules.queues.iter().map(|queue| queue.as_str()).collect(),
        open: site.counter(id).open,
        serving: serving(site, id),
    });
    let calls = site.recent_calls().map(|call| CallSeen {
        number: call.number.to_string(),
        counter: call.counter.as_str().to_owned(),
        counter_name: book.rules.counters.get(&call.counter).map_or("", |rules| &rules.name),
        called_at: call.at.0,
        call: call.call,
    });
    SiteSeen {
        site: &book.facts.id,
        name: &book.facts.name,
        day: site.day().map(|day| day.0),
        position: view.position.0,
        queues: queues.collect(),
        counters: counters.collect(),
        calls: calls.collect(),
    }
}

fn serving(site: &Site, counter: &CounterId) -> Option<ServingSeen> {
    let ticket = site.ticket(site.counter(counter).serving?)?;
    let Stage::Called { at, .. } = ticket.stage else { return None };
    Some(ServingSeen {
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        called_at: at.0,
    })
}
