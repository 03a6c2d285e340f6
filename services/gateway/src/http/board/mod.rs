//! Public view of a site: current calls and waiting numbers, without identities.

pub(crate) mod cache;

use crate::engine::{Engine, SiteSnapshot};
use crate::http::brand_view::BrandView;
use crate::http::hours::{HoursView, hours_view};
use crate::settings::{Announcement, SiteSettings};
use paihao_domain::{
    CounterId, CounterState, DecisionInput, QueueAvailability, QueueId, QueueState, Site, TicketId,
    TicketState,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;

/// Waiting numbers that are listed of each queue; the count is always exact.
const MAX_LISTED_NUMBERS_PER_QUEUE: usize = 200;

/// Rendered public view of a site, independent of the state that it was rendered from.
#[derive(Serialize)]
pub(crate) struct RenderedBoard(Value);

impl RenderedBoard {
    fn render(view: BoardView<'_>) -> RenderedBoard {
        RenderedBoard(serde_json::to_value(view).expect("string keys only"))
    }

    /// JSON text, as screens are sent it.
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
pub(crate) struct BoardView<'a> {
    site: &'a str,
    name: &'a str,
    /// Name in English, if it has one; so for queues and counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'a str>,
    /// Time zone of the site.
    zone: &'a str,
    day: Option<i32>,
    position: u64,
    /// True if kiosks give numbers to people without WeChat.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    kiosk_slips: bool,
    /// True if paired kiosks alone make codes and give numbers.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    paired_kiosks_only: bool,
    /// Look of its pages, if it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<BrandView>,
    queues: Vec<BoardQueueView<'a>>,
    counters: Vec<BoardCounterView<'a>>,
    calls: Vec<BoardCallView<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct BoardQueueView<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'a str>,
    /// State of the queue for those who would join it.
    open: bool,
    state: &'static str,
    waiting: Vec<WaitingNumberView>,
    waiting_count: usize,
    /// Quoted wait for somebody who joins now: minutes, from and to. Absent without a forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<(u32, u32)>,
    /// Opening hours, if there are any and no numbers are given out now.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<HoursView>,
    /// True if the queue has a permanent code, which `door.svg` draws.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    door_code: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'a str>,
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
    /// Start of the service; absent while the ticket is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    /// Time until which the called customer is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
struct BoardCallView<'a> {
    number: String,
    queue: String,
    counter: String,
    counter_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name_en: Option<&'a str>,
    called_at: i64,
    call: u32,
}

/// Public view of a site in this state, at a time in Unix milliseconds. `has_door_code` tells of a
/// queue whether it has a permanent code.
pub(crate) fn current_board(
    engine: &Engine,
    settings: &SiteSettings,
    snapshot: SiteSnapshot,
    now_ms: i64,
    has_door_code: impl Fn(&QueueId) -> bool,
) -> RenderedBoard {
    let now = engine.decision_input(settings, now_ms);
    let today = discard_past_day(&now, snapshot);
    RenderedBoard::render(board_view(settings, &today, &now, true, has_door_code))
}

/// Public view of a site in this past state, at a time in Unix milliseconds, without quoted waits,
/// which were known only then.
pub(crate) fn past_board(
    settings: &SiteSettings,
    snapshot: SiteSnapshot,
    at_ms: i64,
) -> RenderedBoard {
    let now = settings.calendar.at(at_ms);
    let today = discard_past_day(&now, snapshot);
    RenderedBoard::render(board_view(settings, &today, &now, false, |_| false))
}

/// The snapshot, without tickets if its day is over.
pub(crate) fn discard_past_day(now: &DecisionInput, snapshot: SiteSnapshot) -> SiteSnapshot {
    match snapshot.site.day() {
        Some(day) if day < now.day() => SiteSnapshot { site: Arc::default(), ..snapshot },
        _ => snapshot,
    }
}

fn board_view<'a>(
    settings: &'a SiteSettings,
    snapshot: &'a SiteSnapshot,
    now: &DecisionInput,
    with_waits: bool,
    has_door_code: impl Fn(&QueueId) -> bool,
) -> BoardView<'a> {
    let site = &snapshot.site;
    let english = &settings.english_names;
    let number =
        |ticket: TicketId| site.ticket(ticket).map(|t| t.number.to_string()).unwrap_or_default();
    let queues = settings.queue_rules().map(|(id, rules)| {
        let line = site.line(id);
        let availability = site.availability(&settings.rules, id, now);
        BoardQueueView {
            id: id.as_str(),
            name: &rules.name,
            name_en: english.of_queue(id),
            open: issues_numbers(availability),
            state: availability_name(availability),
            waiting: line
                .waiting()
                .take(MAX_LISTED_NUMBERS_PER_QUEUE)
                .map(|ticket| WaitingNumberView { number: number(ticket) })
                .collect(),
            waiting_count: line.len(),
            // Not steadied: whoever takes a number now is told just this.
            minutes: (with_waits && issues_numbers(availability))
                .then(|| site.quote_for_new_ticket(&settings.rules, id, now).estimate)
                .flatten()
                .map(|range| (range.low, range.high)),
            hours: if issues_numbers(availability) { None } else { hours_view(settings, id, now) },
            door_code: has_door_code(id),
            held_count: line.held(),
            missed_count: line.missed(),
            last_called: line.last_called().map(ToString::to_string),
            announcement: settings.announcements.get(id),
        }
    });
    let counters = settings.counter_rules().map(|(id, rules)| BoardCounterView {
        id: id.as_str(),
        name: &rules.name,
        name_en: english.of_counter(id),
        queues: rules.queues.iter().map(|queue| queue.as_str()).collect(),
        open: site.counter(id).is_open(),
        state: counter_state_name(site.counter(id).state),
        serving: serving_view(site, id),
    });
    let calls = site.recent_calls().map(|call| BoardCallView {
        number: call.number.to_string(),
        queue: call.queue.as_str().to_owned(),
        counter: call.counter.as_str().to_owned(),
        counter_name: settings.counter_name(&call.counter),
        counter_name_en: english.of_counter(&call.counter),
        called_at: call.at.0,
        call: call.call,
    });
    BoardView {
        site: &settings.facts.id,
        name: &settings.facts.name,
        name_en: english.of_site(),
        zone: &settings.facts.zone,
        day: site.day().map(|day| day.0),
        position: snapshot.position.0,
        kiosk_slips: settings.kiosk_slips > 0,
        paired_kiosks_only: settings.paired_kiosks_only,
        brand: Some(BrandView::of(settings)).filter(|brand| *brand != BrandView::default()),
        queues: queues.collect(),
        counters: counters.collect(),
        calls: calls.collect(),
    }
}

fn serving_view(site: &Site, counter: &CounterId) -> Option<BoardServingView> {
    let ticket = site.ticket(site.counter(counter).serving?)?;
    let (called_at, started_at, deadline) = match *ticket.state {
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

/// True if somebody who joins now gets a number.
fn issues_numbers(availability: QueueAvailability) -> bool {
    matches!(availability, QueueAvailability::Open | QueueAvailability::Halted)
}

/// Name of the state of a queue for those who would join it.
pub(crate) fn availability_name(availability: QueueAvailability) -> &'static str {
    match availability {
        QueueAvailability::Open => "open",
        QueueAvailability::Full => "full",
        QueueAvailability::Closing => "closing",
        QueueAvailability::Paused => "paused",
        QueueAvailability::Halted => "halted",
        QueueAvailability::OutOfHours => "out_of_hours",
        QueueAvailability::Closed => "closed",
    }
}

/// Name of the state that staff or the owner set for a queue.
pub(crate) fn queue_state_name(state: QueueState) -> &'static str {
    match state {
        QueueState::Open => "open",
        QueueState::Paused => "paused",
        QueueState::Halted => "halted",
        QueueState::Closed => "closed",
    }
}

/// Name of the state of a counter.
pub(crate) fn counter_state_name(state: CounterState) -> &'static str {
    match state {
        CounterState::Offline => "offline",
        CounterState::Open => "open",
        CounterState::Break => "break",
    }
}
