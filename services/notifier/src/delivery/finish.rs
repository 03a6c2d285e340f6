//! End of a notice: its one outcome, and its dead letter if an operator has to act.

use crate::delivery::ticket_log::{TicketLog, Written};
use crate::delivery::ticket_state;
use crate::ports::{Ports, StoreError};
use paihao_contracts::notice::{Channel, ChannelAttempt, DeliveryOutcome, Notice, NoticeOutcome};
use paihao_contracts::outcome::OutcomeRecord;
use paihao_contracts::streams::{DEAD_LETTERS, NOTICES};
use paihao_contracts::ticket_record::{OpenNotice, TicketNotices};
use paihao_ledger::dead_letter::Cause;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Subject};
use sha2::{Digest, Sha256};

/// Reference to a notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoticeRef<'a> {
    /// Key of the notice.
    pub(crate) key: &'a str,
    /// Last part of the key.
    pub(crate) name: &'a str,
    /// Order number of the notice.
    pub(crate) order: u32,
    /// Time in Unix milliseconds from which the notice is true.
    pub(crate) at: i64,
}

impl<'a> From<&'a Notice> for NoticeRef<'a> {
    fn from(notice: &'a Notice) -> Self {
        NoticeRef { key: &notice.key, name: notice.name(), order: notice.order, at: notice.at }
    }
}

/// End of a notice.
#[derive(Debug, Clone)]
pub(crate) struct NoticeEnd {
    pub(crate) outcome: DeliveryOutcome,
    /// Number of requests to WeChat.
    pub(crate) attempts: u32,
    /// Channel that accepted the notice, or may have.
    pub(crate) channel: Option<Channel>,
    /// Channels that did not accept the notice.
    pub(crate) earlier_attempts: Vec<ChannelAttempt>,
    /// Reason of the dead letter.
    pub(crate) dead_letter: Option<String>,
}

impl NoticeEnd {
    /// End without another attempt.
    pub(crate) fn without_attempt(outcome: DeliveryOutcome, open: Option<&OpenNotice>) -> Self {
        let (attempts, channel, earlier_attempts) = match open {
            // Without an unanswered attempt no channel can have accepted it.
            Some(open) => {
                let channel = open.channel.filter(|_| ticket_state::may_be_sent(open));
                (open.attempts, channel, open.earlier_attempts.clone())
            }
            None => (0, None, Vec::new()),
        };
        NoticeEnd { outcome, attempts, channel, earlier_attempts, dead_letter: None }
    }

    /// End of a notice that a later one supersedes. If WeChat may have it, the outcome is unknown
    /// instead.
    pub(crate) fn superseded(open: Option<&OpenNotice>) -> Self {
        let outcome = match open.filter(|open| ticket_state::may_be_sent(open)) {
            Some(open) => DeliveryOutcome::Unknown { last_error: open.last_error.clone() },
            None => DeliveryOutcome::Superseded,
        };
        NoticeEnd::without_attempt(outcome, open)
    }

    /// Returns the record of the end at `at` and the state of the ticket after it.
    pub(crate) fn record(
        &self,
        NoticeRef { key, name, order, .. }: NoticeRef<'_>,
        at: i64,
        ticket: &TicketNotices,
    ) -> (OutcomeRecord, TicketNotices) {
        let record = NoticeOutcome {
            v: 1,
            key: key.to_owned(),
            outcome: self.outcome.clone(),
            at,
            attempts: self.attempts,
            channel: self.channel,
            earlier_attempts: self.earlier_attempts.clone(),
        };
        let state = ticket_state::with_end(ticket, (name, order), self.dead_letter.clone());
        (OutcomeRecord::Ended(record), state)
    }

    /// Counts and logs an end that has been recorded at `now`.
    pub(crate) fn count(&self, NoticeRef { key, at, .. }: NoticeRef<'_>, now: i64) {
        let outcome = outcome_name(&self.outcome);
        let channel = self.channel.map_or("none", Channel::name);
        metrics::counter!(
            "paihao_notifier_outcomes_total", "fate" => outcome, "channel" => channel
        )
        .increment(1);
        let delay = (now - at).max(0) as f64 / 1000.0;
        metrics::histogram!("paihao_notifier_delay_seconds", "fate" => outcome).record(delay);
        tracing::info!(key, outcome, channel, attempts = self.attempts, "a notice has ended");
    }
}

/// Records the end of a notice on the state that was read.
pub(crate) async fn record_end(
    ports: &Ports,
    log: &mut TicketLog,
    notice: NoticeRef<'_>,
    end: &NoticeEnd,
) -> Result<Written, StoreError> {
    let now = ports.clock.now_ms();
    let (record, state) = end.record(notice, now, log.state());
    let written = log.append(record, state).await?;
    if written == Written::Yes {
        end.count(notice, now);
    }
    Ok(written)
}

/// Buries a notice that has ended, unless its dead letter stands already. Returns `false` if the
/// letter is too large for the log.
pub(crate) async fn bury(
    ledger: &dyn Ledger,
    notice: &Notice,
    message: &Entry,
    reason: &str,
) -> Result<bool, StoreError> {
    let key = notice.key.clone();
    let hash = hex::encode(&Sha256::digest(key.as_bytes())[..16]);
    let subject = Subject::new(&[NOTICES.name, &hash]).expect("a name and a hash");
    let cause = Cause { reason: reason.to_owned(), origin: NOTICES.name.to_owned(), key };
    let letter = cause.to_dead_letter(message);
    match ledger.append(&DEAD_LETTERS, &subject, ExpectedPosition::Empty, letter).await {
        Ok(_) => {
            tracing::error!(key = notice.key, reason, "no channel can send a notice");
            Ok(true)
        }
        Err(AppendError::Conflict { .. }) => Ok(true),
        Err(AppendError::Unavailable(error)) => Err(error.into()),
        Err(AppendError::TooLarge { .. }) => Ok(false),
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
