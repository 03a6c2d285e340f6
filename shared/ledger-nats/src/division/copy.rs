//! Copy of a ledger in one partition, into several.

use crate::append;
use crate::backup_source::{bounded_entries, consumer_info};
use crate::connection::unavailable;
use crate::consumer::{LedgerContext, durable};
use crate::log_writer::LogWriter;
use crate::streams::StreamKind;
use async_nats::jetstream::consumer::DeliverPolicy;
use futures::StreamExt;
use paihao_contracts::partitions::{Partition, Partitions};
use paihao_contracts::streams::{LEDGER, SNAPSHOT_FLOOR, SNAPSHOTS};
use paihao_ledger::backup::restore::Placement;
use paihao_ledger::{Position, StoredEntry, Unavailable};
use std::time::Duration;

/// Copy that is being made. Entries of a site go to its partition at their positions, so that
/// whatever names one stays true.
pub(super) struct Copy {
    source: LedgerContext,
    target: LedgerContext,
    heartbeat: Duration,
    writer: LogWriter,
    reached: Position,
}

impl Copy {
    pub(super) fn new(source: LedgerContext, target: LedgerContext, heartbeat: Duration) -> Copy {
        let writer = LogWriter::new(target.clone());
        Copy { source, target, heartbeat, writer, reached: Position::START }
    }

    /// Position up to which entries are copied.
    pub(super) fn reached(&self) -> Position {
        self.reached
    }

    /// Copies the entries up to a position.
    pub(super) async fn entries(&mut self, until: Position) -> Result<(), Unavailable> {
        let (source, after) = (self.source.clone(), self.reached);
        let mut entries = bounded_entries(source, self.heartbeat, &LEDGER, after, until).await?;
        while let Some(stored) = entries.next().await {
            let stored = stored?;
            let partition = self.partitions().of(stored.subject.as_str());
            self.writer.put(&partition.ledger, stored, Placement::Kept).await?;
        }
        self.writer.settle().await?;
        self.reached = self.reached.max(until);
        Ok(())
    }

    /// Removes what stands in for entries of other partitions.
    pub(super) async fn remove_fillers(&mut self) -> Result<(), Unavailable> {
        for Partition { ledger, .. } in self.partitions().all() {
            self.writer.remove_fillers(&ledger).await?;
        }
        Ok(())
    }

    /// Copies the snapshots, with their floor into each partition: positions are the same in all.
    pub(super) async fn snapshots(&mut self) -> Result<(), Unavailable> {
        let streams = &self.source.streams;
        let until = append::head(streams, &SNAPSHOTS).await?;
        let (source, after) = (self.source.clone(), Position::START);
        let mut entries = bounded_entries(source, self.heartbeat, &SNAPSHOTS, after, until).await?;
        while let Some(stored) = entries.next().await {
            let stored = stored?;
            if stored.subject.as_str() == SNAPSHOT_FLOOR {
                for Partition { snapshots, .. } in self.partitions().all() {
                    let StoredEntry { position, subject, at_ms, entry } = &stored;
                    let (subject, entry) = (subject.clone(), entry.clone());
                    let floor = StoredEntry { position: *position, subject, at_ms: *at_ms, entry };
                    self.writer.put(&snapshots, floor, Placement::Next).await?;
                }
            } else {
                let partition = self.partitions().of(stored.subject.as_str());
                self.writer.put(&partition.snapshots, stored, Placement::Next).await?;
            }
        }
        for Partition { snapshots, .. } in self.partitions().all() {
            self.writer.end(&snapshots, Position::START, 0).await?;
        }
        Ok(())
    }

    /// Ends the logs of decisions, so that the next entry stands behind `last` in each.
    pub(super) async fn end(&mut self, last: Position) -> Result<(), Unavailable> {
        for Partition { ledger, .. } in self.partitions().all() {
            self.writer.end(&ledger, last, 0).await?;
        }
        Ok(())
    }

    /// Has the shared consumers of each partition begin at the oldest entry that is not done. What
    /// is done behind it is delivered again, as every handler bears.
    pub(super) async fn consumers(&mut self) -> Result<(), Unavailable> {
        let LedgerContext { connection, streams, .. } = &self.target;
        for (log, consumer) in Partitions::ONE.consumers().filter(|(log, _)| *log == LEDGER) {
            let info = consumer_info(&self.source, StreamKind::Log(log), consumer.name).await?;
            let Some(info) = info else { continue };
            let deliver_policy = match info.ack_floor.stream_sequence {
                0 => DeliverPolicy::All,
                done => DeliverPolicy::ByStartSequence { start_sequence: done + 1 },
            };
            for Partition { ledger, .. } in self.partitions().all() {
                let kind = StreamKind::Log(ledger);
                streams.ensure_once(kind).await?;
                let config = durable(consumer.name, consumer.ack_wait, deliver_policy);
                let name = streams.name(kind);
                let creating = connection.jetstream().create_consumer_on_stream(config, &name);
                let created = connection.with_timeout(creating).await?;
                created.map_err(|error| unavailable(&error))?;
            }
        }
        Ok(())
    }

    fn partitions(&self) -> Partitions {
        self.target.streams.partitions()
    }
}
