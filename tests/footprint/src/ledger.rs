//! Ledger in memory that keeps no more than the newest entry of each subject, and of the ledger of
//! decisions only its position: what is counted beside it is the gateway's.

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, LEDGER, Log, WorkQueue};
use paihao_ledger::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    StoredEntry, Subject, Unavailable,
};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;

/// Ledger in memory. Who follows a log has to begin before its first entry.
#[derive(Default)]
pub struct MemoryLedger(Mutex<State>);

#[derive(Default)]
struct State {
    heads: BTreeMap<&'static str, u64>,
    newest: BTreeMap<(&'static str, Subject), StoredEntry>,
    followers: Vec<(&'static str, mpsc::UnboundedSender<LogItem>)>,
}

fn not_here() -> Unavailable {
    Unavailable("there are no consumers and queues here".to_owned())
}

#[async_trait]
impl Ledger for MemoryLedger {
    fn partitions(&self) -> Partitions {
        Partitions::ONE
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        // A ledger takes a moment, in which the commands of others gather.
        tokio::task::yield_now().await;
        let mut state = self.0.lock();
        let found = state.newest.get(&(log.name, subject.clone())).map(|stored| stored.position);
        let holds = match expect {
            ExpectedPosition::Any => true,
            ExpectedPosition::Empty => found.is_none(),
            ExpectedPosition::At(position) => found == Some(position),
        };
        if !holds {
            return Err(AppendError::Conflict { expected: expect, found });
        }
        let head = state.heads.entry(log.name).or_default();
        *head += 1;
        let position = Position(*head);
        let mut stored = StoredEntry { position, subject: subject.clone(), at_ms: 0, entry };
        state.followers.retain(|(followed, follower)| {
            *followed != log.name || follower.send(LogItem::Entry(stored.clone())).is_ok()
        });
        if *log == LEDGER {
            stored.entry = Entry::default();
        }
        state.newest.insert((log.name, subject.clone()), stored);
        Ok(position)
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        Ok(self.0.lock().newest.get(&(log.name, subject.clone())).cloned())
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        Ok(Position(self.0.lock().heads.get(log.name).copied().unwrap_or_default()))
    }

    async fn follow(
        &self,
        log: &Log,
        _after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.lock().followers.push((log.name, sender));
        let items = stream::unfold(receiver, async |mut receiver| {
            let item = receiver.recv().await?;
            Some((item, receiver))
        });
        Ok(items.boxed())
    }

    async fn consume(&self, _: &Log, _: &Consumer, _: usize) -> Result<Deliveries, Unavailable> {
        Err(not_here())
    }

    async fn enqueue(
        &self,
        _: &WorkQueue,
        _: &str,
        _: Entry,
        _: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        Err(not_here())
    }

    async fn consume_queue(&self, _: &WorkQueue, _: usize) -> Result<Deliveries, Unavailable> {
        Err(not_here())
    }

    async fn check(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}
