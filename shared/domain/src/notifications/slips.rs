//! Notices of longer waits: who is to be told that it takes longer than was said.

use super::{NotificationBuilder, progress_valid_until};
use crate::forecasts::QueueForecasts;
use crate::model::ids::{QueueId, TicketId};
use crate::model::lane::SlipThreshold;
use crate::model::notification::NotificationKind;
use crate::model::rules::Rules;
use crate::model::site::Site;
use crate::model::time::{DecisionInput, MINUTE_MS, Timestamp};
use crate::protocol::event::Event;

/// Shortest wait, in minutes, for which a notice of a longer wait is sent.
const LONG_WAIT_MINUTES: u32 = 45;

/// Interval between two checks for longer waits: five minutes.
const SLIP_CHECK_INTERVAL_MS: i64 = 5 * MINUTE_MS;

/// Number ahead from which a wait never shrinks with more ahead: all belong to one band and a long
/// line.
const MONOTONIC_FROM_AHEAD: u32 = 15;

/// Largest number of notices of a longer wait in one decision.
const MAX_SLIPPED_PER_COMMAND: usize = 200;

/// Input of the last check for longer waits. Between two checks only events make a wait longer, not
/// time.
pub(crate) fn last_slip_check(now: &DecisionInput) -> DecisionInput {
    DecisionInput {
        at: Timestamp(now.at.0.div_euclid(SLIP_CHECK_INTERVAL_MS) * SLIP_CHECK_INTERVAL_MS),
        ..now.clone()
    }
}

/// Time of the next check for longer waits.
pub(crate) fn next_slip_check(now: &DecisionInput) -> Timestamp {
    last_slip_check(now).at.plus_ms(SLIP_CHECK_INTERVAL_MS)
}

/// Notifications for holders in a queue whose wait has become much longer than quoted.
pub(crate) fn slip_notifications(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
) -> Vec<Event> {
    let mut builder = NotificationBuilder::new(site, rules, now);
    let slipped = slipped_tickets(site, rules, now, queue);
    let Some(mut forecasts) = QueueForecasts::new(site, rules, queue, now) else {
        return Vec::new();
    };
    for (id, ahead) in slipped.into_iter().take(MAX_SLIPPED_PER_COMMAND) {
        let Some(ticket) = site.ticket(id) else { continue };
        let quote = forecasts.quote(ticket, ticket.rank, ahead);
        builder.add(ticket, NotificationKind::Slipped(quote), progress_valid_until(now.at));
    }
    builder.events
}

/// Tickets for `slip_notifications`, with the number ahead of each. Stretches of the line in which
/// no threshold can be exceeded are skipped, so that the check costs little when no notice is due.
pub(crate) fn slipped_tickets(
    site: &Site,
    rules: &Rules,
    now: &DecisionInput,
    queue: &QueueId,
) -> Vec<(TicketId, u32)> {
    let check = last_slip_check(now);
    let (Some(line), Some(mut forecasts)) =
        (site.lines.get(queue), QueueForecasts::new(site, rules, queue, &check))
    else {
        return Vec::new();
    };
    let mut candidates = line.slip_candidates(|threshold, first, last| {
        // The tickets of a lane are called in its order. The quote is this range, or a shorter one
        // where it was just shortened.
        let mut latest = || forecasts.max_low_minutes(line.position_behind(last)?, last);
        first < MONOTONIC_FROM_AHEAD && first < last
            || latest().is_some_and(|minutes| threshold.is_exceeded(check.at, minutes))
    });
    candidates.retain(|(id, ahead)| {
        let Some(ticket) = site.ticket(*id) else { return false };
        let quote = forecasts.quote(ticket, ticket.rank, *ahead).estimate;
        let threshold = SlipThreshold::for_ticket(ticket);
        quote
            .zip(threshold)
            .is_some_and(|(wait, threshold)| threshold.is_exceeded(check.at, wait.low))
    });
    candidates
}

/// Returns `true` if any wait is long enough for a notice of a longer wait.
pub(crate) fn has_long_wait(
    site: &Site,
    rules: &Rules,
    queue: &QueueId,
    now: &DecisionInput,
) -> bool {
    let Some(line) = site.lines.get(queue).filter(|line| line.has_slip_candidates()) else {
        return false;
    };
    let check = last_slip_check(now);
    let Some(mut forecasts) = QueueForecasts::new(site, rules, queue, &check) else { return false };
    line.lane_tails().any(|place| {
        let forecast = forecasts.forecast(place, line.count_ahead(place.0, place.1) as u32);
        forecast.is_some_and(|forecast| forecast.to_estimate().low >= LONG_WAIT_MINUTES)
    })
}
