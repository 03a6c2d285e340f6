//! Mendings of faults of the past. Each can be taken out, from outside the product, so that a run
//! shows that it would find the fault again.

use crate::calendar;
use crate::edge::Request;
use crate::plan::Plan;
use crate::world::World;
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::notice::Channel;
use paihao_contracts::streams::{Log, OUTCOMES, SETTINGS};
use paihao_contracts::ticket_record::TicketRecord;
use paihao_ledger::conformance::layer::LedgerLayer;
use paihao_ledger::conformance::routed_ledger::{RoutedLedger, SnapshotStore};
use paihao_ledger::{
    AppendError, Entry, ExpectedPosition, Ledger, LogItem, Position, StoredEntry, Subject,
    Unavailable,
};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Closure after which every entry of the ledger has aged out.
const LONG_CLOSURE: Duration = Duration::from_secs(100 * 3600);

/// Mending that a run can go without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Mending {
    /// Snapshots: without them a line that carries over is lost once its entries have aged out.
    Snapshots,
    /// Idempotency over the turn of the day: without it a key counts for its own business day, and
    /// a repeat after the turn calls a second person.
    IdempotencyOverTurn,
    /// Settings before notices: without it a notifier delivers before it has read the templates
    /// that were set through the API, and buries the notices of its start.
    SettingsBeforeNotices,
    /// Comparison of clocks: without it a replica with a wrong clock closes the day of every site.
    ComparedClocks,
    /// Claims known by their id: without it a notifier takes its own claim, whose answer was lost,
    /// for that of another one, and the notice ends as unknown although nothing was sent.
    KnownClaims,
    /// Dead letters that are due until they stand: without it the letter of a notice is lost if the
    /// ledger does not take it, or the notifier dies, once the outcome is recorded.
    DueDeadLetters,
}

impl Mending {
    /// All mendings.
    pub const ALL: [Mending; 6] = [
        Mending::Snapshots,
        Mending::IdempotencyOverTurn,
        Mending::SettingsBeforeNotices,
        Mending::ComparedClocks,
        Mending::KnownClaims,
        Mending::DueDeadLetters,
    ];

    /// Turns a plan into one in which the mending matters.
    pub fn focus(self, plan: &mut Plan) {
        match self {
            Mending::Snapshots => {
                plan.carry_over = true;
                plan.closure = Some(LONG_CLOSURE);
            }
            Mending::IdempotencyOverTurn => plan.start_ms = calendar::on_first_day(3, 58),
            // Of a second text to one person WeChat does not know that it is the same.
            Mending::KnownClaims => plan.channels = vec![Channel::CustomerService],
            Mending::DueDeadLetters => plan.channels = vec![Channel::Template],
            Mending::SettingsBeforeNotices | Mending::ComparedClocks => {}
        }
    }

    /// Returns the ledger of a gateway without this mending.
    pub fn gateway_ledger(without: Option<Mending>, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        match without {
            Some(Mending::Snapshots) => RoutedLedger::new(ledger, SnapshotStore::Absent),
            _ => ledger,
        }
    }

    /// Returns the ledger of a notifier without this mending.
    pub fn notifier_ledger(without: Option<Mending>, ledger: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        match without {
            Some(Mending::SettingsBeforeNotices) => Arc::new(LateSettings(ledger)),
            Some(Mending::KnownClaims) => {
                Arc::new(StrangeClaims { inner: ledger, unanswered: Mutex::default() })
            }
            Some(Mending::DueDeadLetters) => Arc::new(ForgottenLetters(ledger)),
            _ => ledger,
        }
    }

    /// Returns the change that requests go through without this mending.
    pub fn rewrite(without: Option<Mending>) -> fn(&World, &mut Request) {
        match without {
            Some(Mending::IdempotencyOverTurn) => |world, request| {
                let day = calendar::day_of(world.now_ms());
                request.key = request.key.take().map(|key| format!("{key}-{day}"));
            },
            _ => |_, _| {},
        }
    }
}

/// Ledger that says of the settings log that it has nothing to read, and shows its entries a while
/// later: a reader believes that it has caught up.
struct LateSettings(Arc<dyn Ledger>);

/// Time for which the settings are not seen.
const SETTINGS_DELAY: Duration = Duration::from_secs(20);

#[async_trait]
impl LedgerLayer for LateSettings {
    fn inner(&self) -> &dyn Ledger {
        &*self.0
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        if *log == SETTINGS { Ok(Position::START) } else { self.0.head(log).await }
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let entries = self.0.follow(log, after).await?;
        if *log != SETTINGS {
            return Ok(entries);
        }
        let wait = futures::stream::once(tokio::time::sleep(SETTINGS_DELAY));
        Ok(wait.flat_map(|()| futures::stream::empty()).chain(entries).boxed())
    }
}

/// Ledger that shows a claim whose append got no answer as that of another worker.
struct StrangeClaims {
    inner: Arc<dyn Ledger>,
    /// Ids of the claims.
    unanswered: Mutex<BTreeSet<String>>,
}

/// Returns the ids of the claims in a ticket's record.
fn claims(record: &TicketRecord) -> Vec<String> {
    let claims = record.ticket.open.iter().filter_map(|open| open.claim.as_ref());
    claims.map(|claim| claim.id.clone()).collect()
}

fn ticket_record(log: &Log, entry: &Entry) -> Option<TicketRecord> {
    (*log == OUTCOMES).then(|| serde_json::from_slice(&entry.payload).ok())?
}

#[async_trait]
impl LedgerLayer for StrangeClaims {
    fn inner(&self) -> &dyn Ledger {
        &*self.inner
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        let claims = ticket_record(log, &entry).map_or_else(Vec::new, |record| claims(&record));
        let appended = self.inner.append(log, subject, expect, entry).await;
        match appended {
            Err(AppendError::Unavailable(_)) if !claims.is_empty() => {
                self.unanswered.lock().extend(claims);
                Err(AppendError::Conflict { expected: expect, found: None })
            }
            appended => {
                if appended.is_ok() {
                    self.unanswered.lock().retain(|id| !claims.contains(id));
                }
                appended
            }
        }
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        let mut last = self.inner.last(log, subject).await?;
        if let Some(stored) = &mut last
            && let Some(mut record) = ticket_record(log, &stored.entry)
        {
            let unanswered = self.unanswered.lock();
            let claims = record.ticket.open.iter_mut().filter_map(|open| open.claim.as_mut());
            for claim in claims.filter(|claim| unanswered.contains(&claim.id)) {
                claim.id = "another worker".to_owned();
            }
            stored.entry = with_record(&stored.entry, &record);
        }
        Ok(last)
    }
}

/// Ledger that shows no reason of a dead letter in what it has of an ended notice.
struct ForgottenLetters(Arc<dyn Ledger>);

#[async_trait]
impl LedgerLayer for ForgottenLetters {
    fn inner(&self) -> &dyn Ledger {
        &*self.0
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        let mut last = self.0.last(log, subject).await?;
        if let Some(stored) = &mut last
            && let Some(mut record) = ticket_record(log, &stored.entry)
        {
            record.ticket.ended.iter_mut().for_each(|ended| ended.dead_letter = None);
            stored.entry = with_record(&stored.entry, &record);
        }
        Ok(last)
    }
}

fn with_record(entry: &Entry, record: &TicketRecord) -> Entry {
    let payload = serde_json::to_vec(record).expect("string keys only");
    Entry { payload: payload.into(), ..entry.clone() }
}
