//! Records of former versions, which a notice may have at an update: a lease in the cache, and
//! attempts and an outcome under a subject of its own.

use crate::delivery::channels;
use crate::delivery::ticket_log::notice_subject;
use crate::ports::{Ports, StoreError, read_stored};
use paihao_contracts::envelope::Form;
use paihao_contracts::notice::{Channel, ChannelAttempt, Notice, NoticeOutcome};
use paihao_contracts::outcome::{AttemptAnnounced, OutcomeRecord};
use paihao_contracts::streams::{self, OUTCOMES};
use paihao_contracts::ticket_record::OpenNotice;
use paihao_notice_text::render;
use serde::Deserialize;
use std::time::Duration;

/// Time for which a former version held a lease or a turn.
pub(crate) const FORMER_LEASE_DURATION: Duration = Duration::from_secs(20);

/// Lease on the attempts of a notice.
#[derive(Debug, Deserialize)]
struct FormerLease {
    #[serde(rename = "first")]
    first_attempt_at: i64,
    attempts: u32,
    held_until: i64,
    unsure: bool,
    #[serde(rename = "last")]
    last_error: String,
    #[serde(default)]
    channel: Option<Channel>,
    #[serde(rename = "tried", default)]
    earlier_attempts: Vec<ChannelAttempt>,
}

impl Form for FormerLease {
    const NAME: &'static str = "attempt lease";
    const VERSION_IF_ABSENT: Option<u32> = Some(1);
}

/// What former versions know of a notice.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FormerRecords {
    /// Nothing.
    Absent,
    /// Its attempts, the last of which is under way until this time in Unix milliseconds.
    Attempts(OpenNotice, i64),
    /// It has ended, and this is the reason of its dead letter.
    Ended(Option<String>),
}

/// Loads the records of a notice. There is no lease to look for if no former version can have
/// attempted it.
pub(crate) async fn load(
    ports: &Ports,
    notice: &Notice,
    may_have_lease: bool,
) -> Result<FormerRecords, StoreError> {
    let subject = notice_subject(&notice.account, &notice.key);
    // Where no former version works on the ticket, what it wrote is old enough for any server.
    let last = if may_have_lease {
        ports.ledger.last(&OUTCOMES, &subject).await?
    } else {
        ports.ledger.last_unconfirmed(&OUTCOMES, &subject).await?
    };
    let announced = match last {
        None => None,
        Some(last) => match read_stored::<OutcomeRecord>(&last.entry.payload)? {
            Some(OutcomeRecord::Attempt(announced)) => Some(announced),
            Some(OutcomeRecord::Ended(ended)) => {
                return Ok(FormerRecords::Ended(dead_letter_reason(notice, &ended)));
            }
            Some(OutcomeRecord::Receipt(_)) | None => return Ok(FormerRecords::Ended(None)),
        },
    };
    let lease = if may_have_lease {
        let stored = ports.cache.get(&streams::former_lease_key(&notice.key)).await?;
        stored.as_deref().map_or(Ok(None), read_stored::<FormerLease>)?
    } else {
        None
    };
    let (open, held_until) = match (lease, announced) {
        (None, None) => return Ok(FormerRecords::Absent),
        (Some(lease), _) => from_lease(lease),
        (None, Some(announced)) => from_announcement(announced),
    };
    let name = notice.name().to_owned();
    let open = OpenNotice { name, order: notice.order, at: notice.at, ..open };
    Ok(FormerRecords::Attempts(open, held_until))
}

fn from_lease(lease: FormerLease) -> (OpenNotice, i64) {
    let FormerLease { first_attempt_at, attempts, held_until, unsure, last_error, .. } = lease;
    let open = OpenNotice {
        first_attempt_at,
        attempts,
        unsure,
        last_error,
        // Leases written before channels existed are of template messages.
        channel: lease.channel.or(unsure.then_some(Channel::Template)),
        earlier_attempts: lease.earlier_attempts,
        ..OpenNotice::default()
    };
    (open, held_until)
}

/// Returns the state after an announced attempt, whose lease the cache has lost.
fn from_announcement(announced: AttemptAnnounced) -> (OpenNotice, i64) {
    let open = OpenNotice {
        first_attempt_at: announced.at,
        attempts: 1,
        unsure: true,
        last_error: "no answer".into(),
        channel: Some(announced.channel),
        earlier_attempts: announced.earlier_attempts,
        ..OpenNotice::default()
    };
    (open, announced.at.saturating_add(FORMER_LEASE_DURATION.as_millis() as i64))
}

/// Returns the reason of the dead letter that an outcome needs. A former version may have died
/// before it buried the notice.
fn dead_letter_reason(notice: &Notice, ended: &NoticeOutcome) -> Option<String> {
    let kind = render::kind(notice);
    let (outcome, reason) =
        channels::undelivered_outcome(kind, &notice.account, &ended.earlier_attempts);
    reason.filter(|_| ended.channel.is_none() && ended.outcome == outcome)
}
