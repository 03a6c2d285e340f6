//! What the log of outcomes says of a notice, and what is added to it.

use paihao_contracts::notice::NoticeOutcome;
use paihao_contracts::outcome::{AttemptAnnounced, NoticeReceipt, OutcomeRecord};
use paihao_contracts::streams::OUTCOMES;
use paihao_ledger::{AppendError, Entry, ExpectedPosition, Ledger, Position, Subject, Unavailable};
use sha2::{Digest, Sha256};

/// How far a notice has come by the ledger's word.
pub(crate) enum Known {
    /// Nothing was written.
    Nothing,
    /// An attempt was announced, and no end.
    Trying(Position, AttemptAnnounced),
    /// It has ended. So has one whose record a newer program wrote.
    Ended,
}

impl Known {
    fn expect(&self) -> ExpectedPosition {
        match self {
            Known::Trying(position, _) => ExpectedPosition::At(*position),
            Known::Nothing | Known::Ended => ExpectedPosition::Empty,
        }
    }
}

/// Where the records of a notice stand.
pub(crate) fn subject(account: &str, key: &str) -> Subject {
    let hash = Sha256::digest(key.as_bytes());
    Subject::new(&[account, &hex::encode(&hash[..16])])
        .expect("account names are checked when the configuration is read")
}

/// What is known of a notice.
pub(crate) async fn known(ledger: &dyn Ledger, subject: &Subject) -> Result<Known, Unavailable> {
    let Some(last) = ledger.last(&OUTCOMES, subject).await? else { return Ok(Known::Nothing) };
    match serde_json::from_slice(&last.entry.payload) {
        Ok(OutcomeRecord::Attempt(trying)) => Ok(Known::Trying(last.position, trying)),
        _ => Ok(Known::Ended),
    }
}

/// Announces an attempt; `false` if somebody else has written meanwhile.
pub(crate) async fn announce(
    ledger: &dyn Ledger,
    subject: &Subject,
    known: &Known,
    trying: AttemptAnnounced,
) -> Result<bool, Unavailable> {
    let entry = entry(OutcomeRecord::Attempt(trying));
    match ledger.append(&OUTCOMES, subject, known.expect(), entry).await {
        Ok(_) => Ok(true),
        Err(AppendError::Conflict { .. }) => Ok(false),
        Err(AppendError::Unavailable(error)) => Err(error),
        Err(error @ AppendError::TooLarge { .. }) => Err(Unavailable(error.to_string())),
    }
}

/// What writing an end led to.
pub(crate) enum End {
    /// It is written.
    Written,
    /// Another one was there.
    There,
}

/// Writes how a notice ended, unless that is written already.
pub(crate) async fn end(
    ledger: &dyn Ledger,
    subject: &Subject,
    outcome: NoticeOutcome,
) -> Result<End, AppendError> {
    let entry = entry(OutcomeRecord::Ended(outcome));
    loop {
        let known = known(ledger, subject).await?;
        if matches!(known, Known::Ended) {
            return Ok(End::There);
        }
        match ledger.append(&OUTCOMES, subject, known.expect(), entry.clone()).await {
            Ok(_) => return Ok(End::Written),
            // Somebody announced an attempt, or wrote an end: each happens a few times at most.
            Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Adds what WeChat told of a message.
pub(crate) async fn receipt(
    ledger: &dyn Ledger,
    account: &str,
    receipt: NoticeReceipt,
) -> Result<(), AppendError> {
    let subject = subject(account, &receipt.key);
    let entry = entry(OutcomeRecord::Receipt(receipt));
    ledger.append(&OUTCOMES, &subject, ExpectedPosition::Any, entry).await.map(drop)
}

fn entry(record: OutcomeRecord) -> Entry {
    Entry::new(serde_json::to_vec(&record).expect("string keys only"))
}
