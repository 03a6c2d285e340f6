//! A site as anybody may see it: who is called where, who waits. Numbers only, no identity.

use crate::book::{Announcement, SiteBook};
use crate::http::live;
use crate::http::openapi::{OPEN, Routes, op};
use crate::http::refusals::{self, Problem};
use crate::http::state::Door;
use crate::lines::{Lines, View};
use crate::projections::history::History;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use paihao_domain::{CounterId, CounterState, Now, Site, Stage, Standing, TicketId};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// Waiting numbers that are listed of each queue; the count is always exact.
const LISTED: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/sites", list, op("sites", "The sites", OPEN))
        .get(
            "/api/v1/sites/{site}",
            show,
            op("site", "Who is called where, who waits: numbers only, no identity", OPEN)
                .refuses(&[&refusals::UNKNOWN_SITE]),
        )
        .get(
            "/api/v1/sites/{site}/events",
            events,
            op("site_events", "The same, whenever it changes", OPEN)
                .tells::<SiteSeen>("site")
                .refuses(&[&refusals::UNKNOWN_SITE]),
        )
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

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SiteListed")]
struct Listed {
    site: String,
    name: String,
}

/// A site as it was seen, which outlives what it was seen in.
#[derive(Serialize)]
pub(crate) struct AsSeen(Value);

impl AsSeen {
    fn of(seen: SiteSeen<'_>) -> AsSeen {
        AsSeen(serde_json::to_value(seen).expect("string keys only"))
    }

    /// As the text that a screen is sent.
    pub(crate) fn text(&self) -> String {
        self.0.to_string()
    }
}

impl JsonSchema for AsSeen {
    fn schema_name() -> Cow<'static, str> {
        SiteSeen::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        SiteSeen::schema_id()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        SiteSeen::json_schema(schemas)
    }
}

/// What anybody may know of a site.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Site")]
struct SiteSeen<'a> {
    site: &'a str,
    name: &'a str,
    /// Whose clocks count there.
    zone: &'a str,
    day: Option<i32>,
    position: u64,
    queues: Vec<QueueSeen<'a>>,
    counters: Vec<CounterSeen<'a>>,
    calls: Vec<CallSeen<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Queue")]
struct QueueSeen<'a> {
    id: &'a str,
    name: &'a str,
    /// Whether numbers are given out.
    open: bool,
    state: &'static str,
    waiting: Vec<NumberSeen>,
    waiting_count: usize,
    /// What somebody who joins now is told: minutes, from and to. Absent while nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<(u32, u32)>,
    held_count: usize,
    missed_count: usize,
    last_called: Option<String>,
    /// What a board says of its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    announcement: Option<&'a Announcement>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WaitingNumber")]
struct NumberSeen {
    number: String,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Counter")]
struct CounterSeen<'a> {
    id: &'a str,
    name: &'a str,
    queues: Vec<&'a str>,
    open: bool,
    state: &'static str,
    serving: Option<ServingSeen>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Serving")]
struct ServingSeen {
    number: String,
    queue: String,
    called_at: i64,
    /// Since when they are served; until then they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    /// Until when they are expected, while they are called.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Call")]
struct CallSeen<'a> {
    number: String,
    queue: String,
    counter: String,
    counter_name: &'a str,
    called_at: i64,
    call: u32,
}

async fn list(State(door): State<Door>) -> Result<Json<Vec<Listed>>, Problem> {
    let sites = door
        .lines
        .books()
        .map(|book| Listed { site: book.facts.id.to_string(), name: book.facts.name.to_string() });
    Ok(Json(sites.collect()))
}

async fn show(State(door): State<Door>, Path(site): Path<String>) -> Result<Json<AsSeen>, Problem> {
    let book = door.lines.book(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let view = door.lines.view(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    Ok(Json(as_it_stands(&door.lines, &book, view, door.clock.now_ms())))
}

/// What anybody may know of a site that stands like this now, in Unix milliseconds.
pub(crate) fn as_it_stands(lines: &Lines, book: &SiteBook, view: View, now_ms: i64) -> AsSeen {
    let now = lines.moment(book, now_ms);
    let today = today(&now, view);
    AsSeen::of(seen(book, &today, &now, Some(lines.history())))
}

/// What anybody may know of a site that stood like this at an instant, in Unix milliseconds, without
/// what somebody would have been told: that was what was known then.
pub(super) fn as_seen(book: &SiteBook, view: View, at_ms: i64) -> AsSeen {
    let now = book.calendar.now(at_ms);
    let today = today(&now, view);
    AsSeen::of(seen(book, &today, &now, None))
}

async fn events(State(door): State<Door>, Path(site): Path<String>) -> Result<Response, Problem> {
    let views = door.lines.watch(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let stop = door.stop.clone();
    let draw = move |view| {
        let book = door.lines.book(&site)?;
        Some(door.screens.drawn(&door.lines, &book, view, door.clock.now_ms()))
    };
    Ok(live::sse(live::redrawn("site", views, None, draw), &stop).into_response())
}

/// The view, emptied if it is of a day that is over: nobody has come yet today.
pub(super) fn today(now: &Now, view: View) -> View {
    match view.site.day() {
        Some(then) if then < now.day() => View { site: Site::default(), ..view },
        _ => view,
    }
}

fn seen<'a>(
    book: &'a SiteBook,
    view: &'a View,
    now: &Now,
    history: Option<&History>,
) -> SiteSeen<'a> {
    let site = &view.site;
    let number =
        |ticket: TicketId| site.ticket(ticket).map(|t| t.number.to_string()).unwrap_or_default();
    let queues = book.rules.queues.iter().map(|(id, rules)| {
        let line = site.line(id);
        let standing = site.standing(&book.rules, id, now);
        QueueSeen {
            id: id.as_str(),
            name: &rules.name,
            open: gives(standing),
            state: standing_name(standing),
            waiting: line
                .waiting()
                .take(LISTED)
                .map(|ticket| NumberSeen { number: number(ticket) })
                .collect(),
            waiting_count: line.len(),
            minutes: history.filter(|_| gives(standing)).and_then(|history| {
                let fresh = site.told_joining(&book.rules, id, now).estimate?;
                let range = history.steady(&book.subject, id, fresh, now.at);
                Some((range.low, range.high))
            }),
            held_count: line.held(),
            missed_count: line.missed(),
            last_called: line.last_called().map(ToString::to_string),
            announcement: book.announcements.get(id),
        }
    });
    let counters = book.rules.counters.iter().map(|(id, rules)| CounterSeen {
        id: id.as_str(),
        name: &rules.name,
        queues: rules.queues.iter().map(|queue| queue.as_str()).collect(),
        open: site.counter(id).is_open(),
        state: counter_name(site.counter(id).state),
        serving: serving(site, id),
    });
    let calls = site.recent_calls().map(|call| CallSeen {
        number: call.number.to_string(),
        queue: call.queue.as_str().to_owned(),
        counter: call.counter.as_str().to_owned(),
        counter_name: book.rules.counters.get(&call.counter).map_or("", |rules| &rules.name),
        called_at: call.at.0,
        call: call.call,
    });
    SiteSeen {
        site: &book.facts.id,
        name: &book.facts.name,
        zone: &book.facts.zone,
        day: site.day().map(|day| day.0),
        position: view.position.0,
        queues: queues.collect(),
        counters: counters.collect(),
        calls: calls.collect(),
    }
}

fn serving(site: &Site, counter: &CounterId) -> Option<ServingSeen> {
    let ticket = site.ticket(site.counter(counter).serving?)?;
    let (called_at, started_at, deadline) = match ticket.stage {
        Stage::Called { at, deadline, .. } => (at.0, None, Some(deadline.0)),
        Stage::Serving { since, at, .. } => (since.0, Some(at.0), None),
        _ => return None,
    };
    Some(ServingSeen {
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        called_at,
        started_at,
        deadline,
    })
}

/// Whether numbers are given out.
fn gives(standing: Standing) -> bool {
    matches!(standing, Standing::Open | Standing::Halted)
}

pub(super) fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "open",
        Standing::Full => "full",
        Standing::Closing => "closing",
        Standing::Paused => "paused",
        Standing::Halted => "halted",
        Standing::OutOfHours => "out_of_hours",
        Standing::Closed => "closed",
    }
}

pub(super) fn counter_name(state: CounterState) -> &'static str {
    match state {
        CounterState::Offline => "offline",
        CounterState::Open => "open",
        CounterState::Break => "break",
    }
}
