//! Progress of a login or an invitation, as its page follows it.

use crate::http::event_stream::{json_event, refused_event};
use crate::http::refusals::{self, Problem};
use crate::http::state::AppState;
use crate::http::stream_budget::StreamPlace;
use crate::identity::login::digits::DIGITS;
use crate::scan::progress_poll::{POLL_INTERVAL, PolledProgress, ProgressPoll};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures::stream;
use paihao_contracts::session::{DeclineReason, ScanProgress};
use paihao_http_api::sse;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Data of a step; that of a scan names the digits that the phone shows, if they are asked for.
#[derive(Default, Serialize, JsonSchema)]
pub(super) struct LoginStepEvent {
    /// Number of digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    digits: Option<usize>,
    /// Short tag of the person, which their phone shows too.
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// Time of the scan, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<i64>,
}

/// Digits of the phone that scanned.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnterDigitsRequest {
    pub(super) digits: String,
}

/// Response that streams the progress of a session, until it is approved, refused or expired.
pub(super) fn progress_stream(state: &AppState, uuid: Uuid, place: StreamPlace) -> Response {
    let stop = state.stop.clone();
    let poll = state.progress_polls.poll(uuid);
    let initial = ProgressStream { poll, last_sent: None, has_ended: false };
    let events = stream::unfold(initial, |mut stream| async move {
        let event = stream.next().await?;
        Some((event, stream))
    });
    sse::event_stream(place.hold(Box::pin(events)), &stop).into_response()
}

/// State of the stream of a session's progress.
struct ProgressStream {
    poll: ProgressPoll,
    last_sent: Option<ScanProgress>,
    has_ended: bool,
}

impl ProgressStream {
    /// Waits for the next change of the progress. Returns `None` after the last one.
    async fn next(&mut self) -> Option<Event> {
        if self.has_ended {
            return None;
        }
        loop {
            match self.poll.read().await {
                PolledProgress::Current(progress) if Some(&progress) != self.last_sent.as_ref() => {
                    let event = progress_event(&progress);
                    self.has_ended = !matches!(
                        progress,
                        ScanProgress::Pending | ScanProgress::AwaitingConfirmation { .. }
                    );
                    self.last_sent = Some(progress);
                    return Some(event);
                }
                PolledProgress::Ended => {
                    self.has_ended = true;
                    return Some(step_event("expired"));
                }
                // Nothing has changed, or the cache does not answer for a moment.
                _ => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}

fn progress_event(progress: &ScanProgress) -> Event {
    match progress {
        ScanProgress::Pending | ScanProgress::Ticket(_) => step_event("pending"),
        ScanProgress::AwaitingConfirmation { challenge, .. } => {
            let data = challenge.as_ref().map(|asked| LoginStepEvent {
                digits: Some(DIGITS),
                tag: Some(asked.tag.clone()),
                at: Some(asked.at),
            });
            json_event("scanned", data.unwrap_or_default())
        }
        ScanProgress::Approved { .. } => step_event("approved"),
        ScanProgress::Declined { reason, .. } => {
            refused_event(&Problem::new(decline_kind(*reason)))
        }
        ScanProgress::Redeemed { .. } => refused_event(&Problem::new(&refusals::LOGIN_USED)),
    }
}

pub(super) fn decline_kind(why: DeclineReason) -> &'static refusals::ProblemKind {
    match why {
        DeclineReason::NotStaff | DeclineReason::Already => &refusals::NOT_STAFF,
        DeclineReason::ByPerson => &refusals::LOGIN_REFUSED,
    }
}

fn step_event(name: &str) -> Event {
    json_event(name, LoginStepEvent::default())
}
