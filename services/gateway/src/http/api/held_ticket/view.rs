//! View of a ticket for its holder. Of others it says no more than the board does.

use crate::http::state::AppState;
use crate::http::ticket_link::HeldTicket;
use crate::projections::delivery_status::DeliveryStatus;
use crate::settings::SiteSettings;
use paihao_domain::{
    CloseReason, CounterId, HoldKind, PositionChangeCause, QueueRules, QueueState, Ticket,
    TicketPositionChange, TicketState, Timestamp,
};
use schemars::JsonSchema;
use serde::Serialize;

/// So many of the latest moves and messages are shown.
const MAX_HISTORY_ITEMS: usize = 12;

/// A ticket as its holder sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct HeldTicketView {
    site: String,
    site_name: String,
    number: String,
    queue: String,
    queue_name: String,
    /// `waiting`, `called`, `serving`, `held`, `missed`, `done` or `closed`.
    state: &'static str,
    /// Since when it is in this state, in Unix milliseconds.
    since: i64,
    taken_at: i64,
    /// The day it was of is over.
    over: bool,
    /// People ahead; of one that lets others pass, at its own place.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u32>,
    /// Minutes that the wait takes, from and to; left out when nobody can say.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<[u32; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_called: Option<String>,
    /// State of the queue: `open`, `paused`, `halted` or `closed`.
    queue_state: &'static str,
    /// Counter that called or serves the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name: Option<String>,
    /// Until when they are expected, or held, or may return.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// Of one that lets others pass: how many of them are still to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<u32>,
    /// Of a missed one: so many places back is the way back, if the rule is one of places.
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<u32>,
    /// Of one that has ended without being served: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
    /// Number of tickets ahead at which the holder is notified.
    tell_at: u32,
    /// True if the holder chose that.
    tell_at_chosen: bool,
    /// Longest time for which the holder may let others pass, in minutes.
    let_pass_minutes: u32,
    /// Actions that the holder may take now: `let-pass`, `return`, `tell-me`, `leave`.
    may: Vec<&'static str>,
    /// Changes of the position with their reasons, oldest first.
    moves: Vec<PositionChangeView>,
    /// The messages, oldest first.
    notices: Vec<HolderNoticeView>,
    /// Time of this state, in Unix milliseconds.
    now: i64,
}

impl HeldTicketView {
    /// The same, seen at an instant.
    pub(super) fn with_now(self, now: i64) -> HeldTicketView {
        HeldTicketView { now, ..self }
    }
}

/// Change of the position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct PositionChangeView {
    at: i64,
    cause: &'static str,
    own: bool,
    more: i32,
}

/// A message and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct HolderNoticeView {
    notice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// The ticket, without the moment at which it was looked at.
pub(super) fn held_ticket_view(state: &AppState, held: &HeldTicket) -> HeldTicketView {
    let (ticket, site, book) = (held.ticket(), &held.site, &*held.settings);
    let usual = QueueRules::new("", "");
    let rules = book.rules.queues.get(&ticket.queue);
    let name = rules.map_or(ticket.queue.as_str(), |rules| &rules.name);
    let rules = rules.unwrap_or(&usual);
    let line = site.line(&ticket.queue);
    let waits =
        matches!(ticket.state, TicketState::Waiting | TicketState::Held { .. }) && !held.ended;
    let told = waits.then(|| site.current_quote(&book.rules, ticket, &held.now));
    let queue_state = site.queue_state(&book.rules, &ticket.queue);
    // Where nobody is called, no minutes can be promised.
    let called = matches!(queue_state, QueueState::Open | QueueState::Paused);
    let minutes = told.and_then(|told| told.estimate).filter(|_| called);
    let at = StageDetails::from_ticket(ticket, book);
    let others = match &ticket.state {
        TicketState::Held { hold, .. } => {
            hold.after_calls.map(|calls| calls.saturating_sub(line.calls()))
        }
        _ => None,
    };
    let places = match ticket.state {
        TicketState::Missed { until: Some(_), .. } => rules.places_back(ticket.counts.misses),
        _ => None,
    };
    let mut moves: Vec<_> =
        site.position_changes_of(ticket).into_iter().filter_map(position_change_view).collect();
    moves.drain(..moves.len().saturating_sub(MAX_HISTORY_ITEMS));
    let day = site.day().map_or(0, |day| day.0);
    let mut notices = state.delivery_status.for_ticket(&book.facts.id, day, ticket.id);
    notices.drain(..notices.len().saturating_sub(MAX_HISTORY_ITEMS));
    HeldTicketView {
        site: book.facts.id.to_string(),
        site_name: book.facts.name.to_string(),
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        queue_name: name.to_owned(),
        state: ticket.status().name(),
        since: at.since.0,
        taken_at: ticket.taken_at.0,
        over: held.ended,
        ahead: told.map(|told| told.ahead),
        minutes: minutes.map(|range| [range.low, range.high]),
        last_called: line.last_called().map(ToString::to_string),
        queue_state: queue_state_name(queue_state),
        counter_name: at.counter.map(str::to_owned),
        until: at.until.map(|until| until.0),
        others,
        places,
        ended: at.ended,
        tell_at: ticket.marks.notify_ahead.unwrap_or(rules.near),
        tell_at_chosen: ticket.marks.notify_ahead.is_some(),
        let_pass_minutes: rules.let_pass_minutes,
        may: if held.ended { Vec::new() } else { permitted_actions(ticket, rules, held.now.at) },
        moves,
        notices: notices.into_iter().map(notice_view).collect(),
        now: 0,
    }
}

/// Details of a delivery stage.
struct StageDetails<'a> {
    since: Timestamp,
    counter: Option<&'a str>,
    until: Option<Timestamp>,
    ended: Option<&'static str>,
}

impl<'a> StageDetails<'a> {
    fn from_ticket(ticket: &'a Ticket, book: &'a SiteSettings) -> StageDetails<'a> {
        let name = |counter: &'a CounterId| {
            let rules = book.rules.counters.get(counter);
            Some(rules.map_or(counter.as_str(), |rules| &rules.name))
        };
        let since = |since| StageDetails { since, counter: None, until: None, ended: None };
        match &ticket.state {
            TicketState::Waiting => since(ticket.taken_at),
            TicketState::Called { counter, at, deadline, .. } => {
                StageDetails { counter: name(counter), until: Some(*deadline), ..since(*at) }
            }
            TicketState::Serving { counter, at, .. } => {
                StageDetails { counter: name(counter), ..since(*at) }
            }
            TicketState::Held { at, hold } => StageDetails { until: hold.until, ..since(*at) },
            TicketState::Missed { at, until } => StageDetails { until: *until, ..since(*at) },
            TicketState::Done { at } => since(*at),
            TicketState::Closed { at, reason } => {
                StageDetails { ended: Some(close_reason_name(*reason)), ..since(*at) }
            }
        }
    }
}

/// Actions that the rules permit the holder in this state.
fn permitted_actions(ticket: &Ticket, rules: &QueueRules, now: Timestamp) -> Vec<&'static str> {
    let let_pass = ticket.counts.let_pass < rules.let_pass && rules.let_pass_minutes > 0;
    match &ticket.state {
        TicketState::Waiting => {
            // Nobody without WeChat can be told.
            let told = ticket.person.is_some().then_some("tell-me");
            let passes = let_pass.then_some("let-pass");
            passes.into_iter().chain(told).chain(["leave"]).collect()
        }
        TicketState::Called { .. } => vec!["leave"],
        TicketState::Held { hold, .. } if hold.kind == HoldKind::LetPass => vec!["return", "leave"],
        TicketState::Held { .. } => vec!["leave"],
        TicketState::Missed { until: Some(until), .. } if *until > now => vec!["return", "leave"],
        _ => Vec::new(),
    }
}

/// Of others' moves those are shown that make the wait longer, or seem unfair, or are a kindness.
fn position_change_view(moved: TicketPositionChange) -> Option<PositionChangeView> {
    let shown = moved.own || moved.ahead_delta >= 0 || moved.cause == PositionChangeCause::Hold;
    let cause = match moved.cause {
        PositionChangeCause::Priority => "priority",
        PositionChangeCause::Return => "return",
        PositionChangeCause::Transfer => "transfer",
        PositionChangeCause::Hold => "hold",
        PositionChangeCause::Resume => "resume",
        PositionChangeCause::OutOfOrder => "out_of_order",
        PositionChangeCause::TakenBack => "taken_back",
    };
    let TicketPositionChange { own, ahead_delta: more, at, .. } = moved;
    shown.then_some(PositionChangeView { at: at.0, cause, own, more })
}

fn notice_view(fate: DeliveryStatus) -> HolderNoticeView {
    HolderNoticeView { notice: fate.notice, at: fate.at, fate: fate.stage.name(), why: fate.reason }
}

fn queue_state_name(state: QueueState) -> &'static str {
    match state {
        QueueState::Open => "open",
        QueueState::Paused => "paused",
        QueueState::Halted => "halted",
        QueueState::Closed => "closed",
    }
}

fn close_reason_name(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::ByCustomer => "by_customer",
        CloseReason::ByStaff => "by_staff",
        CloseReason::Expired => "expired",
        CloseReason::DayClosed => "day_closed",
        CloseReason::QueueCleared => "queue_cleared",
        CloseReason::Duplicate => "duplicate",
    }
}
