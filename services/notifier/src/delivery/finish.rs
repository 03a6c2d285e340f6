//! End of a notice: records its one outcome and counts it.

use crate::delivery::attempt_lease::{self, AttemptLease};
use crate::delivery::outcome_log::{self, EndWrite, OutcomeLogState};
use crate::delivery::ticket_order::PendingNotice;
use crate::ports::{Ports, StoreUnavailable};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use paihao_ledger::AppendError;

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
    which: NoticeRef<'_>,
) -> Result<Option<(OutcomeLogState, Option<AttemptLease>)>, StoreUnavailable> {
    let cache = &*ports.cache;
    let subject = outcome_log::outcome_subject(which.account, which.key);
    let written = outcome_log::load_state(&*ports.ledger, &subject).await?;
    let claim = attempt_lease::load(cache, which.key).await?;
    Ok(match written {
        OutcomeLogState::Ended => None,
        OutcomeLogState::Announced(position, trying) if claim.is_none() => {
            let claim = attempt_lease::restore(cache, which.key, &trying).await?;
            Some((OutcomeLogState::Announced(position, trying), claim))
        }
        written => Some((written, claim)),
    })
}

/// Ends a notice without another attempt.
pub(crate) async fn end_notice(
    ports: &Ports,
    which: NoticeRef<'_>,
    fate: DeliveryOutcome,
    claim: Option<&AttemptLease>,
) -> Result<EndRecorded, StoreUnavailable> {
    let (attempts, via, tried) = match claim {
        // Without an unanswered attempt no channel can have accepted it.
        Some(claim) => {
            let via = claim.required_channel().filter(|_| claim.unsure);
            (claim.attempts, via, claim.tried.clone())
        }
        None => (0, None, Vec::new()),
    };
    record_outcome(ports, which, fate, attempts, via, tried).await
}

/// Ends a notice that a later one supersedes. If WeChat may have it, the outcome is unknown instead.
pub(crate) async fn supersede(
    ports: &Ports,
    which: NoticeRef<'_>,
    claim: Option<&AttemptLease>,
) -> Result<EndRecorded, StoreUnavailable> {
    let fate = match claim.filter(|claim| claim.unsure) {
        Some(claim) => DeliveryOutcome::Unknown { last: claim.last.clone() },
        None => DeliveryOutcome::Superseded,
    };
    end_notice(ports, which, fate, claim).await
}

/// Ends the notices before the one that holds the turn at `now`. Returns `false` if an attempt of one
/// of them may still be in progress, which the cache had lost.
pub(crate) async fn supersede_all(
    ports: &Ports,
    account: &str,
    earlier: &[PendingNotice],
    now: i64,
) -> Result<bool, StoreUnavailable> {
    for PendingNotice { key, at, .. } in earlier {
        let which = NoticeRef { account, key, at: *at };
        let Some((_, claim)) = load_progress(ports, which).await? else { continue };
        if claim.as_ref().is_some_and(|claim| claim.held_until > now) {
            return Ok(false);
        }
        supersede(ports, which, claim.as_ref()).await?;
    }
    Ok(true)
}

/// Records the outcome of a notice, unless one is recorded already.
pub(crate) async fn record_outcome(
    ports: &Ports,
    NoticeRef { account, key, at: since }: NoticeRef<'_>,
    fate: DeliveryOutcome,
    attempts: u32,
    via: Option<Channel>,
    tried: Vec<ChannelAttempt>,
) -> Result<EndRecorded, StoreUnavailable> {
    let at = ports.clock.now_ms();
    let name = outcome_name(&fate);
    let channel = via.map_or("none", Channel::name);
    let subject = outcome_log::outcome_subject(account, key);
    let outcome = NoticeOutcome { v: 1, key: key.to_owned(), fate, at, attempts, via, tried };
    match outcome_log::record_end(&*ports.ledger, &subject, outcome).await {
        Ok(EndWrite::Written) => {
            metrics::counter!(
                "paihao_notifier_outcomes_total", "fate" => name, "channel" => channel
            )
            .increment(1);
            let delay = (at - since).max(0) as f64 / 1000.0;
            metrics::histogram!("paihao_notifier_delay_seconds", "fate" => name).record(delay);
            tracing::info!(key, fate = name, channel, attempts, "a notice has ended");
            Ok(EndRecorded::Stored)
        }
        Ok(EndWrite::AlreadyEnded) => Ok(EndRecorded::Stored),
        Err(AppendError::Unavailable(error)) => Err(error.into()),
        Err(error) => Ok(EndRecorded::Rejected(error.to_string())),
    }
}

fn outcome_name(fate: &DeliveryOutcome) -> &'static str {
    match fate {
        DeliveryOutcome::Sent { .. } => "sent",
        DeliveryOutcome::Replied => "replied",
        DeliveryOutcome::Refused { .. } => "refused",
        DeliveryOutcome::Stale => "stale",
        DeliveryOutcome::Superseded => "superseded",
        DeliveryOutcome::GaveUp { .. } => "gave_up",
        DeliveryOutcome::Unknown { .. } => "unknown",
        DeliveryOutcome::Unspeakable { .. } => "unspeakable",
    }
}
