//! A writer of logs that nobody else writes, in which entries stand at given positions.

use crate::connection::unavailable;
use crate::consumer::LedgerContext;
use crate::message;
use crate::streams::StreamKind;
use async_nats::HeaderMap;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesOrdered, StreamExt};
use paihao_contracts::streams::Log;
use paihao_ledger::backup::restore::Placement;
use paihao_ledger::{Position, StoredEntry, Unavailable};
use std::collections::HashMap;

/// Messages that are written ahead of their acknowledgement.
pub(crate) const MAX_IN_FLIGHT: usize = 256;

/// Last part of the subject of the messages that stand in for positions without an entry.
const FILLER: &str = "filler-of-a-restore";

pub(crate) struct LogWriter {
    context: LedgerContext,
    /// Progress of the streams that are written, by the names of their logs.
    logs: HashMap<&'static str, LogProgress>,
    in_flight: FuturesOrdered<BoxFuture<'static, Result<(), Unavailable>>>,
}

/// Progress of a stream that is written.
#[derive(Default)]
struct LogProgress {
    /// Sequence of the newest message.
    last: u64,
    /// True if it has fillers.
    has_fillers: bool,
}

impl LogWriter {
    /// Creates a writer of streams that have never held a message.
    pub(crate) fn new(context: LedgerContext) -> LogWriter {
        LogWriter { context, logs: HashMap::new(), in_flight: FuturesOrdered::new() }
    }

    /// Writes an entry, and returns its position. It is stored once the log has been ended.
    pub(crate) async fn put(
        &mut self,
        log: &Log,
        stored: StoredEntry,
        placement: Placement,
    ) -> Result<Position, Unavailable> {
        if placement == Placement::Kept {
            self.skip_to(log, stored.position.0).await?;
        }
        let subject = self.context.streams.namespace().log_subject(log, &stored.subject);
        let mut headers = message::headers(&stored.entry);
        message::set_appended_at(&mut headers, stored.at_ms);
        let kind = StreamKind::Log(*log);
        self.send(kind, subject, headers, stored.entry.payload).await?;
        Ok(Position(self.progress(kind).last))
    }

    /// Ends a log: everything is stored, and the next entry stands behind `last`, and behind as
    /// many positions more as `gap`.
    pub(crate) async fn end(
        &mut self,
        log: &Log,
        last: Position,
        gap: u64,
    ) -> Result<(), Unavailable> {
        let kind = StreamKind::Log(*log);
        self.context.streams.ensure_once(kind).await?;
        let last = last.0.max(self.progress(kind).last);
        if last > 0 || gap > 0 {
            self.skip_to(log, last + 1 + gap).await?;
        }
        self.settle().await?;
        self.remove_fillers(log).await
    }

    /// Removes what stands in for positions without an entry. Everything is stored.
    pub(crate) async fn remove_fillers(&mut self, log: &Log) -> Result<(), Unavailable> {
        let kind = StreamKind::Log(*log);
        if std::mem::take(&mut self.progress(kind).has_fillers) {
            let subject = self.filler_subject(log);
            self.context.streams.purge_subject(kind, &subject).await?;
        }
        Ok(())
    }

    /// Waits until everything that was written is stored.
    pub(crate) async fn settle(&mut self) -> Result<(), Unavailable> {
        while let Some(settled) = self.in_flight.next().await {
            settled?;
        }
        Ok(())
    }

    /// Publishes a message that has to get the next sequence.
    async fn send(
        &mut self,
        kind: StreamKind,
        subject: String,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), Unavailable> {
        // Before the first message: those behind it must not overtake it.
        self.context.streams.ensure_once(kind).await?;
        let progress = self.progress(kind);
        progress.last += 1;
        let expected = progress.last;
        let connection = &self.context.connection;
        // In order: the call returns once the message has been handed to the connection.
        let sending = connection.jetstream().publish_with_headers(subject, headers, payload);
        let sent = connection.with_timeout(sending).await?.map_err(|e| unavailable(&e))?;
        self.in_flight.push_back(Box::pin(async move {
            let acknowledged = sent.await.map_err(|e| unavailable(&e))?;
            if acknowledged.sequence == expected {
                Ok(())
            } else {
                let text = "a message got another sequence, somebody else writes to the streams";
                Err(Unavailable(text.to_owned()))
            }
        }));
        while self.in_flight.len() >= MAX_IN_FLIGHT {
            self.in_flight.next().await.unwrap_or(Ok(()))?;
        }
        Ok(())
    }

    fn progress(&mut self, kind: StreamKind) -> &mut LogProgress {
        self.logs.entry(kind.name()).or_default()
    }

    /// Brings the next sequence of a log to `next`.
    async fn skip_to(&mut self, log: &Log, next: u64) -> Result<(), Unavailable> {
        let kind = StreamKind::Log(*log);
        if self.progress(kind).last == 0 && next > 1 {
            // An empty stream can begin anywhere.
            self.jump(kind, next).await?;
        }
        let subject = self.filler_subject(log);
        while self.progress(kind).last + 1 < next {
            self.progress(kind).has_fillers = true;
            self.send(kind, subject.clone(), HeaderMap::new(), Bytes::new()).await?;
        }
        Ok(())
    }

    async fn jump(&mut self, kind: StreamKind, next: u64) -> Result<(), Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.context;
        let name = streams.name(kind);
        streams.ensure_once(kind).await?;
        let jetstream = connection.jetstream();
        let purged = connection.with_timeout(async {
            let stream = jetstream.get_stream_no_info(&name).await.map_err(|e| unavailable(&e))?;
            stream.purge().sequence(next).await.map_err(|e| unavailable(&e))
        });
        purged.await??;
        let info = streams.info(&name).await?;
        self.progress(kind).last = info.map_or(0, |info| info.state.last_sequence);
        Ok(())
    }

    fn filler_subject(&self, log: &Log) -> String {
        let wildcard = self.context.streams.namespace().log_wildcard(log);
        wildcard.replace('>', FILLER)
    }
}
