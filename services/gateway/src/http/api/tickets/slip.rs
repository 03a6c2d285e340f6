//! Content of a paper ticket.

use crate::http::access::{AnyRole, SiteAccess};
use crate::http::auth::Principal;
use crate::http::board::queue_state_name;
use crate::http::hours::{HoursView, hours_view};
use crate::http::openapi::{Routes, endpoint};
use crate::http::refusals::{self, Problem};
use crate::http::staff_action::ticket_by_number;
use crate::http::state::AppState;
use crate::http::ticket_link;
use crate::scan::qr;
use crate::settings::SiteSettings;
use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use jiff::Timestamp;
use paihao_contracts::staff::KeyScope;
use paihao_domain::{CounterId, QueueId};
use schemars::JsonSchema;
use serde::Serialize;

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/api/v1/sites/{site}/tickets/{number}/slip",
        show,
        endpoint("ticket_slip", "Shows the content of a paper ticket")
            .refuses(&[&refusals::UNKNOWN_TICKET]),
    )
}

/// Content of a paper ticket.
#[derive(Serialize, JsonSchema)]
struct TicketSlipView {
    number: String,
    /// Name of the site.
    name: String,
    /// Names in English, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_en: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_name_en: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name_en: Option<String>,
    /// Time zone of the site.
    zone: String,
    queue: String,
    queue_name: String,
    /// Date on which it was taken, in the site's time zone.
    date: String,
    taken_at: i64,
    /// State of the ticket.
    state: &'static str,
    /// State of the queue: `open`, `paused`, `halted` or `closed`.
    queue_state: &'static str,
    /// Opening hours of the queue, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<HoursView>,
    /// Name of the counter to which it is called, or at which it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    counter_name: Option<String>,
    /// Tickets ahead, of a ticket that has a place in the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    ahead: Option<u32>,
    /// Quoted wait, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<[u32; 2]>,
    /// Time of the print, at which this is how it stands, in Unix milliseconds.
    now: i64,
    /// QR code as SVG that opens the ticket's page; only for a holder without WeChat, who has no
    /// other way to it, and only to those who act on the ticket's queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

async fn show(
    State(state): State<AppState>,
    Path((site, number)): Path<(String, String)>,
    SiteAccess { settings, principal, .. }: SiteAccess<AnyRole>,
    headers: HeaderMap,
) -> Result<Json<TicketSlipView>, Problem> {
    let snapshot = state.engine.snapshot(&site).ok_or(&refusals::UNKNOWN_SITE)?;
    let ticket = ticket_by_number(&snapshot.site, &number).ok_or(&refusals::UNKNOWN_TICKET)?;
    let now = state.engine.decision_input(&settings, state.clock.now_ms());
    let standing = snapshot.site.standing(&settings.rules, ticket, &now);
    let wait = standing.wait;
    let taken_at = Timestamp::from_millisecond(ticket.taken_at.0).unwrap_or_default();
    let rules = settings.rules.queues.get(&ticket.queue);
    let english = &settings.english_names;
    let owned = |name: Option<&str>| name.map(str::to_owned);
    let gets_code = ticket.person.is_none() && may_hand_out(&settings, &principal, &ticket.queue);
    let path = ticket_link::path_for(&settings, ticket).filter(|_| gets_code);
    let page = path.map(|path| ticket_link::page_url(&state, &headers, &path));
    Ok(Json(TicketSlipView {
        number: ticket.number.to_string(),
        name: settings.facts.name.to_string(),
        name_en: owned(english.of_site()),
        queue_name_en: owned(english.of_queue(&ticket.queue)),
        counter_name_en: owned(standing.counter().and_then(|id| english.of_counter(id))),
        zone: settings.facts.zone.to_string(),
        queue: ticket.queue.as_str().to_owned(),
        queue_name: rules.map_or_else(String::new, |rules| rules.name.to_string()),
        date: taken_at.to_zoned(settings.calendar.zone().clone()).date().to_string(),
        taken_at: ticket.taken_at.0,
        state: standing.status().name(),
        queue_state: queue_state_name(standing.queue_state),
        hours: hours_view(&settings, &ticket.queue, &now),
        counter_name: standing.counter().map(|id| settings.counter_name(id).to_owned()),
        ahead: wait.map(|wait| wait.ahead),
        minutes: wait.and_then(|wait| wait.estimate).map(|range| [range.low, range.high]),
        now: now.at.0,
        code: page.and_then(|page| qr::svg(&page).ok()),
    }))
}

/// Returns whether the principal may hand out the link of a ticket of this queue, whose bearer acts
/// as its holder.
fn may_hand_out(settings: &SiteSettings, principal: &Principal, queue: &QueueId) -> bool {
    let serves = |counter: &CounterId| {
        settings.rules.counters.get(counter).is_some_and(|rules| rules.queues.contains(queue))
    };
    let counters = principal.actor.allowed_counters();
    let acts_here = counters.is_none_or(|counters| counters.iter().any(serves));
    acts_here && principal.require_key_scope(KeyScope::Counter).is_ok()
}
