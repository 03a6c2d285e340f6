//! Log of a ticket's notices: one append, which expects the newest record, is turn, claim and
//! announcement of an attempt in one. Another one is its result.

use crate::delivery::ticket_state;
use crate::ports::{StoreError, read_stored};
use futures::StreamExt;
use paihao_chassis::backoff::Backoff;
use paihao_chassis::trace::{self, Traceparent};
use paihao_contracts::notice::Notice;
use paihao_contracts::outcome::{NoticeReceipt, OutcomeRecord};
use paihao_contracts::streams::OUTCOMES;
use paihao_contracts::ticket_record::{EndedNotice, TicketNotices, TicketRecord};
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
    Unavailable,
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Shortest delay before an append without an answer is repeated.
const MIN_REPEAT_DELAY: Duration = Duration::from_millis(50);
/// Longest delay before an append without an answer is repeated.
const MAX_REPEAT_DELAY: Duration = Duration::from_secs(5);

/// Longest time for which an append is repeated. No notice is retried for longer.
const REPEAT_TIMEOUT: Duration = Duration::from_secs(9 * 60);

/// Result of an append.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The log has the record.
    Yes,
    /// Another worker has written since the log was read.
    Outrun,
    /// The log does not take the record, for this reason.
    TooLarge(String),
}

/// Result of an append that is repeated until the log answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled<T> {
    /// The log has the record.
    Written,
    /// The log does not need the record, as its newest state shows.
    Found(T),
    /// The log does not take the record, for this reason.
    TooLarge(String),
}

/// Records of one ticket, as one worker has read them.
pub(crate) struct TicketLog {
    ledger: Arc<dyn Ledger>,
    subject: Subject,
    newest: Option<Position>,
    state: TicketNotices,
    /// True if no program can read the newest record. Then nothing is sent.
    is_unreadable: bool,
}

/// Returns the subject of a ticket's records. A notice without an order number is alone in its own.
pub(crate) fn ticket_subject(notice: &Notice) -> Subject {
    let ticket = if notice.order > 0 { notice.ticket_prefix() } else { &*notice.key };
    subject_of(&notice.account, ticket)
}

fn subject_of(account: &str, ticket: &str) -> Subject {
    hashed_subject(account, &format!("ticket/{ticket}"))
}

/// Returns the subject of a notice's receipts, and of its records in former versions.
pub(crate) fn notice_subject(account: &str, key: &str) -> Subject {
    hashed_subject(account, key)
}

fn hashed_subject(account: &str, name: &str) -> Subject {
    let hash = Sha256::digest(name.as_bytes());
    Subject::new(&[account, &hex::encode(&hash[..16])])
        .expect("account names are checked when the configuration is read")
}

impl TicketLog {
    /// Reads the newest record of a notice's ticket. One that another server of the store has not
    /// told of yet is found out by the append, without which nothing is sent.
    pub(crate) async fn load(
        ledger: Arc<dyn Ledger>,
        notice: &Notice,
    ) -> Result<TicketLog, StoreError> {
        let mut log = TicketLog {
            ledger,
            subject: ticket_subject(notice),
            newest: None,
            state: TicketNotices::default(),
            is_unreadable: false,
        };
        let last = log.ledger.last_unconfirmed(&OUTCOMES, &log.subject).await?;
        log.set_newest(last)?;
        Ok(log)
    }

    async fn reload(&mut self) -> Result<(), StoreError> {
        let last = self.ledger.last(&OUTCOMES, &self.subject).await?;
        self.set_newest(last)
    }

    fn set_newest(&mut self, last: Option<StoredEntry>) -> Result<(), StoreError> {
        self.newest = last.as_ref().map(|last| last.position);
        let Some(last) = last else {
            self.state = TicketNotices::default();
            return Ok(());
        };
        let record: Option<TicketRecord> = read_stored(&last.entry.payload)?;
        self.is_unreadable = record.is_none();
        self.state = record.map(|record| record.ticket).unwrap_or_default();
        Ok(())
    }

    /// Returns the state of the ticket's notices.
    pub(crate) fn state(&self) -> &TicketNotices {
        &self.state
    }

    /// Returns the end of a notice, if it has ended.
    pub(crate) async fn end_of(&self, notice: &Notice) -> Result<Option<EndedNotice>, StoreError> {
        let name = notice.name();
        if let Some(ended) = ticket_state::ended(&self.state, name) {
            return Ok(Some(ended.clone()));
        }
        if self.is_unreadable {
            return Ok(Some(EndedNotice { name: name.to_owned(), dead_letter: None }));
        }
        match self.newest {
            Some(newest) if self.state.shortened => self.search_end(notice, newest).await,
            _ => Ok(None),
        }
    }

    /// Searches all records of the ticket for the end of a notice.
    async fn search_end(
        &self,
        notice: &Notice,
        newest: Position,
    ) -> Result<Option<EndedNotice>, StoreError> {
        let found = find_ended(&*self.ledger, &self.subject, &notice.key, newest).await?;
        Ok(found.and_then(|(_, ticket)| ticket_state::ended(&ticket, notice.name()).cloned()))
    }

    /// Appends a record, unless another one has been written since the log was read. An error
    /// leaves open whether it is written.
    pub(crate) async fn append(
        &mut self,
        record: OutcomeRecord,
        state: TicketNotices,
    ) -> Result<Written, StoreError> {
        let record = TicketRecord { record, ticket: state };
        let entry = Entry::new(serde_json::to_vec(&record).expect("string keys only"))
            .in_trace(trace::recorded());
        let expect = self.newest.map_or(ExpectedPosition::Empty, ExpectedPosition::At);
        match self.ledger.append(&OUTCOMES, &self.subject, expect, entry).await {
            Ok(position) => {
                (self.newest, self.state) = (Some(position), record.ticket);
                Ok(Written::Yes)
            }
            Err(AppendError::Conflict { .. }) => Ok(Written::Outrun),
            Err(AppendError::Unavailable(error)) => Err(error.into()),
            Err(error @ AppendError::TooLarge { .. }) => Ok(Written::TooLarge(error.to_string())),
        }
    }

    /// Appends the record that `change` makes of the newest state, until the log has answered.
    ///
    /// An append without an answer is repeated with the same expectation, so that it is written
    /// once even if the first one arrives late. After a conflict `change` sees the newer state.
    pub(crate) async fn append_until_answered<T>(
        &mut self,
        change: impl Fn(&TicketNotices) -> Result<(OutcomeRecord, TicketNotices), T>,
    ) -> Result<Settled<T>, StoreError> {
        let mut backoff = Backoff::new(MIN_REPEAT_DELAY, MAX_REPEAT_DELAY);
        let started = Instant::now();
        let mut is_outrun = false;
        loop {
            let written = if is_outrun {
                self.reload().await.map(|()| None)
            } else {
                match change(&self.state) {
                    Err(found) => return Ok(Settled::Found(found)),
                    Ok((record, state)) => self.append(record, state).await.map(Some),
                }
            };
            match written {
                Ok(Some(Written::Yes)) => return Ok(Settled::Written),
                Ok(Some(Written::TooLarge(reason))) => return Ok(Settled::TooLarge(reason)),
                Ok(Some(Written::Outrun)) => is_outrun = true,
                Ok(None) => is_outrun = false,
                Err(StoreError::Unavailable(error)) if started.elapsed() < REPEAT_TIMEOUT => {
                    tracing::debug!(error, "the log of outcomes did not answer, asking again");
                    backoff.wait().await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Records a receipt from WeChat, under the subject of its notice: it changes nothing of the
/// ticket's state.
pub(crate) async fn record_receipt(
    ledger: &dyn Ledger,
    account: &str,
    receipt: NoticeReceipt,
) -> Result<(), AppendError> {
    let subject = notice_subject(account, &receipt.key);
    let record = OutcomeRecord::Receipt(receipt);
    let entry = Entry::new(serde_json::to_vec(&record).expect("string keys only"))
        .in_trace(trace::recorded());
    ledger.append(&OUTCOMES, &subject, ExpectedPosition::Any, entry).await.map(drop)
}

/// Returns the position in a trace at which a notice ended, if that was recorded.
pub(crate) async fn trace_of_end(
    ledger: &dyn Ledger,
    account: &str,
    key: &str,
) -> Result<Option<Traceparent>, StoreError> {
    let (ticket, _) = key.rsplit_once('/').unwrap_or((key, ""));
    let subject = subject_of(account, ticket);
    let Some(newest) = ledger.last(&OUTCOMES, &subject).await? else { return Ok(None) };
    let found = find_ended(ledger, &subject, key, newest.position).await?;
    Ok(found.and_then(|(stored, _)| stored.entry.trace()))
}

/// Finds the record of a notice's end among the records up to the newest.
async fn find_ended(
    ledger: &dyn Ledger,
    subject: &Subject,
    key: &str,
    newest: Position,
) -> Result<Option<(StoredEntry, TicketNotices)>, StoreError> {
    let mut items = ledger.follow_subject(&OUTCOMES, subject, Position::START).await?;
    while let Some(LogItem::Entry(stored)) = items.next().await {
        let record: Option<TicketRecord> = read_stored(&stored.entry.payload)?;
        if let Some(TicketRecord { record: OutcomeRecord::Ended(ended), ticket }) = record
            && ended.key == key
        {
            return Ok(Some((stored, ticket)));
        }
        if stored.position >= newest {
            return Ok(None);
        }
    }
    Err(Unavailable("the log of outcomes was cut off".to_owned()).into())
}
