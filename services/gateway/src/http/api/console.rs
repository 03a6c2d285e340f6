//! Console of a site for its staff: every ticket that can still be acted on, and the actions that
//! are possible, without openids.

mod ended_tickets;
mod messages;

use crate::engine::SiteSnapshot;
use crate::http::access::{AnyRole, SiteAccess};
use crate::http::board::{
    availability_name, counter_state_name, discard_past_day, queue_state_name,
};
use crate::http::counter_login::{is_left_behind, login_name};
use crate::http::event_stream::stream_until_revoked;
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::settings::SiteSettings;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use ended_tickets::{ConsoleEndedTicketView, ended_ticket_views};
use messages::{ConsoleMessageView, LastMessageLookup, last_messages};
use paihao_domain::{
    Actor, CounterAct, CounterId, DecisionInput, HoldKind, ORDINARY_CLASS, QueueId, Role, Site,
    Ticket, TicketAct, TicketState,
};
use paihao_http_api::sse;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// Largest number of waiting tickets that are listed of a queue; the count is always exact.
const MAX_LISTED_TICKETS_PER_QUEUE: usize = 200;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/api/v1/sites/{site}/desk",
            show,
            endpoint("desk", "Shows the console of the site: every ticket, and what may be done"),
        )
        .get(
            "/api/v1/sites/{site}/desk/events",
            events,
            endpoint("desk_events", "Streams the console whenever it changes")
                .sends_event::<ConsoleView>("desk"),
        )
}

/// Console of a site for one principal, rendered independently of the request.
#[derive(Serialize)]
struct RenderedConsole(Value);

impl JsonSchema for RenderedConsole {
    fn schema_name() -> Cow<'static, str> {
        ConsoleView::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        ConsoleView::schema_id()
    }

    fn json_schema(schemas: &mut SchemaGenerator) -> Schema {
        ConsoleView::json_schema(schemas)
    }
}

/// Site, for its staff.
#[derive(Serialize, JsonSchema)]
struct ConsoleView<'a> {
    site: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'a str>,
    /// Time zone of the site.
    zone: &'a str,
    day: Option<i32>,
    position: u64,
    /// Principal of the request at this site.
    you: ConsolePrincipalView<'a>,
    queues: Vec<ConsoleQueueView<'a>>,
    counters: Vec<ConsoleCounterView<'a>>,
    calls: Vec<ConsoleCallView<'a>>,
    tickets: Vec<ConsoleTicketView<'a>>,
    /// Ended tickets whose end can be undone, the latest end first.
    ended: Vec<ConsoleEndedTicketView<'a>>,
}

/// Principal of the request.
#[derive(Serialize, JsonSchema)]
struct ConsolePrincipalView<'a> {
    name: &'a str,
    role: &'static str,
    /// True if the principal may open and close queues, and undo actions of others.
    manages: bool,
    /// Counters that the principal may open; absent for any.
    #[serde(skip_serializing_if = "Option::is_none")]
    counters: Option<Vec<&'a str>>,
}

/// Queue, for the site's staff.
#[derive(Serialize, JsonSchema)]
struct ConsoleQueueView<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'a str>,
    prefix: &'a str,
    /// State of the queue for those who would join it.
    state: &'static str,
    /// State that staff or the owner set, regardless of the opening hours.
    set: &'static str,
    waiting_count: usize,
    held_count: usize,
    missed_count: usize,
    /// Numbers given out today.
    taken: u32,
    /// Average number of calls before a ticket was called, today.
    out_of_order: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<[u32; 2]>,
}

/// Counter, for the site's staff.
#[derive(Serialize, JsonSchema)]
struct ConsoleCounterView<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<&'a str>,
    queues: Vec<&'a str>,
    state: &'static str,
    /// Login at the counter.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<String>,
    /// Name of the member or key with that login.
    #[serde(skip_serializing_if = "Option::is_none")]
    login_name: Option<String>,
    /// Time at which that login came.
    #[serde(skip_serializing_if = "Option::is_none")]
    login_since: Option<i64>,
    /// True if that login may no longer be there: whoever may use the counter opens it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    login_left: bool,
    /// Number of the ticket that is called or served.
    #[serde(skip_serializing_if = "Option::is_none")]
    serving: Option<String>,
    /// Calls today.
    calls: u32,
    /// Time at which the system calls the next ticket there, if nobody acts before.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_call_at: Option<i64>,
    /// True if the system would call there, but waits for a person: something was taken back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    auto_paused: bool,
    /// Acts that are allowed there now: `next`, `open`, `take_over`, `break`, `close`.
    may: Vec<&'static str>,
}

/// Recent call.
#[derive(Serialize, JsonSchema)]
struct ConsoleCallView<'a> {
    number: String,
    counter: String,
    counter_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name_en: Option<&'a str>,
    called_at: i64,
    call: u32,
}

/// Ticket that can still be acted on.
#[derive(Serialize, JsonSchema)]
struct ConsoleTicketView<'a> {
    /// Serial number of the ticket on its business day.
    serial: u32,
    number: String,
    queue: &'a str,
    state: &'static str,
    /// Priority class, unless it is the ordinary one.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<u8>,
    taken_at: i64,
    /// Time at which it entered this state.
    since: i64,
    /// Quoted wait at joining; absent after the ticket was missed, let others pass or was
    /// transferred, which voids the quote.
    #[serde(skip_serializing_if = "Option::is_none")]
    told: Option<QuotedWaitView>,
    calls: u32,
    misses: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<&'a str>,
    /// Deadline: of a called ticket for its holder to come, of a missed one for its return, of a
    /// held one for the end of the hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<ConsoleHoldView<'a>>,
    arrived: bool,
    /// True if the holder has said that they are on the way.
    coming: bool,
    /// Party size, if it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<u32>,
    /// True if WeChat can reach the holder.
    wechat: bool,
    /// Delivery status of the last message to the holder; of a called ticket, of the one about the
    /// newest call.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<ConsoleMessageView>,
    /// Earliest time of another call; absent if there may be none.
    #[serde(skip_serializing_if = "Option::is_none")]
    recall_from: Option<i64>,
    /// Time until which the call can be put back.
    #[serde(skip_serializing_if = "Option::is_none")]
    put_back_until: Option<i64>,
    /// Actions that the principal may take with it now, those of a counter at one of theirs:
    /// `call`, `recall`, `start`, `put_back`, `finish`, `missed`, `hold`, `suspend`, `resume_here`,
    /// `resume`, `return`, `transfer`, `priority`, `arrived`, `party`, `lift_limit`,
    /// `leave`, `undo`.
    may: Vec<&'static str>,
}

/// Quoted wait.
#[derive(Serialize, JsonSchema)]
struct QuotedWaitView {
    minutes: [u32; 2],
    /// Time by which the words promised the call; absent if they named no upper bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
}

/// Reason for which a ticket is out of the line for a while.
#[derive(Serialize, JsonSchema)]
struct ConsoleHoldView<'a> {
    why: &'static str,
    reason: &'a str,
    /// Only counter that resumes it, if it is bound to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<&'a str>,
}

async fn show(
    State(state): State<AppState>,
    SiteAccess { principal, site, settings, .. }: SiteAccess<AnyRole>,
) -> Result<Json<RenderedConsole>, Problem> {
    let snapshot = state.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let console = render_console(&state, &settings, snapshot, &principal.actor, |view| {
        serde_json::to_value(view)
    });
    Ok(Json(RenderedConsole(console)))
}

async fn events(
    State(state): State<AppState>,
    SiteAccess { principal, site, .. }: SiteAccess<AnyRole>,
) -> Result<Response, Problem> {
    let snapshots = state.engine.watch(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let delivery_changes = state.delivery_status.watch(&site);
    let actor = principal.actor.clone();
    let render_state = state.clone();
    let render = move |snapshot| {
        let settings = render_state.engine.settings(&site)?;
        let console = render_console(&render_state, &settings, snapshot, &actor, |view| {
            serde_json::to_string(view)
        });
        Some(console.into())
    };
    let events = sse::render_on_change("desk", snapshots, Some(delivery_changes), render);
    Ok(stream_until_revoked(events, principal, &state))
}

/// Serializes the console of a site for one principal, in the state of the snapshot.
fn render_console<T>(
    state: &AppState,
    settings: &SiteSettings,
    snapshot: SiteSnapshot,
    principal: &Actor,
    serialize: impl FnOnce(&ConsoleView<'_>) -> serde_json::Result<T>,
) -> T {
    let now = state.engine.decision_input(settings, state.clock.now_ms());
    let snapshot = discard_past_day(&now, snapshot);
    let messages = last_messages(state, &settings.facts.id, &snapshot);
    let mut view = console_view(settings, &snapshot, &now, principal, &messages);
    view.counters
        .iter_mut()
        .for_each(|counter| add_login_holder(state, &settings.facts.id, counter));
    serialize(&view).expect("string keys only")
}

fn console_view<'a>(
    settings: &'a SiteSettings,
    snapshot: &'a SiteSnapshot,
    now: &DecisionInput,
    principal: &'a Actor,
    messages: &LastMessageLookup<'_>,
) -> ConsoleView<'a> {
    let site = &snapshot.site;
    let calls = site.recent_calls().map(|call| ConsoleCallView {
        number: call.number.to_string(),
        counter: call.counter.as_str().to_owned(),
        counter_name: settings.counter_name(&call.counter),
        counter_name_en: settings.english_names.of_counter(&call.counter),
        called_at: call.at.0,
        call: call.call,
    });
    ConsoleView {
        site: &settings.facts.id,
        name: &settings.facts.name,
        name_en: settings.english_names.of_site(),
        zone: &settings.facts.zone,
        day: site.day().map(|day| day.0),
        position: snapshot.position.0,
        you: principal_view(principal),
        queues: settings.queues.iter().map(|id| queue_view(settings, site, id, now)).collect(),
        counters: settings
            .counters
            .iter()
            .map(|id| counter_view(settings, site, id, now, principal))
            .collect(),
        calls: calls.collect(),
        tickets: ticket_views(settings, site, now, principal, messages),
        ended: ended_ticket_views(settings, site, now, principal),
    }
}

fn principal_view(principal: &Actor) -> ConsolePrincipalView<'_> {
    let name = match principal {
        Actor::Staff { name, .. } | Actor::Manager(name) | Actor::Api { name, .. } => name,
        Actor::Customer(_) | Actor::Holder(_) | Actor::System => "",
    };
    let role = match principal.role() {
        Role::Staff => "staff",
        Role::Manager => "manager",
        Role::Api => "api",
        Role::Customer | Role::System => "none",
    };
    let counters =
        principal.allowed_counters().map(|counters| counters.iter().map(CounterId::as_str));
    ConsolePrincipalView {
        name,
        role,
        manages: principal.is_manager(),
        counters: counters.map(Iterator::collect),
    }
}

fn queue_view<'a>(
    settings: &'a SiteSettings,
    site: &Site,
    id: &'a QueueId,
    now: &DecisionInput,
) -> ConsoleQueueView<'a> {
    let line = site.line(id);
    let rules = &settings.rules.queues[id];
    let estimate = site.quote_for_new_ticket(&settings.rules, id, now).estimate;
    ConsoleQueueView {
        id: id.as_str(),
        name: &rules.name,
        name_en: settings.english_names.of_queue(id),
        prefix: &rules.prefix,
        state: availability_name(site.availability(&settings.rules, id, now)),
        set: queue_state_name(site.queue_state(&settings.rules, id)),
        waiting_count: line.len(),
        held_count: line.held(),
        missed_count: line.missed(),
        taken: line.taken(),
        out_of_order: line.out_of_order(),
        minutes: estimate.map(|estimate| [estimate.low, estimate.high]),
    }
}

/// Adds the person behind the login at a counter.
fn add_login_holder(state: &AppState, site: &str, counter: &mut ConsoleCounterView<'_>) {
    let Some(login) = &counter.login else { return };
    counter.login_name = Some(login_name(state, login));
    counter.login_left = is_left_behind(state, site, &CounterId::new(counter.id), login);
}

fn counter_view<'a>(
    settings: &'a SiteSettings,
    site: &Site,
    id: &'a CounterId,
    now: &DecisionInput,
    principal: &Actor,
) -> ConsoleCounterView<'a> {
    let counter = site.counter(id);
    let rules = &settings.rules.counters[id];
    let serving = counter.serving.and_then(|ticket| site.ticket(ticket));
    let may = site.permitted_counter_acts(&settings.rules, principal, id, now);
    ConsoleCounterView {
        id: id.as_str(),
        name: &rules.name,
        name_en: settings.english_names.of_counter(id),
        queues: rules.queues.iter().map(QueueId::as_str).collect(),
        state: counter_state_name(counter.state),
        login: counter.login.map(|login| login.to_string()),
        login_name: None,
        login_since: counter.login_since.map(|since| since.0),
        login_left: false,
        serving: serving.map(|ticket| ticket.number.to_string()),
        calls: counter.calls,
        next_call_at: site.auto_call_due_at(&settings.rules, id, now).map(|at| at.0),
        auto_paused: site.is_auto_call_paused(&settings.rules, id),
        may: may.into_iter().map(CounterAct::name).collect(),
    }
}

/// Views of the live tickets: those that wait, in their order, queue by queue; then the others,
/// oldest first.
fn ticket_views<'a>(
    settings: &'a SiteSettings,
    site: &'a Site,
    now: &DecisionInput,
    principal: &Actor,
    messages: &LastMessageLookup<'_>,
) -> Vec<ConsoleTicketView<'a>> {
    let view = |ticket: &'a Ticket| {
        let may = site.permitted_acts(&settings.rules, principal, ticket, now);
        ticket_view(settings, ticket, may, messages)
    };
    let mut tickets = Vec::new();
    for id in &settings.queues {
        let line = site.line(id);
        let waiting = line
            .waiting()
            .take(MAX_LISTED_TICKETS_PER_QUEUE)
            .filter_map(|ticket| site.ticket(ticket));
        tickets.extend(waiting.map(view));
    }
    let others =
        site.tickets().filter(|other| other.is_live() && other.state != TicketState::Waiting);
    tickets.extend(others.map(view));
    tickets
}

fn ticket_view<'a>(
    settings: &'a SiteSettings,
    ticket: &'a Ticket,
    may: Vec<TicketAct>,
    messages: &LastMessageLookup<'_>,
) -> ConsoleTicketView<'a> {
    let (since, until, hold) = match &*ticket.state {
        TicketState::Waiting => (ticket.taken_at, None, None),
        TicketState::Called { at, deadline, .. } => (*at, Some(*deadline), None),
        TicketState::Serving { at, .. } => (*at, None, None),
        TicketState::Held { at, hold } => (*at, hold.until, Some(hold)),
        TicketState::Missed { at, until } => (*at, *until, None),
        TicketState::Done { at } | TicketState::Closed { at, .. } => (*at, None, None),
    };
    let counts = &ticket.counts;
    let is_quote_valid = counts.misses == 0 && counts.let_pass == 0 && counts.transfers == 0;
    let quoted = ticket.quoted.estimate.filter(|_| is_quote_valid).map(|estimate| QuotedWaitView {
        minutes: [estimate.low, estimate.high],
        by: estimate.promised_minutes().map(|minutes| ticket.taken_at.plus_minutes(minutes).0),
    });
    ConsoleTicketView {
        serial: ticket.id.0,
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str(),
        state: ticket.status().name(),
        class: Some(ticket.rank.class).filter(|class| *class != ORDINARY_CLASS),
        taken_at: ticket.taken_at.0,
        since: since.0,
        told: quoted,
        calls: counts.calls,
        misses: counts.misses,
        counter: ticket.at_counter().map(CounterId::as_str),
        until: until.map(|until| until.0),
        hold: hold.map(|hold| ConsoleHoldView {
            why: match hold.kind {
                HoldKind::LetPass => "let_pass",
                HoldKind::Staff => "staff",
                HoldKind::Suspended => "suspended",
            },
            reason: &hold.reason,
            counter: hold.counter.as_ref().map(CounterId::as_str),
        }),
        arrived: ticket.marks.arrived,
        coming: ticket.marks.coming,
        party: Some(ticket.marks.party).filter(|party| *party > 0),
        wechat: ticket.person.is_some(),
        message: ticket.person.as_ref().and_then(|_| messages(ticket)),
        recall_from: ticket.recall_allowed_from(&settings.rules).map(|at| at.0),
        put_back_until: ticket.put_back_allowed_until().map(|at| at.0),
        may: may.into_iter().map(TicketAct::name).collect(),
    }
}
