//! How a notice ends: recorded once, whoever is first, and counted.

use crate::Ports;
use crate::claim::{self, AttemptLease};
use crate::record::{self, EndWrite, OutcomeLogState};
use crate::thread::PendingNotice;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use paihao_ledger::AppendError;

/// The ledger or the cache did not answer.
pub(crate) struct StoreUnavailable(pub(crate) String);

impl From<paihao_ledger::Unavailable> for StoreUnavailable {
    fn from(error: paihao_ledger::Unavailable) -> Self {
        StoreUnavailable(error.to_string())
    }
}

impl From<paihao_cache::Unavailable> for StoreUnavailable {
    fn from(error: paihao_cache::Unavailable) -> Self {
        StoreUnavailable(error.to_string())
    }
}

/// Which notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoticeRef<'a> {
    /// The WeChat account that was to send it.
    pub(crate) account: &'a str,
    /// Its key.
    pub(crate) key: &'a str,
    /// When it became true, in Unix milliseconds.
    pub(crate) at: i64,
}

/// Whether an end stands in the log of outcomes.
pub(crate) enum EndRecorded {
    /// It does, this one or another.
    Stored,
    /// The log takes none of it, for this reason.
    Rejected(String),
}

/// How far a notice has come by the ledger's and the cache's word; `None` if it has ended.
pub(crate) async fn load_progress(
    ports: &Ports,
    which: NoticeRef<'_>,
) -> Result<Option<(OutcomeLogState, Option<AttemptLease>)>, StoreUnavailable> {
    let cache = &*ports.cache;
    let subject = record::outcome_subject(which.account, which.key);
    let written = record::load_state(&*ports.ledger, &subject).await?;
    let claim = claim::load(cache, which.key).await?;
    Ok(match written {
        OutcomeLogState::Ended => None,
        OutcomeLogState::Announced(position, trying) if claim.is_none() => {
            let claim = claim::restore(cache, which.key, &trying).await?;
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
        // Where nothing is in doubt, no channel has it.
        Some(claim) => {
            let via = claim.required_channel().filter(|_| claim.unsure);
            (claim.attempts, via, claim.tried.clone())
        }
        None => (0, None, Vec::new()),
    };
    record_outcome(ports, which, fate, attempts, via, tried).await
}

/// Ends a notice because a later one is known. Where WeChat may have it, it is not said to have been
/// dropped.
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

/// Ends the notices before one whose turn it is at `now`; `false` if one of them may still be on its
/// way, because the cache had forgotten that.
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

/// Records how a notice ended, unless that is recorded already.
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
    let subject = record::outcome_subject(account, key);
    let outcome = NoticeOutcome { v: 1, key: key.to_owned(), fate, at, attempts, via, tried };
    match record::record_end(&*ports.ledger, &subject, outcome).await {
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
