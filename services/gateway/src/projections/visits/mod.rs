//! Projection of the log of finished visits onto forecast models; statistics read the log again.
//!
//! - `forecast_model`: the state of the projection;
//! - [`log_reader`]: reading of the visits of some days from the log;
//! - [`day_fold`]: their newest versions, a day at a time;
//! - [`statistics`]: aggregation of visits.

mod accuracy_metrics;
pub(crate) mod day_fold;
mod forecast_model;
pub(crate) mod log_reader;
pub(crate) mod statistics;

use forecast_model::ForecastState;
use paihao_chassis::Tasks;
use paihao_contracts::envelope::{self, NewerForm, ReadError};
use paihao_contracts::streams::HISTORY;
use paihao_domain::{Accuracy, ForecastModel};
use paihao_ledger::projection::{Follow, Follower};
use paihao_ledger::{Ledger, Position, Projection, StoredEntry, Subject};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Largest number of concurrent reads of the log for statistics; further ones wait.
const MAX_CONCURRENT_READS: usize = 2;

/// Interval at which the accuracy of quoted waits is published as metrics.
const PUBLISH_INTERVAL: Duration = Duration::from_secs(15);

/// Forecast models and accuracy that this replica has learned from visits. Cheap to clone.
#[derive(Clone)]
pub struct VisitProjection(Arc<ProjectionInner>);

struct ProjectionInner {
    ledger: Arc<dyn Ledger>,
    forecast: Arc<Mutex<ForecastState>>,
    follower: Follower<()>,
    read_permits: Semaphore,
}

impl VisitProjection {
    /// Begins to follow the log, until `closed`. Nothing waits until it has been read: waits are
    /// forecast with the models learned by then.
    pub fn start(
        ledger: Arc<dyn Ledger>,
        closed: CancellationToken,
        tasks: &Tasks,
    ) -> VisitProjection {
        let forecast = Arc::new(Mutex::default());
        let follow = Follow::new(ledger.clone(), HISTORY, closed.clone());
        let (follower, following) = follow.start(HistoryProjection(forecast.clone()));
        let visits = VisitProjection(Arc::new(ProjectionInner {
            ledger,
            forecast,
            follower,
            read_permits: Semaphore::new(MAX_CONCURRENT_READS),
        }));
        tasks.spawn("visits", following);
        tasks.spawn("accuracy", publish_accuracy(visits.clone(), closed));
        visits
    }

    /// Returns the forecast model of a site.
    pub fn model(&self, site: &Subject) -> ForecastModel {
        self.0.forecast.lock().model(site)
    }

    /// Returns the accuracy of quoted waits over all sites, in the last four weeks of days.
    pub fn accuracy(&self) -> Accuracy {
        self.0.forecast.lock().accuracy()
    }

    /// Returns the form of an entry that a newer program wrote. Forecasts are made without it;
    /// statistics would be wrong.
    pub fn newer(&self) -> Option<NewerForm> {
        self.0.follower.newer()
    }

    /// Waits until the log has been read up to its head at the start.
    pub async fn until_caught_up(&self) {
        self.0.follower.until_caught_up().await;
    }

    /// Waits until the log has been read up to this position.
    pub async fn until(&self, position: Position) {
        let mut progress = self.0.follower.changes();
        // An error means that the process stops.
        let _ = progress.wait_for(|progress| progress.position >= position).await;
    }
}

/// Projection of the log of visits onto the forecast state.
struct HistoryProjection(Arc<Mutex<ForecastState>>);

impl Projection for HistoryProjection {
    type View = ();

    fn view(&self) {}

    fn apply(&mut self, stored: StoredEntry) -> Result<(), ReadError> {
        let entry = envelope::decode(&stored.entry.payload)?;
        self.0.lock().apply(&stored.subject, stored.position, entry);
        Ok(())
    }

    fn reset(&mut self) {
        *self.0.lock() = ForecastState::default();
    }
}

/// Publishes the accuracy of quoted waits every [`PUBLISH_INTERVAL`] in which visits were logged.
async fn publish_accuracy(visits: VisitProjection, stop: CancellationToken) {
    let mut changes = visits.0.follower.changes();
    let mut interval = tokio::time::interval(PUBLISH_INTERVAL);
    while stop.run_until_cancelled(interval.tick()).await.is_some() {
        if changes.has_changed().unwrap_or(false) {
            changes.mark_unchanged();
            accuracy_metrics::publish(&visits.accuracy());
        }
    }
}
