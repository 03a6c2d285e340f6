//! Division of a ledger in one partition into several, while it is used.
//!
//! - `log`: the record of how far it has come, by which all agree;
//! - `copy`: the partitions, filled from the one stream;
//! - `watch`: what a process does meanwhile.
//!
//! The entries are copied while processes append more. For the rest of them the processes leave:
//! each stops, starts again and waits. So the ledger has no writer while its streams are exchanged,
//! and one that does not hear of it finds no stream that takes its appends.

mod copy;
pub(crate) mod log;
pub(crate) mod watch;

use crate::abandoned::AbandonedQueue;
use crate::append;
use crate::connection::Connection;
use crate::consumer::LedgerContext;
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::streams::{StreamError, StreamKind, Streams};
use copy::Copy;
use log::{DivisionLog, DivisionRecord, Newest, Step};
use paihao_contracts::partitions::{Partition, Partitions};
use paihao_contracts::streams::{LEDGER, SNAPSHOTS};
use paihao_ledger::{Position, Unavailable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use watch::LEASE;

/// Interval of the signs that the division goes on.
const SIGN_INTERVAL: Duration = Duration::from_secs(2);

/// Entries that may be left for the pause. They are copied within a tenth of a second.
const MAX_TAIL: u64 = 256;

/// Rounds of copying in a row that leave no fewer entries than the one before.
const MAX_FUTILE_ROUNDS: u32 = 8;

/// Time for the processes to leave.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Interval of the calls to the processes.
const CALL_INTERVAL: Duration = Duration::from_millis(20);

/// Progress of a division, for whoever watches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DivisionProgress {
    /// Entries up to this position of the newest are copied, and the processes go on.
    Copied {
        /// Position of the newest entry that is copied.
        reached: u64,
        /// Position of the newest entry of the ledger.
        head: u64,
    },
    /// The processes are asked to leave.
    Pausing,
    /// No process uses the ledger.
    Alone,
    /// Nothing can be appended to the one stream.
    Detached,
    /// Everything is copied.
    Complete,
    /// The partitions are the ledger, and the processes come back.
    Done {
        /// Time since [`DivisionProgress::Pausing`].
        pause: Duration,
    },
}

/// Failure of a division. Unless it says otherwise the ledger is in one partition, as before.
#[derive(Debug, thiserror::Error)]
pub enum DivisionError {
    /// The store cannot be used.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A call failed.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The ledger is in several partitions.
    #[error("the ledger has {0} partitions, and only one with a single partition can be divided")]
    Divided(usize),
    /// Another process divides it.
    #[error("the ledger is being divided by another command: wait for it")]
    UnderWay,
    /// Appends come faster than they can be copied.
    #[error(
        "entries are appended as fast as they can be copied ({0} are left): divide at a quieter hour"
    )]
    TooBusy(u64),
    /// A process has not left.
    #[error(
        "a process still uses the ledger after {} s: it is frozen, cut off, or older than this program. Stop it, or wait until it is well, and begin again",
        LEAVE_TIMEOUT.as_secs()
    )]
    InUse,
    /// A process came back, or appended, after all had left.
    #[error("a process used the ledger after all had left: begin again")]
    Appended,
    /// The processes have abandoned it.
    #[error("no sign of the division came for {} s, and the processes went on: begin again", LEASE.as_secs())]
    TakenOver,
}

impl From<StreamError> for DivisionError {
    fn from(error: StreamError) -> Self {
        DivisionError::Unavailable(error.into())
    }
}

/// Division of the ledger of a namespace.
pub struct Division {
    source: LedgerContext,
    target: LedgerContext,
    heartbeat: Duration,
    log: DivisionLog,
    /// Newest record, which is this division's.
    record: Mutex<Newest>,
}

impl Division {
    /// Connects. Nothing is changed before [`Division::run`].
    pub async fn connect(options: NatsOptions, into: Partitions) -> Result<Self, DivisionError> {
        let namespace = Namespace::new(&options.namespace)?;
        let connection = Arc::new(Connection::connect(&options).await?);
        let abandoned = AbandonedQueue::start(connection.clone());
        let context = |partitions| {
            let options = NatsOptions { partitions, ..options.clone() };
            let streams = Streams::new(connection.clone(), namespace.clone(), options);
            let (connection, abandoned) = (connection.clone(), abandoned.clone());
            LedgerContext { connection, streams: Arc::new(streams), abandoned }
        };
        let (source, target) = (context(Partitions::ONE), context(into));
        let log = DivisionLog::new(connection, namespace);
        let (record, heartbeat) = (Mutex::default(), options.heartbeat);
        Ok(Division { source, target, heartbeat, log, record })
    }

    /// Divides the ledger. A failure is undone, also one by which the future was dropped: by
    /// [`Division::abandon`], or by the processes once no sign has come for 15 s.
    pub async fn run(
        &self,
        report: &mut (dyn FnMut(DivisionProgress) + Send),
    ) -> Result<(), DivisionError> {
        if Box::pin(self.begin()).await? {
            // Boxed, as everything rare is: it calls all that the crate has.
            let mut dividing = Box::pin(self.divide(report));
            let divided = tokio::select! {
                divided = &mut dividing => divided,
                error = self.give_signs() => Err(error),
            };
            if let Err(error) = divided {
                // A record of the end whose acknowledgement was lost counts all the same.
                if !self.abandon().await? {
                    return Err(error);
                }
            }
        }
        for log in [LEDGER, SNAPSHOTS] {
            self.source.streams.delete(StreamKind::Log(log)).await?;
        }
        Ok(())
    }

    /// Gives the division up and removes its copies. Returns true if it had been done, which stays.
    pub async fn abandon(&self) -> Result<bool, DivisionError> {
        loop {
            let newest = self.log.newest().await?;
            let into = match newest.record {
                Some(DivisionRecord { step: Step::Done, .. }) => return Ok(true),
                Some(DivisionRecord { into, .. }) => into,
                None => return Ok(false),
            };
            for log in [LEDGER, SNAPSHOTS] {
                self.source.streams.ensure(StreamKind::Log(log)).await?;
            }
            let abandoned = DivisionRecord { step: Step::Abandoned, into };
            if self.log.add(abandoned, newest.sequence).await?.is_some() {
                self.remove_copies(into).await?;
                return Ok(false);
            }
        }
    }

    /// Records the begin. Returns false if the ledger is divided already, as it is to be.
    async fn begin(&self) -> Result<bool, DivisionError> {
        let into = self.into();
        let streams = &self.source.streams;
        streams.require_restored().await?;
        let newest = self.until_nobody_divides().await?;
        if let Some(DivisionRecord { step: Step::Done, into: divided }) = newest.record {
            return if divided == into { Ok(false) } else { Err(DivisionError::Divided(divided)) };
        }
        match streams.require_partitions().await {
            Err(ConnectError::Partitions { found, .. }) => {
                return Err(DivisionError::Divided(found));
            }
            checked => checked?,
        }
        let ledger = StreamKind::Log(LEDGER);
        if streams.info(&streams.name(ledger)).await?.is_none() {
            let text =
                format!("there is no ledger in the namespace {}", streams.options().namespace);
            return Err(ConnectError::Invalid(text).into());
        }
        // A division that was broken off may have detached them.
        for log in [LEDGER, SNAPSHOTS] {
            streams.ensure(StreamKind::Log(log)).await?;
        }
        streams.create_division_log().await?;
        *self.record.lock().await = newest;
        self.set(Step::Copying).await.map_err(|error| match error {
            DivisionError::TakenOver => DivisionError::UnderWay,
            error => error,
        })?;
        if let Some(DivisionRecord { into, .. }) = newest.record {
            self.remove_copies(into).await?;
        }
        self.remove_copies(into).await?;
        Ok(true)
    }

    async fn divide(
        &self,
        report: &mut (dyn FnMut(DivisionProgress) + Send),
    ) -> Result<(), DivisionError> {
        let mut copy = Copy::new(self.source.clone(), self.target.clone(), self.heartbeat);
        self.copy_in_use(&mut copy, report).await?;
        let pause = Instant::now();
        self.set(Step::Pausing).await?;
        report(DivisionProgress::Pausing);
        self.until_alone().await?;
        report(DivisionProgress::Alone);
        for log in [LEDGER, SNAPSHOTS] {
            self.source.streams.detach(StreamKind::Log(log)).await?;
        }
        report(DivisionProgress::Detached);
        let last = self.last().await?;
        copy.entries(self.head().await?).await?;
        copy.snapshots().await?;
        copy.end(last).await?;
        // Last: the removal of fillers would take the consumers past entries that it leaves.
        copy.consumers().await?;
        if self.last().await? != last || !self.is_detached().await? {
            return Err(DivisionError::Appended);
        }
        report(DivisionProgress::Complete);
        self.set(Step::Done).await?;
        report(DivisionProgress::Done { pause: pause.elapsed() });
        Ok(())
    }

    /// Copies until few entries are left.
    async fn copy_in_use(
        &self,
        copy: &mut Copy,
        report: &mut (dyn FnMut(DivisionProgress) + Send),
    ) -> Result<(), DivisionError> {
        let mut futile = 0;
        let mut least = u64::MAX;
        loop {
            let head = self.head().await?;
            let left = head.0.saturating_sub(copy.reached().0);
            if left <= MAX_TAIL {
                return Ok(());
            }
            futile = if left < least { 0 } else { futile + 1 };
            least = least.min(left);
            if futile == MAX_FUTILE_ROUNDS {
                return Err(DivisionError::TooBusy(left));
            }
            copy.entries(head).await?;
            copy.remove_fillers().await?;
            let reached = copy.reached().0;
            report(DivisionProgress::Copied { reached, head: self.head().await?.0 });
        }
    }

    /// Position of the newest entry of the ledger.
    async fn head(&self) -> Result<Position, DivisionError> {
        Ok(append::head(&self.source.streams, &LEDGER).await?)
    }

    /// Largest position that the ledger has given, to an entry that is there or not.
    async fn last(&self) -> Result<Position, DivisionError> {
        Ok(append::last_position(&self.source.streams, &LEDGER).await?)
    }

    async fn is_detached(&self) -> Result<bool, DivisionError> {
        for log in [LEDGER, SNAPSHOTS] {
            if !self.source.streams.is_detached(StreamKind::Log(log)).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Waits until no process uses the ledger.
    async fn until_alone(&self) -> Result<(), DivisionError> {
        let begun = Instant::now();
        while self.log.call_processes().await? {
            if begun.elapsed() >= LEAVE_TIMEOUT {
                return Err(DivisionError::InUse);
            }
            tokio::time::sleep(CALL_INTERVAL).await;
        }
        Ok(())
    }

    /// Reads the newest record. Waits until one of a division under way has stood for so long that
    /// whoever made it has gone.
    async fn until_nobody_divides(&self) -> Result<Newest, DivisionError> {
        let newest = self.log.newest().await?;
        let is_under_way =
            |record: DivisionRecord| matches!(record.step, Step::Copying | Step::Pausing);
        if !newest.record.is_some_and(is_under_way) {
            return Ok(newest);
        }
        let begun = Instant::now();
        while begun.elapsed() < LEASE {
            let now = self.log.newest().await?;
            if now.sequence != newest.sequence {
                return if now.record.is_some_and(is_under_way) {
                    Err(DivisionError::UnderWay)
                } else {
                    Ok(now)
                };
            }
            tokio::time::sleep(SIGN_INTERVAL / 4).await;
        }
        Ok(newest)
    }

    async fn set(&self, step: Step) -> Result<(), DivisionError> {
        let mut newest = self.record.lock().await;
        let record = DivisionRecord { step, into: self.into() };
        let added = self.log.add(record, newest.sequence).await?;
        let sequence = added.ok_or(DivisionError::TakenOver)?;
        *newest = Newest { record: Some(record), sequence };
        Ok(())
    }

    /// Repeats the newest record, until that fails.
    async fn give_signs(&self) -> DivisionError {
        loop {
            tokio::time::sleep(SIGN_INTERVAL).await;
            let step = self.record.lock().await.record.map(|record| record.step);
            if let Err(error) = self.set(step.unwrap_or(Step::Copying)).await {
                return error;
            }
        }
    }

    async fn remove_copies(&self, into: usize) -> Result<(), DivisionError> {
        let copies = Partitions::new(into).filter(|copies| *copies != Partitions::ONE);
        for Partition { ledger, snapshots, .. } in copies.iter().flat_map(|copies| copies.all()) {
            for log in [ledger, snapshots] {
                self.target.streams.delete(StreamKind::Log(log)).await?;
            }
        }
        Ok(())
    }

    fn into(&self) -> usize {
        self.target.streams.partitions().count()
    }
}
