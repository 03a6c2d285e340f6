//! Releases of the product that run side by side: the present one, and a next one whose forms the
//! present one cannot read.
//!
//! A process of the next release is the present program behind a ledger that raises the versions of
//! what it writes and lowers those of what it reads. So the present program is the older reader.

use crate::{
    AppendError, Deliveries, EnqueueOutcome, Entry, ExpectedPosition, Ledger, LogItem, Position,
    QueueBacklog, StoreTime, StoredEntry, Subject, Unavailable,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use paihao_contracts::partitions::Partitions;
use paihao_contracts::streams::{Consumer, Log, WorkQueue};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Number by which the next release raises the version of every form.
const RAISED_BY: u64 = 1000;

/// Release of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The present one.
    Present,
    /// The next one, which may write its own forms or, by `ledger.write_version`, must not yet.
    Next {
        /// True if it writes its own forms.
        writes: bool,
    },
}

impl Release {
    /// Release that every process has at the end.
    pub const NEWEST: Release = Release::Next { writes: true };

    /// Returns the ledger of a process of this release.
    pub fn ledger(self, inner: Arc<dyn Ledger>) -> Arc<dyn Ledger> {
        match self {
            Release::Present => inner,
            Release::Next { writes } => Arc::new(NextLedger { inner, writes }),
        }
    }
}

/// Ledger of a process of the next release.
struct NextLedger {
    inner: Arc<dyn Ledger>,
    writes: bool,
}

impl NextLedger {
    fn written(&self, entry: Entry) -> Entry {
        if self.writes { with_version(entry, |version| version + RAISED_BY) } else { entry }
    }
}

fn read(stored: StoredEntry) -> StoredEntry {
    let lower = |version: u64| version.checked_sub(RAISED_BY).unwrap_or(version);
    StoredEntry { entry: with_version(stored.entry, lower), ..stored }
}

fn read_item(item: LogItem) -> LogItem {
    match item {
        LogItem::Entry(stored) => LogItem::Entry(read(stored)),
        LogItem::Restarted => LogItem::Restarted,
    }
}

fn read_deliveries(inner: Deliveries) -> Deliveries {
    let delivered = futures::stream::unfold(inner, async |mut inner| {
        let mut delivery = inner.next().await?;
        delivery.message = read(delivery.message.clone());
        Some((delivery, inner))
    });
    Deliveries::new(delivered.boxed())
}

/// Returns the entry with another version of its form, if it has one.
fn with_version(entry: Entry, change: impl Fn(u64) -> u64) -> Entry {
    let Some(digits) = version_digits(&entry.payload) else { return entry };
    let text = std::str::from_utf8(&entry.payload[digits.clone()]).unwrap_or_default();
    let Ok(version) = text.parse::<u64>() else { return entry };
    let changed = change(version);
    if changed == version {
        return entry;
    }
    let (before, after) = (&entry.payload[..digits.start], &entry.payload[digits.end..]);
    let payload = [before, changed.to_string().as_bytes(), after].concat();
    Entry { payload: Bytes::from(payload), ..entry }
}

/// Place of the number in the member `v` of an object.
fn version_digits(json: &[u8]) -> Option<Range<usize>> {
    let mut depth = 0;
    let mut at = 0;
    while at < json.len() {
        match json[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b'"' => {
                let end = end_of_string(json, at)?;
                if depth == 1 && json[at..].starts_with(b"\"v\":") {
                    let start = end + 2;
                    let digits = json[start..].iter().take_while(|byte| byte.is_ascii_digit());
                    return Some(start..start + digits.count());
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// Place of the quotation mark that ends the string that begins at `start`.
fn end_of_string(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while *json.get(at)? != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    Some(at)
}

#[async_trait]
impl Ledger for NextLedger {
    fn partitions(&self) -> Partitions {
        self.inner.partitions()
    }

    async fn append(
        &self,
        log: &Log,
        subject: &Subject,
        expect: ExpectedPosition,
        entry: Entry,
    ) -> Result<Position, AppendError> {
        self.inner.append(log, subject, expect, self.written(entry)).await
    }

    async fn last(&self, log: &Log, subject: &Subject) -> Result<Option<StoredEntry>, Unavailable> {
        Ok(self.inner.last(log, subject).await?.map(read))
    }

    async fn head(&self, log: &Log) -> Result<Position, Unavailable> {
        self.inner.head(log).await
    }

    async fn follow(
        &self,
        log: &Log,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        Ok(self.inner.follow(log, after).await?.map(read_item).boxed())
    }

    async fn follow_subject(
        &self,
        log: &Log,
        subject: &Subject,
        after: Position,
    ) -> Result<BoxStream<'static, LogItem>, Unavailable> {
        Ok(self.inner.follow_subject(log, subject, after).await?.map(read_item).boxed())
    }

    async fn get(&self, log: &Log, position: Position) -> Result<Option<StoredEntry>, Unavailable> {
        Ok(self.inner.get(log, position).await?.map(read))
    }

    async fn erase(&self, log: &Log, position: Position) -> Result<(), Unavailable> {
        self.inner.erase(log, position).await
    }

    async fn consume(
        &self,
        log: &Log,
        consumer: &Consumer,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        Ok(read_deliveries(self.inner.consume(log, consumer, in_flight).await?))
    }

    async fn enqueue(
        &self,
        queue: &WorkQueue,
        key: &str,
        entry: Entry,
        delay: Duration,
    ) -> Result<EnqueueOutcome, Unavailable> {
        self.inner.enqueue(queue, key, self.written(entry), delay).await
    }

    async fn consume_queue(
        &self,
        queue: &WorkQueue,
        in_flight: usize,
    ) -> Result<Deliveries, Unavailable> {
        Ok(read_deliveries(self.inner.consume_queue(queue, in_flight).await?))
    }

    async fn time(&self) -> Result<StoreTime, Unavailable> {
        self.inner.time().await
    }

    async fn check(&self) -> Result<(), Unavailable> {
        self.inner.check().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }

    async fn backlog(&self, queue: &WorkQueue) -> Result<QueueBacklog, Unavailable> {
        self.inner.backlog(queue).await
    }

    async fn until_lost(&self) -> String {
        self.inner.until_lost().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_the_form_is_raised_and_nothing_else() {
        for (stored, raised) in [
            (r#"{"v":3,"a":"v"}"#, r#"{"v":1003,"a":"v"}"#),
            (r#"{"a":{"v":7},"b":["\"v\":1"],"v":2}"#, r#"{"a":{"v":7},"b":["\"v\":1"],"v":1002}"#),
            (r#"{"a":1}"#, r#"{"a":1}"#),
            (r#"{"v":"x"}"#, r#"{"v":"x"}"#),
            ("not JSON \"", "not JSON \""),
            ("", ""),
        ] {
            let entry = with_version(Entry::new(stored), |version| version + RAISED_BY);
            assert_eq!(entry.payload, raised);
        }
    }
}
