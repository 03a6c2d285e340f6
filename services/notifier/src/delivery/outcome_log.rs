//! Outcome log: attempts, outcomes and receipts of notices.

use crate::ports::StoreError;
use paihao_contracts::envelope::{self, ReadError};
use paihao_contracts::notice::{Channel, NoticeOutcome};
use paihao_contracts::outcome::{AttemptAnnounced, NoticeReceipt, OutcomeRecord};
use paihao_contracts::streams::OUTCOMES;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position, Subject, Unavailable};
use sha2::{Digest, Sha256};

/// State of a notice in the outcome log.
pub(crate) enum OutcomeLogState {
    /// The log has no record.
    NotStarted,
    /// An attempt is announced, and no outcome is recorded.
    Announced(Position, AttemptAnnounced),
    /// An outcome is recorded, or a record that no program can read.
    Ended,
}

impl OutcomeLogState {
    /// Returns true if an attempt through this channel is announced.
    pub(crate) fn is_announced(&self, channel: Channel) -> bool {
        matches!(self, OutcomeLogState::Announced(_, attempt) if attempt.channel == channel)
    }

    fn expected_position(&self) -> ExpectedPosition {
        match self {
            OutcomeLogState::Announced(position, _) => ExpectedPosition::At(*position),
            OutcomeLogState::NotStarted | OutcomeLogState::Ended => ExpectedPosition::Empty,
        }
    }
}

/// Returns the subject of a notice's records.
pub(crate) fn outcome_subject(account: &str, key: &str) -> Subject {
    let hash = Sha256::digest(key.as_bytes());
    Subject::new(&[account, &hex::encode(&hash[..16])])
        .expect("account names are checked when the configuration is read")
}

/// Loads the state of a notice.
pub(crate) async fn load_state(
    ledger: &dyn Ledger,
    subject: &Subject,
) -> Result<OutcomeLogState, StoreError> {
    let Some(last) = ledger.last(&OUTCOMES, subject).await? else {
        return Ok(OutcomeLogState::NotStarted);
    };
    match envelope::decode(&last.entry.payload) {
        Ok(OutcomeRecord::Attempt(attempt)) => {
            Ok(OutcomeLogState::Announced(last.position, attempt))
        }
        Ok(_) => Ok(OutcomeLogState::Ended),
        Err(ReadError::Newer(newer)) => Err(newer.into()),
        Err(ReadError::Malformed(error)) => {
            tracing::error!(position = last.position.0, %error, "cannot decode an outcome");
            Ok(OutcomeLogState::Ended)
        }
    }
}

/// Announces an attempt. Returns `false` if another record was written meanwhile.
pub(crate) async fn announce_attempt(
    ledger: &dyn Ledger,
    subject: &Subject,
    state: &OutcomeLogState,
    attempt: AttemptAnnounced,
) -> Result<bool, Unavailable> {
    let entry = to_entry(OutcomeRecord::Attempt(attempt));
    match ledger.append(&OUTCOMES, subject, state.expected_position(), entry).await {
        Ok(_) => Ok(true),
        Err(AppendError::Conflict { .. }) => Ok(false),
        Err(AppendError::Unavailable(error)) => Err(error),
        Err(error @ AppendError::TooLarge { .. }) => Err(Unavailable(error.to_string())),
    }
}

/// Result of recording an outcome.
pub(crate) enum EndWrite {
    /// This call recorded it.
    Written,
    /// An outcome was recorded before.
    AlreadyEnded,
    /// The log does not take it, for this reason.
    Rejected(String),
}

/// Records the outcome of a notice, unless one is recorded already.
pub(crate) async fn record_end(
    ledger: &dyn Ledger,
    subject: &Subject,
    outcome: NoticeOutcome,
) -> Result<EndWrite, StoreError> {
    let entry = to_entry(OutcomeRecord::Ended(outcome));
    loop {
        let state = load_state(ledger, subject).await?;
        if matches!(state, OutcomeLogState::Ended) {
            return Ok(EndWrite::AlreadyEnded);
        }
        match ledger.append(&OUTCOMES, subject, state.expected_position(), entry.clone()).await {
            Ok(_) => return Ok(EndWrite::Written),
            // Another worker announced an attempt or recorded an outcome: a few times at most.
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::Unavailable(error)) => return Err(error.into()),
            Err(error) => return Ok(EndWrite::Rejected(error.to_string())),
        }
    }
}

/// Records a receipt from WeChat.
pub(crate) async fn record_receipt(
    ledger: &dyn Ledger,
    account: &str,
    receipt: NoticeReceipt,
) -> Result<(), AppendError> {
    let subject = outcome_subject(account, &receipt.key);
    let entry = to_entry(OutcomeRecord::Receipt(receipt));
    ledger.append(&OUTCOMES, &subject, ExpectedPosition::Any, entry).await.map(drop)
}

fn to_entry(record: OutcomeRecord) -> Entry {
    Entry::new(serde_json::to_vec(&record).expect("string keys only"))
}
