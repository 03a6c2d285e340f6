//! Feed of a site's public events, read from the ledger: from the position where a reader stopped,
//! without gap or repeat.
//!
//! - [`cursor`]: the position of a reader;
//! - `reader`: the public events after a cursor;
//! - [`Feed::stream`]: a bounded stream of them to a listener.

pub(crate) mod cursor;
mod reader;

pub(crate) use reader::{FeedBatch, FeedError, FeedReader};

use cursor::Cursor;
use paihao_chassis::Tasks;
use paihao_contracts::public_event::PublicEvent;
use paihao_ledger::{Ledger, Subject};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Largest number of streams that one replica serves at once; each of them reads the ledger.
const MAX_STREAMS: usize = 64;

/// Largest number of events that wait for a slow listener.
const STREAM_BUFFER_EVENTS: usize = 256;

/// Time without accepting an event after which a listener is dropped.
const SLOW_CONSUMER_TIMEOUT: Duration = Duration::from_secs(30);

/// Interval at which a listener of a quiet site is sent its progress, so that its cursor does not
/// age out.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(60);

/// Feeds of this replica.
pub(crate) struct Feed {
    ledger: Arc<dyn Ledger>,
    tasks: Tasks,
    streams: Arc<Semaphore>,
}

/// Message to a listener.
#[derive(Debug)]
pub(crate) enum FeedMessage {
    /// Event of the site.
    Event(PublicEvent),
    /// Cursor up to which the site has no further event.
    Progress(Cursor),
    /// End of the stream, with the reason.
    Stopped(FeedError),
}

/// Error of a replica that serves the largest number of streams.
#[derive(Debug)]
pub(crate) struct TooManyStreams;

impl Feed {
    pub(crate) fn new(ledger: Arc<dyn Ledger>, tasks: &Tasks) -> Feed {
        Feed { ledger, tasks: tasks.child("feed"), streams: Arc::new(Semaphore::new(MAX_STREAMS)) }
    }

    /// Opens a reader of a site's events after the cursor.
    pub(crate) async fn open(
        &self,
        site: &Subject,
        after: Cursor,
    ) -> Result<FeedReader, FeedError> {
        FeedReader::open(self.ledger.clone(), site.clone(), after).await
    }

    /// Acquires the permit of one stream.
    pub(crate) fn acquire_stream_permit(&self) -> Result<OwnedSemaphorePermit, TooManyStreams> {
        self.streams.clone().try_acquire_owned().map_err(|_| TooManyStreams)
    }

    /// Sends the events of a reader to a listener, as long as it accepts them in time. After the
    /// end the listener continues from its cursor.
    pub(crate) fn stream(
        &self,
        reader: FeedReader,
        permit: OwnedSemaphorePermit,
    ) -> mpsc::Receiver<FeedMessage> {
        let (listener, messages) = mpsc::channel(STREAM_BUFFER_EVENTS);
        let stop = self.tasks.stop().clone();
        self.tasks.spawn("stream", async move {
            let _permit = permit;
            metrics::gauge!("paihao_gateway_feeds").increment(1.0);
            tokio::select! {
                () = stop.cancelled() => {}
                () = listener.closed() => {}
                () = forward(reader, &listener) => {}
            }
            metrics::gauge!("paihao_gateway_feeds").decrement(1.0);
        });
        messages
    }
}

async fn forward(mut reader: FeedReader, listener: &mpsc::Sender<FeedMessage>) {
    let mut progress = tokio::time::interval(PROGRESS_INTERVAL);
    let mut last_sent = None;
    loop {
        let batch = tokio::select! {
            biased;
            batch = reader.next() => batch,
            _ = progress.tick() => {
                let reached = reader.cursor();
                if reached.is_some() && reached != last_sent {
                    last_sent = reached;
                    if !send_all(listener, reached.map(FeedMessage::Progress)).await {
                        return;
                    }
                }
                continue;
            }
        };
        let is_accepted = match batch {
            Ok(FeedBatch { events, .. }) => {
                last_sent = reader.cursor().filter(|_| !events.is_empty()).or(last_sent);
                send_all(listener, events.into_iter().map(FeedMessage::Event)).await
            }
            Err(error) => {
                send_all(listener, [FeedMessage::Stopped(error)]).await;
                false
            }
        };
        if !is_accepted {
            return;
        }
    }
}

/// Sends messages; returns whether the listener accepted all in time.
async fn send_all(
    listener: &mpsc::Sender<FeedMessage>,
    messages: impl IntoIterator<Item = FeedMessage>,
) -> bool {
    for message in messages {
        if let Err(error) = listener.send_timeout(message, SLOW_CONSUMER_TIMEOUT).await {
            if matches!(error, mpsc::error::SendTimeoutError::Timeout(_)) {
                metrics::counter!("paihao_gateway_feeds_dropped_total").increment(1);
                tracing::info!("feed listener dropped, it was too slow");
            }
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use paihao_contracts::streams::LEDGER;
    use paihao_ledger::{Entry, ExpectedPosition, LogItem, Position, StoredEntry};

    fn entry(position: u64, site: &str) -> LogItem {
        let id = "00".repeat(16);
        let commit = format!(
            r#"{{"v":1,"site":{{"account":"shop","id":"{site}","name":"大厅","zone":"UTC"}},"decisions":[
            {{"command":"{id}","fingerprint":"0000000000000000","at":1,"outcome":{{"outcome":"forgotten"}},
            "events":[{{"event":"day_opened","day":1}},{{"event":"counter_opened","counter":"1"}}]}}]}}"#
        );
        LogItem::Entry(StoredEntry {
            position: Position(position),
            subject: Subject::new(&["shop", site]).unwrap(),
            at_ms: 1,
            entry: Entry::new(commit),
        })
    }

    /// Stream of these entries, which stays open after them.
    fn start_stream(
        entries: impl Iterator<Item = LogItem> + Send + 'static,
    ) -> mpsc::Receiver<FeedMessage> {
        let folder = tempfile::tempdir().unwrap();
        let entries = stream::iter(entries).chain(stream::pending()).boxed();
        let ledger = empty_ledger(&folder);
        let site = Subject::new(&["shop", "hall"]).unwrap();
        let reader = FeedReader::from_entries(ledger.clone(), site, entries);
        let feed = Feed { ledger, tasks: Tasks::new(), streams: Arc::new(Semaphore::new(1)) };
        feed.stream(reader, feed.acquire_stream_permit().unwrap())
    }

    fn empty_ledger(folder: &tempfile::TempDir) -> Arc<dyn Ledger> {
        let options = paihao_ledger_sqlite::SqliteOptions::new(Arc::new(|| 1));
        let file = folder.path().join("x.sqlite");
        Arc::new(paihao_ledger_sqlite::SqliteLedger::open(file, options).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn a_listener_that_takes_nothing_is_dropped_and_nothing_more_is_kept_for_it() {
        let mut messages = start_stream((1..).map(|position| entry(position, "hall")));
        tokio::time::sleep(SLOW_CONSUMER_TIMEOUT * 2).await;
        let mut received = 0;
        while let Some(message) = messages.recv().await {
            assert!(matches!(message, FeedMessage::Event(_)), "{message:?}");
            received += 1;
        }
        assert_eq!(received, STREAM_BUFFER_EVENTS);
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_to_a_quiet_site_is_told_how_far_it_has_come_once() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = empty_ledger(&folder);
        let append = async |site: &str| {
            let LogItem::Entry(stored) = entry(1, site) else { unreachable!("an entry") };
            let to = stored.subject;
            ledger.append(&LEDGER, &to, ExpectedPosition::Any, stored.entry).await.unwrap()
        };
        let own = append("hall").await;
        let feed = Feed {
            ledger: ledger.clone(),
            tasks: Tasks::new(),
            streams: Arc::new(Semaphore::new(1)),
        };
        let site = Subject::new(&["shop", "hall"]).unwrap();
        let reader = feed.open(&site, Cursor::Beginning).await.unwrap();
        let mut messages = feed.stream(reader, feed.acquire_stream_permit().unwrap());
        for index in 0..2 {
            let Some(FeedMessage::Event(event)) = messages.recv().await else { panic!("no event") };
            assert_eq!((event.id.position, event.id.index), (own.0, index));
        }
        append("other").await;
        let newest = append("other").await;
        let Some(FeedMessage::Progress(cursor)) = messages.recv().await else {
            panic!("no progress")
        };
        assert_eq!(cursor.to_string(), newest.0.to_string());
        let more = tokio::time::timeout(PROGRESS_INTERVAL * 10, messages.recv()).await;
        assert!(more.is_err(), "{more:?}");
    }
}
