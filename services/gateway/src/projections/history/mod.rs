//! What is left of visits: each gateway follows the history, learns from it what people are told, and
//! reads it again for whoever wants figures.
//!
//! - [`learned`]: what one replica keeps of it, bounded by the sites and not by the visits;
//! - [`reading`]: the visits of some days, read again from the log;
//! - [`figures`]: what they add up to.

pub(crate) mod figures;
mod learned;
mod published;
pub(crate) mod reading;

use futures::StreamExt;
use learned::Learned;
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::history::HistoryEntry;
use paihao_contracts::names::HISTORY;
use paihao_domain::{Accuracy, Estimate, Model, QueueId, Shown, Timestamp};
use paihao_ledger::{Followed, Ledger, Position, Recorded, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// How often the figures of how well people are told the truth are given to whoever collects them.
const PUBLISH: Duration = Duration::from_secs(15);

/// The history as this replica knows it. Cheap to clone.
#[derive(Clone)]
pub struct History(Arc<Within>);

struct Within {
    ledger: Arc<dyn Ledger>,
    learned: Mutex<Learned>,
    /// How far it has been read, and whether that is as far as it reached at the start.
    read: watch::Sender<(Position, bool)>,
    at_once: Semaphore,
    /// What those who look at a queue were shown last.
    shown: Mutex<BTreeMap<(Subject, QueueId), Shown>>,
}

impl History {
    /// Begins to follow the history, from its beginning; goes on until `closed`. Nobody waits for
    /// it: until it has been read people are told what is known by then.
    pub(crate) fn follow(
        ledger: Arc<dyn Ledger>,
        closed: CancellationToken,
        tasks: &Tasks,
    ) -> History {
        let history = History(Arc::new(Within {
            ledger,
            learned: Mutex::default(),
            read: watch::Sender::new((Position::START, false)),
            at_once: Semaphore::new(reading::AT_ONCE),
            shown: Mutex::default(),
        }));
        let follower = history.clone();
        tasks.spawn("history", async move { follower.run(closed).await });
        history
    }

    /// What the visits of a site have taught.
    pub fn model(&self, site: &Subject) -> Model {
        self.0.learned.lock().model(site)
    }

    /// The range to show of a queue now that it would be this: an upper bound that this replica has
    /// just shortened is not lengthened again at once.
    pub(crate) fn steady(
        &self,
        site: &Subject,
        queue: &QueueId,
        fresh: Estimate,
        at: Timestamp,
    ) -> Estimate {
        let mut shown = self.0.shown.lock();
        let shown = shown.entry((site.clone(), queue.clone())).or_insert(Shown::first(fresh));
        *shown = shown.next(fresh, at);
        shown.range
    }

    /// How well what people were told came true, over all sites, in the last four weeks of days.
    pub fn accuracy(&self) -> Accuracy {
        self.0.learned.lock().accuracy()
    }

    /// Waits until the history has been read as far as it reached when following began.
    pub async fn until_read(&self) {
        // An error means that the process stops.
        let _ = self.0.read.subscribe().wait_for(|(_, whole)| *whole).await;
    }

    /// Waits until the history has been read up to here.
    pub async fn until(&self, position: Position) {
        let _ = self.0.read.subscribe().wait_for(|(read, _)| *read >= position).await;
    }

    async fn run(&self, closed: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !closed.is_cancelled() {
            if let Err(error) = self.read_on(&closed).await {
                tracing::warn!(%error, "cannot follow the history yet");
            }
            backoff.wait_unless(&closed).await;
        }
    }

    async fn read_on(&self, closed: &CancellationToken) -> Result<(), paihao_ledger::Unavailable> {
        let goal = self.0.ledger.head(&HISTORY).await?;
        let mut entries = self.0.ledger.follow(&HISTORY, Position::START).await?;
        *self.0.learned.lock() = Learned::default();
        self.0.read.send_replace((Position::START, goal == Position::START));
        let mut publish = tokio::time::interval(PUBLISH);
        let mut news = true;
        loop {
            let next = tokio::select! {
                biased;
                () = closed.cancelled() => return Ok(()),
                next = entries.next() => next,
                _ = publish.tick() => {
                    if std::mem::take(&mut news) {
                        published::publish(&self.accuracy());
                    }
                    continue;
                }
            };
            news = true;
            match next {
                Some(Followed::Entry(recorded)) => {
                    self.learn(&recorded);
                    let whole = recorded.position >= goal;
                    self.0.read.send_modify(|read| *read = (recorded.position, read.1 || whole));
                }
                Some(Followed::Restarted) => {
                    tracing::warn!("the history was made anew: nothing is learned yet");
                    *self.0.learned.lock() = Learned::default();
                    self.0.read.send_replace((Position::START, true));
                }
                None => return Ok(()),
            }
        }
    }

    fn learn(&self, recorded: &Recorded) {
        match serde_json::from_slice::<HistoryEntry>(&recorded.entry.payload) {
            Ok(entry) => self.0.learned.lock().add(&recorded.subject, recorded.position, entry),
            Err(error) => {
                let position = recorded.position.0;
                tracing::warn!(position, %error, "an entry of the history is not understood");
            }
        }
    }
}
