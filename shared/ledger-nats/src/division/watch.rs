//! The part of a process in a division: it leaves when one pauses the processes, and waits at its
//! start until that is over.

use super::log::{DivisionLog, DivisionRecord, Step};
use crate::connection::{Connection, reconnected, retry_backoff};
use crate::naming::Namespace;
use crate::options::{ConnectError, NatsOptions};
use crate::streams::{StreamError, Streams};
use async_nats::Subscriber;
use futures::StreamExt;
use paihao_contracts::partitions::Partitions;
use paihao_ledger::Unavailable;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Time without a sign of whoever divides, after which a division that is not done is abandoned.
pub(super) const LEASE: Duration = Duration::from_secs(15);

/// Interval of looking whether a pause is over.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Returns the partitions of the ledger: those of the options, unless it was divided since they
/// were written. Waits while processes are to stay away.
pub(crate) async fn settled_partitions(
    connection: &Arc<Connection>,
    namespace: &Namespace,
    options: &NatsOptions,
) -> Result<Partitions, ConnectError> {
    let log = DivisionLog::new(connection.clone(), namespace.clone());
    let mut seen = None;
    loop {
        let newest = log.newest().await.map_err(StreamError::Unavailable)?;
        let configured = options.partitions;
        let Some(DivisionRecord { step, into }) = newest.record else { return Ok(configured) };
        match step {
            Step::Copying | Step::Abandoned => return Ok(configured),
            Step::Done => {
                let divided = Partitions::new(into).filter(|_| configured == Partitions::ONE);
                return Ok(divided.unwrap_or(configured));
            }
            Step::Pausing => {}
        }
        let (sequence, since) = *seen.get_or_insert((newest.sequence, Instant::now()));
        if sequence != newest.sequence {
            seen = None;
        } else if since.elapsed() >= LEASE {
            tracing::warn!("a division of the ledger was broken off, going on without it");
            let abandoned = DivisionRecord { step: Step::Abandoned, into };
            log.add(abandoned, newest.sequence).await.map_err(StreamError::Unavailable)?;
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// Watch for a division that sends this process away.
pub(crate) struct DivisionWatch {
    connection: Arc<Connection>,
    streams: Arc<Streams>,
    log: DivisionLog,
    /// Tells whoever divides that this process uses the ledger, for as long as it is there.
    presence: Mutex<Option<Subscriber>>,
}

impl DivisionWatch {
    pub(crate) fn new(connection: Arc<Connection>, streams: Arc<Streams>) -> DivisionWatch {
        let log = DivisionLog::new(connection.clone(), streams.namespace().clone());
        DivisionWatch { connection, streams, log, presence: Mutex::new(None) }
    }

    /// Waits until this process is to leave. It counts as present from the first call until the
    /// connection ends, since it may append until then.
    pub(crate) async fn until_sent_away(&self) {
        let mut presence = self.presence.lock().await;
        let mut connections = self.connection.state();
        let mut backoff = retry_backoff();
        let mut is_lost = false;
        loop {
            let connect_count = connections.borrow_and_update().connect_count;
            let subject = self.log.call_subject();
            let calls = match &mut *presence {
                Some(calls) => calls,
                None => match self.connection.subscribe(subject).await {
                    Ok(calls) => presence.insert(calls),
                    Err(_) => {
                        backoff.wait().await;
                        continue;
                    }
                },
            };
            match self.is_sent_away().await {
                Ok(true) => return,
                Ok(false) => backoff.reset(),
                Err(_) => {
                    backoff.wait().await;
                    continue;
                }
            }
            tokio::select! {
                _ = calls.next() => {}
                () = reconnected(&mut connections, connect_count) => {}
                // By the end of a division that this process has not heard of.
                _ = self.streams.until_lost(), if !is_lost => is_lost = true,
            }
        }
    }

    /// Waits until a stream that was there is gone, and not by a division.
    pub(crate) async fn until_lost(&self) -> String {
        let stream = self.streams.until_lost().await;
        let mut backoff = retry_backoff();
        loop {
            match self.is_sent_away().await {
                Ok(true) => return std::future::pending().await,
                Ok(false) => return stream,
                Err(_) => backoff.wait().await,
            }
        }
    }

    async fn is_sent_away(&self) -> Result<bool, Unavailable> {
        let newest = self.log.newest().await?;
        Ok(newest.record.is_some_and(|record| record.sends_away(self.streams.partitions())))
    }
}
