//! Public view of a site: current calls and waiting numbers, without identities.

use crate::engine::{Engine, SiteSnapshot};
use crate::http::openapi::{PUBLIC, Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::projections::visits::VisitProjection;
use crate::settings::{Announcement, SiteSettings};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use paihao_domain::{
    CounterId, CounterState, DecisionInput, QueueAvailability, Site, TicketId, TicketState,
};
use paihao_http_api::sse;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// Waiting numbers that are listed of each queue; the count is always exact.
const MAX_LISTED_NUMBERS_PER_QUEUE: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/sites", list, endpoint("sites", "The sites", PUBLIC))
        .get(
            "/api/v1/sites/{site}",
            show,
            endpoint("site", "Who is called where, who waits: numbers only, no identity", PUBLIC)
                .refuses(&[&refusals::UNKNOWN_SITE]),
        )
        .get(
            "/api/v1/sites/{site}/events",
            events,
            endpoint("site_events", "The same, whenever it changes", PUBLIC)
                .sends_event::<BoardView>("site")
                .refuses(&[&refusals::UNKNOWN_SITE]),
        )
}

/// For the admin port: `GET /sites/{site}/digest`, a hash of the state at a position, by which
/// replicas can be compared.
pub fn digest_routes(lines: Engine) -> Router {
    let digest = async move |Path(site): Path<String>, State(lines): State<Engine>| {
        let view = lines.snapshot(&site).ok_or(Problem::new(&refusals::UNKNOWN_SITE))?;
        let digest = view.digest();
        Ok::<_, Problem>(Json(SiteDigest { site, position: view.position.0, digest }))
    };
    Router::new().route("/sites/{site}/digest", get(digest)).with_state(lines)
}

#[derive(Serialize)]
struct SiteDigest {
    site: String,
    position: u64,
    digest: String,
}

#[derive(Serialize, JsonSchema)]
struct SiteSummary {
    site: String,
    name: String,
}

/// A site as it was seen, which outlives what it was seen in.
#[derive(Serialize)]
pub(crate) struct RenderedBoard(Value);

impl RenderedBoard {
    fn render(seen: BoardView<'_>) -> RenderedBoard {
        RenderedBoard(serde_json::to_value(seen).expect("string keys only"))
    }

    /// As the text that a screen is sent.
    pub(crate) fn to_json(&self) -> String {
        self.0.to_string()
    }
}

impl JsonSchema for RenderedBoard {
    fn schema_name() -> Cow<'static, str> {
        BoardView::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        BoardView::schema_id()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        BoardView::json_schema(schemas)
    }
}

/// Public view of a site.
#[derive(Serialize, JsonSchema)]
struct BoardView<'a> {
    site: &'a str,
    name: &'a str,
    /// Time zone of the site.
    zone: &'a str,
    day: Option<i32>,
    position: u64,
    queues: Vec<BoardQueueView<'a>>,
    counters: Vec<BoardCounterView<'a>>,
    calls: Vec<BoardCallView<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct BoardQueueView<'a> {
    id: &'a str,
    name: &'a str,
    /// State of the queue for those who would join it.
    open: bool,
    state: &'static str,
    waiting: Vec<WaitingNumberView>,
    waiting_count: usize,
    /// Quoted wait for somebody who joins now: minutes, from and to. Absent without a forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<(u32, u32)>,
    held_count: usize,
    missed_count: usize,
    last_called: Option<String>,
    /// Text of the board about its calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    announcement: Option<&'a Announcement>,
}

#[derive(Serialize, JsonSchema)]
struct WaitingNumberView {
    number: String,
}

#[derive(Serialize, JsonSchema)]
struct BoardCounterView<'a> {
    id: &'a str,
    name: &'a str,
    queues: Vec<&'a str>,
    open: bool,
    state: &'static str,
    serving: Option<BoardServingView>,
}

#[derive(Serialize, JsonSchema)]
struct BoardServingView {
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
struct BoardCallView<'a> {
    number: String,
    queue: String,
    counter: String,
    counter_name: &'a str,
    called_at: i64,
    call: u32,
}

async fn list(State(door): State<AppState>) -> Result<Json<Vec<SiteSummary>>, Problem> {
    let sites = door.engine.all_settings().map(|book| SiteSummary {
        site: book.facts.id.to_string(),
        name: book.facts.name.to_string(),
    });
    Ok(Json(sites.collect()))
}

async fn show(
    State(door): State<AppState>,
    Path(site): Path<String>,
) -> Result<Json<RenderedBoard>, Problem> {
    let book = door.engine.settings(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let view = door.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    Ok(Json(current_board(&door.engine, &door.visits, &book, view, door.clock.now_ms())))
}

/// Public view of a site in this state, at a time in Unix milliseconds.
pub(crate) fn current_board(
    lines: &Engine,
    visits: &VisitProjection,
    book: &SiteSettings,
    view: SiteSnapshot,
    now_ms: i64,
) -> RenderedBoard {
    let now = lines.decision_input(book, now_ms);
    let today = discard_past_day(&now, view);
    RenderedBoard::render(board_view(book, &today, &now, Some(visits)))
}

/// Public view of a site in this past state, at a time in Unix milliseconds, without quoted waits,
/// which were known only then.
pub(super) fn past_board(book: &SiteSettings, view: SiteSnapshot, at_ms: i64) -> RenderedBoard {
    let now = book.calendar.at(at_ms);
    let today = discard_past_day(&now, view);
    RenderedBoard::render(board_view(book, &today, &now, None))
}

async fn events(
    State(door): State<AppState>,
    Path(site): Path<String>,
) -> Result<Response, Problem> {
    let views = door.engine.watch(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let stop = door.stop.clone();
    let draw = move |view| {
        let book = door.engine.settings(&site)?;
        Some(door.board_cache.board_json(
            &door.engine,
            &door.visits,
            &book,
            view,
            door.clock.now_ms(),
        ))
    };
    Ok(sse::event_stream(sse::render_on_change("site", views, None, draw), &stop).into_response())
}

/// The view, emptied if it is of a day that is over: nobody has come yet today.
pub(super) fn discard_past_day(now: &DecisionInput, view: SiteSnapshot) -> SiteSnapshot {
    match view.site.day() {
        Some(then) if then < now.day() => SiteSnapshot { site: Site::default(), ..view },
        _ => view,
    }
}

fn board_view<'a>(
    book: &'a SiteSettings,
    view: &'a SiteSnapshot,
    now: &DecisionInput,
    history: Option<&VisitProjection>,
) -> BoardView<'a> {
    let site = &view.site;
    let number =
        |ticket: TicketId| site.ticket(ticket).map(|t| t.number.to_string()).unwrap_or_default();
    let queues = book.rules.queues.iter().map(|(id, rules)| {
        let line = site.line(id);
        let standing = site.availability(&book.rules, id, now);
        BoardQueueView {
            id: id.as_str(),
            name: &rules.name,
            open: issues_numbers(standing),
            state: standing_name(standing),
            waiting: line
                .waiting()
                .take(MAX_LISTED_NUMBERS_PER_QUEUE)
                .map(|ticket| WaitingNumberView { number: number(ticket) })
                .collect(),
            waiting_count: line.len(),
            minutes: history.filter(|_| issues_numbers(standing)).and_then(|history| {
                let fresh = site.quote_for_new_ticket(&book.rules, id, now).estimate?;
                let range = history.stabilize(&book.subject, id, fresh, now.at);
                Some((range.low, range.high))
            }),
            held_count: line.held(),
            missed_count: line.missed(),
            last_called: line.last_called().map(ToString::to_string),
            announcement: book.announcements.get(id),
        }
    });
    let counters = book.rules.counters.iter().map(|(id, rules)| BoardCounterView {
        id: id.as_str(),
        name: &rules.name,
        queues: rules.queues.iter().map(|queue| queue.as_str()).collect(),
        open: site.counter(id).is_open(),
        state: counter_state_name(site.counter(id).state),
        serving: serving_view(site, id),
    });
    let calls = site.recent_calls().map(|call| BoardCallView {
        number: call.number.to_string(),
        queue: call.queue.as_str().to_owned(),
        counter: call.counter.as_str().to_owned(),
        counter_name: book.rules.counters.get(&call.counter).map_or("", |rules| &rules.name),
        called_at: call.at.0,
        call: call.call,
    });
    BoardView {
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

fn serving_view(site: &Site, counter: &CounterId) -> Option<BoardServingView> {
    let ticket = site.ticket(site.counter(counter).serving?)?;
    let (called_at, started_at, deadline) = match ticket.state {
        TicketState::Called { at, deadline, .. } => (at.0, None, Some(deadline.0)),
        TicketState::Serving { since, at, .. } => (since.0, Some(at.0), None),
        _ => return None,
    };
    Some(BoardServingView {
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        called_at,
        started_at,
        deadline,
    })
}

/// Name of a queue's state for those who would join it.
fn issues_numbers(standing: QueueAvailability) -> bool {
    matches!(standing, QueueAvailability::Open | QueueAvailability::Halted)
}

pub(super) fn standing_name(standing: QueueAvailability) -> &'static str {
    match standing {
        QueueAvailability::Open => "open",
        QueueAvailability::Full => "full",
        QueueAvailability::Closing => "closing",
        QueueAvailability::Paused => "paused",
        QueueAvailability::Halted => "halted",
        QueueAvailability::OutOfHours => "out_of_hours",
        QueueAvailability::Closed => "closed",
    }
}

pub(super) fn counter_state_name(state: CounterState) -> &'static str {
    match state {
        CounterState::Offline => "offline",
        CounterState::Open => "open",
        CounterState::Break => "break",
    }
}
