//! End of a notice: records its one outcome and counts it.

use crate::delivery::attempt_lease::{self, AttemptLease};
use crate::delivery::outcome_log::{self, EndWrite, OutcomeLogState};
use crate::delivery::ticket_order::PendingNotice;
use crate::ports::{Ports, StoreError};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};

/// Reference to a notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoticeRef<'a> {
    /// WeChat account that sends the notice.
    pub(crate) account: &'a str,
    /// Key of the notice.
    pub(crate) key: &'a str,
    /// Time in Unix milliseconds from which the notice is true.
    pub(crate) at: i64,
}

/// Result of recording an outcome.
pub(crate) enum EndRecorded {
    /// The log has an outcome: this one or an earlier one.
    Stored,
    /// The log cannot store the outcome, for this reason.
    Rejected(String),
}

/// Loads the log state and the lease of a notice. `None` if it has ended.
pub(crate) async fn load_progress(
    ports: &Ports,
    notice: NoticeRef<'_>,
) -> Result<Option<(OutcomeLogState, Option<AttemptLease>)>, StoreError> {
    let cache = &*ports.cache;
    let subject = outcome_log::outcome_subject(notice.account, notice.key);
    let log_state = outcome_log::load_state(&*ports.ledger, &subject).await?;
    let lease = attempt_lease::load(cache, notice.key).await?;
    Ok(match log_state {
        OutcomeLogState::Ended => None,
        OutcomeLogState::Announced(position, announced) if lease.is_none() => {
            let lease = attempt_lease::restore(cache, notice.key, &announced).await?;
            Some((OutcomeLogState::Announced(position, announced), lease))
        }
        log_state => Some((log_state, lease)),
    })
}

/// Ends a notice without another attempt.
pub(crate) async fn end_notice(
    ports: &Ports,
    notice: NoticeRef<'_>,
    outcome: DeliveryOutcome,
    lease: Option<&AttemptLease>,
) -> Result<EndRecorded, StoreError> {
    let (attempts, channel, earlier_attempts) = match lease {
        // Without an unanswered attempt no channel can have accepted it.
        Some(lease) => {
            let channel = lease.required_channel().filter(|_| lease.unsure);
            (lease.attempts, channel, lease.earlier_attempts.clone())
        }
        None => (0, None, Vec::new()),
    };
    record_outcome(ports, notice, outcome, attempts, channel, earlier_attempts).await
}

/// Ends a notice that a later one supersedes. If WeChat may have it, the outcome is unknown
/// instead.
pub(crate) async fn supersede(
    ports: &Ports,
    notice: NoticeRef<'_>,
    lease: Option<&AttemptLease>,
) -> Result<EndRecorded, StoreError> {
    let outcome = match lease.filter(|lease| lease.unsure) {
        Some(lease) => DeliveryOutcome::Unknown { last_error: lease.last_error.clone() },
        None => DeliveryOutcome::Superseded,
    };
    end_notice(ports, notice, outcome, lease).await
}

/// Ends the notices before the one that holds the turn at `now`. Returns `false` if an attempt of
/// one of them may still be in progress, which the cache had lost.
pub(crate) async fn supersede_all(
    ports: &Ports,
    account: &str,
    earlier: &[PendingNotice],
    now: i64,
) -> Result<bool, StoreError> {
    for PendingNotice { key, at, .. } in earlier {
        let notice = NoticeRef { account, key, at: *at };
        let Some((_, lease)) = load_progress(ports, notice).await? else { continue };
        if lease.as_ref().is_some_and(|lease| lease.held_until > now) {
            return Ok(false);
        }
        supersede(ports, notice, lease.as_ref()).await?;
    }
    Ok(true)
}

/// Records the outcome of a notice, unless one is recorded already.
pub(crate) async fn record_outcome(
    ports: &Ports,
    NoticeRef { account, key, at: since }: NoticeRef<'_>,
    outcome: DeliveryOutcome,
    attempts: u32,
    channel: Option<Channel>,
    earlier_attempts: Vec<ChannelAttempt>,
) -> Result<EndRecorded, StoreError> {
    let at = ports.clock.now_ms();
    let name = outcome_name(&outcome);
    let channel_name = channel.map_or("none", Channel::name);
    let subject = outcome_log::outcome_subject(account, key);
    let record = NoticeOutcome {
        v: 1,
        key: key.to_owned(),
        outcome,
        at,
        attempts,
        channel,
        earlier_attempts,
    };
    match outcome_log::record_end(&*ports.ledger, &subject, record).await? {
        EndWrite::Written => {
            metrics::counter!(
                "paihao_notifier_outcomes_total", "fate" => name, "channel" => channel_name
            )
            .increment(1);
            let delay = (at - since).max(0) as f64 / 1000.0;
            metrics::histogram!("paihao_notifier_delay_seconds", "fate" => name).record(delay);
            tracing::info!(
                key,
                outcome = name,
                channel = channel_name,
                attempts,
                "a notice has ended"
            );
            Ok(EndRecorded::Stored)
        }
        EndWrite::AlreadyEnded => Ok(EndRecorded::Stored),
        EndWrite::Rejected(reason) => Ok(EndRecorded::Rejected(reason)),
    }
}

fn outcome_name(outcome: &DeliveryOutcome) -> &'static str {
    match outcome {
        DeliveryOutcome::Sent { .. } => "sent",
        DeliveryOutcome::Replied => "replied",
        DeliveryOutcome::Refused { .. } => "refused",
        DeliveryOutcome::Stale => "stale",
        DeliveryOutcome::Superseded => "superseded",
        DeliveryOutcome::GaveUp { .. } => "gave_up",
        DeliveryOutcome::Unknown { .. } => "unknown",
        DeliveryOutcome::Unrenderable { .. } => "unspeakable",
    }
}
