//! Takes notices from the work queue and brings each to its one outcome.

use crate::claim::{self, ATTEMPT_LIMIT, Asked};
use crate::drain::drain;
use crate::render::render;
use crate::verdict::{Verdict, WINDOW, given_up, judge};
use crate::{Ports, Settings};
use paihao_chassis::backoff::Backoff;
use paihao_contracts::names::{NOTICES, OUTCOMES};
use paihao_contracts::notice::{Fate, Notice, NoticeOutcome};
use paihao_ledger::{AppendError, Delivery, Entry, Expect, Subject};
use paihao_wechat::{CallError, CallerError, Value};
use sha2::{Digest, Sha256};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// When to look again after the ledger or the cache did not answer.
const STORE_AWAY: Duration = Duration::from_secs(2);

pub(crate) async fn run(settings: Settings, ports: Ports, stop: CancellationToken) {
    let sender = Sender { settings, ports };
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    let in_flight = sender.settings.in_flight;
    while !stop.is_cancelled() {
        match sender.ports.ledger.work(&NOTICES, in_flight).await {
            Ok(notices) => {
                backoff.reset();
                drain(notices, in_flight, &stop, |delivery| sender.settle(delivery)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "the sender cannot join its queue yet");
                backoff.wait_unless(&stop).await;
            }
        }
    }
}

struct Sender {
    settings: Settings,
    ports: Ports,
}

/// What to do with a delivery.
enum Next {
    /// The notice has ended and that is recorded.
    Done,
    /// Not now.
    Again(Duration),
    /// Ended and recorded, and a copy is to be kept where somebody looks.
    Bury(String),
}

/// The ledger or the cache did not answer.
struct Away(String);

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

impl Sender {
    async fn settle(&self, delivery: Delivery) {
        let notice: Notice = match serde_json::from_slice(&delivery.recorded.entry.payload) {
            Ok(notice) => notice,
            Err(error) => {
                tracing::error!(%error, "a notice cannot be read");
                let _ = delivery.never(&format!("not a notice of a known form: {error}")).await;
                return;
            }
        };
        let next = self.bring_on(&notice).await.unwrap_or_else(|Away(error)| {
            tracing::warn!(key = notice.key, error, "a notice waits for its stores");
            Next::Again(STORE_AWAY)
        });
        let told = match next {
            Next::Done => delivery.done().await,
            Next::Again(after) => delivery.again(after).await,
            Next::Bury(reason) => delivery.never(&reason).await,
        };
        if let Err(error) = told {
            tracing::debug!(key = notice.key, %error, "a notice's acknowledgement was lost");
        }
    }

    /// Takes a notice as far as it can go now.
    async fn bring_on(&self, notice: &Notice) -> Result<Next, Away> {
        let Ports { ledger, cache, wechat, clock } = &self.ports;
        if ledger.last(&OUTCOMES, &outcome_subject(notice)).await?.is_some() {
            return Ok(Next::Done);
        }
        let known = claim::known(&**cache, &notice.key).await?;
        let now = clock.now_ms();
        let attempts = known.as_ref().map_or(0, |claim| claim.attempts);
        let over = known.as_ref().filter(|claim| claim.held_until <= now);
        if let Some(claim) = over.filter(|c| now - c.first >= WINDOW.as_millis() as i64) {
            let fate = given_up(claim.unsure, claim.last.clone());
            return self.end(notice, fate, attempts).await;
        }
        if notice.valid_until <= now && known.as_ref().is_none_or(|claim| !claim.unsure) {
            return self.end(notice, Fate::Stale, attempts).await;
        }
        let message = match render(notice, self.settings.bindings.get(&*notice.account)) {
            Ok(message) => message,
            Err(error) => {
                let reason = error.to_string();
                tracing::error!(key = notice.key, reason, "a notice cannot be said");
                self.end(notice, Fate::Unspeakable { reason: reason.clone() }, attempts).await?;
                return Ok(Next::Bury(reason));
            }
        };
        let claim = match claim::ask(&**cache, &notice.key, known.as_ref(), now).await? {
            Asked::Granted(claim) => claim,
            Asked::Held(wait) => return Ok(Next::Again(wait)),
        };
        // Somebody is called: this goes out while anything does.
        let wechat = wechat.worth(Value::High);
        let attempt = wechat.send_template(&notice.account, &message);
        let result = tokio::time::timeout(ATTEMPT_LIMIT, attempt)
            .await
            .unwrap_or(Err(CallerError::Call(CallError::TimedOut)));
        let was_unsure = known.is_some_and(|claim| claim.unsure);
        match judge(&claim, was_unsure, clock.now_ms(), result) {
            Verdict::Ended(fate) => self.end(notice, fate, claim.attempts).await,
            Verdict::Buried(fate, reason) => {
                tracing::error!(key = notice.key, reason, "WeChat will not take a notice");
                self.end(notice, fate, claim.attempts).await?;
                Ok(Next::Bury(reason))
            }
            Verdict::Again { after, unsure, met } => {
                tracing::debug!(key = notice.key, met, "a notice is tried again");
                claim::give_back(&**cache, &notice.key, &claim, unsure, met).await?;
                Ok(Next::Again(after))
            }
        }
    }

    /// Records how a notice ended, unless that is recorded already.
    async fn end(&self, notice: &Notice, fate: Fate, attempts: u32) -> Result<Next, Away> {
        let at = self.ports.clock.now_ms();
        let name = name_of(&fate);
        let outcome = NoticeOutcome { v: 1, key: notice.key.clone(), fate, at, attempts };
        let entry = Entry::new(serde_json::to_vec(&outcome).expect("string keys only"));
        let subject = outcome_subject(notice);
        match self.ports.ledger.append(&OUTCOMES, &subject, Expect::Nothing, entry).await {
            Ok(_) => {
                metrics::counter!("paihao_notifier_outcomes_total", "fate" => name).increment(1);
                let delay = (at - notice.at).max(0) as f64 / 1000.0;
                metrics::histogram!("paihao_notifier_delay_seconds", "fate" => name).record(delay);
                tracing::info!(key = notice.key, fate = name, attempts, "a notice has ended");
                Ok(Next::Done)
            }
            Err(AppendError::Conflict { .. }) => Ok(Next::Done),
            Err(AppendError::Unavailable(error)) => Err(error.into()),
            Err(error @ AppendError::TooLarge { .. }) => Ok(Next::Bury(error.to_string())),
        }
    }
}

/// Where a notice's one outcome stands.
fn outcome_subject(notice: &Notice) -> Subject {
    let hash = Sha256::digest(notice.key.as_bytes());
    Subject::new(&[&notice.account, &hex::encode(&hash[..16])])
        .expect("account names are checked when the configuration is read")
}

fn name_of(fate: &Fate) -> &'static str {
    match fate {
        Fate::Sent { .. } => "sent",
        Fate::Refused { .. } => "refused",
        Fate::Stale => "stale",
        Fate::GaveUp { .. } => "gave_up",
        Fate::Unknown { .. } => "unknown",
        Fate::Unspeakable { .. } => "unspeakable",
    }
}
