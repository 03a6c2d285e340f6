//! How a notice ends: recorded once, whoever is first, and counted.

use crate::Ports;
use crate::claim::{self, Claim};
use crate::record::{self, End, Known};
use crate::thread::Open;
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, NoticeOutcome};
use paihao_ledger::AppendError;

/// The ledger or the cache did not answer.
pub(crate) struct Away(pub(crate) String);

impl From<paihao_ledger::Unavailable> for Away {
    fn from(error: paihao_ledger::Unavailable) -> Self {
        Away(error.to_string())
    }
}

impl From<paihao_cache::Unavailable> for Away {
    fn from(error: paihao_cache::Unavailable) -> Self {
        Away(error.to_string())
    }
}

/// Which notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Which<'a> {
    /// The WeChat account that was to send it.
    pub(crate) account: &'a str,
    /// Its key.
    pub(crate) key: &'a str,
    /// When it became true, in Unix milliseconds.
    pub(crate) at: i64,
}

/// Whether an end stands in the log of outcomes.
pub(crate) enum Recorded {
    /// It does, this one or another.
    Yes,
    /// The log takes none of it, for this reason.
    Never(String),
}

/// How far a notice has come by the ledger's and the cache's word; `None` if it has ended.
pub(crate) async fn so_far(
    ports: &Ports,
    which: Which<'_>,
) -> Result<Option<(Known, Option<Claim>)>, Away> {
    let cache = &*ports.cache;
    let subject = record::subject(which.account, which.key);
    let written = record::known(&*ports.ledger, &subject).await?;
    let claim = claim::known(cache, which.key).await?;
    Ok(match written {
        Known::Ended => None,
        Known::Trying(position, trying) if claim.is_none() => {
            let claim = claim::bring_back(cache, which.key, &trying).await?;
            Some((Known::Trying(position, trying), claim))
        }
        written => Some((written, claim)),
    })
}

/// Ends a notice without another attempt.
pub(crate) async fn end(
    ports: &Ports,
    which: Which<'_>,
    fate: DeliveryOutcome,
    claim: Option<&Claim>,
) -> Result<Recorded, Away> {
    let (attempts, via, tried) = match claim {
        // Where nothing is in doubt, no channel has it.
        Some(claim) => {
            let via = claim.pinned().filter(|_| claim.unsure);
            (claim.attempts, via, claim.tried.clone())
        }
        None => (0, None, Vec::new()),
    };
    conclude(ports, which, fate, attempts, via, tried).await
}

/// Ends a notice because a later one is known. Where WeChat may have it, it is not said to have been
/// dropped.
pub(crate) async fn supersede(
    ports: &Ports,
    which: Which<'_>,
    claim: Option<&Claim>,
) -> Result<Recorded, Away> {
    let fate = match claim.filter(|claim| claim.unsure) {
        Some(claim) => DeliveryOutcome::Unknown { last: claim.last.clone() },
        None => DeliveryOutcome::Superseded,
    };
    end(ports, which, fate, claim).await
}

/// Ends the notices before one whose turn it is at `now`; `false` if one of them may still be on its
/// way, because the cache had forgotten that.
pub(crate) async fn supersede_all(
    ports: &Ports,
    account: &str,
    earlier: &[Open],
    now: i64,
) -> Result<bool, Away> {
    for Open { key, at, .. } in earlier {
        let which = Which { account, key, at: *at };
        let Some((_, claim)) = so_far(ports, which).await? else { continue };
        if claim.as_ref().is_some_and(|claim| claim.held_until > now) {
            return Ok(false);
        }
        supersede(ports, which, claim.as_ref()).await?;
    }
    Ok(true)
}

/// Records how a notice ended, unless that is recorded already.
pub(crate) async fn conclude(
    ports: &Ports,
    Which { account, key, at: since }: Which<'_>,
    fate: DeliveryOutcome,
    attempts: u32,
    via: Option<Channel>,
    tried: Vec<ChannelAttempt>,
) -> Result<Recorded, Away> {
    let at = ports.clock.now_ms();
    let name = name_of(&fate);
    let channel = via.map_or("none", Channel::name);
    let subject = record::subject(account, key);
    let outcome = NoticeOutcome { v: 1, key: key.to_owned(), fate, at, attempts, via, tried };
    match record::end(&*ports.ledger, &subject, outcome).await {
        Ok(End::Written) => {
            metrics::counter!(
                "paihao_notifier_outcomes_total", "fate" => name, "channel" => channel
            )
            .increment(1);
            let delay = (at - since).max(0) as f64 / 1000.0;
            metrics::histogram!("paihao_notifier_delay_seconds", "fate" => name).record(delay);
            tracing::info!(key, fate = name, channel, attempts, "a notice has ended");
            Ok(Recorded::Yes)
        }
        Ok(End::There) => Ok(Recorded::Yes),
        Err(AppendError::Unavailable(error)) => Err(error.into()),
        Err(error) => Ok(Recorded::Never(error.to_string())),
    }
}

fn name_of(fate: &DeliveryOutcome) -> &'static str {
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
