//! What is left of visits: each gateway follows the history, learns from it what people are told, and
//! reads it again for whoever wants figures.
//!
//! - [`forecast`]: what one replica keeps of it, bounded by the sites and not by the visits;
//! - [`read_operation`]: the visits of some days, read again from the log;
//! - [`statistics`]: what they add up to.

mod accuracy_metrics;
mod forecast_model;
pub(crate) mod log_reader;
pub(crate) mod statistics;

use forecast_model::ForecastState;
use futures::StreamExt;
use paihao_chassis::Tasks;
use paihao_chassis::backoff::Backoff;
use paihao_contracts::streams::HISTORY;
use paihao_contracts::visit::HistoryEntry;
use paihao_domain::{Accuracy, DisplayedRange, Estimate, ForecastModel, QueueId, Timestamp};
use paihao_ledger::{Followed, Ledger, Position, Recorded, Subject};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// How often the figures of how well people are told the truth are given to whoever collects them.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(15);

/// The history as this replica knows it. Cheap to clone.
#[derive(Clone)]
pub struct VisitProjection(Arc<ProjectionInner>);

struct ProjectionInner {
    ledger: Arc<dyn Ledger>,
    forecast: Mutex<ForecastState>,
    /// How far it has been read, and whether that is as far as it reached at the start.
    progress: watch::Sender<(Position, bool)>,
    read_permits: Semaphore,
    /// What those who look at a queue were shown last.
    displayed: Mutex<BTreeMap<(Subject, QueueId), DisplayedRange>>,
}

impl VisitProjection {
    /// Begins to follow the history, from its beginning; goes on until `closed_settings`. Nobody waits for
    /// it: until it has been read people are told what is known by then.
    pub(crate) fn start(
        ledger: Arc<dyn Ledger>,
        closed: CancellationToken,
        tasks: &Tasks,
    ) -> VisitProjection {
        let history = VisitProjection(Arc::new(ProjectionInner {
            ledger,
            forecast: Mutex::default(),
            progress: watch::Sender::new((Position::START, false)),
            read_permits: Semaphore::new(log_reader::MAX_CONCURRENT_READS),
            displayed: Mutex::default(),
        }));
        let follower = history.clone();
        tasks.spawn("history", async move { follower.run(closed).await });
        history
    }

    /// What the visits of a site have taught.
    pub fn model(&self, site: &Subject) -> ForecastModel {
        self.0.forecast.lock().model(site)
    }

    /// The range to show of a queue now that it would be this: an upper bound that this replica has
    /// just shortened is not lengthened again at once.
    pub(crate) fn stabilize(
        &self,
        site: &Subject,
        queue: &QueueId,
        fresh: Estimate,
        at: Timestamp,
    ) -> Estimate {
        let mut shown = self.0.displayed.lock();
        let shown =
            shown.entry((site.clone(), queue.clone())).or_insert(DisplayedRange::new(fresh));
        *shown = shown.updated(fresh, at);
        shown.range
    }

    /// How well what people were told came true, over all sites, in the last four weeks of days.
    pub fn accuracy(&self) -> Accuracy {
        self.0.forecast.lock().accuracy()
    }

    /// Waits until the history has been read as far as it reached when following began.
    pub async fn until_caught_up(&self) {
        // An error means that the process stops.
        let _ = self.0.progress.subscribe().wait_for(|(_, whole)| *whole).await;
    }

    /// Waits until the history has been read up to here.
    pub async fn until(&self, position: Position) {
        let _ = self.0.progress.subscribe().wait_for(|(read, _)| *read >= position).await;
    }

    async fn run(&self, closed: CancellationToken) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        while !closed.is_cancelled() {
            if let Err(error) = self.follow_log(&closed).await {
                tracing::warn!(%error, "cannot follow the history yet");
            }
            backoff.wait_unless(&closed).await;
        }
    }

    async fn follow_log(
        &self,
        closed: &CancellationToken,
    ) -> Result<(), paihao_ledger::Unavailable> {
        let goal = self.0.ledger.head(&HISTORY).await?;
        let mut entries = self.0.ledger.follow(&HISTORY, Position::START).await?;
        *self.0.forecast.lock() = ForecastState::default();
        self.0.progress.send_replace((Position::START, goal == Position::START));
        let mut publish = tokio::time::interval(PUBLISH_INTERVAL);
        let mut news = true;
        loop {
            let next = tokio::select! {
                biased;
                () = closed.cancelled() => return Ok(()),
                next = entries.next() => next,
                _ = publish.tick() => {
                    if std::mem::take(&mut news) {
                        accuracy_metrics::publish(&self.accuracy());
                    }
                    continue;
                }
            };
            news = true;
            match next {
                Some(Followed::Entry(recorded)) => {
                    self.apply(&recorded);
                    let whole = recorded.position >= goal;
                    self.0
                        .progress
                        .send_modify(|read| *read = (recorded.position, read.1 || whole));
                }
                Some(Followed::Restarted) => {
                    tracing::warn!("the history was made anew: nothing is learned yet");
                    *self.0.forecast.lock() = ForecastState::default();
                    self.0.progress.send_replace((Position::START, true));
                }
                None => return Ok(()),
            }
        }
    }

    fn apply(&self, recorded: &Recorded) {
        match serde_json::from_slice::<HistoryEntry>(&recorded.entry.payload) {
            Ok(entry) => self.0.forecast.lock().apply(&recorded.subject, recorded.position, entry),
            Err(error) => {
                let position = recorded.position.0;
                tracing::warn!(position, %error, "an entry of the history is not understood");
            }
        }
    }
}
