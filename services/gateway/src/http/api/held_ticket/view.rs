//! View of a ticket for its holder. About other tickets it contains no more than the board.

use super::coming::may_come;
use crate::http::board::queue_state_name;
use crate::http::hours::{HoursView, hours_view};
use crate::http::state::AppState;
use crate::http::ticket_link::HeldTicket;
use crate::projections::delivery_status::DeliveryStatus;
use crate::settings::SiteSettings;
use paihao_domain::{
    CloseReason, CounterId, HoldKind, PositionChangeCause, QueueRules, StandingState, Ticket,
    TicketAct, TicketPositionChange, TicketStanding, TicketState, Timestamp,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Largest number of position changes and of messages that are shown, the latest ones.
const MAX_HISTORY_ITEMS: usize = 12;

/// Ticket, for its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct HeldTicketView {
    site: String,
    site_name: String,
    /// Names in English, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    site_name_en: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_name_en: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name_en: Option<String>,
    /// Time zone of the site.
    zone: String,
    number: String,
    queue: String,
    queue_name: String,
    /// `waiting`, `called`, `serving`, `held`, `missed`, `done` or `closed`.
    state: &'static str,
    /// Time at which it entered this state, in Unix milliseconds.
    since: i64,
    taken_at: i64,
    /// True if its business day is over.
    over: bool,
    /// People ahead; of a ticket that lets others pass, at its own place.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u32>,
    /// Quoted wait in minutes, from and to; absent without an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<[u32; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_called: Option<String>,
    /// State of the queue: `open`, `paused`, `halted` or `closed`.
    queue_state: &'static str,
    /// Opening hours of the queue, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<HoursView>,
    /// Counter that called or serves the ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name: Option<String>,
    /// Deadline: for the holder to come, for the end of the hold, or for the return.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
    /// Number of tickets still to be called first, of a ticket that lets others pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    others: Option<u32>,
    /// Number of places back at which a missed ticket returns, if the policy is `after_k`.
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<u32>,
    /// Initiator of the hold: `let_pass`, `staff` or `suspended`.
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'static str>,
    /// Reason for which it ended without being served.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
    /// Words of staff about the hold or the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Number of tickets ahead at which the holder is notified.
    tell_at: u32,
    /// True if the holder chose this number.
    tell_at_chosen: bool,
    /// Number of the queue, for those who choose none.
    usual_tell_at: u32,
    /// Longest time for which the holder may let others pass, in minutes.
    let_pass_minutes: u32,
    /// True if the holder has said that they are on the way.
    coming: bool,
    /// End of the business day, in Unix milliseconds: nothing is said of a later time.
    day_ends_at: i64,
    /// Actions that the holder may take now: `coming`, `let-pass`, `return`, `tell-me`, `leave`.
    may: Vec<&'static str>,
    /// Changes of the position with their reasons, oldest first.
    moves: Vec<PositionChangeView>,
    /// Messages with their delivery status, oldest first.
    notices: Vec<HolderNoticeView>,
    /// Time of this state, in Unix milliseconds.
    now: i64,
}

impl HeldTicketView {
    /// Returns the view with the time of its state.
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

/// Message, with its delivery status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
struct HolderNoticeView {
    notice: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// View of a ticket, without the time of its state.
pub(super) fn held_ticket_view(state: &AppState, held: &HeldTicket) -> HeldTicketView {
    let ticket = held.ticket();
    let site = &held.site;
    let settings = &*held.settings;
    let default_rules = QueueRules::new("", "");
    let known_rules = settings.rules.queues.get(&ticket.queue);
    let name = known_rules.map_or(ticket.queue.as_str(), |rules| &rules.name);
    let rules = known_rules.unwrap_or(&default_rules);
    let line = site.line(&ticket.queue);
    let english = &settings.english_names;
    let owned = |name: Option<&str>| name.map(str::to_owned);
    let standing = site.standing(&settings.rules, ticket, &held.now);
    let wait = standing.wait.filter(|_| !held.ended);
    let details = StateDetails::new(&standing.state, settings);
    let mut moves: Vec<_> =
        site.position_changes_of(ticket).into_iter().filter_map(position_change_view).collect();
    moves.drain(..moves.len().saturating_sub(MAX_HISTORY_ITEMS));
    let day = site.notice_day().map_or(0, |day| day.0);
    let mut notices = state.delivery_status.for_ticket(&settings.facts.id, day, ticket.id);
    notices.drain(..notices.len().saturating_sub(MAX_HISTORY_ITEMS));
    HeldTicketView {
        site: settings.facts.id.to_string(),
        site_name: settings.facts.name.to_string(),
        site_name_en: owned(english.of_site()),
        queue_name_en: owned(english.of_queue(&ticket.queue)),
        counter_name_en: owned(standing.counter().and_then(|id| english.of_counter(id))),
        zone: settings.facts.zone.to_string(),
        number: ticket.number.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        queue_name: name.to_owned(),
        state: standing.status().name(),
        since: state_since(ticket).0,
        taken_at: ticket.taken_at.0,
        over: held.ended,
        ahead: wait.map(|wait| wait.ahead),
        minutes: wait.and_then(|wait| wait.estimate).map(|range| [range.low, range.high]),
        last_called: line.last_called().map(ToString::to_string),
        queue_state: queue_state_name(standing.queue_state),
        hours: hours_view(settings, &ticket.queue, &held.now),
        counter_name: details.counter.map(str::to_owned),
        until: details.until.map(|until| until.0),
        others: details.others,
        places: details.places,
        hold: details.hold,
        ended: details.ended,
        reason: details.reason.filter(|reason| !reason.is_empty()).map(str::to_owned),
        tell_at: ticket.marks.notify_ahead.unwrap_or(rules.near),
        tell_at_chosen: ticket.marks.notify_ahead.is_some(),
        usual_tell_at: rules.near,
        let_pass_minutes: rules.let_pass_minutes,
        coming: ticket.marks.coming,
        day_ends_at: held.now.today.interval.to.0,
        may: if held.ended { Vec::new() } else { permitted_actions(state, &standing) },
        moves,
        notices: notices.into_iter().map(notice_view).collect(),
        now: 0,
    }
}

/// Details of how a ticket stands.
#[derive(Default)]
struct StateDetails<'a> {
    counter: Option<&'a str>,
    until: Option<Timestamp>,
    others: Option<u32>,
    places: Option<u32>,
    hold: Option<&'static str>,
    ended: Option<&'static str>,
    reason: Option<&'a str>,
}

impl<'a> StateDetails<'a> {
    fn new(state: &'a StandingState, settings: &'a SiteSettings) -> StateDetails<'a> {
        let name = |counter: &'a CounterId| {
            let rules = settings.rules.counters.get(counter);
            Some(rules.map_or(counter.as_str(), |rules| &rules.name))
        };
        let none = StateDetails::default();
        match state {
            StandingState::Waiting | StandingState::Done => none,
            StandingState::Called { counter, deadline } => {
                StateDetails { counter: name(counter), until: Some(*deadline), ..none }
            }
            StandingState::Serving { counter } => StateDetails { counter: name(counter), ..none },
            StandingState::Held { kind, reason, until, others } => StateDetails {
                until: *until,
                others: *others,
                hold: Some(hold_kind_name(*kind)),
                reason: Some(reason),
                ..none
            },
            StandingState::Missed { until, places } => {
                StateDetails { until: *until, places: *places, ..none }
            }
            StandingState::Closed { reason, note } => StateDetails {
                ended: Some(close_reason_name(*reason)),
                reason: note.as_deref(),
                ..none
            },
        }
    }
}

/// Time at which a ticket entered its state.
fn state_since(ticket: &Ticket) -> Timestamp {
    match *ticket.state {
        TicketState::Waiting => ticket.taken_at,
        TicketState::Called { at, .. }
        | TicketState::Serving { at, .. }
        | TicketState::Held { at, .. }
        | TicketState::Missed { at, .. }
        | TicketState::Done { at }
        | TicketState::Closed { at, .. } => at,
    }
}

/// Actions of this interface that the holder may take.
fn permitted_actions(state: &AppState, standing: &TicketStanding) -> Vec<&'static str> {
    let actions = standing.may.iter().filter_map(|act| match act {
        TicketAct::Come => may_come(state).then_some("coming"),
        TicketAct::LetPass => Some("let-pass"),
        TicketAct::Return | TicketAct::Resume => Some("return"),
        TicketAct::NotifyAhead => Some("tell-me"),
        TicketAct::Leave => Some("leave"),
        // Those of staff, and what a holder does on the spot.
        TicketAct::Arrive
        | TicketAct::SetParty
        | TicketAct::Call
        | TicketAct::Recall
        | TicketAct::Start
        | TicketAct::PutBack
        | TicketAct::Finish
        | TicketAct::Miss
        | TicketAct::Hold
        | TicketAct::Suspend
        | TicketAct::ResumeAtCounter
        | TicketAct::Transfer
        | TicketAct::Prioritise
        | TicketAct::LiftLimit
        | TicketAct::Undo => None,
    });
    actions.collect()
}

fn hold_kind_name(kind: HoldKind) -> &'static str {
    match kind {
        HoldKind::LetPass => "let_pass",
        HoldKind::Staff => "staff",
        HoldKind::Suspended => "suspended",
    }
}

/// View of a position change. Changes that others caused are shown if they make the wait longer or
/// come of a hold.
fn position_change_view(change: TicketPositionChange) -> Option<PositionChangeView> {
    let is_shown =
        change.own || change.ahead_delta >= 0 || change.cause == PositionChangeCause::Hold;
    let cause = match change.cause {
        PositionChangeCause::Priority => "priority",
        PositionChangeCause::Return => "return",
        PositionChangeCause::Transfer => "transfer",
        PositionChangeCause::Hold => "hold",
        PositionChangeCause::Resume => "resume",
        PositionChangeCause::OutOfOrder => "out_of_order",
        PositionChangeCause::TakenBack => "taken_back",
    };
    let TicketPositionChange { own, ahead_delta: more, at, .. } = change;
    is_shown.then_some(PositionChangeView { at: at.0, cause, own, more })
}

fn notice_view(status: DeliveryStatus) -> HolderNoticeView {
    HolderNoticeView {
        notice: status.notice,
        at: status.at,
        fate: status.stage.name(),
        why: status.reason,
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
